package postings

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// Segment says what an index was made of.
type Segment struct {
	First   int64 // number of the first record
	Records int   // how many
	Size    int64 // of the segment's file, in bytes, when it was indexed
}

// Record is what an index keeps of a record beside its terms.
type Record struct {
	Offset int64 // where it begins in the segment's file
	At     int64 // time, in Unix milliseconds
}

// timeBlock is how many records share one time range.
const timeBlock = 256

// timeRange is the earliest and the latest time of some records.
type timeRange struct{ first, last int64 }

func (r timeRange) with(at int64) timeRange { return timeRange{min(r.first, at), max(r.last, at)} }

// noTime is the range of no record.
var noTime = timeRange{math.MaxInt64, math.MinInt64}

// isList is the bit that a term's value lacks when it is the ordinal of the only record
// that has the term, and has when it is the place of a list.
const isList = 1 << 31

// Builder is an index in memory. One goroutine may add while others search.
type Builder struct {
	first int64

	mu      sync.RWMutex
	offsets []uint32 // of each record
	times   []timeRange
	whole   timeRange
	terms   map[Term]uint32 // to an ordinal, or with isList to the number of a list
	lists   []list
	recent  [recentTerms]recentTerm // terms that were added last, by their last bits
}

// recentTerms is how many terms are remembered beside the map: a few come in nearly every record.
const recentTerms = 512

// recentTerm is a term that has a list; without one, list is 0.
type recentTerm struct {
	term Term
	list uint32 // its number, with isList
}

// NewBuilder is the empty index of a segment whose first record has the number first.
func NewBuilder(first int64) *Builder {
	return &Builder{first: first, whole: noTime, terms: map[Term]uint32{}}
}

// Add adds the next record and returns its ordinal. A term that is named twice counts once.
// A record that does not begin after the one before it, or beyond 4 GiB, is not added.
func (b *Builder) Add(r Record, terms ...Term) (uint32, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ordinal := uint32(len(b.offsets))
	if r.Offset < 0 || r.Offset > math.MaxUint32 || ordinal > 0 && r.Offset <= int64(b.offsets[ordinal-1]) || ordinal == isList-1 {
		return 0, fmt.Errorf("record %d at byte %d is not in the order of a segment of at most 4 GiB", b.first+int64(ordinal), r.Offset)
	}
	b.offsets = append(b.offsets, uint32(r.Offset))
	if ordinal%timeBlock == 0 {
		b.times = append(b.times, noTime)
	}
	block := &b.times[len(b.times)-1]
	*block, b.whole = block.with(r.At), b.whole.with(r.At)
	for _, t := range terms {
		b.add(t, ordinal)
	}
	return ordinal, nil
}

func (b *Builder) add(t Term, ordinal uint32) {
	recent := &b.recent[t%recentTerms]
	value, known := recent.list, recent.term == t && recent.list != 0
	if !known {
		if value, known = b.terms[t]; value&isList != 0 {
			*recent = recentTerm{t, value}
		}
	}
	switch {
	case !known:
		b.terms[t] = ordinal
	case value&isList != 0:
		if l := &b.lists[value&^isList]; l.last != ordinal {
			l.add(ordinal)
		}
	case value != ordinal:
		var l list
		l.add(value)
		l.add(ordinal)
		b.terms[t] = isList | uint32(len(b.lists))
		b.lists = append(b.lists, l)
	}
}

// Records is how many records the index has.
func (b *Builder) Records() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.offsets)
}

// Place returns where a record begins in the segment's file.
func (b *Builder) Place(ordinal uint32) (int64, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if int64(ordinal) >= int64(len(b.offsets)) {
		return 0, fmt.Errorf("the index has no record %d", ordinal)
	}
	return int64(b.offsets[ordinal]), nil
}

// Search returns the ordinals of the records that may match, in rising order.
func (b *Builder) Search(q Query) ([]uint32, error) {
	b.mu.RLock()
	records := uint32(len(b.offsets))
	whole, times := b.whole, slices.Clone(b.times) // the writer still changes the last one
	b.mu.RUnlock()
	return q.search(records, whole,
		func() ([]timeRange, error) { return times, nil },
		func(t Term) ([]uint32, error) { return b.lookup(t, records) })
}

// lookup returns the ordinals below records of one term.
func (b *Builder) lookup(t Term, records uint32) ([]uint32, error) {
	b.mu.RLock()
	value, known := b.terms[t]
	var l list
	if known && value&isList != 0 {
		l = b.lists[value&^isList]
	}
	all := uint32(len(b.offsets))
	b.mu.RUnlock()
	if !known {
		return nil, nil
	}
	found := []uint32{value}
	if l.count > 0 {
		var err error
		if found, err = l.ordinals(all); err != nil {
			return nil, err
		}
	}
	for len(found) > 0 && found[len(found)-1] >= records { // added since the search began
		found = found[:len(found)-1]
	}
	return found, nil
}
