package authproxy

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/audit"
)

// Refusals of one action that are recorded: refusalBurst at once, then one in an interval.
const (
	refusalBurst    = 40
	refusalInterval = 5 * time.Second
)

// refusals bounds what anybody can make the audit log hold (AU-14): whoever knows a
// client's id, which is public, can be refused as often as they like.
type refusals struct {
	mu      sync.Mutex
	actions map[audit.Action]*refusalCount
}

type refusalCount struct {
	limiter *rate.Limiter
	omitted int // since the last that was recorded
}

// admit says whether a refusal is to be recorded, and how many before it were not.
func (s *refusals) admit(action audit.Action, now time.Time) (omitted int, record bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.actions == nil {
		s.actions = map[audit.Action]*refusalCount{}
	}
	c := s.actions[action]
	if c == nil {
		c = &refusalCount{limiter: rate.NewLimiter(rate.Every(refusalInterval), refusalBurst)}
		s.actions[action] = c
	}
	if !c.limiter.AllowN(now, 1) {
		c.omitted++
		return 0, false
	}
	omitted, c.omitted = c.omitted, 0
	return omitted, true
}

// recordRefusal records the refusal of somebody who has shown no good credential. What
// is left out is counted in the next entry; the log has every one.
func (s *Server) recordRefusal(ctx context.Context, e audit.Entry) {
	omitted, record := s.refusals.admit(e.Action, s.Now())
	if !record {
		return
	}
	if omitted > 0 {
		e.Reason += fmt.Sprintf(" (%d more before it were not recorded)", omitted)
	}
	s.record(ctx, e)
}
