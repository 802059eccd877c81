// Package shared makes an answer once for all who ask for it at about the same time. Nothing is locked while
// it is made: whoever asks meanwhile waits for it no longer than their own context lasts, and whoever asked
// first takes it from nobody by going away.
package shared

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Answer is what was made last. The zero value is ready; it is safe for concurrent use.
type Answer[T any] struct {
	mu     sync.Mutex
	value  T
	at     time.Time // when it began to be made; zero: never
	making *making[T]
}

// making is an answer under way.
type making[T any] struct {
	done  chan struct{} // closed once the others are known
	value T
	err   error
	left  bool // who made it went away meanwhile, so the error is theirs
}

// errPanicked is what others are told where making it ended by a panic, which is the caller's.
var errPanicked = errors.New("the answer was not made")

// Ask is how an answer is asked for.
type Ask[T any] struct {
	Now   func() time.Time
	Lasts time.Duration // how long an answer is good
	// Fits says whether an answer that is good is one to this question; nil: it is.
	Fits func(T) bool
	// Make makes it. An error is told to all who wait for it, and not remembered.
	Make func(context.Context) (T, error)
}

// Get returns the answer that there is, or makes it, or waits for whoever makes it.
func (a *Answer[T]) Get(ctx context.Context, ask Ask[T]) (T, error) {
	for {
		a.mu.Lock()
		now := ask.Now()
		if !a.at.IsZero() && now.Sub(a.at).Abs() < ask.Lasts && (ask.Fits == nil || ask.Fits(a.value)) {
			defer a.mu.Unlock()
			return a.value, nil
		}
		m := a.making
		if m == nil {
			m = &making[T]{done: make(chan struct{}), err: errPanicked}
			a.making = m
			a.mu.Unlock()
			return a.make(ctx, ask, m, now)
		}
		a.mu.Unlock()
		select {
		case <-m.done:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
		switch {
		case m.err != nil && !m.left:
			return m.value, m.err
		case m.err == nil && (ask.Fits == nil || ask.Fits(m.value)):
			return m.value, nil
		}
	}
}

// make makes the answer, for all who wait for it.
func (a *Answer[T]) make(ctx context.Context, ask Ask[T], m *making[T], now time.Time) (T, error) {
	defer func() {
		a.mu.Lock()
		if a.making = nil; m.err == nil {
			a.value, a.at = m.value, now
		}
		a.mu.Unlock()
		close(m.done)
	}()
	value, err := ask.Make(ctx)
	m.value, m.err, m.left = value, err, ctx.Err() != nil
	return value, err
}
