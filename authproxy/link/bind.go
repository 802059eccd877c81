package link

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Bind remembers which Salesforce org, by its 18-character id, a name of the
// configuration stands for. Another one under the same name is refused while logins of
// the first are stored, or wait to be revoked: their tokens would go to the second, and
// what people consented to for the one would open the other.
func (s *Store) Bind(ctx context.Context, org, orgID string) error {
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.DB.Lock(ctx, tx, "org "+org); err != nil {
			return err
		}
		var before string
		err := tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, "org:"+org).Scan(&before)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if before == orgID {
			return nil
		}
		var stored int
		err = tx.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM links WHERE org = $1 AND state <> $2)
			+ (SELECT COUNT(*) FROM upstream_revocations WHERE org = $1)`, org, string(Revoked)).Scan(&stored)
		if err != nil {
			return err
		}
		if before != "" && stored > 0 {
			return fmt.Errorf("%q was org %s before and is %s now, while logins of the previous one are stored: give the new one a name of its own", org, before, orgID)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, "org:"+org, orgID)
		return err
	})
	if err != nil {
		return fmt.Errorf("binding org: %w", err)
	}
	return nil
}
