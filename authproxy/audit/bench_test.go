package audit

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/seal"
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
	w, err := writing{l}.encoded(s.t.Context(), accepted(s.t.Context(), e), nil)
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

// BenchmarkQuery lists the newest 50 entries that match and
// counts all.
func BenchmarkQuery(b *testing.B) {
	s := newStore(b)
	n := 200_000
	if more, err := strconv.Atoi(os.Getenv("SFMCP_BENCH_ENTRIES")); err == nil {
		n = more
	}
	l := s.open()
	s.fill(l, n)
	l.Flush()
	at := numbered(n - 10)
	for name, f := range map[string]Filter{
		"all": {}, "user": {Person: Person{Subjects: []string{at.Subject}, Usernames: []string{at.Username}}}, "client": {Client: at.Client}, "server": {Server: at.Server},
		"tool": {Tool: at.Tool}, "object": {Object: at.Object}, "outcome": {Outcome: OK}, "rule": {Rule: at.Rule}, "approval": {Approval: "apr_1"},
		"request": {Request: at.RequestID}, "old request": {Request: numbered(10).RequestID}, "since": {Since: start.Add(time.Duration(n/400) * time.Second)},
		"user and outcome": {Person: Person{Subjects: []string{at.Subject}}, Outcome: OK},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				newest := f
				newest.Limit = 50
				if err := l.List(b.Context(), newest, func(Entry) error { return nil }); err != nil {
					b.Fatal(err)
				}
				counted, err := l.Count(b.Context(), f)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(counted), "matches")
			}
		})
	}
}

// BenchmarkAppend is an entry until it is durable, by so many callers, in files and in the database. What
// it costs is the disk's: SFMCP_BENCH_DIR is a directory on one that lasts, SFMCP_BENCH_DATABASE the URL of an
// empty PostgreSQL database with fsync. Without them both are in memory.
func BenchmarkAppend(b *testing.B) {
	for _, kind := range []string{"files", "rows"} {
		for _, callers := range []int{1, 32, 256} {
			b.Run(fmt.Sprintf("%s/%d", kind, callers), func(b *testing.B) {
				s := newStore(b)
				s.rows = kind == "rows"
				s.url = cmp.Or(os.Getenv("SFMCP_BENCH_DATABASE"), s.url)
				if dir := os.Getenv("SFMCP_BENCH_DIR"); dir != "" && !s.rows {
					s.dir, s.url = filepath.Join(dir, rand.Text()), "sqlite:"+filepath.Join(b.TempDir(), "proxy.db")
					if err := errors.Join(os.MkdirAll(s.dir, 0o700), seal.CreateKeyFile(s.keys())); err != nil {
						b.Fatal(err)
					}
				}
				s.machine = rand.Text()
				if _, err := s.db().Writes.Exec(`DELETE FROM audit_persons`); err != nil { // of a run before, whose keys are gone
					b.Fatal(err)
				}
				l := s.open()
				e := typical()
				appendAll(b, l, e)
				took := make([][]time.Duration, callers)
				each := (b.N + callers - 1) / callers
				b.ResetTimer()
				var wg sync.WaitGroup
				for i := range took {
					wg.Go(func() {
						for range each {
							began := time.Now()
							if _, err := l.Append(context.Background(), e); err != nil {
								b.Error(err)
								return
							}
							took[i] = append(took[i], time.Since(began))
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				all := slices.Concat(took...)
				slices.Sort(all)
				b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "entries/s")
				b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
				b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
			})
		}
	}
}

// BenchmarkOpen opens a log whose last segment is nearly full.
func BenchmarkOpen(b *testing.B) {
	s := newStore(b)
	s.fill(s.open(), 12_000)
	b.ReportAllocs()
	for b.Loop() {
		s.open()
	}
}
