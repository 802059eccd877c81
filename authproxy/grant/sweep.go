package grant

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// keepEnded is how long an ended grant can still be listed; the audit log keeps it
// for good.
const keepEnded = 30 * 24 * time.Hour

// sweptAgain is how far a sweep looks back behind the one before it: so late a grant can be seen to
// have ended by a transaction that began earlier, or by a process whose clock is behind.
const sweptAgain = time.Hour

// Sweep writes down when grants were last used, ends those whose refresh token has
// been idle too long, and deletes what can no longer have an effect. Call it once a
// minute. Nothing is valid for longer because a sweep is late.
//
// The first sweep of a process looks at all grants that have ended, a later one at those that ended since:
// what it costs does not grow with the number of grants.
func (s *Store) Sweep(ctx context.Context) error {
	s.mu.Lock()
	used, since := s.used, s.swept
	s.used, s.swept = map[string]int64{}, 0 // after a failure the next sweep looks at all of them
	s.mu.Unlock()
	now := s.millis()
	if since > 0 {
		since = min(since, now) - sweptAgain.Milliseconds()
	}
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(used)) { // in one order: others sweep, too
			_, err := tx.ExecContext(ctx, `UPDATE grants SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1`, used[id], id)
			if err != nil {
				return err
			}
		}
		return s.sweep(ctx, tx, since, now)
	})
	if err == nil {
		err = s.db.SweepCuts(ctx, s.db.Writes, db.Time(now))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		for id, at := range used { // for the next sweep to write down
			s.used[id] = max(s.used[id], at)
		}
		return fmt.Errorf("sweeping grants: %w", err)
	}
	s.swept = now
	return nil
}

// sweep looks at what ended after since, and deletes what ended so long ago that nobody asks for it. The
// literals of its conditions are those of partial indexes.
func (s *Store) sweep(ctx context.Context, tx *sql.Tx, since, now int64) error {
	if _, err := s.revoke(ctx, tx, "idle", `grants.activated_at > 0 AND grants.id IN (SELECT r.grant_id FROM refresh_tokens r WHERE r.idle_expires_at <= $3)
		AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.grant_id = grants.id AND r.rotated_at = 0 AND r.idle_expires_at > $3)`, now); err != nil {
		return err
	}
	old := now - keepEnded.Milliseconds()
	if err := deleteOf(ctx, tx, since, now); err != nil {
		return err
	}
	if err := deleteOf(ctx, tx, 0, min(old, since)); err != nil { // or their grants could not be deleted
		return err
	}
	for _, one := range []struct {
		statement string
		at        int64
	}{
		{`DELETE FROM authorization_requests WHERE expires_at <= $1`, now},
		{`DELETE FROM access_tokens WHERE expires_at <= $1`, now},
		{`DELETE FROM refresh_tokens WHERE idle_expires_at <= $1`, now},
		{`DELETE FROM grants WHERE activated_at = 0 AND expires_at <= $1`, now},
		{`DELETE FROM grants WHERE activated_at = 0 AND revoked_at <> 0 AND revoked_at <= $1
			AND NOT EXISTS (SELECT 1 FROM codes WHERE codes.grant_id = grants.id)`, now}, // one that was revoked since deleteOf has its code still
		{`UPDATE refresh_tokens SET sealed_successor = '', mac = '' WHERE rotated_at > 0 AND rotated_at <= $1 AND sealed_successor <> ''`,
			now - s.lifetimes.RefreshGrace.Milliseconds()},
		{`DELETE FROM grants WHERE revoked_at <> 0 AND revoked_at <= $1`, old},
		{`DELETE FROM grants WHERE expires_at <= $1`, old},
	} {
		if _, err := tx.ExecContext(ctx, one.statement, one.at); err != nil {
			return err
		}
	}
	return nil
}

// deleteOf deletes the codes and tokens of grants that ended after one time and by another. Spent codes stay
// while the grant lives, spent refresh tokens until they would have been idle for too long, to be known again.
func deleteOf(ctx context.Context, tx *sql.Tx, after, by int64) error {
	if by <= after {
		return nil
	}
	for _, table := range []string{"access_tokens", "codes", "refresh_tokens"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE grant_id IN (
			SELECT id FROM grants WHERE revoked_at <> 0 AND revoked_at > $1 AND revoked_at <= $2
			UNION ALL SELECT id FROM grants WHERE expires_at > $1 AND expires_at <= $2)`, after, by); err != nil {
			return err
		}
	}
	return nil
}
