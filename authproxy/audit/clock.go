package audit

import (
	"context"
	"time"
)

const (
	// maxStep is how far the clock may go between two looks at it, of which there is one every ten minutes
	// at least.
	maxStep = time.Hour
	// distrust is how long nothing is removed by age after it went further, or back: a clock
	// that is wrong by years would remove the whole log, and by then somebody has seen it.
	distrust = 24 * time.Hour
)

// clock judges whether the time is one by which entries may be removed.
type clock struct {
	last  time.Time // seen, or of the last entry; zero: none
	wrong time.Time // when it went too far last; zero: never
}

// clockOfLast is a clock that has seen the time of the log's last entry.
func clockOfLast(ctx context.Context, l *Log) (c clock) {
	err := l.List(ctx, Filter{Limit: 1}, func(e Entry) error {
		c.last = e.At
		return nil
	})
	if err != nil && ctx.Err() == nil {
		l.config.Log.Warn("reading the last entry of the audit log", "error", err)
	}
	return c
}

// trusts says whether entries may be removed by the time that it is now, and how far the clock has
// jumped; 0: it has not.
func (c *clock) trusts(now time.Time) (trusted bool, jumped time.Duration) {
	if step := now.Sub(c.last); !c.last.IsZero() && (step > maxStep || step < -time.Minute) {
		c.wrong, jumped = now, step
	}
	c.last = now
	return c.wrong.IsZero() || now.Sub(c.wrong) >= distrust, jumped
}
