package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/grant"
)

// largeVariable has FT-41 take longer: so many entries of the audit log, and behind a colon the directory that
// the stores are made in, as in 10000000:/var/tmp/large.
const largeVariable = "SFMCP_TEST_LARGE"

// Sizes of FT-41, in entries of the audit log: of what is compared with, of .ci/run, and where somebody waits.
const (
	smallEntries  = 20_000
	mediumEntries = 60_000
	fewEntries    = 400
)

// step is something that must take as long in a large store as in a small one.
type step struct {
	name string
	do   func(s *largeStore, p *product, i int) error
	// grows: the time is told and not compared, because it grows with the store by design.
	grows bool
	// least counts as the time of the small store where that needs less; 0: [leastOfAStep].
	least time.Duration
}

// Times that a small store has at least, as far as another one is compared with it.
const (
	leastOfAStep = 200 * time.Microsecond // below that, what the processor remembers decides
	// A search opens the index of the segment before the newest one if that has just begun, in a store of any size:
	// a millisecond that either store has or lacks by how its log happened to be divided.
	leastOfASearch = time.Millisecond
)

// steps are what FT-41 measures.
var steps = []step{
	{name: "access token at /mcp", do: func(s *largeStore, p *product, i int) error {
		_, err := p.access.Admit(s.t.Context(), s.access[i%len(s.access)], "sales")
		return err
	}},
	{name: "refresh", do: func(s *largeStore, p *product, i int) error {
		i %= len(s.refresh)
		tokens, err := p.grants.Rotate(s.t.Context(), grant.Rotation{RefreshToken: s.refresh[i], ClientID: largeClients[s.clients[i]]})
		if err == nil {
			s.refresh[i] = tokens.RefreshToken
		}
		return err
	}},
	{name: "connection by its id", do: func(s *largeStore, p *product, i int) error {
		_, err := p.grants.Grant(s.t.Context(), s.grantID[i%len(s.grantID)])
		return err
	}},
	{name: "append to the audit log", do: func(s *largeStore, p *product, i int) error {
		_, err := p.audit.Append(s.t.Context(), largeCall(i, s.people))
		return err
	}},
	{name: "audit list of a person who calls much", least: leastOfASearch, do: func(s *largeStore, p *product, i int) error {
		of := i % min(s.people, 1000)
		return s.list(p, audit.Filter{Person: audit.Person{Subjects: []string{largeSubject(of)}, Usernames: []string{largeUsername(of)}}, Limit: 1})
	}},
	{name: "audit list of a tool", least: leastOfASearch, do: func(s *largeStore, p *product, i int) error {
		return s.list(p, audit.Filter{Tool: []string{"soqlQuery", "find", "getUserInfo"}[i%3], Outcome: audit.Denied, Limit: 20})
	}},
	{name: "audit list of the last hours", least: leastOfASearch, do: func(s *largeStore, p *product, _ int) error {
		return s.list(p, audit.Filter{Since: time.Now().Add(-time.Hour), Outcome: audit.OK, Limit: 20})
	}},
	{name: "audit list of a request that is not there", grows: true, do: func(s *largeStore, p *product, i int) error {
		return s.list(p, audit.Filter{Request: fmt.Sprint("NONE", i), Limit: 20})
	}},
	{name: "page of a person", grows: true, do: func(s *largeStore, _ *product, i int) error {
		return s.page("/console/people/one/" + largeSubject(s.whose[i%len(s.whose)]))
	}},
}

func (s *largeStore) list(p *product, f audit.Filter) error {
	return p.audit.List(s.t.Context(), f, func(audit.Entry) error { return nil })
}

// page opens a page of the security team's.
func (s *largeStore) page(path string) error {
	w := httptest.NewRecorder()
	s.router().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		return fmt.Errorf("%s: status %d", path, w.Code)
	}
	return nil
}

func (s *largeStore) router() http.Handler {
	if s.routes == nil {
		r := mux.NewRouter().UseEncodedPath()
		s.process.current.Load().team.Mount(r, asSecurity{s.t})
		s.routes = r
	}
	return s.routes
}

