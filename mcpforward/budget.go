package mcpforward

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/grant"
)

// queueTime is how long a call waits for one of its user's other calls to end. Clients
// send bursts; refusing the seventeenth call of one would teach models to retry.
const queueTime = 15 * time.Second

// budgets counts what each user asks for, over all clients and servers, so that one
// user's loop does not use up the org's API calls or the others' time.
type budgets struct {
	limits Limits
	now    func() time.Time

	mu    *sync.Mutex
	users map[userKey]*budget
}

type userKey struct{ org, subject string }

// budget is one user's.
type budget struct {
	calls   *rate.Limiter
	now     func() time.Time
	running chan struct{} // holds one value for each call under way
	used    time.Time
}

func newBudgets(l Limits, now func() time.Time) budgets {
	return budgets{limits: l, now: now, mu: &sync.Mutex{}, users: map[userKey]*budget{}}
}

// of returns the budget of a grant's user.
func (b budgets) of(g *grant.Grant) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := userKey{g.Org, g.Subject}
	u := b.users[key]
	if u == nil {
		perSecond := rate.Limit(float64(b.limits.CallsPerMinute) / 60)
		u = &budget{calls: rate.NewLimiter(perSecond, b.limits.CallsPerMinute), now: b.now, running: make(chan struct{}, b.limits.ConcurrentCalls)}
		b.users[key] = u
	}
	u.used = b.now()
	return u
}

// allow takes one call from the budget, if there is one left.
func (u *budget) allow() bool { return u.calls.AllowN(u.now(), 1) }

// enter begins a call: at once, or when one of the user's other calls has ended.
// leave ends it. It is refused if the user asks too often or the queue does not move.
func (b budgets) enter(ctx context.Context, g *grant.Grant) (leave func(), ok bool) {
	u := b.of(g)
	if !u.allow() {
		return nil, false
	}
	patience := time.NewTimer(queueTime)
	defer patience.Stop()
	select {
	case u.running <- struct{}{}:
		return func() { <-u.running }, true
	case <-patience.C:
	case <-ctx.Done():
	}
	return nil, false
}

// sweep forgets users whose budget is full again.
func (b budgets) sweep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, u := range b.users {
		if len(u.running) == 0 && b.now().Sub(u.used) > 2*time.Minute {
			delete(b.users, key)
		}
	}
}
