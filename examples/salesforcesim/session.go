package salesforcesim

import (
	"strings"
	"time"
)

// sessionIdle is how long an MCP session lives without a request.
const sessionIdle = 30 * time.Minute

// session is one MCP session at the gateway. It belongs to one user and one server.
type session struct {
	id, org, userID, server string
	initialized             bool
	ui                      bool // the client declared the MCP Apps extension
	expired                 bool
	lastUsed                time.Time
}

func (g gateway) openSession(c *holder, server string, ui bool) string {
	g.sim.mu.Lock()
	defer g.sim.mu.Unlock()
	now := g.sim.now()
	for id, old := range g.sim.state.Sessions {
		if now.Sub(old.lastUsed) > 24*time.Hour {
			delete(g.sim.state.Sessions, id)
		}
	}
	opened := &session{id: g.sim.random.uuid(), org: c.org.Name, userID: c.user.ID, server: server, ui: ui, lastUsed: now}
	g.sim.state.Sessions[opened.id] = opened
	return opened.id
}

// useSession finds a holder's session. It returns a copy, nil where there is none;
// expired says that there was one.
func (g gateway) useSession(c *holder, server, id string) (found *session, expired bool) {
	g.sim.mu.Lock()
	defer g.sim.mu.Unlock()
	held := g.sim.state.Sessions[id]
	if held == nil || held.org != c.org.Name || held.userID != c.user.ID || held.server != server {
		return nil, false
	}
	now := g.sim.now()
	if held.expired || now.Sub(held.lastUsed) > sessionIdle {
		held.expired = true
		return nil, true
	}
	held.lastUsed = now
	view := *held
	return &view, false
}

func (g gateway) markInitialized(id string) {
	g.sim.mu.Lock()
	defer g.sim.mu.Unlock()
	if held := g.sim.state.Sessions[id]; held != nil {
		held.initialized = true
	}
}

func (g gateway) closeSession(id string) {
	g.sim.mu.Lock()
	defer g.sim.mu.Unlock()
	delete(g.sim.state.Sessions, id)
}

// ExpireSessions ends every MCP session, as 30 idle minutes would, and returns how
// many. Switches.SessionDeath says how the gateway answers to them from now on.
func (s *Sim) ExpireSessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := 0
	for _, held := range s.state.Sessions {
		if !held.expired {
			held.expired = true
			ended++
		}
	}
	return ended
}

// propagation is how long the gateway takes to learn that a server was activated.
const propagation = 2 * time.Minute

// SetServer activates or deactivates a hosted server, "platform/sobject-all", in an
// org. An activation takes two minutes to reach the gateway unless atOnce is set. It
// reports false where there is no such org or server.
func (s *Sim) SetServer(orgName, server string, active, atOnce bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.org(orgName)
	if o == nil {
		return false
	}
	if _, ok := s.state.Servers[o.Name][server]; !ok {
		return false
	}
	changed := serverState{Active: active}
	if !atOnce {
		changed.ChangedAt = s.now()
	}
	s.state.Servers[o.Name][server] = changed
	s.save()
	return true
}

// activeServer is the canonical name of an active server, "" where it is unknown,
// inactive or not yet propagated: the gateway does not tell these apart.
func (g gateway) activeServer(o *org, name string) string {
	g.sim.mu.Lock()
	defer g.sim.mu.Unlock()
	for known, held := range g.sim.state.Servers[o.Name] {
		if known != name && !(g.sim.switches.LenientPaths && strings.EqualFold(known, name)) {
			continue
		}
		if held.Active && (held.ChangedAt.IsZero() || g.sim.now().Sub(held.ChangedAt) >= propagation) {
			return known
		}
	}
	return ""
}

// countCall counts one API call of the day and reports how many there were, and whether
// the org may still make it.
func (g gateway) countCall(o *org) (used int, allowed bool) {
	g.sim.mu.Lock()
	defer g.sim.mu.Unlock()
	day := o.Name + " " + g.sim.now().UTC().Format(time.DateOnly)
	if g.sim.switches.DailyLimitReached || g.sim.state.Used[day] >= o.DailyAPILimit {
		return o.DailyAPILimit, false
	}
	g.sim.state.Used[day]++
	return g.sim.state.Used[day], true
}
