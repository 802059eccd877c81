package postings

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
)

// Index is the index of a segment in a file. Any number of goroutines may use it.
type Index struct {
	file      *os.File
	pages     pages
	header    header
	sections  sections
	directory []uint32
}

// Open opens the index of the segment. It is refused with [ErrUnusable] if it was made of
// anything else. It keeps some KiB in memory and one open file.
func (f File) Open(want Segment) (*Index, error) {
	x, err := f.open()
	if err != nil {
		return nil, err
	}
	if x.header.segment != want {
		return nil, errors.Join(unusable("it is not of this segment as it is now"), x.Close())
	}
	return x, nil
}

func (f File) open() (*Index, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	x := &Index{file: file, pages: pages{from: file, key: f.Key}}
	stat, err := file.Stat()
	switch {
	case err != nil:
		err = fmt.Errorf("opening the index: %w", err)
	case !stat.Mode().IsRegular():
		err = unusable("it is no file")
	default:
		err = x.begin(stat.Size())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return x, nil
}

// begin reads what is kept in memory and makes sure that the file is as long as it says, so
// that nothing that is read later needs more memory than the file has bytes.
func (x *Index) begin(size int64) error {
	// The directory of a full segment is on the two pages after the header.
	head, err := x.pages.read(0, uint32(min(max(size/pageSize, 1), 3)))
	if err != nil {
		return err
	}
	if x.header, err = decodeHeader(head); err != nil {
		return err
	}
	x.sections = x.header.sections()
	if x.sections.pages*pageSize != size {
		return unusable("it is not as long as it says")
	}
	raw := head[payload:]
	if d := x.sections.directory; d.size <= int64(len(raw)) {
		raw = raw[:d.size]
	} else if raw, err = x.all(d); err != nil {
		return err
	}
	x.directory = uint32s(raw)
	if !slices.IsSorted(x.directory) || x.directory[len(x.directory)-1] != x.header.terms {
		return unusable("its directory is out of order")
	}
	return nil
}

func uint32s(raw []byte) []uint32 {
	all := make([]uint32, len(raw)/4)
	for i := range all {
		all[i] = binary.LittleEndian.Uint32(raw[4*i:])
	}
	return all
}

// Close closes the file.
func (x *Index) Close() error { return x.file.Close() }

// Place returns where a record begins in the segment's file.
func (x *Index) Place(ordinal uint32) (int64, error) {
	if ordinal >= x.records() {
		return 0, fmt.Errorf("the index has no record %d", ordinal)
	}
	raw, err := x.pages.part(x.sections.places, placeWidth*int64(ordinal), placeWidth)
	if err != nil {
		return 0, err
	}
	if at := int64(binary.LittleEndian.Uint32(raw)); at < x.header.segment.Size {
		return at, nil
	}
	return 0, unusable("a place is outside of the segment")
}

func (x *Index) records() uint32 { return uint32(x.header.segment.Records) }

// Times are the earliest and the latest time of all records, in Unix milliseconds.
func (x *Index) Times() Times { return Times{x.header.whole} }

// Search returns the ordinals of the records that may match, in rising order.
func (x *Index) Search(q Query) ([]uint32, error) {
	return q.search(x.records(), x.header.whole, x.times, x.lookup)
}

func (x *Index) times() ([]timeRange, error) {
	raw, err := x.all(x.sections.times)
	if err != nil {
		return nil, err
	}
	all := make([]timeRange, len(raw)/timeWidth)
	for i := range all {
		block := raw[timeWidth*i:]
		all[i] = timeRange{int64(binary.LittleEndian.Uint64(block)), int64(binary.LittleEndian.Uint64(block[8:]))}
	}
	return all, nil
}

func (x *Index) lookup(t Term) ([]uint32, error) {
	bucket := bucketOf(t, x.header.bucketBits())
	from, to := int64(x.directory[bucket]), int64(x.directory[bucket+1])
	table, err := x.pages.part(x.sections.terms, termWidth*from, termWidth*(to-from))
	if err != nil {
		return nil, err
	}
	n := len(table) / termWidth
	i := sort.Search(n, func(i int) bool { return Term(binary.LittleEndian.Uint64(table[termWidth*i:])) >= t })
	if i == n || Term(binary.LittleEndian.Uint64(table[termWidth*i:])) != t {
		return nil, nil
	}
	return x.ordinals(binary.LittleEndian.Uint32(table[termWidth*i+8:]))
}

// ordinals returns those that a value of the table stands for.
func (x *Index) ordinals(value uint32) ([]uint32, error) {
	if value&isList != 0 {
		l, err := x.list(int64(value &^ isList))
		if err != nil {
			return nil, err
		}
		return l.ordinals(x.records())
	}
	if value >= x.records() {
		return nil, unusable("a term has a record that is not there")
	}
	return []uint32{value}, nil
}

// list reads the list at an offset: first the rest of its page, which has its length unless
// that goes on in the next one.
func (x *Index) list(offset int64) (list, error) {
	s := x.sections.lists
	if offset >= s.size {
		return list{}, unusable("it points outside of itself")
	}
	n := max(payload-offset%payload, maxListHead)
	head, err := x.pages.part(s, offset, min(s.size-offset, n))
	if err != nil {
		return list{}, err
	}
	l, start, size, err := decodeList(head)
	if err == nil && l.bytes == nil {
		l.bytes, err = x.pages.part(s, offset+start, size)
	}
	return l, err
}

// maxListHead is how many bytes stand before those of a list, at most.
const maxListHead = 2 * binary.MaxVarintLen32

// decodeList decodes the list that b begins with. If b ends before it does, it has no bytes
// yet: they are size from start.
func decodeList(b []byte) (l list, start, size int64, err error) {
	length, n := binary.Uvarint(b)
	count, m := binary.Uvarint(b[max(n, 0):])
	if n <= 0 || m <= 0 || length > math.MaxUint32 || count > math.MaxUint32 {
		return list{}, 0, 0, unusable("a list has no length")
	}
	l.count = uint32(count)
	if rest := b[n+m:]; uint64(len(rest)) >= length {
		l.bytes = rest[:length]
	}
	return l, int64(n + m), int64(length), nil
}
