package approval

import (
	"context"
	"crypto/rand"

	"sfmcp-proxy/authproxy/db"
)

// take has the approved request spent by that connection. Where the answer of the database is lost, or
// ctx ends meanwhile, it is found out what became of it: of an approval that is taken, and of whose call nothing
// is known, people are asked to look in Salesforce.
func (s *Store) take(ctx context.Context, r *stored, grant string) error {
	approved, before, now := r.stateMAC, r.spending, db.Millis(s.now())
	r.State, r.SpentAt, r.SpentBy, r.spending = Spent, db.Time(now), grant, rand.Text()
	mac := s.db.MAC(db.ApprovalStates, r.standing()...)
	n, err := s.known(ctx, func(ctx context.Context) (int64, error) {
		// A statement that arrives late, once what was taken is given back, takes nothing: its spending was before.
		return db.Affected(ctx, s.db.Writes, `UPDATE approvals SET state = 'spent', spent_at = $1, spent_grant = $2, state_mac = $3, spending = $4
			WHERE id = $5 AND state = 'approved' AND state_mac = $6 AND spending = $7 AND expires_at > $1`,
			now, grant, mac, r.spending, r.ID, approved, before)
	}, func() (string, []any) {
		return `SELECT 1 FROM approvals WHERE id = $1 AND state = 'spent' AND spending = $2`, []any{r.ID, r.spending}
	})
	if err == nil && n != 1 {
		err = ErrNotApproved
	}
	return err
}
