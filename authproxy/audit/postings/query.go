package postings

import (
	"math"
	"slices"
)

// Query asks for records. Its zero value asks for all.
type Query struct {
	// All names the terms: a record has at least one of each of its elements.
	All [][]Term
	// From and Until bound the time, in Unix milliseconds: at or after From, before Until;
	// zero is no bound. Records of a block that reaches into that time are candidates.
	From, Until int64
}

func (q Query) until() int64 {
	if q.Until == 0 {
		return math.MaxInt64
	}
	return q.Until
}

// meets says whether a record of that range may be of the time that was asked for.
func (q Query) meets(r timeRange) bool {
	return (q.From == 0 || r.last >= q.From) && r.first <= r.last && r.first < q.until()
}

// Times are those between which all records of a segment are. They are kept so that a segment of another time need
// not be opened.
type Times struct{ whole timeRange }

// Meets says whether a record of those times may be of the time that was asked for.
func (t Times) Meets(q Query) bool { return q.meets(t.whole) }

// search evaluates the query over records of which whole is the range of time, times gives
// that of each block, and lookup gives those with a term.
func (q Query) search(records uint32, whole timeRange, times func() ([]timeRange, error), lookup func(Term) ([]uint32, error)) ([]uint32, error) {
	if records == 0 || !q.meets(whole) {
		return nil, nil
	}
	var found []uint32
	for i, anyOf := range q.All {
		lists := make([][]uint32, len(anyOf))
		for j, t := range anyOf {
			var err error
			if lists[j], err = lookup(t); err != nil {
				return nil, err
			}
		}
		if either := Or(lists...); i == 0 {
			found = either
		} else {
			found = And(found, either)
		}
		if len(found) == 0 {
			return nil, nil
		}
	}
	if len(q.All) == 0 {
		found = make([]uint32, records)
		for i := range found {
			found[i] = uint32(i)
		}
	}
	if q.From <= whole.first && whole.last < q.until() {
		return found, nil
	}
	blocks, err := times()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(ordinal uint32) bool { return !q.meets(blocks[ordinal/timeBlock]) }), nil
}

// And returns what is in both of two rising lists.
func And(a, b []uint32) []uint32 {
	if len(a) > len(b) {
		a, b = b, a
	}
	both := make([]uint32, 0, len(a))
	for _, v := range a {
		// Where b is much longer, the next element is found by doubling steps.
		step := 1
		for step < len(b) && b[step] < v {
			step *= 2
		}
		i, found := slices.BinarySearch(b[:min(step+1, len(b))], v)
		if found {
			both = append(both, v)
		}
		b = b[i:]
	}
	return both
}

// Or returns what is in any of several rising lists, once. It may return one of them.
func Or(lists ...[]uint32) []uint32 {
	switch len(lists) {
	case 0:
		return nil
	case 1:
		return lists[0]
	}
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}
