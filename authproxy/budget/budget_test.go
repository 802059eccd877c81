package budget

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/policy"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(takerOf); url != "" {
		os.Exit(runTaker(url))
	}
	dbtest.Main(m, "Process")
}

// noon is a time of day at which no window is about to end.
var noon = time.Date(2026, 3, 10, 12, 0, 30, 0, time.UTC)

// clock is a clock that tests set.
type clock struct{ at atomic.Int64 }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.set(t)
	return c
}

func (c *clock) set(t time.Time) { c.at.Store(t.UnixNano()) }
func (c *clock) now() time.Time  { return time.Unix(0, c.at.Load()).UTC() }

// open is a process on a database.
func open(t testing.TB, d *db.DB, c *clock, alarms ...*[]Alarm) *Store {
	t.Helper()
	config := Config{DB: d, Now: c.now}
	if len(alarms) > 0 {
		var mu sync.Mutex
		config.OnAlarm = func(_ context.Context, a Alarm) {
			mu.Lock()
			defer mu.Unlock()
			*alarms[0] = append(*alarms[0], a)
		}
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func counter(what policy.Measure, window policy.Window, limit int64) *Counter {
	return NewCounter(PolicyScope("pilot"), policy.Budget{Who: policy.EachUser, What: what, Window: window, Limit: policy.Amount(limit)})
}

var alice = Caller{Org: "prod", Subject: "005000000000001AAA", Client: "chatgpt"}

// take takes n units and reports whether it could.
func take(t testing.TB, s *Store, c *Counter, who Caller, n int64) (Taking, bool) {
	t.Helper()
	taking, err := s.Take(t.Context(), who, []Charge{{c, n}})
	var spent *Spent
	if err != nil && !errors.As(err, &spent) {
		t.Error(err)
	}
	return taking, err == nil
}

// takeAll takes single units until there are no more, and returns how many it got.
func takeAll(t testing.TB, s *Store, c *Counter, who Caller) (n int64) {
	t.Helper()
	for n < 10*c.Limit {
		if _, ok := take(t, s, c, who, 1); !ok {
			return n
		}
		n++
	}
	t.Errorf("%d units were given of a limit of %d", n, c.Limit)
	return n
}

// FW-30: of many calls in two processes that want the last deletes of a day, exactly as many
// get one as there are.
func TestFW30LastUnitIsGivenOnce(t *testing.T) {
	url, c := dbtest.URL(t), newClock(noon)
	stores := []*Store{open(t, dbtest.OpenURL(t, url), c), open(t, dbtest.OpenURL(t, url), c)}
	deletes := counter(policy.Deletes, policy.Day, 5)
	for round := range rounds.Count(t) {
		who := alice
		who.Subject = fmt.Sprintf("005xx%010dAAA", round) // has used nothing yet
		var given atomic.Int64
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				if _, ok := take(t, stores[i%2], deletes, who, 1); ok {
					given.Add(1)
				}
			})
		}
		all.Wait()
		if given.Load() != 5 {
			t.Fatalf("round %d: %d of 5 deletes were given", round, given.Load())
		}
	}
}

// FW-30: a large limit is given out in parts, and never more than all of it; what one process
// still holds another one cannot give.
func TestFW30PartsNeverExceedTheLimit(t *testing.T) {
	url := dbtest.URL(t)
	c := newClock(noon)
	a, b := open(t, dbtest.OpenURL(t, url), c), open(t, dbtest.OpenURL(t, url), c)
	calls := counter(policy.Calls, policy.Hour, 1000)
	if _, ok := take(t, a, calls, alice, 1); !ok {
		t.Fatal("the first call was refused")
	}
	if n := takeAll(t, b, calls, alice); n != 990 {
		t.Errorf("the other process gave %d, want all but the part of 10", n)
	}
	if n := takeAll(t, a, calls, alice); n != 9 {
		t.Errorf("the first process gave %d of the rest of its part, want 9", n)
	}
}

