package grant

import (
	"context"
	"database/sql"
	"fmt"
)

// EraseUser deletes what is stored of a user whose grants have ended: the grants, and the user. Of one
// who is blocked the id stays, without a name: without it nothing would be refused.
func (s *Store) EraseUser(ctx context.Context, org, subject string) error {
	err := s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const theirs = ` IN (SELECT id FROM grants WHERE org = $1 AND subject = $2)`
		for _, statement := range []string{
			`DELETE FROM access_tokens WHERE grant_id` + theirs,
			`DELETE FROM refresh_tokens WHERE grant_id` + theirs,
			`DELETE FROM codes WHERE grant_id` + theirs,
			`DELETE FROM mcp_sessions WHERE grant_id` + theirs,
			`DELETE FROM grants WHERE org = $1 AND subject = $2`,
		} {
			if _, err := tx.ExecContext(ctx, statement, org, subject); err != nil {
				return err
			}
		}
		if err := s.users.erase(ctx, tx, org, subject); err != nil {
			return err
		}
		return s.db.RaiseAccessEpoch(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("erasing user: %w", err)
	}
	return nil
}

// erase deletes the row of a user, or the name in that of one who is blocked.
func (r *userRows) erase(ctx context.Context, tx *sql.Tx, org, subject string) error {
	u, err := r.read(ctx, tx, org, subject)
	if err != nil || !u.found {
		return err
	}
	if u.Blocked() {
		at := u.BlockedAt
		if u.User = (User{Org: org, Subject: subject, BlockedAt: at, Altered: u.Altered}); u.Altered {
			_, err = tx.ExecContext(ctx, `UPDATE users SET username = '', name = '' WHERE org = $1 AND subject = $2`, org, subject)
			return err // it stays altered, which is blocked
		}
		return r.write(ctx, tx, u)
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM users WHERE org = $1 AND subject = $2`, org, subject)
	return err
}
