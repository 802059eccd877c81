package postings

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// File is the place of an index.
type File struct {
	Path string
	// Key, if there is one, is what its pages are sealed with (HMAC-SHA-256, 128 bits kept).
	Key []byte
}

// Write makes the file of what the builder has, for a segment's file of that size, in the
// place of the one that may be there: another process sees the former or the new one. While
// terms are copied nothing can be added: some milliseconds.
func (f File) Write(b *Builder, size int64) error {
	temporary, err := os.CreateTemp(filepath.Dir(f.Path), filepath.Base(f.Path)+".*.tmp") // only its owner may read it
	if err != nil {
		return fmt.Errorf("writing the index: %w", err)
	}
	buffered := bufio.NewWriterSize(temporary, 1<<18)
	err = b.write(buffered, size, f.Key)
	if err = errors.Join(err, buffered.Flush(), temporary.Sync(), temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), f.Path)
	}
	if err != nil {
		return fmt.Errorf("writing the index: %w", errors.Join(err, os.Remove(temporary.Name())))
	}
	return syncDir(filepath.Dir(f.Path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("writing the index: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// entry is one line of the table of terms.
type entry struct {
	term  Term
	value uint32
}

// snapshot is the state of a Builder that is written.
type snapshot struct {
	header  header
	offsets []uint32
	times   []timeRange
	entries []entry
	lists   []list
}

func (b *Builder) snapshot() snapshot {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := snapshot{
		header:  header{segment: Segment{First: b.first, Records: len(b.offsets)}, whole: b.whole, terms: uint32(len(b.terms))},
		offsets: b.offsets[:len(b.offsets):len(b.offsets)],
		times:   slices.Clone(b.times),
		entries: make([]entry, 0, len(b.terms)),
		lists:   slices.Clone(b.lists),
	}
	for t, value := range b.terms {
		s.entries = append(s.entries, entry{t, value})
	}
	return s
}

func (b *Builder) write(to io.Writer, size int64, key []byte) error {
	s := b.snapshot()
	s.header.segment.Size = size
	slices.SortFunc(s.entries, func(a, b entry) int { return cmp.Compare(a.term, b.term) })
	// A list becomes its length in bytes, its count, and its bytes.
	var lists []byte
	for i, e := range s.entries {
		if e.value&isList == 0 {
			continue
		}
		l := s.lists[e.value&^isList]
		if len(lists)+len(l.bytes) > isList-1<<16 {
			return errors.New("the lists of an index have at most 2 GiB")
		}
		s.entries[i].value = isList | uint32(len(lists))
		lists = binary.AppendUvarint(lists, uint64(len(l.bytes)))
		lists = binary.AppendUvarint(lists, uint64(l.count))
		lists = append(lists, l.bytes...)
	}
	s.header.listSize = uint32(len(lists))

	w := &writer{to: to, sealer: newSealer(key), page: make([]byte, 0, pageSize)}
	for _, section := range [][]byte{s.header.encode(), s.directory(), s.table(), lists, s.places(), s.timeTable()} {
		if err := errors.Join(w.write(section), w.flush()); err != nil {
			return err
		}
	}
	return nil
}

// directory holds, for each value of the leading bits of a hash, where its terms begin in
// the table, and where the last ones end.
func (s snapshot) directory() []byte {
	bits := s.header.bucketBits()
	var b []byte
	next := 0
	for bucket := range 1 << bits {
		for next < len(s.entries) && bucketOf(s.entries[next].term, bits) < bucket {
			next++
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(next))
	}
	return binary.LittleEndian.AppendUint32(b, uint32(len(s.entries)))
}

func bucketOf(t Term, bits int) int { return int(t >> (64 - bits)) } // a shift by 64 leaves 0

func (s snapshot) table() []byte {
	b := make([]byte, 0, termWidth*len(s.entries))
	for _, e := range s.entries {
		b = binary.LittleEndian.AppendUint64(b, uint64(e.term))
		b = binary.LittleEndian.AppendUint32(b, e.value)
	}
	return b
}

func (s snapshot) places() []byte {
	b := make([]byte, 0, placeWidth*len(s.offsets))
	for _, o := range s.offsets {
		b = binary.LittleEndian.AppendUint32(b, o)
	}
	return b
}

func (s snapshot) timeTable() []byte {
	b := make([]byte, 0, timeWidth*len(s.times))
	for _, r := range s.times {
		b = binary.LittleEndian.AppendUint64(b, uint64(r.first))
		b = binary.LittleEndian.AppendUint64(b, uint64(r.last))
	}
	return b
}
