package audit

import (
	"fmt"
	"testing"

	"sfmcp-proxy/authproxy/actor"
)

// fill appends n entries of a typical kind in groups as they are under load, and stores a
// checkpoint after each tenth of them.
func (s *store) fill(l *Log, n int) {
	s.t.Helper()
	const group = 200
	for i := range n {
		s.enqueue(l, numbered(i))
		if i%group == group-1 || i+1 == n {
			l.Flush()
		}
		if (i+1)%max(n/10, 1) == 0 {
			if err := l.Checkpoint(s.t.Context()); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// enqueue puts an entry where it is written with the next group.
func (s *store) enqueue(l *Log, e Entry) {
	s.t.Helper()
	w, err := newWaiting(s.t.Context(), e, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	w.turn = make(chan bool, 1)
	l.queue.mu.Lock()
	l.queue.waiting = append(l.queue.waiting, w)
	l.queue.mu.Unlock()
}

// numbered is the i-th entry of a log in which few people call most, and many call little.
func numbered(i int) Entry {
	e := typical()
	person := i * 7919 % 10007 % (1 + i%997)
	e.Subject = fmt.Sprintf("005xx%013d", person)
	e.Actor = actor.User(e.Subject)
	e.Username = fmt.Sprintf("rep%d@acme.example", person)
	e.RequestID = fmt.Sprintf("REQUEST%09d", i/2)
	e.Client = []string{"chatgpt", "claude", "cursor"}[i%3]
	e.Rule = fmt.Sprintf("rule %d (allow classes read)", i%20)
	if e.Outcome = OK; i%2 == 0 {
		e.Outcome = Intent
	}
	return e
}

// BenchmarkVerifyFiles is the verification of a log by its public key.
func BenchmarkVerifyFiles(b *testing.B) {
	s := newStore(b)
	l := s.open()
	const n = 200_000
	s.fill(l, n)
	keys, err := l.Keys()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if seen, err := VerifyFiles(b.Context(), s.log(), keys[0]); err != nil || seen.Last != n {
			b.Fatal(seen, err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
