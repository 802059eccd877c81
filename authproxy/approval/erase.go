package approval

import (
	"context"
	"database/sql"
	"fmt"
)

// EraseUser deletes the requests of a user that are over. What the user decided about requests of
// others stays with these until they are deleted.
func (s *Store) EraseUser(ctx context.Context, org, subject string) error {
	err := s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return deleteOver(ctx, tx, `org = $1 AND subject = $2`, org, subject)
	})
	if err != nil {
		return fmt.Errorf("erasing approvals: %w", err)
	}
	return nil
}