// FW-30: who begins anew, in order or not, has no more than before.
func TestFW30RestartGivesNothing(t *testing.T) {
	d, c := dbtest.Open(t), newClock(noon)
	calls := counter(policy.Calls, policy.Day, 1000)
	var given int64
	for restart := range 5 {
		s := open(t, d, c)
		for range 3 {
			if _, ok := take(t, s, calls, alice, 1); ok {
				given++
			}
		}
		if restart%2 == 0 { // the others crash
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if given != 15 {
		t.Fatalf("%d calls of 15 passed", given)
	}
	rest := takeAll(t, open(t, d, c), calls, alice)
	if lost := 1000 - given - rest; lost != 2*7 {
		t.Errorf("%d units were lost by two crashes with 7 unused ones each", lost)
	}
}

// FW-30: what comes after the end of a process is refused, not given and lost.
func TestFW30ClosedGivesNothing(t *testing.T) {
	s := open(t, dbtest.Open(t), newClock(noon))
	calls := counter(policy.Calls, policy.Day, 1000)
	if _, ok := take(t, s, calls, alice, 1); !ok {
		t.Fatal("refused")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(t.Context(), alice, []Charge{{calls, 1}}); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// FW-30: a count that cannot be written or read refuses.
func TestFW30UnwritableRefuses(t *testing.T) {
	d := dbtest.Open(t)
	s := open(t, d, newClock(noon))
	calls, rows := counter(policy.Calls, policy.Hour, 100), counter(policy.Rows, policy.Hour, 100)
	taking, ok := take(t, s, rows, alice, 0)
	if !ok {
		t.Fatal("refused")
	}
	accept := dbtest.Refuse(t, d, "budget_counts")
	if _, err := s.Take(t.Context(), alice, []Charge{{calls, 1}}); err == nil {
		t.Error("a call passed though it was not counted")
	}
	if err := taking.Add(t.Context(), func(*Counter) int64 { return 50 }); err == nil {
		t.Error("an answer passed though it was not counted")
	}
	accept()
	if _, ok := take(t, s, calls, alice, 1); !ok {
		t.Error("refused though it can be counted again")
	}
}

// A call that was not made after all takes nothing; nor does looking whether it could be.
func TestGiveBack(t *testing.T) {
	d, c := dbtest.Open(t), newClock(noon)
	s := open(t, d, c)
	deletes := counter(policy.Deletes, policy.Day, 2)
	for range 10 {
		if err := s.Has(t.Context(), alice, []Charge{{deletes, 1}}); err != nil {
			t.Fatal(err)
		}
		taking, ok := take(t, s, deletes, alice, 1)
		if !ok {
			t.Fatal("refused")
		}
		taking.GiveBack()
	}
	if n := takeAll(t, s, deletes, alice); n != 2 {
		t.Errorf("%d of 2", n)
	}
	var spent *Spent
	if err := s.Has(t.Context(), alice, []Charge{{deletes, 1}}); !errors.As(err, &spent) {
		t.Errorf("there is nothing left, and Has says %v", err)
	}
	if err := open(t, d, c).Has(t.Context(), alice, []Charge{{deletes, 1}}); !errors.As(err, &spent) {
		t.Errorf("there is nothing left, and another process says %v", err)
	}
}

// Where one of several budgets refuses, the others have lost nothing.
func TestAllOrNone(t *testing.T) {
	s := open(t, dbtest.Open(t), newClock(noon))
	calls, deletes := counter(policy.Calls, policy.Day, 3), counter(policy.Deletes, policy.Day, 1)
	both := []Charge{{calls, 1}, {deletes, 1}}
	if _, err := s.Take(t.Context(), alice, both); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := s.Take(t.Context(), alice, both); err == nil {
			t.Fatal("a second delete passed")
		}
	}
	if n := takeAll(t, s, calls, alice); n != 2 {
		t.Errorf("%d calls are left of 3 after one", n)
	}
}

// FW-30: a call that would delete more than the limit does not pass, and one that would
// delete more than is left does not either.
func TestFW30ManyAtOnce(t *testing.T) {
	s := open(t, dbtest.Open(t), newClock(noon))
	deletes := counter(policy.Deletes, policy.Day, 5)
	for _, step := range []struct {
		units int64
		ok    bool
	}{{6, false}, {3, true}, {3, false}, {2, true}, {1, false}} {
		if _, ok := take(t, s, deletes, alice, step.units); ok != step.ok {
			t.Errorf("%d units: %v, want %v", step.units, ok, step.ok)
		}
	}
}

// Every party has its own count, but where all have one.
func TestParties(t *testing.T) {
	s := open(t, dbtest.Open(t), newClock(noon))
	bob := Caller{Org: "prod", Subject: "005000000000002AAA", Client: "chatgpt"}
	elsewhere := Caller{Org: "sandbox", Subject: alice.Subject, Client: "other"}
	for _, test := range []struct {
		who            policy.Party
		bob, elsewhere bool // have something left when alice has not
	}{{policy.EachUser, true, true}, {policy.EachClient, false, true}, {policy.AllParties, false, false}} {
		c := NewCounter(PolicyScope("pilot"), policy.Budget{Who: test.who, What: policy.Calls, Window: policy.Hour, Limit: 1})
		if _, ok := take(t, s, c, alice, 1); !ok {
			t.Errorf("%s: refused at once", test.who)
		}
		for name, who := range map[string]Caller{"bob": bob, "elsewhere": elsewhere} {
			want := test.bob
			if name == "elsewhere" {
				want = test.elsewhere
			}
			if err := s.Has(t.Context(), who, []Charge{{c, 1}}); (err == nil) != want {
				t.Errorf("%s, %s: %v", test.who, name, err)
			}
		}
	}
}

// FW-31: rows are counted when they are there, past the limit if need be; then nothing more
// passes until the window ends, after a restart either.
func TestFW31RowsAreCountedAfterwards(t *testing.T) {
	d, c := dbtest.Open(t), newClock(noon)
	s := open(t, d, c)
	rows := counter(policy.Rows, policy.Hour, 5000)
	for page := range 3 {
		taking, ok := take(t, s, rows, alice, 0)
		if !ok {
			t.Fatalf("page %d was refused", page)
		}
		if err := taking.Add(t.Context(), func(*Counter) int64 { return 2000 }); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Take(t.Context(), alice, []Charge{{rows, 0}})
	var spent *Spent
	if !errors.As(err, &spent) || spent.Taken != 6000 {
		t.Errorf("after 6000 of 5000 rows: %v", err)
	}
	if _, ok := take(t, open(t, d, c), rows, alice, 0); ok {
		t.Error("a restart gave more")
	}
	c.set(noon.Add(time.Hour))
	if _, ok := take(t, s, rows, alice, 0); !ok {
		t.Error("the next hour gave nothing")
	}
}

// FW-31: a process that crashes forgets no row that somebody got.
func TestFW31CrashForgetsNoRow(t *testing.T) {
	d, c := dbtest.Open(t), newClock(noon)
	rows := counter(policy.Rows, policy.Day, 5000)
	got := int64(0)
	for range 1000 {
		taking, ok := take(t, open(t, d, c), rows, alice, 0)
		if !ok {
			break
		}
		if err := taking.Add(t.Context(), func(*Counter) int64 { return 7 }); err != nil {
			t.Fatal(err)
		}
		got += 7
	}
	if got > 5000+7 || got < 100 {
		t.Errorf("%d rows of 5000", got)
	}
}
