package link

import (
	"context"
	"database/sql"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// Unneeded says which login of a user without a live connection ends; one that somebody else has stored
// meanwhile may be on its way from Salesforce to its connection.
type Unneeded struct {
	// Only is the login that may end; nil: whichever is stored. One that took the place of a good one does not end with
	// it: that one's sign-in may be under way still, and goes on with this.
	Only *Kept
	// By is when it was renewed last at the latest; zero: whenever.
	By time.Time
}

// EndUnused ends the login of a user who has no live connection, as [Store.Revoke] does. That there is none, and
// which login it is, is looked at in the transaction that ends it.
func (s *Store) EndUnused(ctx context.Context, org, subject, why string, u Unneeded) error {
	return s.revoke(ctx, org, subject, why, func(ctx context.Context, tx *sql.Tx, l *record) (bool, error) {
		switch {
		case u.Only != nil && (u.Only.over || u.Only.version != l.version), !u.By.IsZero() && l.refreshedAt.After(u.By):
			return false, nil
		}
		// Whoever makes a connection writes the user's row first: they have done so, or wait until this has ended.
		rows, err := tx.QueryContext(ctx, `SELECT subject FROM users WHERE org = $1 AND subject = $2`+s.DB.ForUpdate("users"), org, subject)
		if err != nil {
			return false, err
		}
		if err := rows.Close(); err != nil {
			return false, err
		}
		var n int
		err = tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM grants WHERE org = $1 AND subject = $2 AND revoked_at = 0 AND expires_at > $3`,
			org, subject, db.Millis(s.Now())).Scan(&n)
		return n == 0, err
	})
}
