package approval

import (
	"context"
	"crypto/rand"
	"database/sql"

	"sfmcp-proxy/authproxy/db"
)

// take has the approved request spent by that connection. Where the answer of the database is lost, or
// ctx ends meanwhile, it is found out what became of it: of an approval that is taken, and of whose call nothing
// is known, people are asked to look in Salesforce.
func (s *Store) take(ctx context.Context, r *stored, grant string) error {
	approved, before, now := r.stateMAC, r.spending, db.Millis(s.now())
	r.State, r.SpentAt, r.SpentBy, r.spending = Spent, db.Time(now), grant, rand.Text()
	mac := s.db.MAC(db.ApprovalStates, r.standing()...)
	var n int64
	err := s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		n, err = db.Affected(ctx, tx, `UPDATE approvals SET state = 'spent', spent_at = $1, spent_grant = $2, state_mac = $3, spending = $4
			WHERE id = $5 AND state = 'approved' AND state_mac = $6 AND spending = $7 AND expires_at > $1`,
			now, grant, mac, r.spending, r.ID, approved, before)
		return err
	})
	if err == nil && n != 1 {
		err = ErrNotApproved
	}
	return err
}
