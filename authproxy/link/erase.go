package link

import (
	"context"
	"fmt"
)

// Erase deletes what is stored of a link that was revoked. A refresh token that Salesforce must still
// be told of stays, with whose it is, until Salesforce was told.
func (s *Store) Erase(ctx context.Context, org, subject string) error {
	_, err := s.DB.KnownAffected(ctx, `DELETE FROM links WHERE org = $1 AND subject = $2 AND state = $3`, org, subject, Revoked)
	s.held.Forget(user{org, subject})
	if err != nil {
		return fmt.Errorf("erasing Salesforce login: %w", err)
	}
	return nil
}
