package outside

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

func TestMain(m *testing.M) { dbtest.Main(m, "") }

var (
	noon  = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	alice = Reader{"prod", "005000000000001AAA", "chatgpt"}
)

// clock is a clock that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func source(i int) Source {
	return Source{Tool: "soqlQuery", Object: "Case", ID: fmt.Sprintf("500%012dAAA", i)}
}

func note(t *testing.T, s *Store, r Reader, sources ...Source) {
	t.Helper()
	if err := s.Note(t.Context(), r, sources); err != nil {
		t.Fatal(err)
	}
}

func last(t *testing.T, s *Store, r Reader) Mark {
	t.Helper()
	m, err := s.Last(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// FW-32: what was given is known to every process, at once and after a restart, for as long
// as a policy says, and for nobody else.
func TestFW32MarkIsShared(t *testing.T) {
	url := dbtest.URL(t)
	c := &clock{noon}
	a, b := New(dbtest.OpenURL(t, url), c.now), New(dbtest.OpenURL(t, url), c.now)
	const taint = 30 * time.Minute
	if last(t, b, alice).Within(taint, noon) {
		t.Error("marked before anything was given")
	}
	note(t, a, alice, source(1))
	for name, s := range map[string]*Store{"the same": a, "another": b, "a later": New(dbtest.OpenURL(t, url), c.now)} {
		m := last(t, s, alice)
		if !m.Within(taint, noon) || !m.Within(taint, noon.Add(taint)) || m.Within(taint, noon.Add(taint+time.Minute)) || !slices.Equal(m.Sources, []Source{source(1)}) {
			t.Errorf("%s process: %+v", name, m)
		}
	}
	bob, other, elsewhere := alice, alice, alice
	bob.Subject, other.Client, elsewhere.Org = "005000000000002AAA", "claude", "sandbox"
	for i, r := range []Reader{bob, other, elsewhere} {
		if last(t, b, r).Within(taint, noon) {
			t.Errorf("%v is marked", r)
		}
		note(t, b, r, source(2+i))
	}
	for i, r := range []Reader{bob, other, elsewhere} {
		if m := last(t, a, r); !slices.Equal(m.Sources, []Source{source(2 + i)}) {
			t.Errorf("%v: %v", r, m.Sources)
		}
	}
	if m := last(t, a, alice); !slices.Equal(m.Sources, []Source{source(1)}) {
		t.Errorf("what others were given is %v's: %v", alice, m.Sources)
	}
}

// FW-32: text that is given all the time holds for all the time, and costs a write a minute.
func TestFW32MarkIsRefreshed(t *testing.T) {
	d, c := dbtest.Open(t), &clock{noon}
	s := New(d, c.now)
	for range 600 {
		note(t, s, alice, source(1))
		c.at = c.at.Add(time.Second)
		if m := last(t, New(d, c.now), alice); !m.Within(time.Minute, c.at) {
			t.Fatalf("at %s the mark is of %s", c.at, m.At)
		}
	}
	// A refused write is an error only where one is due.
	accept := dbtest.Refuse(t, d, "outside_text")
	defer accept()
	for _, before := range []time.Duration{30 * time.Second, time.Nanosecond, 0} {
		c.at = last(t, s, alice).At.Add(-before)
		note(t, s, alice, source(1))
	}
	c.at = c.at.Add(time.Minute)
	if err := s.Note(t.Context(), alice, []Source{source(1)}); err == nil {
		t.Error("a mark that could not be written is no error")
	}
}

// The first sources are all written; of many the last are kept.
func TestSourcesAreBounded(t *testing.T) {
	d, c := dbtest.Open(t), &clock{noon}
	s := New(d, c.now)
	for i := range Sources {
		note(t, s, alice, source(i))
		if m := last(t, s, alice); len(m.Sources) != i+1 || m.Sources[i] != source(i) {
			t.Fatalf("after %d sources: %v", i+1, m.Sources)
		}
	}
	for i := range 100 {
		c.at = c.at.Add(2 * time.Minute)
		note(t, s, alice, source(100+i), source(100+i), source(101+i))
	}
	if m := last(t, s, alice); len(m.Sources) != Sources || m.Sources[Sources-1] != source(200) {
		t.Errorf("of many: %v", m.Sources)
	}
}

// Two processes that note at the same time lose neither source.
func TestSourcesOfTwoProcesses(t *testing.T) {
	url, c := dbtest.URL(t), &clock{noon}
	var stores []*Store
	for range 4 {
		stores = append(stores, New(dbtest.OpenURL(t, url), c.now))
	}
	reader := New(dbtest.OpenURL(t, url), c.now)
	for round := range rounds.Count(t) {
		who := alice
		who.Subject = fmt.Sprintf("005xx%010dAAA", round) // of whom nothing is noted yet
		var all sync.WaitGroup
		for i, s := range stores {
			all.Go(func() { note(t, s, who, source(i)) })
		}
		all.Wait()
		if m := last(t, reader, who); len(m.Sources) != 4 {
			t.Fatalf("round %d: %d of 4 sources: %v", round, len(m.Sources), m.Sources)
		}
	}
}

// D15: marks stay for as long as a policy can ask for them, and then go.
func TestD15MarksGo(t *testing.T) {
	d, c := dbtest.Open(t), &clock{noon}
	s := New(d, c.now)
	note(t, s, alice, source(1))
	for _, test := range []struct {
		after time.Duration
		rows  int
	}{{24 * time.Hour, 1}, {24*time.Hour + 3*time.Minute, 0}} {
		c.at = noon.Add(test.after)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := count(t, d); n != test.rows || len(s.known) != test.rows {
			t.Errorf("after %s: %d rows, %d known", test.after, n, len(s.known))
		}
	}
}

func count(t *testing.T, d *db.DB) (n int) {
	t.Helper()
	if err := d.Reads.QueryRow(`SELECT count(*) FROM outside_text`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
