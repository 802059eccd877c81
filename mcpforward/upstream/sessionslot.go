package upstream

import (
	"context"
	"time"
)

type userKey struct{ org, subject string }

type sessionSlotKey struct {
	url    string
	client ClientCapabilities
}

// user is one user's sessions and, by its context, calls.
type user struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	slots  map[sessionSlotKey]*sessionSlot
	calls  map[*call]struct{} // of [Pool.Call], which end with the user
}

// sessionSlot is the place of one session, which is opened anew now and then. All fields
// but user are guarded by Pool.mu.
type sessionSlot struct {
	user    *user
	session *Session             // nil: to be opened
	idle    *Session             // that was given up for its age and may be ended at Salesforce
	opening *shared[*Session]    // nil: nobody opens one
	lists   map[string]*slotList // by method
	// forgotten counts how often the lists were given up.
	forgotten int
	stream    *notificationStream // nil: nobody listens
	calls     int                 // and listeners that hold the slot
	used      time.Time
}

// slotList is what Salesforce listed last in answer to one method.
type slotList struct {
	kept    *List // nil: to be listed
	at      time.Time
	listing *shared[*List] // nil: nobody lists
}

// listOf returns the place of a list. It is called with p.mu held.
func (s *sessionSlot) listOf(method string) *slotList {
	if s.lists == nil {
		s.lists = map[string]*slotList{}
	}
	if s.lists[method] == nil {
		s.lists[method] = &slotList{}
	}
	return s.lists[method]
}

// forgetLists is called with p.mu held.
func (s *sessionSlot) forgetLists() {
	s.forgotten++
	for _, of := range s.lists {
		of.kept = nil
	}
}

// isListing is called with p.mu held.
func (s *sessionSlot) isListing() bool {
	for _, of := range s.lists {
		if of.listing != nil {
			return true
		}
	}
	return false
}

// enter returns the slot of a target for one call, which has to leave it.
func (p *Pool) enter(t Target) *sessionSlot {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	u := p.users[userKey{t.Org, t.Subject}]
	if u == nil {
		u = &user{slots: map[sessionSlotKey]*sessionSlot{}, calls: map[*call]struct{}{}}
		u.ctx, u.cancel = context.WithCancelCause(p.ctx)
		p.users[userKey{t.Org, t.Subject}] = u
	}
	s := u.slots[sessionSlotKey{t.URL, t.Client}]
	if s == nil {
		s = &sessionSlot{user: u, used: now}
		u.slots[sessionSlotKey{t.URL, t.Client}] = s
	}
	if p.isIdle(s, now) {
		s.idle, s.session = s.session, nil
		s.forgetLists()
	}
	s.calls++
	p.sweep(now) // not this slot any more, whose idle session can still be ended
	return s
}

// enterCall does so for a call, which ends when its user is forgotten.
func (p *Pool) enterCall(c *call) {
	c.slot, c.counted = p.enter(c.target), true
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := context.Cause(c.slot.user.ctx); err != nil { // forgotten in this instant
		c.cancel(err)
		return
	}
	c.slot.user.calls[c] = struct{}{}
}

// leaveCall gives back what a call holds here, its probe included if it is one whose outcome
// nobody waited for.
func (p *Pool) leaveCall(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unprobe(c)
	if c.slot != nil && c.counted {
		c.counted = false
		delete(c.slot.user.calls, c)
		p.leaveLocked(c.slot)
	}
}

// end ends a user's sessions, streams and calls. p.mu is held.
func (u *user) end(cause error) {
	u.cancel(cause)
	for c := range u.calls {
		c.cancel(cause)
	}
}

func (p *Pool) leave(s *sessionSlot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaveLocked(s)
}

func (p *Pool) leaveLocked(s *sessionSlot) {
	s.calls--
	s.used = p.cfg.Now()
}

func (p *Pool) isIdle(s *sessionSlot, now time.Time) bool {
	return s.calls == 0 && s.opening == nil && !s.isListing() && now.Sub(s.used) >= p.cfg.IdleTimeout
}

// sweep removes idle slots, and users without slots, once a minute.
func (p *Pool) sweep(now time.Time) {
	if now.Before(p.sweepAt) {
		return
	}
	p.sweepAt = now.Add(time.Minute)
	for key, u := range p.users {
		for k, s := range u.slots {
			if p.isIdle(s, now) {
				delete(u.slots, k)
			}
		}
		if len(u.slots) == 0 {
			delete(p.users, key)
			u.cancel(nil)
		}
	}
}

// drop forgets a session that Salesforce no longer knows, unless another call
// has replaced it already.
func (p *Pool) drop(s *sessionSlot, dead *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == nil || s.session != dead {
		return
	}
	s.session = nil
	s.forgetLists()
	if s.stream != nil {
		s.stream.reconnect() // it listens to the dead session
	}
}
