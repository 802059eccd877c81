package main

import (
	"context"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
)

// sweepClock decides whether the clock of this process is one by which sweeps may delete. Nothing is valid for
// longer because a sweep is late; what a sweep by a wrong clock has ended and deleted nobody has again.
type sweepClock struct {
	seen audit.Clock // at a start, the last entry of the audit log, see [audit.ClockOf]
	told string      // why sweeps wait, as it was logged
	off  bool        // that the clock differs from the database's was logged
}

// maySweep says whether a sweep may delete by the time that it is now, and tells each change of that once. The
// sweeping goroutine alone calls it.
func (p *product) maySweep(ctx context.Context) bool {
	ahead, known := p.db.ClockDifference()
	if !known { // nobody has looked yet: the first sweep is not made by a clock that nobody has compared
		var err error
		if ahead, known, err = p.db.AskClock(ctx); err != nil {
			if ctx.Err() == nil {
				p.log.Error("sweeping", "error", err)
			}
			return false
		}
	}
	p.tellClock(ahead, known)
	why := p.sweepClock.distrust(p.now(), ahead, known)
	switch told := p.sweepClock.told; {
	case why == told:
	case why != "":
		p.log.Warn("nothing is swept, so that no connection ends by a wrong clock: " + why)
	default:
		p.log.Info("what is too old is swept again")
	}
	p.sweepClock.told = why
	p.sweepsWait.Store(why != "")
	return why == ""
}

// distrust is why nothing may be deleted by the time that it is now, by a clock that is, if it is known, so
// far ahead of the database's; "" if it may.
func (c *sweepClock) distrust(now time.Time, ahead time.Duration, known bool) string {
	trusted, _ := c.seen.Trusts(now) // asked in any case: it compares the times at which it is asked
	switch {
	case known && ahead.Abs() > db.ClockBound:
		return "the clock differs from the database's"
	case !trusted:
		return "the clock has jumped, or nothing was recorded for more than a week; it is trusted again after a day"
	}
	return ""
}

// tellClock logs, once, that the clock differs from the database's by more than [db.ClockBound], and that it agrees again.
func (p *product) tellClock(ahead time.Duration, known bool) {
	off := known && ahead.Abs() > db.ClockBound
	switch {
	case off == p.sweepClock.off:
	case off:
		p.log.Error("the clock of this machine differs from the database's: replicas whose clocks differ take refresh tokens for replayed and end connections; let it follow a time server (NTP)",
			"ahead", ahead.Round(time.Millisecond).String(), "bound", db.ClockBound.String())
	default:
		p.log.Info("the clock of this machine agrees with the database's again", "ahead", ahead.Round(time.Millisecond).String())
	}
	p.sweepClock.off = off
}
