package audit

import (
	"testing"
	"time"
)

// AU-09: entries of a clock that goes back and far ahead are numbered in their order, found by their times, and
// verify.
func TestAU09ClockThatJumps(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	steps := []time.Duration{0, time.Second, -time.Hour, 2 * time.Second, 10 * 365 * 24 * time.Hour, 3 * time.Second}
	for _, step := range steps {
		l.config.Now = func() time.Time { return start.Add(step) }
		appendAll(t, l, entry("tool.call"))
	}
	for i, e := range list(t, l, Filter{}) {
		if e.Seq != int64(i+1) || !e.At.Equal(start.Add(steps[i])) {
			t.Errorf("entry %d is %d of %v", i+1, e.Seq, e.At)
		}
	}
	for want, f := range map[int]Filter{
		1: {Until: start}, 4: {Since: start, Until: start.Add(time.Minute)}, 5: {Since: start},
	} {
		n, err := l.Count(t.Context(), f)
		if got := len(list(t, l, f)); got != want || n != want || err != nil {
			t.Errorf("%+v: %d, counted %d, %v, want %d", f, got, n, err, want)
		}
	}
	sound(t, l, int64(len(steps)))
}

func TestAU09ClockIsTrusted(t *testing.T) {
	t.Parallel()
	c := clock{}
	at := start
	for i, step := range []struct {
		by              time.Duration
		trusted, jumped bool
	}{
		{0, true, false}, {10 * time.Second, true, false}, {-time.Second, true, false}, // a clock that is set right
		{2 * 365 * 24 * time.Hour, false, true}, {10 * time.Second, false, false}, // years ahead
		{-2 * 365 * 24 * time.Hour, false, true}, {time.Hour, false, false}, {23*time.Hour + 1, false, true}, // right again, and asleep
		{time.Hour, false, false},
	} {
		at = at.Add(step.by)
		trusted, jumped := c.trusts(at)
		if trusted != step.trusted || (jumped != 0) != step.jumped {
			t.Errorf("step %d: %t, %v", i, trusted, jumped)
		}
	}
	for range 23 {
		at = at.Add(time.Hour)
		c.trusts(at)
	}
	if trusted, _ := c.trusts(at); !trusted {
		t.Error("a clock that went right for a day is not trusted")
	}
}

// AU-09: a clock that is years ahead does not remove the log, neither at start nor while it runs; after a
// day it is believed.
func TestAU09WrongClockRemovesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l, segments := s.long()
	at := start.Add(10 * 365 * 24 * time.Hour)
	l.config.Now = func() time.Time { return at }
	p := pass{log: l, clock: clockOfLast(t.Context(), l)}
	left := func() int {
		p.run(t.Context(), Upkeep{Every: time.Hour, Keep: 24 * time.Hour})
		return len(s.segments())
	}
	for range 24 {
		if n := left(); n != len(segments) {
			t.Fatalf("%d of %d segments are left", n, len(segments))
		}
		at = at.Add(time.Hour)
	}
	if n := left(); n != 1 {
		t.Errorf("a clock that was right after all: %d segments are left", n)
	}
}