// sizes are how large the two stores are, and where they are made. long: somebody has asked for it.
func sizes(t *testing.T) (small, large int, dir string, long bool) {
	if text := os.Getenv(largeVariable); text != "" {
		number, where, ok := strings.Cut(text, ":")
		n, err := strconv.Atoi(number)
		if err != nil || !ok || n < 10*smallEntries {
			t.Fatalf("%s is %q: want a number of entries, %d at least, a colon and a directory", largeVariable, text, 10*smallEntries)
		}
		dir, err := os.MkdirTemp(where, "large")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return smallEntries, n, dir, true
	}
	if rounds.AreMany(t) {
		return smallEntries, mediumEntries, t.TempDir(), false
	}
	return fewEntries / 4, fewEntries, t.TempDir(), false
}

// FT-41: what a request needs takes as long with millions of entries, connections and tokens as with few. A
// verification streams, so it needs no more memory; the oldest part is removed; and the program starts.
func TestFaultFT41LargeStores(t *testing.T) {
	rounds.Thorough(t)
	few, many, dir, long := sizes(t)
	if !long {
		t.Parallel()
	}
	at := func(name string, entries int) *largeStore {
		own := dir + "/" + name
		if err := os.Mkdir(own, 0o700); err != nil {
			t.Fatal(err)
		}
		return newLarge(t, own, "sqlite:proxy.db", entries)
	}
	small, large := at("small", few), at("large", many)
	for _, s := range []*largeStore{small, large} {
		s.restarts()
		s.t.Cleanup(s.close)
	}
	rounds := 3
	if many >= mediumEntries {
		rounds = 400
	}
	for _, step := range steps {
		took := [2][]time.Duration{}
		for i := range rounds { // in turn, so that what else the machine does counts for both
			for k, s := range []*largeStore{small, large} {
				begun := time.Now()
				if err := step.do(s, s.process.current.Load(), i*13); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				took[k] = append(took[k], time.Since(begun))
			}
		}
		compareTimes(t, step, took, long)
	}
	large.sweeps()
	large.verifies()
	large.prunes(long)
}

// compareTimes tells how long a step took, and wants it to be flat where somebody has asked for it: what else a
// machine does while all tests run makes some steps slow in either store.
func compareTimes(t *testing.T, step step, took [2][]time.Duration, long bool) {
	t.Helper()
	for _, all := range took {
		slices.Sort(all)
	}
	of := func(k, hundredth int) time.Duration { return took[k][len(took[k])*hundredth/100] }
	t.Logf("%-45s p50 %8s and %8s, p99 %8s and %8s", step.name, of(0, 50).Round(time.Microsecond), of(1, 50).Round(time.Microsecond),
		of(0, 99).Round(time.Microsecond), of(1, 99).Round(time.Microsecond))
	least := max(step.least, leastOfAStep)
	switch {
	case step.grows || !long:
	case of(1, 50) > 2*max(of(0, 50), least):
		t.Errorf("%s takes %s in the large store and %s in the small one", step.name, of(1, 50), of(0, 50))
	case of(1, 99) > 2*max(of(0, 99), 25*time.Millisecond):
		t.Errorf("%s: one of a hundred takes %s in the large store and %s in the small one", step.name, of(1, 99), of(0, 99))
	}
}

// heap is how much memory is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// mostHeap is how much memory is in use at most while f runs.
func mostHeap(f func()) uint64 {
	var most atomic.Uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			most.Store(max(most.Load(), heap()))
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	<-ended
	return most.Load()
}

// restarts ends the product and opens it again.
func (s *largeStore) restarts() {
	s.t.Helper()
	s.close()
	runtime.GC()
	before, begun := heap(), time.Now()
	s.open()
	took := time.Since(begun)
	runtime.GC()
	s.t.Logf("start with %d entries: %s, %d MiB kept", s.entries, took.Round(time.Millisecond), (int64(heap())-int64(before))>>20)
}

