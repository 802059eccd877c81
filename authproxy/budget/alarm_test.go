package budget

import (
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/policy"
)

// FW-30: there is one alarm at the level, and one at the limit, in each window, however many
// processes come so far.
func TestFW30AlarmsOnce(t *testing.T) {
	url := dbtest.URL(t)
	c := newClock(noon)
	var alarms []Alarm
	a, b := open(t, dbtest.OpenURL(t, url), c, &alarms), open(t, dbtest.OpenURL(t, url), c, &alarms)
	calls := counter(policy.Calls, policy.Hour, 10)
	levels := func() (all []Level) {
		for _, alarm := range alarms {
			all = append(all, alarm.Level)
		}
		alarms = nil
		return all
	}
	for i := range 7 {
		take(t, []*Store{a, b}[i%2], calls, alice, 1)
	}
	if got := levels(); got != nil {
		t.Errorf("7 of 10: %v", got)
	}
	take(t, a, calls, alice, 1)
	if got := levels(); len(got) != 1 || got[0] != LevelReached {
		t.Errorf("8 of 10: %v, want one of the level", got)
	}
	take(t, b, calls, alice, 1)
	if got := levels(); got != nil {
		t.Errorf("9 of 10: %v, want none again", got)
	}
	for i := range 9 {
		take(t, []*Store{a, b}[i%2], calls, alice, 1)
	}
	if len(alarms) != 1 || alarms[0].Level != LimitReached || alarms[0].Party != alice.Subject || alarms[0].Org != "prod" ||
		!alarms[0].Renews.Equal(noon.Truncate(time.Hour).Add(time.Hour)) {
		t.Errorf("over the limit: %+v, want one that names the user and the next hour", alarms)
	}
	alarms = nil
	c.set(noon.Add(time.Hour))
	takeAll(t, open(t, dbtest.OpenURL(t, url), c, &alarms), calls, alice)
	if got := levels(); len(got) != 2 {
		t.Errorf("in the next hour: %v, want both", got)
	}
}

// People see what is used, and only of budgets that there are.
func TestList(t *testing.T) {
	s := open(t, dbtest.Open(t), newClock(noon))
	calls, gone := counter(policy.Calls, policy.Hour, 3), counter(policy.Rows, policy.Hour, 3)
	takeAll(t, s, calls, alice)
	takeAll(t, s, gone, alice)
	bob := alice
	bob.Subject = "005000000000002AAA"
	take(t, s, calls, bob, 1)
	all, err := s.List(t.Context(), []*Counter{calls}, Filter{})
	if err != nil || len(all) != 2 || all[0].Party != alice.Subject || all[0].Taken != 3 || all[1].Taken != 1 {
		t.Errorf("all: %+v, %v", all, err)
	}
	own, err := s.List(t.Context(), []*Counter{calls, gone}, Filter{Org: "prod", Party: bob.Subject})
	if err != nil || len(own) != 1 || own[0].Party != bob.Subject {
		t.Errorf("of one user: %+v, %v", own, err)
	}
}

// What a call pays that two budgets count.
func BenchmarkTake(b *testing.B) {
	s := open(b, dbtest.Open(b), newClock(noon))
	charges := []Charge{{counter(policy.Calls, policy.Day, 1<<40), 1}, {counter(policy.Bytes, policy.Day, 1<<50), 0}}
	b.ReportAllocs()
	for b.Loop() {
		taking, err := s.Take(b.Context(), alice, charges)
		if err != nil {
			b.Fatal(err)
		}
		if err := taking.Add(b.Context(), func(*Counter) int64 { return 16 << 10 }); err != nil {
			b.Fatal(err)
		}
	}
}

// People read bytes as sizes, and everything else as the number that it is.
func TestAmount(t *testing.T) {
	for _, test := range []struct {
		what policy.Measure
		n    int64
		want string
	}{
		{policy.Bytes, 0, "0"}, {policy.Bytes, 1023, "1023"}, {policy.Bytes, 1 << 10, "1 KiB"}, {policy.Bytes, 52428, "51.2 KiB"},
		{policy.Bytes, 5 << 20, "5 MiB"}, {policy.Bytes, 1 << 40, "1048576 MiB"}, {policy.Rows, 5000, "5000"}, {policy.Deletes, 1 << 20, "1048576"},
	} {
		if got := counter(test.what, policy.Day, 9).Amount(test.n); got != test.want {
			t.Errorf("%d %s: %q, want %q", test.n, test.what, got, test.want)
		}
	}
}

// FW-30: a process that has not noticed that the next window has begun takes no alarm from it.
func TestFW30AlarmsOfAWindowThatIsOver(t *testing.T) {
	url := dbtest.URL(t)
	early, late := newClock(noon), newClock(noon.Add(time.Hour))
	var alarms []Alarm
	slow, s := open(t, dbtest.OpenURL(t, url), early, &alarms), open(t, dbtest.OpenURL(t, url), late, &alarms)
	calls := counter(policy.Calls, policy.Hour, 10)
	take(t, slow, calls, alice, 1)
	take(t, s, calls, alice, 1) // the count is of the next hour now
	slow.alarm(t.Context(), slow.account(calls, alice), calls, LimitReached)
	if alarms != nil {
		t.Errorf("an alarm of the hour before: %+v", alarms)
	}
	takeAll(t, s, calls, alice)
	if len(alarms) != 2 {
		t.Errorf("in the next hour: %+v, want both", alarms)
	}
}

// D15: a client that goes on calling with a budget that is spent costs the database nothing
// until it is time to ask again, and is told the same; nor does a call that is larger than
// any budget.
func TestD15SpentBudgetsCostNothing(t *testing.T) {
	d, c := dbtest.Open(t), newClock(noon)
	s := open(t, d, c)
	calls, rows := counter(policy.Calls, policy.Hour, 3), counter(policy.Rows, policy.Hour, 3)
	takeAll(t, s, calls, alice)
	take(t, s, rows, alice, 1)
	take(t, s, rows, alice, 4)
	d.Close()
	for range 20 {
		if _, ok := take(t, s, calls, alice, 1); ok {
			t.Fatal("more than the limit")
		}
		if _, ok := take(t, s, rows, alice, 4); ok {
			t.Fatal("more at once than the limit")
		}
		c.set(c.now().Add(askAgain / 40))
	}
}
