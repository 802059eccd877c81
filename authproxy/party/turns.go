package party

import (
	"context"
	"sync"
)

// Turns let each party have so many of something under way at a time; who comes beyond that
// waits. They are safe for concurrent use, and remember nobody who neither has a turn nor
// waits for one.
type Turns[K comparable] struct {
	most int

	mu sync.Mutex
	of map[K]*turn
}

type turn struct {
	slots chan struct{}
	users int // who have a slot or wait for one
}

// NewTurns returns turns of which each party may have most at a time.
func NewTurns[K comparable](most int) *Turns[K] {
	return &Turns[K]{most: most, of: map[K]*turn{}}
}

// Take waits for a turn until ctx ends, whose error it returns then. done gives it back; it
// must be called once.
func (t *Turns[K]) Take(ctx context.Context, of K) (done func(), err error) {
	t.mu.Lock()
	mine := t.of[of]
	if mine == nil {
		mine = &turn{slots: make(chan struct{}, t.most)}
		t.of[of] = mine
	}
	mine.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.users--; mine.users == 0 {
			delete(t.of, of)
		}
	}
	select {
	case mine.slots <- struct{}{}:
		return func() { <-mine.slots; leave() }, nil
	default:
	}
	select {
	case mine.slots <- struct{}{}:
		return func() { <-mine.slots; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
