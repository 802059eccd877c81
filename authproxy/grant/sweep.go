package grant

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"
)

// keepEnded is how long an ended grant can still be listed; the audit log keeps it
// for good.
const keepEnded = 30 * 24 * time.Hour

// Sweep writes down when grants were last used, ends those whose refresh token has
// been idle too long, and deletes what can no longer have an effect. Call it once a
// minute. Nothing is valid for longer because a sweep is late.
func (s *Store) Sweep(ctx context.Context) error {
	s.mu.Lock()
	used := s.used
	s.used = map[string]int64{}
	s.mu.Unlock()
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(used)) { // in one order: others sweep, too
			_, err := tx.ExecContext(ctx, `UPDATE grants SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1`, used[id], id)
			if err != nil {
				return err
			}
		}
		return s.sweep(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("sweeping grants: %w", err)
	}
	return nil
}

func (s *Store) sweep(ctx context.Context, tx *sql.Tx) error {
	now := s.millis()
	if _, err := s.revoke(ctx, tx, "idle", `grants.activated_at > 0 AND NOT EXISTS (SELECT 1 FROM refresh_tokens r
		WHERE r.grant_id = grants.id AND r.rotated_at = 0 AND r.idle_expires_at > $3)`, now); err != nil {
		return err
	}
	const ended = `SELECT id FROM grants WHERE revoked_at > 0 OR expires_at <= $1`
	for _, statement := range []string{
		`DELETE FROM authorization_requests WHERE expires_at <= $1`,
		`DELETE FROM access_tokens WHERE expires_at <= $1 OR grant_id IN (` + ended + `)`,
		// Spent codes and refresh tokens stay while the grant lives, to be known again.
		`DELETE FROM codes WHERE grant_id IN (` + ended + `)`,
		`DELETE FROM refresh_tokens WHERE idle_expires_at <= $1 OR grant_id IN (` + ended + `)`,
		`DELETE FROM grants WHERE activated_at = 0 AND (revoked_at > 0 OR expires_at <= $1)`,
	} {
		if _, err := tx.ExecContext(ctx, statement, now); err != nil {
			return err
		}
	}
	grace := now - s.lifetimes.RefreshGrace.Milliseconds()
	if _, err := tx.ExecContext(ctx, `UPDATE refresh_tokens SET sealed_successor = '', mac = ''
		WHERE rotated_at > 0 AND rotated_at <= $1 AND sealed_successor <> ''`, grace); err != nil {
		return err
	}
	old := now - keepEnded.Milliseconds()
	_, err := tx.ExecContext(ctx, `DELETE FROM grants WHERE (revoked_at > 0 AND revoked_at <= $1) OR expires_at <= $1`, old)
	return err
}
