package budget

import (
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/policy"
)

// A window ends at its border, not before.
func TestFW30WindowBorder(t *testing.T) {
	c := newClock(time.Date(2026, 3, 10, 12, 59, 59, 999e6, time.UTC))
	s := open(t, dbtest.Open(t), c)
	calls := counter(policy.Calls, policy.Hour, 3)
	if n := takeAll(t, s, calls, alice); n != 3 {
		t.Fatalf("%d of 3", n)
	}
	c.set(time.Date(2026, 3, 10, 13, 0, 0, 0, time.UTC))
	if n := takeAll(t, s, calls, alice); n != 3 {
		t.Errorf("%d of 3 in the next hour", n)
	}
}

// FW-30: nobody gets more by a clock that steps, in the same process or after a restart.
func TestFW30ClockSteps(t *testing.T) {
	for _, restart := range []bool{false, true} {
		d, c := dbtest.Open(t), newClock(noon)
		s := open(t, d, c)
		calls := counter(policy.Calls, policy.Hour, 3)
		step := func(to time.Time, want int64, why string) {
			t.Helper()
			c.set(to)
			if restart {
				s = open(t, d, c)
			}
			if n := takeAll(t, s, calls, alice); n != want {
				t.Errorf("restart %v: %s: %d more, want %d", restart, why, n, want)
			}
		}
		step(noon, 3, "at first")
		step(noon.Add(-time.Minute), 0, "a minute back")
		step(noon.Add(-time.Hour), 0, "an hour back")
		step(noon.Add(-5*time.Hour), 0, "five hours back, so that the row is of a wrong clock")
		step(noon.Add(-4*time.Hour), 3, "and an hour on, it begins anew")
		step(noon.Add(365*24*time.Hour), 3, "a year ahead")
		step(noon, 0, "and back: what was taken ahead counts now")
		step(noon.Add(time.Hour), 3, "and it does not stay so")
	}
}

// FW-30: two processes whose clocks are a few seconds apart do not begin each other's window
// anew at its border.
func TestFW30ClocksApart(t *testing.T) {
	url := dbtest.URL(t)
	fast, slow := newClock(noon.Truncate(time.Hour).Add(time.Hour)), newClock(noon.Truncate(time.Hour).Add(time.Hour-3*time.Second))
	a, b := open(t, dbtest.OpenURL(t, url), fast), open(t, dbtest.OpenURL(t, url), slow)
	calls := counter(policy.Calls, policy.Hour, 4)
	given := 0
	for i := range 20 {
		if _, ok := take(t, []*Store{b, a}[i%2], calls, alice, 1); ok {
			given++
		}
	}
	if given > 4+1 { // one of the hour before
		t.Errorf("%d calls of 4 at the border of a window", given)
	}
}

// D15: counts are kept for a week after their window, for a clock that is put back, and then go.
func TestD15CountsGo(t *testing.T) {
	d, c := dbtest.Open(t), newClock(noon)
	s := open(t, d, c)
	calls := counter(policy.Calls, policy.Hour, 3)
	takeAll(t, s, calls, alice)
	rows := func() (n int) {
		t.Helper()
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := d.Reads.QueryRow(`SELECT count(*) FROM budget_counts`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	c.set(noon.Add(24 * time.Hour))
	if rows() != 1 || len(s.accounts) != 0 {
		t.Error("after a day the row is gone, or the account is not")
	}
	c.set(noon)
	if n := takeAll(t, s, calls, alice); n != 0 {
		t.Errorf("%d more after the clock was put back", n)
	}
	c.set(noon.Add(9 * 24 * time.Hour))
	if rows() != 0 {
		t.Error("the row stays for ever")
	}
}
