package postings

import (
	"encoding/binary"
	"math/bits"
)

const (
	magic = "SFIX0002" // the number counts the kinds of terms, too: an index without one would find nothing by it
	// bucketTerms is about how many terms share an entry of the directory, which is kept in
	// memory: their part of the table is two pages at most.
	bucketTerms = 256
	maxBuckets  = 1 << 16
	termWidth   = 12 // hash and value
	placeWidth  = 4
	timeWidth   = 16
	bucketWidth = 4
)

// header says what a file holds. The sections follow its page in this order: directory,
// terms, lists, offsets, times.
type header struct {
	segment  Segment
	whole    timeRange
	terms    uint32
	listSize uint32 // bytes
}

// bucketBits is how many leading bits of a hash select its entry in the directory.
func (h header) bucketBits() int {
	if h.terms <= bucketTerms {
		return 0
	}
	return min(bits.Len32((h.terms-1)/bucketTerms), bits.Len32(maxBuckets-1))
}

type sections struct {
	directory, terms, lists, places, times section
	pages                                  int64 // of the whole file
}

func (h header) sections() sections {
	var s sections
	next := int64(1)
	for _, part := range []struct {
		to   *section
		size int64
	}{
		{&s.directory, bucketWidth * (1<<h.bucketBits() + 1)},
		{&s.terms, termWidth * int64(h.terms)},
		{&s.lists, int64(h.listSize)},
		{&s.places, placeWidth * int64(h.segment.Records)},
		{&s.times, timeWidth * ((int64(h.segment.Records) + timeBlock - 1) / timeBlock)},
	} {
		*part.to = section{page: uint32(next), size: part.size}
		next += pagesFor(part.size)
	}
	s.pages = next
	return s
}

func (h header) encode() []byte {
	b := append(make([]byte, 0, payload), magic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.segment.First))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.segment.Size))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.whole.first))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.whole.last))
	b = binary.LittleEndian.AppendUint32(b, uint32(h.segment.Records))
	b = binary.LittleEndian.AppendUint32(b, h.terms)
	return binary.LittleEndian.AppendUint32(b, h.listSize)
}

func decodeHeader(b []byte) (header, error) {
	if string(b[:8]) != magic {
		return header{}, unusable("it is no index of this version")
	}
	wide := func(at int) int64 { return int64(binary.LittleEndian.Uint64(b[at:])) }
	narrow := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	return header{
		segment:  Segment{First: wide(8), Size: wide(16), Records: int(narrow(40))},
		whole:    timeRange{wide(24), wide(32)},
		terms:    narrow(44),
		listSize: narrow(48),
	}, nil
}
