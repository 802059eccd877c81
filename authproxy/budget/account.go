package budget

import (
	"context"
	"math"
	"sync"
	"time"
)

// account is what this process knows of one count.
type account struct {
	key

	mu         sync.Mutex
	start, end time.Time // of the window that the rest is about; zero: nothing is known
	left       int64     // allotted to this process and not used
	taken      int64     // by all processes, when the database said so last
	alarmed    int64     // level of the last alarm in this window
	refusedAt  time.Time // when the database had nothing left; zero: it was not so
	gone       bool      // another one has taken its place
}

// parts is into how many allotments a limit is divided; narrower, how much smaller the next
// one is that is asked for near its end.
const (
	parts    = 100
	narrower = 8
)

// askAgain is how long it holds that the database has nothing left: another process may
// return what it did not use.
const askAgain = 2 * time.Second

// turn forgets a window that is over. A clock that went back by no more than a window counts
// on in the later one.
func (a *account) turn(c *Counter, now time.Time) {
	if now.Before(a.end) && !now.Before(a.start.Add(-c.Length())) {
		return
	}
	a.start, a.end, a.left, a.taken, a.alarmed, a.refusedAt = time.Time{}, time.Time{}, 0, 0, 0, time.Time{}
}

// spent is the refusal of a charge.
func (a *account) spent(c Charge, now time.Time) *Spent {
	end := a.end
	if end.IsZero() {
		_, end = c.Span(now)
	}
	return &Spent{Counter: c.Counter, Taken: max(0, a.taken-a.left), Wanted: c.Units, Renews: end}
}

// takeFrom takes a charge from an account, which is locked.
func (s *Store) takeFrom(ctx context.Context, a *account, c Charge, now time.Time) error {
	a.turn(c.Counter, now)
	need := max(c.Units, 1)
	for a.left < need {
		if err := s.refill(ctx, a, c, need-a.left, now); err != nil {
			return err
		}
	}
	a.left -= c.Units
	return nil
}

// refill allots more to this process: need at least, and a part of the limit if there is so
// much.
func (s *Store) refill(ctx context.Context, a *account, c Charge, need int64, now time.Time) error {
	since := now.Sub(a.refusedAt)
	if c.Units > c.Limit || since >= 0 && since < askAgain {
		return a.spent(c, now)
	}
	for n := max(need, c.Limit/parts); ; n = max(need, n/narrower) {
		ok, err := s.takeRow(ctx, a, c.Counter, now, n, c.Limit)
		if ok || err != nil {
			return err
		}
		if n == need {
			break
		}
	}
	r, err := s.readRow(ctx, a.key)
	if err == nil {
		r, err = s.moveBack(ctx, a.key, c.Counter, now, r)
	}
	if err != nil {
		return err
	}
	a.learn(r)
	if need == 1 {
		a.refusedAt = now
	}
	return a.spent(c, now)
}

// has reports whether takeFrom could take the charge, without taking anything.
func (s *Store) has(ctx context.Context, a *account, c Charge, now time.Time) error {
	a.turn(c.Counter, now)
	need := max(c.Units, 1)
	if a.left >= need {
		return nil
	}
	r, err := s.readRow(ctx, a.key)
	if err != nil {
		return err
	}
	start, _ := c.Span(now)
	if r.start.Before(start) {
		r = row{}
	}
	a.learn(r)
	if r.taken-a.left+need > c.Limit {
		return a.spent(c, now)
	}
	return nil
}

// add counts n units that were used already.
func (s *Store) add(ctx context.Context, a *account, c *Counter, n int64) error {
	now := s.Now()
	a.turn(c, now)
	if n <= a.left {
		a.left -= max(n, 0)
		return nil
	}
	n = min(n, math.MaxInt64/4)
	if part := c.Limit / parts; part > 1 { // so that the next one need not be written
		ok, err := s.takeRow(ctx, a, c, now, n-a.left+part, c.Limit)
		if err != nil {
			return err
		}
		if ok {
			a.left -= n
			return nil
		}
	}
	if _, err := s.takeRow(ctx, a, c, now, n-a.left, math.MaxInt64); err != nil {
		return err
	}
	a.left -= n
	return nil
}

// learn takes over what the database says. What was allotted in another window is lost.
func (a *account) learn(r row) {
	if !r.start.Equal(a.start) {
		a.start, a.end, a.left, a.refusedAt = r.start, r.end, 0, time.Time{}
	}
	a.taken, a.alarmed = r.taken, r.alarmed
}
