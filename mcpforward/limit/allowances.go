package limit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// QueueTime is how long a call waits for its turn. Clients send bursts; refusing the
// seventeenth call of one would teach models to retry.
const QueueTime = 15 * time.Second

// User is whose calls are counted: a Salesforce user within its org.
type User struct{ Org, Subject string }

// Limits are what is allowed of calls; a zero field is no limit.
type Limits struct {
	CallsPerMinute  int
	ConcurrentCalls int
}

// Config is what Allowances works with; every field must be set.
type Config struct {
	User    Limits            // of each user; both must be limited
	Servers map[string]Limits // of all users of a server together, by its name
	Now     func() time.Time
}

// Allowances counts what each user asks for, over all clients and servers, so that one
// user's loop does not use up the org's API calls or the others' time; and what all
// users together ask of a server that has limits of its own. It is safe for concurrent
// use.
type Allowances struct {
	limits  Limits
	now     func() time.Time
	servers map[string]*serverAllowance // by name

	mu    sync.Mutex
	users map[User]*Allowance

	refused struct{ user, server atomic.Int64 } // calls, by whose limits
}

// serverAllowance is one server's; a nil part is no limit.
type serverAllowance struct {
	calls *rate.Limiter
	turns *turns
}

// New returns allowances of which nothing is used yet.
func New(c Config) *Allowances {
	b := &Allowances{limits: c.User, now: c.Now, servers: map[string]*serverAllowance{}, users: map[User]*Allowance{}}
	for name, l := range c.Servers {
		var s serverAllowance
		if l.CallsPerMinute > 0 {
			s.calls = perMinute(l.CallsPerMinute)
		}
		if l.ConcurrentCalls > 0 {
			s.turns = &turns{free: l.ConcurrentCalls, running: map[User]int{}}
		}
		b.servers[name] = &s
	}
	return b
}

func perMinute(n int) *rate.Limiter { return rate.NewLimiter(rate.Limit(float64(n)/60), n) }

// Of returns the allowance of a user.
func (b *Allowances) Of(user User) *Allowance {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.users[user]
	if u == nil {
		u = newAllowance(b.limits, b.now)
		b.users[user] = u
	}
	u.used = b.now()
	return u
}

// Enter begins a user's call to a server: at once, or when others have ended. leave ends
// it. It is refused if the user or all users of the server ask too often, if the queue
// does not move for [QueueTime], or if ctx ends. A user's own limits come first, so that
// what is refused there costs the others nothing.
func (b *Allowances) Enter(ctx context.Context, user User, server string) (leave func(), ok bool) {
	u := b.Of(user)
	if !u.Allow() {
		b.refused.user.Add(1)
		return nil, false
	}
	until := time.Now().Add(QueueTime)
	if !u.begin(ctx, until) {
		count(ctx, &b.refused.user)
		return nil, false
	}
	leaveServer, ok := b.enterServer(ctx, user, server, until)
	if !ok {
		u.end()
		count(ctx, &b.refused.server)
		return nil, false
	}
	return func() { leaveServer(); u.end() }, true
}

// count counts a call that got no place, unless it was its client that gave up.
func count(ctx context.Context, refused *atomic.Int64) {
	if ctx.Err() == nil {
		refused.Add(1)
	}
}

// enterServer does the server's part of Enter.
func (b *Allowances) enterServer(ctx context.Context, user User, server string, until time.Time) (leave func(), ok bool) {
	s := b.servers[server]
	if s == nil {
		return func() {}, true
	}
	if s.calls != nil && !s.calls.AllowN(b.now(), 1) {
		return nil, false
	}
	if s.turns == nil {
		return func() {}, true
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if !s.turns.take(ctx, user) {
		return nil, false
	}
	return func() { s.turns.giveBack(user) }, true
}

// Sweep forgets users whose allowance is full again.
func (b *Allowances) Sweep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for user, u := range b.users {
		if len(u.running)+len(u.bodies) == 0 && b.now().Sub(u.used) > 2*time.Minute {
			delete(b.users, user)
		}
	}
}

// Refused returns how many calls were refused since the start because of the limits of
// a user, and because of those of a server.
func (b *Allowances) Refused() (byUser, byServer int64) {
	return b.refused.user.Load(), b.refused.server.Load()
}
