package approval

import (
	"context"
	"fmt"
)

// EraseUser deletes the requests of a user that are over. What the user decided about requests of
// others stays with these until they are deleted.
func (s *Store) EraseUser(ctx context.Context, org, subject string) error {
	_, err := s.db.Writes.ExecContext(ctx, `DELETE FROM approvals WHERE org = $1 AND subject = $2 AND state NOT IN ('pending', 'approved')`, org, subject)
	if err != nil {
		return fmt.Errorf("erasing approvals: %w", err)
	}
	return nil
}
