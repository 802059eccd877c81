package mcpforward

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/grant"
)

// queueTime is how long a call waits for its turn. Clients send bursts; refusing the
// seventeenth call of one would teach models to retry.
const queueTime = 15 * time.Second

const (
	// refusalTime is how long a refusal for a limit is held back. A client that asks again as
	// soon as it is answered would otherwise get thousands of refusals a second, and everybody
	// else would wait for the processor.
	refusalTime = 250 * time.Millisecond
	// refusalsHeld is how many of a user's refusals are held back at a time; further ones are
	// given at once. What is held back takes a place among the requests of its address.
	refusalsHeld = 100
	// Of a user's refusals refusalsAtOnce are recorded at once and then one in refusalPause,
	// with the number of those in between: a client in a loop must not fill the audit log.
	refusalsAtOnce = 10
	refusalPause   = 10 * time.Second
)

// budgets counts what each user asks for, over all clients and servers, so that one
// user's loop does not use up the org's API calls or the others' time; and what all
// users together ask of a server that has limits of its own.
type budgets struct {
	limits Limits
	now    func() time.Time

	mu      sync.Mutex
	users   map[userKey]*budget
	servers map[string]*serverBudget // by name; filled before the first call

	limited struct{ users, servers atomic.Int64 } // calls refused
}

type userKey struct{ org, subject string }

// budget is one user's.
type budget struct {
	calls   *rate.Limiter
	now     func() time.Time
	running chan struct{} // holds one value for each call under way
	used    time.Time

	held       atomic.Int64  // refusals that are about to be given
	refusals   *rate.Limiter // that are recorded
	unrecorded atomic.Int64  // since the last that was
}

// serverBudget is one server's; a nil part is no limit.
type serverBudget struct {
	calls *rate.Limiter
	turns *turns
}

func newBudgets(l Limits, now func() time.Time) *budgets {
	return &budgets{limits: l, now: now, users: map[userKey]*budget{}, servers: map[string]*serverBudget{}}
}

func perMinute(n int) *rate.Limiter { return rate.NewLimiter(rate.Limit(float64(n)/60), n) }

// limitServer gives a server the limits that it has of its own.
func (b *budgets) limitServer(s *Server) {
	var limits serverBudget
	if s.CallsPerMinute > 0 {
		limits.calls = perMinute(s.CallsPerMinute)
	}
	if s.ConcurrentCalls > 0 {
		limits.turns = &turns{free: s.ConcurrentCalls, running: map[userKey]int{}}
	}
	b.servers[s.Name] = &limits
}

// of returns the budget of a grant's user.
func (b *budgets) of(g *grant.Grant) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := userKey{g.Org, g.Subject}
	u := b.users[key]
	if u == nil {
		u = &budget{calls: perMinute(b.limits.CallsPerMinute), now: b.now, running: make(chan struct{}, b.limits.ConcurrentCalls),
			refusals: rate.NewLimiter(rate.Every(refusalPause), refusalsAtOnce)}
		b.users[key] = u
	}
	u.used = b.now()
	return u
}

// allow takes one call from the budget, if there is one left.
func (u *budget) allow() bool { return u.calls.AllowN(u.now(), 1) }

// recordRefusal reports whether a call that is refused for a limit is to be recorded, and
// how many were not since the last one.
func (u *budget) recordRefusal() (unrecorded int64, ok bool) {
	if !u.refusals.AllowN(u.now(), 1) {
		u.unrecorded.Add(1)
		return 0, false
	}
	return u.unrecorded.Swap(0), true
}

// holdBack returns when it is time to give a refusal, or when ctx ends.
func (u *budget) holdBack(ctx context.Context) {
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

// enter begins a call: at once, or when others have ended. leave ends it. It is refused
// if the user or all users of the server ask too often, or if the queue does not move.
// A user's own limits come first, so that what is refused there costs the others nothing.
func (b *budgets) enter(ctx context.Context, g *grant.Grant) (leave func(), ok bool) {
	u := b.of(g)
	if !u.allow() {
		b.limited.users.Add(1)
		return nil, false
	}
	until := time.Now().Add(queueTime)
	select {
	case u.running <- struct{}{}: // mostly at once, and without a timer
	default:
		waiting, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		select {
		case u.running <- struct{}{}:
		case <-waiting.Done():
			refused(ctx, &b.limited.users)
			return nil, false
		}
	}
	leaveServer, ok := b.enterServer(ctx, g, until)
	if !ok {
		<-u.running
		refused(ctx, &b.limited.servers)
		return nil, false
	}
	return func() { leaveServer(); <-u.running }, true
}

// refused counts a call that got no place, unless it was its client that gave up.
func refused(ctx context.Context, by *atomic.Int64) {
	if ctx.Err() == nil {
		by.Add(1)
	}
}

// enterServer does the server's part of enter.
func (b *budgets) enterServer(ctx context.Context, g *grant.Grant, until time.Time) (leave func(), ok bool) {
	s := b.servers[g.Server]
	if s == nil {
		return func() {}, true
	}
	if s.calls != nil && !s.calls.AllowN(b.now(), 1) {
		return nil, false
	}
	if s.turns == nil {
		return func() {}, true
	}
	who := userKey{g.Org, g.Subject}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if !s.turns.take(ctx, who) {
		return nil, false
	}
	return func() { s.turns.giveBack(who) }, true
}

// sweep forgets users whose budget is full again.
func (b *budgets) sweep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, u := range b.users {
		if len(u.running) == 0 && b.now().Sub(u.used) > 2*time.Minute {
			delete(b.users, key)
		}
	}
}

// Limited returns how many calls were refused since the start because of the limits of
// a "user" or of a "server".
func (h *Handler) Limited(by string) int64 {
	if by == "server" {
		return h.budgets.limited.servers.Load()
	}
	return h.budgets.limited.users.Load()
}

// turns hands out the places of a server. A free place goes to the waiting user with the
// fewest calls under way, so that one user's burst does not keep the others waiting.
type turns struct {
	mu      sync.Mutex
	free    int
	running map[userKey]int
	waiting []*turn // in the order in which they came
}

type turn struct {
	who   userKey
	given chan struct{} // closed when it is this one's turn
}

// take waits for a place, until ctx ends.
func (t *turns) take(ctx context.Context, who userKey) bool {
	t.mu.Lock()
	w := &turn{who, make(chan struct{})}
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
func (t *turns) giveBack(who userKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free++
	if t.running[who]--; t.running[who] == 0 {
		delete(t.running, who)
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
		if t.running[w.who] < t.running[t.waiting[first].who] {
			first = i
		}
	}
	w := t.waiting[first]
	t.waiting = slices.Delete(t.waiting, first, first+1)
	t.free--
	t.running[w.who]++
	close(w.given)
}
