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

func (s *Sim) openSession(c *holder, server string, ui bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for id, old := range s.state.Sessions {
		if now.Sub(old.lastUsed) > 24*time.Hour {
			delete(s.state.Sessions, id)
		}
	}
	opened := &session{id: s.random.uuid(), org: c.org.Name, userID: c.user.ID, server: server, ui: ui, lastUsed: now}
	s.state.Sessions[opened.id] = opened
	return opened.id
}

// useSession finds a holder's session. It returns a copy, nil where there is none;
// expired says that there was one.
func (s *Sim) useSession(c *holder, server, id string) (found *session, expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.state.Sessions[id]
	if held == nil || held.org != c.org.Name || held.userID != c.user.ID || held.server != server {
		return nil, false
	}
	now := s.now()
	if held.expired || now.Sub(held.lastUsed) > sessionIdle {
		held.expired = true
		return nil, true
	}
	held.lastUsed = now
	view := *held
	return &view, false
}

func (s *Sim) markInitialized(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held := s.state.Sessions[id]; held != nil {
		held.initialized = true
	}
}

func (s *Sim) closeSession(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state.Sessions, id)
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
func (s *Sim) activeServer(o *org, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for known, held := range s.state.Servers[o.Name] {
		if known != name && !(s.switches.LenientPaths && strings.EqualFold(known, name)) {
			continue
		}
		if held.Active && (held.ChangedAt.IsZero() || s.now().Sub(held.ChangedAt) >= propagation) {
			return known
		}
	}
	return ""
}

// countCall counts one API call of the day and reports how many there were, and whether
// the org may still make it.
func (s *Sim) countCall(o *org) (used int, allowed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	day := o.Name + " " + s.now().UTC().Format(time.DateOnly)
	if s.switches.DailyLimitReached || s.state.Used[day] >= o.DailyAPILimit {
		return o.DailyAPILimit, false
	}
	s.state.Used[day]++
	return s.state.Used[day], true
}
