package audit

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
)

const (
	// maxStep is how far the clock may go between two looks at it, of which there is one every ten minutes
	// at least.
	maxStep = time.Hour
	// maxBack is how far the clock may go back between two entries, or looks at it, without being noted:
	// machines that share a log differ by less.
	maxBack = time.Minute
	// distrust is how long nothing is removed by age after it went further, or back: a clock
	// that is wrong by years would remove the whole log, and by then somebody has seen it.
	distrust = 24 * time.Hour
)

// Clock judges whether the time is one by which anything may be removed for its age. The zero value has seen no time.
type Clock struct {
	last  time.Time // seen, or of the last entry; zero: none
	wrong time.Time // when it went too far last; zero: never
}

// longestRest is how long nothing may have been recorded before a start without the clock counting as one that has
// jumped. By a clock that is wrong by less nothing is removed that would not go within days; and a proxy that is stopped each
// night would else never remove anything.
const longestRest = 7 * 24 * time.Hour

// ClockOf is the clock of a process that starts now: it has seen the time of the log's last entry, unless that is so little
// ago that the process may just not have run. Ask for it before the process records anything.
func ClockOf(ctx context.Context, l *Log, now time.Time) (c Clock) {
	err := l.List(ctx, Filter{Limit: 1}, func(e Entry) error {
		c.last = e.At
		return nil
	})
	if err != nil && ctx.Err() == nil {
		l.config.Log.Warn("reading the last entry of the audit log", "error", err)
	}
	if rest := now.Sub(c.last); rest >= 0 && rest <= longestRest {
		return Clock{}
	}
	return c
}

// Trusts says whether something may be removed by the time that it is now, and how far the clock has
// jumped since it was asked last, which must be at least every hour; 0: it has not.
func (c *Clock) Trusts(now time.Time) (trusted bool, jumped time.Duration) {
	now = now.Round(0) // a monotonic reading would hide that the clock was set
	if step := now.Sub(c.last); !c.last.IsZero() && (step > maxStep || step < -maxBack) {
		c.wrong, jumped = now, step
	}
	c.last = now
	return c.wrong.IsZero() || now.Sub(c.wrong) >= distrust, jumped
}

// wentBack is the entry that says so of a clock whose last entry is of one time, and the next of another; nil: it
// has not gone back, or by no more than maxBack.
func wentBack(last, now time.Time) *waiting {
	if last.IsZero() || last.Sub(now) <= maxBack {
		return nil
	}
	return ownEntry(Entry{Action: LogClock, Reason: fmt.Sprintf("the clock went back by %s: the entry before this one is of %s",
		last.Sub(now).Round(time.Second), last.UTC().Format(time.RFC3339))})
}

// ownEntry is one that the log writes of itself.
func ownEntry(e Entry) *waiting {
	e.Actor, e.Outcome, e.Source = actor.Proxy, OK, "audit log"
	e.normalise()
	w := &waiting{entry: e, terms: termsOf(&e)}
	w.encode(nil)
	return w
}

// WentBack says how often the clock of a log went back by more than a minute from one entry to the next.
type WentBack struct {
	Times int
	Most  time.Duration // by how much at most
	First int64         // the first entry that is of an earlier time than the one before it; 0: none is
}

// look takes the time of a record into account. Of one that does not say it nothing is known.
func (v *verification) look(r logfile.Record) {
	_, rest, begins := bytes.Cut(r.Text[:min(len(r.Text), 80)], []byte(`,"at":"`))
	text, _, ends := bytes.Cut(rest, []byte(`"`))
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if !begins || !ends || err != nil {
		return
	}
	if by := v.last.Sub(at); !v.last.IsZero() && by > maxBack {
		back := &v.seen.Back
		back.Times++
		back.Most, back.First = max(back.Most, by), cmp.Or(back.First, r.Seq)
	}
	v.last = at
}
