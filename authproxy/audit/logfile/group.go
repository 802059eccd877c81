package logfile

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"iter"
	"strconv"
)

const (
	// prefixSize is that of the line before a group: "#BYTES CRC" and a line break.
	prefixSize = 1 + 8 + 1 + 8 + 1
	// maxGroup bounds the records of one group, in bytes.
	maxGroup = 32 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Group is what one Append writes. It is good until that returns.
type Group struct {
	first   int64
	cut     int64
	buffer  []byte // the prefix, to be filled in, and the records
	records []int  // where each begins in buffer
}

// NewGroup begins a group whose first record has a number, for whoever keeps groups elsewhere than
// in files.
func NewGroup(first int64) *Group {
	return &Group{first: first, buffer: make([]byte, prefixSize, 4<<10)}
}

// Framed is the group as it stands in a segment: the line with its length and checksum, and the
// records. It is empty if there are none; the error is about records that are no lines of text, or too many.
func (g *Group) Framed() ([]byte, error) {
	if len(g.records) == 0 {
		return nil, nil
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	return g.framed(), nil
}

// Records are the records of a group that stands at a place of its segment, in order.
func (g *Group) Records(segment, offset int64) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for i, at := range g.records {
			if !yield(Record{Seq: g.first + int64(i), At: Position{segment, offset + int64(at)}, Text: g.record(i)}) {
				return
			}
		}
	}
}

// Next is the number that the record added next will have.
func (g *Group) Next() int64 { return g.first + int64(len(g.records)) }

// Cut is how many bytes of a group that was not whole were cut off the end of the log since
// the last group was written; 0: none.
func (g *Group) Cut() int64 { return g.cut }

// Add appends a record: one line of text without its line break, not empty, and not beginning
// with #. It is copied.
func (g *Group) Add(record []byte) {
	g.records = append(g.records, len(g.buffer))
	g.buffer = append(append(g.buffer, record...), '\n')
}

func (g *Group) check() error {
	if size := len(g.buffer) - prefixSize; size > maxGroup {
		return fmt.Errorf("%d bytes at once are more than the log takes (%d)", size, maxGroup)
	}
	for i := range g.records {
		if r := g.record(i); len(r) == 0 || r[0] == '#' || bytes.IndexByte(r, '\n') >= 0 {
			return fmt.Errorf("record %d is not one line of text", g.first+int64(i))
		}
	}
	return nil
}

// record is the i-th, without its line break.
func (g *Group) record(i int) []byte {
	end := len(g.buffer)
	if i+1 < len(g.records) {
		end = g.records[i+1]
	}
	return g.buffer[g.records[i] : end-1]
}

// framed is the group as it is written.
func (g *Group) framed() []byte {
	payload := g.buffer[prefixSize:]
	copy(g.buffer, fmt.Appendf(nil, "#%08x %08x\n", len(payload), crc32.Checksum(payload, castagnoli)))
	return g.buffer
}

// parsePrefix reads the line before a group, in its one spelling.
func parsePrefix(b []byte) (size int, crc uint32, ok bool) {
	if len(b) < prefixSize || b[0] != '#' || b[9] != ' ' || b[prefixSize-1] != '\n' || bytes.ContainsAny(b[:prefixSize], "ABCDEF") {
		return 0, 0, false
	}
	n, err1 := strconv.ParseUint(string(b[1:9]), 16, 32)
	c, err2 := strconv.ParseUint(string(b[10:18]), 16, 32)
	return int(n), uint32(c), err1 == nil && err2 == nil && n > 0 && n <= maxGroup
}

// wholeGroup returns the records of the group at the beginning of b; nil: there is none
// that is whole.
func wholeGroup(b []byte) []byte {
	size, crc, ok := parsePrefix(b)
	if !ok || len(b)-prefixSize < size {
		return nil
	}
	payload := b[prefixSize : prefixSize+size]
	if crc32.Checksum(payload, castagnoli) != crc || payload[size-1] != '\n' {
		return nil
	}
	return payload
}

// ParseGroup calls f with the records of one whole group that stands at a place of its segment, the
// first of them of a number, and returns the number behind the last. ok is false, and f is not
// called, if text is anything else.
func ParseGroup(text []byte, first, segment, offset int64, f func(Record)) (next int64, ok bool) {
	payload := wholeGroup(text)
	if payload == nil || len(payload)+prefixSize != len(text) {
		return first, false
	}
	s := scanner{segment: Segment{First: segment}, offset: offset, next: first}
	_ = s.records(payload, func(r Record) error { f(r); return nil })
	return s.next, true
}

// holdsWholeGroup says whether a whole group begins anywhere in b.
func holdsWholeGroup(b []byte) bool {
	for {
		at := bytes.IndexByte(b, '#')
		if at < 0 {
			return false
		}
		if b = b[at:]; wholeGroup(b) != nil {
			return true
		}
		b = b[1:]
	}
}
