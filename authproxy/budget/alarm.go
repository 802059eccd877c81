package budget

import (
	"context"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// Level says how far a count has come.
type Level int64

// The levels.
const (
	LevelReached Level = 1 // the part of the limit at which there is an alarm
	LimitReached Level = 2 // the limit: a call was refused
)

// Alarm tells that a count has reached a level, once in a window.
type Alarm struct {
	*Counter
	Level Level
	// Org and Party are whose count it is: user or client; empty for all together.
	Org, Party string
	Taken      int64
	Renews     time.Time
}

// alarm tells of a level that was reached, unless somebody did so before, in whichever
// process. Where that cannot be written, the next call that comes so far tries again.
func (s *Store) alarm(ctx context.Context, a *account, c *Counter, level Level) {
	if a.alarmed >= int64(level) || a.start.IsZero() {
		return
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	first, err := db.Affected(ctx, s.DB.Writes, `UPDATE budget_counts SET alarmed = $1
		WHERE scope = $2 AND budget = $3 AND org = $4 AND party = $5 AND started_at = $6 AND alarmed < $1`,
		int64(level), a.scope, a.budget, a.org, a.party, db.Millis(a.start))
	if err != nil {
		return
	}
	a.alarmed = int64(level)
	if first == 1 && s.OnAlarm != nil {
		s.OnAlarm(ctx, Alarm{Counter: c, Level: level, Org: a.org, Party: a.party, Taken: a.taken, Renews: a.end})
	}
}

// countRefusal counts a call that is refused, and tells of the limit that was reached.
func (s *Store) countRefusal(ctx context.Context, a *account, refused *Spent) {
	s.mu.Lock()
	s.refused[refused.What]++
	s.mu.Unlock()
	s.alarm(ctx, a, refused.Counter, LimitReached)
}
