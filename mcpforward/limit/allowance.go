package limit

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	// refusalTime is how long a refusal for a limit is held back. A client that asks again as
	// soon as it is answered would otherwise get thousands of refusals a second, and everybody
	// else would wait for the processor.
	refusalTime = 250 * time.Millisecond
	// refusalsHeld is how many of a user's refusals are held back at a time; further ones are
	// given at once. What is held back takes a place among the requests of its address.
	refusalsHeld = 100

	// bodiesPerCall is how many bodies of a user may be read at a time for each call that may
	// be under way: what arrives slowly holds memory, whether or not a call comes of it.
	bodiesPerCall = 2

	// Of a user's refusals RefusalsAtOnce are recorded at once and then one in RefusalPause,
	// with the number of those in between: a client in a loop must not fill the audit log.
	RefusalsAtOnce = 10
	RefusalPause   = 10 * time.Second
)

// Allowance is one user's. It is safe for concurrent use.
type Allowance struct {
	calls   *rate.Limiter
	now     func() time.Time
	running chan struct{} // holds one value for each call under way
	bodies  chan struct{} // the same for each body that is being read
	used    time.Time     // guarded by the mutex of Allowances

	held       atomic.Int64  // refusals that are about to be given
	refusals   *rate.Limiter // that are recorded
	unrecorded atomic.Int64  // since the last that was
}

func newAllowance(l Limits, now func() time.Time) *Allowance {
	return &Allowance{
		calls: perMinute(l.CallsPerMinute), now: now, running: make(chan struct{}, l.ConcurrentCalls),
		bodies:   make(chan struct{}, bodiesPerCall*l.ConcurrentCalls),
		refusals: rate.NewLimiter(rate.Every(RefusalPause), RefusalsAtOnce),
	}
}

// Allow takes one call from the allowance, if there is one left.
func (u *Allowance) Allow() bool { return u.calls.AllowN(u.now(), 1) }

// begin takes one of the user's places for calls, waiting for one until then or until ctx
// ends.
func (u *Allowance) begin(ctx context.Context, until time.Time) bool {
	return take(ctx, u.running, until)
}

// BeginBody takes one of the user's places for bodies that are being read, from before the
// first byte is; end gives it back. It waits for [QueueTime], or until ctx ends.
func (u *Allowance) BeginBody(ctx context.Context) (end func(), ok bool) {
	if !take(ctx, u.bodies, time.Now().Add(QueueTime)) {
		return nil, false
	}
	return func() { <-u.bodies }, true
}

// Bodies is how many bodies of the user are being read.
func (u *Allowance) Bodies() int { return len(u.bodies) }

func take(ctx context.Context, places chan<- struct{}, until time.Time) bool {
	select {
	case places <- struct{}{}: // mostly at once, and without a timer
		return true
	default:
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (u *Allowance) end() { <-u.running }

// RecordRefusal reports whether a call that is refused for a limit is to be recorded, and
// how many were not since the last one.
func (u *Allowance) RecordRefusal() (unrecorded int64, ok bool) {
	if !u.refusals.AllowN(u.now(), 1) {
		u.unrecorded.Add(1)
		return 0, false
	}
	return u.unrecorded.Swap(0), true
}

// HoldBack returns when it is time to give a refusal, or when ctx ends.
func (u *Allowance) HoldBack(ctx context.Context) {
	defer u.held.Add(-1)
	if u.held.Add(1) > refusalsHeld {
		return
	}
	timer := time.NewTimer(refusalTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