// sweeps does what is done once a minute, the first time after a start and then again.
func (s *largeStore) sweeps() {
	s.t.Helper()
	for _, sweep := range []string{"first", "next"} {
		begun := time.Now()
		for _, f := range s.process.current.Load().sweepers {
			if err := f(s.t.Context()); err != nil {
				s.t.Error(err)
			}
		}
		s.t.Logf("%s sweep: %s", sweep, time.Since(begun).Round(time.Microsecond))
	}
	n, err := s.process.current.Load().grants.LiveGrants(s.t.Context(), "one", largeSubject(0))
	if want := s.grants / s.people; err != nil || n > want || n < want/2 {
		s.t.Errorf("after the sweeps somebody with %d connections has %d: %v", want, n, err)
	}
}

// verifies verifies the log, all of it.
func (s *largeStore) verifies() {
	s.t.Helper()
	const bound = 256 << 20
	more := int64(bound + 1)
	for try := 0; try < 5 && more > bound; try++ { // what other tests do at the time counts, too
		var seen audit.Verified
		var err error
		runtime.GC()
		before, begun := heap(), time.Now()
		most := mostHeap(func() { seen, err = s.process.current.Load().audit.Verify(s.t.Context()) })
		if err != nil || seen.Last < int64(s.entries) {
			s.t.Errorf("%d entries are sound: %v", seen.Last, err)
		}
		took := time.Since(begun)
		more = int64(most) - int64(before)
		s.t.Logf("audit verify: %d entries in %s, %.0f a second, %d MiB more than before", seen.Last, took.Round(time.Millisecond), float64(seen.Last)/took.Seconds(), more>>20)
	}
	if more > bound {
		s.t.Errorf("a verification takes %d MiB", more>>20)
	}
}

// prunes removes what is older than it is kept, and verifies the rest.
func (s *largeStore) prunes(long bool) {
	s.t.Helper()
	p := s.process.current.Load()
	before, begun := s.auditSize(), time.Now()
	if err := p.audit.Prune(s.t.Context(), time.Now().Add(-largeKeep)); err != nil {
		s.t.Error(err)
	}
	took := time.Since(begun)
	after := s.auditSize()
	s.t.Logf("audit prune: %d of %d MiB in %s", (before-after)>>20, before>>20, took.Round(time.Millisecond))
	if before > 100<<20 && before-after < before/10 {
		s.t.Error("a sixth is older than it is kept, and was not removed")
	}
	if !long { // else it is as long again
		if _, err := p.audit.Verify(s.t.Context()); err != nil {
			s.t.Error(err)
		}
	}
}

// FT-41: no statement that a call, a refresh, the page of a person or a sweep needs reads a whole table.
func TestFaultFT41StatementsUseAnIndex(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	dbtest.Each(t, func(t *testing.T, database string) {
		t.Parallel()
		s := newLarge(t, t.TempDir(), database, fewEntries/4)
		t.Cleanup(s.close)
		p := s.process.current.Load()
		ran := dbtest.Watch(t, p.db)
		for _, step := range steps {
			if err := step.do(s, p, 0); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
		}
		for range 2 { // the first sweep looks at more
			for _, f := range p.sweepers[:len(p.sweepers)-1] { // but for the last, which tidies the file
				if err := f(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		if n := ran.Len(); n < 30 {
			t.Errorf("%d statements were run", n)
		}
		for _, scan := range ran.Scans(t) {
			if !slices.ContainsFunc(readWhole, func(part string) bool { return strings.Contains(scan, part) }) {
				t.Errorf("it reads the whole of %s", scan)
			}
		}
	})
}

// readWhole are parts of the statements that may read a whole table.
var readWhole = []string{
	// Rows of people of the company, of programs and of messages, not of whoever calls.
	"FROM company_sessions WHERE", "FROM company_people WHERE", "FROM api_tokens WHERE", "UPDATE notices SET",
	"FROM stops",                           // a row for each switch
	"UPDATE approval_checks SET",           // a row for a write that a person agreed to, of 30 days
	"FROM links WHERE state <>",            // once a minute, beside whoever writes
	"SELECT client_id, ",                   // once an hour, beside whoever writes
	"activated_at = 0 AND revoked_at <> 0", // the index of connections that wait for their code
	"FROM logged", "FROM known",            // the orgs
}
