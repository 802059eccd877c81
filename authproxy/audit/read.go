package audit

import (
	"context"
	"errors"
)

// Reading says what [Log.Read] reads.
type Reading struct {
	After   int64 // from the entry behind this number on
	Until   int64 // up to this number; 0: to the end of the log
	Entries int   // at most so many
	Bytes   int   // no more once their records have so many together
	// Reveal gives what entries say about people, as far as that can be read. Else people stand
	// in them by their pseudonyms, and what is encrypted is left out.
	Reveal bool
}

// Read returns entries in the order of the log: those that are on disk, whoever wrote them. The first
// one may have a higher number than was asked for, if those before it were removed by age.
func (l *Log) Read(ctx context.Context, r Reading) (all []Entry, err error) {
	segments, err := reading{l}.segments()
	if err != nil {
		return nil, err
	}
	s := search{matches: func(Entry) bool { return true }, order: forward, after: r.After, reveal: withoutSealed}
	if r.Until > 0 {
		s.before = r.Until + 1
	}
	if r.Reveal {
		reveal := l.persons.revealer()
		s.reveal = func(of []record) error { return reveal.revealAll(ctx, of) }
	}
	size := 0
	err = s.each(l, segments, func(text []byte, e Entry) error {
		all, size = append(all, e), size+len(text)
		if len(all) == r.Entries || size >= r.Bytes {
			return errEnough
		}
		return ctx.Err()
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return all, err
}

// withoutSealed takes out what says something only to who has the keys.
func withoutSealed(of []record) error {
	for i := range of {
		of[i].entry.Sealed = ""
	}
	return nil
}

// Heard is the name of the log, and how many entries it has as far as this process has heard:
// what other processes append is heard of with the next entry of this one, or its next look. A
// log without entries has no name that lasts: whoever appends the first one names it.
func (l *Log) Heard() (origin string, entries int64) {
	edge, origin := l.follow.now()
	if edge.Size() == 0 {
		reading{l}.catchUp()
		edge, origin = l.follow.now()
	}
	return origin, edge.Size()
}
