package insights

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var start = time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)

func TestGroups(t *testing.T) {
	t.Parallel()
	var c Collector
	held := func(id, rule string, after time.Duration) { c.Held(id, rule, start.Add(after)) }
	held("a", "rule 1", 0)
	held("a", "rule 1", time.Minute) // repeated while it waits
	held("b", "rule 1", 0)
	held("c", "rule 2", 0)
	held("d", "rule 2", 0)
	held("e", "rule 2", 50*time.Minute)
	held("f", "rule 3", 0)
	decide := func(id, by string, v Verdict, after time.Duration) { c.Decided(id, by, v, start.Add(after)) }
	decide("a", "alice", Approved, 30*time.Second)
	decide("b", "bob", Denied, 2*time.Minute)
	decide("c", "alice", Partly, time.Minute)
	decide("c", "bob", Approved, 3*time.Minute)
	decide("f", "bob", Countered, 4*time.Minute)
	decide("of another month", "alice", Approved, time.Minute)
	want := []Group{
		{Of: All, Held: 6, Approved: 2, Denied: 1, Countered: 1, Expired: 1, Waiting: 1, Median: 2 * time.Minute, P95: 4 * time.Minute},
		{Of: Rule, Name: "rule 2", Held: 3, Approved: 1, Expired: 1, Waiting: 1, Median: 3 * time.Minute, P95: 3 * time.Minute},
		{Of: Rule, Name: "rule 1", Held: 2, Approved: 1, Denied: 1, Median: 30 * time.Second, P95: 2 * time.Minute},
		{Of: Rule, Name: "rule 3", Held: 1, Countered: 1, Median: 4 * time.Minute, P95: 4 * time.Minute},
		{Of: By, Name: "bob", Held: 3, Approved: 1, Denied: 1, Countered: 1, Median: 3 * time.Minute, P95: 4 * time.Minute},
		{Of: By, Name: "alice", Held: 2, Approved: 2, Median: 30 * time.Second, P95: time.Minute},
	}
	if diff := cmp.Diff(want, c.Groups(start.Add(time.Hour), 15*time.Minute), cmpopts.IgnoreUnexported(Group{})); diff != "" {
		t.Error(diff)
	}
	if got := new(Collector).Groups(start, time.Minute); len(got) != 1 || got[0].Held != 0 || got[0].Median != 0 {
		t.Errorf("of no calls: %+v", got)
	}
}

// A habit is many decisions, nearly all of them approvals, sooner than anybody reads.
func TestHabit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		calls, denied int
		took          time.Duration
		want          bool
	}{
		{20, 0, time.Second, true}, {19, 0, time.Second, false}, {20, 1, time.Second, false}, {100, 1, time.Second, true}, {100, 2, time.Second, false},
		{100, 0, 5 * time.Second, false}, {100, 0, 4999 * time.Millisecond, true},
	} {
		var c Collector
		for i := range test.calls {
			id, verdict := fmt.Sprint(i), Approved
			if i < test.denied {
				verdict = Denied
			}
			c.Held(id, "rule 1", start)
			c.Decided(id, "alice", verdict, start.Add(test.took))
		}
		for _, g := range c.Groups(start.Add(time.Hour), time.Minute) {
			if g.Habit != test.want {
				t.Errorf("%+v: %s %s: %v", test, g.Of, g.Name, g.Habit)
			}
		}
	}
}

// The 95th of a hundred is the 95th, and of few the last.
func TestP95(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{1: 1, 2: 2, 20: 19, 21: 20, 100: 95, 101: 96} {
		g := Group{}
		for i := range n {
			g.took = append(g.took, time.Duration(i+1))
		}
		if g.finish(); g.P95 != want || g.Median != time.Duration((n+1)/2) {
			t.Errorf("of %d: median %d, P95 %d, want %d", n, g.Median, g.P95, want)
		}
	}
}
