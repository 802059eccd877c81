package postings

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Term stands for one value of one field. It is the XXH64 of both: terms are searched for,
// never read back, and two that share a hash only make a search find too much.
type Term uint64

// NewTerm is the term of a field's value.
func NewTerm(field, value string) Term {
	var room [128]byte
	return Term(xxhash.Sum64(append(append(append(room[:0], field...), '='), value...)))
}

// list is the ordinals of the records that have one term, as the differences between them,
// each a uvarint. The bytes up to its length never change, so that a copy of the struct can
// be read while another goroutine appends.
type list struct {
	bytes       []byte
	count, last uint32
}

// add appends an ordinal that is greater than all before it.
func (l *list) add(ordinal uint32) {
	l.bytes = binary.AppendUvarint(l.bytes, uint64(ordinal-l.last))
	l.last = ordinal
	l.count++
}

// ordinals decodes the list, whose numbers must rise and stay below records.
func (l list) ordinals(records uint32) ([]uint32, error) {
	if l.count > records || int(l.count) > len(l.bytes) {
		return nil, unusable("a list is longer than the segment")
	}
	all := make([]uint32, 0, l.count)
	rest, last := l.bytes, uint64(0)
	for i := range l.count {
		step, n := binary.Uvarint(rest)
		if n <= 0 || step >= uint64(records)-last || step == 0 && i > 0 {
			return nil, unusable("a list is out of order")
		}
		rest, last = rest[n:], last+step
		all = append(all, uint32(last))
	}
	if len(rest) > 0 {
		return nil, unusable("a list is longer than it says")
	}
	return all, nil
}
