package audit

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// AU-09: entries of a clock that goes back and far ahead are numbered in their order, found by their times, and
// verify. Where it went back by more than a minute an entry says so, and the verification does.
func TestAU09ClockThatJumps(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	const far = 10 * 365 * 24 * time.Hour
	steps := []time.Duration{0, time.Second, -time.Hour, 2 * time.Second, far, 3 * time.Second, -30 * time.Second}
	for _, step := range steps {
		l.config.Now = func() time.Time { return start.Add(step) }
		appendAll(t, l, entry("tool.call"))
	}
	type is struct {
		at     time.Duration
		action Action
		reason string
	}
	want := []is{{0, "tool.call", ""}, {time.Second, "tool.call", ""},
		{-time.Hour, LogClock, "the clock went back by 1h0m1s: the entry before this one is of " + start.Add(time.Second).UTC().Format(time.RFC3339)}, {-time.Hour, "tool.call", ""},
		{2 * time.Second, "tool.call", ""}, {far, "tool.call", ""},
		{3 * time.Second, LogClock, "the clock went back by 87599h59m57s: the entry before this one is of " + start.Add(far).UTC().Format(time.RFC3339)}, {3 * time.Second, "tool.call", ""},
		{-30 * time.Second, "tool.call", ""}}
	all := list(t, l, Filter{})
	if len(all) != len(want) {
		t.Fatalf("%d entries, want %d", len(all), len(want))
	}
	for i, e := range all {
		if e.Seq != int64(i+1) || !e.At.Equal(start.Add(want[i].at)) || e.Action != want[i].action || e.Reason != want[i].reason {
			t.Errorf("entry %d is %d of %v, %s: %s", i+1, e.Seq, e.At, e.Action, e.Reason)
		}
	}
	for want, f := range map[int]Filter{
		3: {Until: start}, 5: {Since: start, Until: start.Add(time.Minute)}, 6: {Since: start},
	} {
		n, err := l.Count(t.Context(), f)
		if got := len(list(t, l, f)); got != want || n != want || err != nil {
			t.Errorf("%+v: %d, counted %d, %v, want %d", f, got, n, err, want)
		}
	}
	sound(t, l, int64(len(want)))
	seen, err := l.Verify(t.Context())
	if err != nil || seen.Back != (WentBack{2, far - 3*time.Second, 3}) {
		t.Errorf("the verification says %+v, %v", seen.Back, err)
	}
}

func TestAU09ClockIsTrusted(t *testing.T) {
	t.Parallel()
	c := Clock{}
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
		trusted, jumped := c.Trusts(at)
		if trusted != step.trusted || (jumped != 0) != step.jumped {
			t.Errorf("step %d: %t, %v", i, trusted, jumped)
		}
	}
	for range 23 {
		at = at.Add(time.Hour)
		c.Trusts(at)
	}
	if trusted, _ := c.Trusts(at); !trusted {
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
	p := pass{log: l, clock: ClockOf(t.Context(), l, l.config.Now())}
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

// AU-11: a proxy that is stopped each night, or for some days, removes old segments soon after a start, whatever was recorded
// before; one whose clock has gone further, or back, waits.
func TestAU11RestartedEachNight(t *testing.T) {
	t.Parallel()
	for rest, want := range map[time.Duration]bool{0: true, 8 * time.Hour: true, 3 * 24 * time.Hour: true, longestRest: true, longestRest + time.Minute: false, -time.Hour: false} {
		s := newStore(t)
		l, segments := s.long()
		at := start.Add(30 * 24 * time.Hour)
		l.config.Now = func() time.Time { return at }
		appendAll(t, l, entry("tool.call")) // the evening before
		at = at.Add(rest)
		p := pass{log: l, clock: ClockOf(t.Context(), l, at)}
		appendAll(t, l, entry("session.create")) // in the morning, before anything is removed
		p.run(t.Context(), Upkeep{Every: time.Hour, Keep: 24 * time.Hour})
		if n := len(s.segments()); (n < len(segments)) != want {
			t.Errorf("%v after the last entry: %d of %d segments are left", rest, n, len(segments))
		}
	}
}

// FT-41: a segment whose entries are all of another time is not opened again, and nothing is missed where the clock
// went back.
func TestFaultFT41SegmentsOfAnotherTime(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.segmentSize = 4000
	l := s.open()
	at := start
	l.config.Now = func() time.Time { return at }
	for i := range 100 {
		if at = at.Add(time.Hour); i == 30 {
			at = at.Add(-20 * time.Hour)
		}
		appendAll(t, l, entry("tool.call"))
	}
	l.indexes.writing.Wait()
	all := list(t, l, Filter{})
	for _, of := range []Filter{{Since: at.Add(-3 * time.Hour)}, {Since: start.Add(15 * time.Hour), Until: start.Add(25 * time.Hour)}, {Until: start.Add(2 * time.Hour)}} {
		want := 0
		for _, e := range all {
			if (of.Since.IsZero() || !e.At.Before(of.Since)) && (of.Until.IsZero() || e.At.Before(of.Until)) {
				want++
			}
		}
		n, err := l.Count(t.Context(), of)
		if got := len(list(t, l, of)); got != want || n != want || err != nil || want == 0 {
			t.Errorf("%+v: %d, counted %d (%v), want %d", of, got, n, err, want)
		}
	}
	files, err := filepath.Glob(filepath.Join(l.config.Dir, "*.idx"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d indexes: %v", len(files), err)
	}
	for _, file := range files { // one that is opened is made again
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	list(t, l, Filter{Since: at.Add(-time.Hour)})
	if again, _ := filepath.Glob(filepath.Join(l.config.Dir, "*.idx")); len(again) > 2 {
		t.Errorf("%d of %d segments were opened for the last hour", len(again), len(files))
	}
}
