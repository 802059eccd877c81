package approval

import (
	"context"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// doubtPause is between two tries to record how a call ended, for which there is as much time as for finding out whether
// something was done.
const doubtPause = 200 * time.Millisecond

// known makes the transactions by which people decide and approvals are spent.
func (s *Store) known() db.Known {
	return db.Known{DB: s.db, Waits: s.unsettled.waits}
}

// doubting is the time for that. It does not end with ctx.
func (s *Store) doubting(ctx context.Context) (context.Context, context.CancelFunc) {
	return s.known().Doubting(ctx)
}
