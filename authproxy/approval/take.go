package approval

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// doubtTime is how long it is tried to find out whether an approval was taken, where the database took the
// statement and did not answer it, and to record how the call ended; doubtPause is between two tries.
const (
	doubtTime  = 20 * time.Second
	doubtPause = 200 * time.Millisecond
)

// take has the approved request spent by that connection. Where the answer of the database is lost, or
// ctx ends meanwhile, it is found out what became of it: of an approval that is taken, and of whose call nothing
// is known, people are asked to look in Salesforce.
func (s *Store) take(ctx context.Context, r *stored, grant string) error {
	approved, before, now := r.stateMAC, r.spending, db.Millis(s.now())
	r.State, r.SpentAt, r.SpentBy, r.spending = Spent, db.Time(now), grant, rand.Text()
	mac := s.db.MAC(db.ApprovalStates, r.standing()...)
	try := func(ctx context.Context) (int64, error) {
		// A statement that arrives late, once what was taken is given back, takes nothing: its spending was before.
		return db.Affected(ctx, s.db.Writes, `UPDATE approvals SET state = 'spent', spent_at = $1, spent_grant = $2, state_mac = $3, spending = $4
			WHERE id = $5 AND state = 'approved' AND state_mac = $6 AND spending = $7 AND expires_at > $1`,
			now, grant, mac, r.spending, r.ID, approved, before)
	}
	n, err := try(ctx)
	if db.InDoubt(err) {
		n, err = s.retake(ctx, r, try)
	}
	if err == nil && n != 1 {
		err = ErrNotApproved
	}
	return err
}

// retake tries what may have been done until the database answers, and returns 1 if it was, then or now.
// Behind a statement that had its effect the same one has none, and the request has the name of its spending.
func (s *Store) retake(ctx context.Context, r *stored, try func(context.Context) (int64, error)) (n int64, err error) {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), s.doubt)
	defer end()
	for {
		if n, err = try(ctx); err == nil && n == 0 {
			err = s.db.Reads.QueryRowContext(ctx, `SELECT 1 FROM approvals WHERE id = $1 AND state = 'spent' AND spending = $2`, r.ID, r.spending).Scan(&n)
		}
		if errors.Is(err, sql.ErrNoRows) {
			return 0, nil
		}
		if err == nil {
			return n, nil
		}
		select {
		case <-time.After(doubtPause):
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", ErrInDoubt, err)
		}
	}
}
