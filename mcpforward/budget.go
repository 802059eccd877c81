package mcpforward

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/grant"
)

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
	mu      *sync.Mutex
	running int
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
		u = &budget{calls: rate.NewLimiter(perSecond, b.limits.CallsPerMinute), now: b.now, mu: b.mu}
		b.users[key] = u
	}
	u.used = b.now()
	return u
}

// allow takes one call from the budget, if there is one left.
func (u *budget) allow() bool { return u.calls.AllowN(u.now(), 1) }

// sweep forgets users whose budget is full again.
func (b budgets) sweep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, u := range b.users {
		if u.running == 0 && b.now().Sub(u.used) > 2*time.Minute {
			delete(b.users, key)
		}
	}
}

// enter begins a call, if the user may have one more; leave ends it.
func (b budgets) enter(g *grant.Grant) (leave func(), ok bool) {
	u := b.of(g)
	if !u.allow() {
		return nil, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if u.running >= b.limits.ConcurrentCalls {
		return nil, false
	}
	u.running++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		u.running--
	}, true
}
