package dbtest

import (
	"context"
	"sync"
)

// Caller is the context of somebody who goes while something is done for them: tried with each n, at every place at which
// anything asks whether they are still there.
type Caller struct {
	context.Context
	leave context.CancelFunc

	mu   sync.Mutex
	left int
}

// Leaving returns a caller who is there when that is asked for the first n times, and goes when it is asked once more.
func Leaving(n int) *Caller {
	c := &Caller{left: n}
	c.Context, c.leave = context.WithCancel(context.Background())
	return c
}

// End reports whether the caller has gone, and lets go of them.
func (c *Caller) End() (gone bool) {
	gone = c.Context.Err() != nil
	c.leave()
	return gone
}

// Err implements [context.Context].
func (c *Caller) Err() error { c.ask(); return c.Context.Err() }

// Done implements [context.Context].
func (c *Caller) Done() <-chan struct{} { c.ask(); return c.Context.Done() }

func (c *Caller) ask() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		c.leave()
	}
}
