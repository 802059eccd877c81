package limit

import (
	"context"
	"slices"
	"sync"
)

// turns hands out the places of a server. A free place goes to the waiting user with the
// fewest calls under way, so that one user's burst does not keep the others waiting.
type turns struct {
	mu      sync.Mutex
	free    int
	running map[User]int
	waiting []*turn // in the order in which they came
}

type turn struct {
	user  User
	given chan struct{} // closed when it is this one's turn
}

// take waits for a place, until ctx ends.
func (t *turns) take(ctx context.Context, user User) bool {
	t.mu.Lock()
	w := &turn{user, make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.next()
	t.mu.Unlock()
	select {
	case <-w.given:
		return true
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, w)
	if i < 0 {
		return true // it was given just now
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return false
}

// giveBack ends a call.
func (t *turns) giveBack(user User) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free++
	if t.running[user]--; t.running[user] == 0 {
		delete(t.running, user)
	}
	t.next()
}

// next gives a free place to who has waited longest of those with the fewest calls.
// t.mu is held.
func (t *turns) next() {
	if t.free == 0 || len(t.waiting) == 0 {
		return
	}
	first := 0
	for i, w := range t.waiting {
		if t.running[w.user] < t.running[t.waiting[first].user] {
			first = i
		}
	}
	w := t.waiting[first]
	t.waiting = slices.Delete(t.waiting, first, first+1)
	t.free--
	t.running[w.user]++
	close(w.given)
}
