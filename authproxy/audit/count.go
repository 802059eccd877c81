package audit

import (
	"context"
	"errors"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/postings"
	"sfmcp-proxy/authproxy/db"
)

// Count returns how many entries match, whatever filter.Limit. It reads only entries of which the
// index does not tell whether they match: those at the edges of a time that was asked for, or of
// operators who named a person. Whoever can choose names of which two have one hash
// (postings.Term) can make it count too many; List does not show them.
func (l *Log) Count(ctx context.Context, filter Filter) (n int, err error) {
	filter.Limit = 0
	segments, err := reading{l}.segments()
	if err != nil {
		return 0, err
	}
	asked, err := l.persons.ask(ctx, filter)
	if err != nil {
		return 0, err
	}
	q := reading{l}.search(ctx, asked.query(), asked.matches, forward, filter)
	for i := range segments {
		if i+1 < len(segments) && (segments[i+1].First <= q.after+1 || l.indexes.outside(segments[i], q.query)) {
			continue
		}
		more, err := q.count(l, segments, i, filter)
		if err := errors.Join(ctx.Err(), err); err != nil {
			return 0, err
		}
		n += more
	}
	return n, nil
}

// count counts the entries of segment i that match.
func (q search) count(l *Log, segments []logfile.Segment, i int, filter Filter) (n int, err error) {
	index, closing, err := indexOf(l, segments, i)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closing()) }()
	found, err := q.found(index, segments[i])
	if err != nil || len(found) == 0 {
		return 0, err
	}
	unsure := found
	if filter.isTerms() {
		if unsure, err = filter.atTheEdges(index, found); err != nil {
			return 0, err
		}
	}
	n = len(found) - len(unsure)
	_, err = q.read(index, segments[i], unsure, func([]byte, Entry) (bool, error) {
		n++
		return false, nil
	})
	return n, err
}

// isTerms says whether the terms of an entry tell whether f selects it, but for its time.
func (f Filter) isTerms() bool { return f.Actor == "" || actor.Parse(f.Actor).As == "" }

// atTheEdges returns which records of those that were found stand together with some from
// before or after the time that was asked for: the index knows the times of blocks.
func (f Filter) atTheEdges(index segmentIndex, found []uint32) ([]uint32, error) {
	var edges [][]uint32
	for _, beyond := range []postings.Query{{Until: millisUp(f.Since)}, {From: db.Millis(f.Until)}} {
		if beyond.From == 0 && beyond.Until == 0 {
			continue
		}
		ordinals, err := index.Search(beyond)
		if err != nil {
			return nil, err
		}
		edges = append(edges, ordinals)
	}
	if len(edges) == 0 {
		return nil, nil
	}
	return postings.And(found, postings.Or(edges...)), nil
}

// millisUp is the first whole millisecond at or after t; 0: there is none.
func millisUp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return db.Millis(t.Add(time.Millisecond - 1))
}
