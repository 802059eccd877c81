package grant

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// revoke ends the live grants for which where holds ($1 and $2 are taken) and, if
// there were any, raises the access epoch in the same transaction.
func (s *Store) revoke(ctx context.Context, tx *sql.Tx, why, where string, args ...any) ([]Grant, error) {
	ended, err := scanGrants(tx.QueryContext(ctx, `UPDATE grants SET revoked_at = $1, revoked_why = $2, mac = ''
		WHERE grants.revoked_at = 0 AND grants.expires_at > $1 AND `+where+` RETURNING `+grantColumns,
		append([]any{s.millis(), why}, args...)...))
	if err != nil || len(ended) == 0 {
		return nil, err
	}
	return ended, s.db.RaiseAccessEpoch(ctx, tx)
}

func (s *Store) revokeWhere(ctx context.Context, why, where string, args ...any) (ended []Grant, err error) {
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		ended, err = s.revoke(ctx, tx, why, where, args...)
		if err == nil && len(ended) == 0 {
			err = db.ErrUnchanged
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revoking: %w", err)
	}
	return ended, nil
}

// RevokeGrant ends one grant at once. [ErrNotFound] when it is unknown or over.
func (s *Store) RevokeGrant(ctx context.Context, id, why string) (*Grant, error) {
	ended, err := s.revokeWhere(ctx, why, `grants.id = $3`, id)
	if err != nil {
		return nil, err
	}
	if len(ended) == 0 {
		return nil, ErrNotFound
	}
	return &ended[0], nil
}

// MaxLive is how many live grants a user has; with one more, the one that has been unused
// longest ends. It is more than anybody's assistants, and few enough to look through.
const MaxLive = 50

// EndSurplus ends those of a user's live grants that are more than [MaxLive], the ones unused
// longest, and returns them. One that was made just now is as good as used now.
func (s *Store) EndSurplus(ctx context.Context, org, subject, why string) (ended []Grant, err error) {
	return s.revokeWhere(ctx, why, `grants.org = $3 AND grants.subject = $4 AND grants.id NOT IN (SELECT newest.id FROM grants newest
		WHERE newest.org = $3 AND newest.subject = $4 AND newest.revoked_at = 0 AND newest.expires_at > $1
		ORDER BY CASE WHEN newest.last_used_at > newest.created_at THEN newest.last_used_at ELSE newest.created_at END DESC, newest.id LIMIT $5)`,
		org, subject, MaxLive)
}

// RevokeUser ends all grants of a user at once and returns how many there were; their sign-ins that are under way
// give nothing.
func (s *Store) RevokeUser(ctx context.Context, org, subject, why string) (n int, err error) {
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.db.NoteCut(ctx, tx, org, subject, s.now()); err != nil {
			return err
		}
		ended, err := s.revoke(ctx, tx, why, `grants.org = $3 AND grants.subject = $4`, org, subject)
		n = len(ended)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("revoking: %w", err)
	}
	return n, nil
}

// RevokeClient ends all grants of a client at once, and returns them, and every authorization of it that is
// under way.
func (s *Store) RevokeClient(ctx context.Context, clientID, why string) (ended []Grant, err error) {
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		if err := endBegun(ctx, s.db, tx, clientID); err != nil {
			return err
		}
		ended, err = s.revoke(ctx, tx, why, `grants.client_id = $3`, clientID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revoking: %w", err)
	}
	return ended, nil
}

// EndUnusedClient ends all grants of a client, and returns them, if none of them was used or made
// after then. A use of the last minute may not be written down yet ([Store.Sweep]).
func (s *Store) EndUnusedClient(ctx context.Context, clientID string, after time.Time, why string) (ended []Grant, err error) {
	return s.revokeWhere(ctx, why, `grants.client_id = $3 AND NOT EXISTS (SELECT 1 FROM grants other WHERE other.client_id = $3
		AND other.revoked_at = 0 AND other.expires_at > $1 AND (other.last_used_at > $4 OR other.created_at > $4))`, clientID, db.Millis(after))
}

// BlockUser refuses the user from now on and ends all grants, in one transaction, and
// returns how many there were; sign-ins under way give nothing, as by [Store.RevokeUser]. The user need not have been seen before.
func (s *Store) BlockUser(ctx context.Context, org, subject, why string) (n int, err error) {
	if org == "" || subject == "" {
		return 0, errors.New("blocking user: org and subject are required")
	}
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.db.NoteCut(ctx, tx, org, subject, s.now()); err != nil {
			return err
		}
		if _, err := s.users.setBlocked(ctx, tx, org, subject, s.millis()); err != nil {
			return err
		}
		ended, err := s.revoke(ctx, tx, why, `grants.org = $3 AND grants.subject = $4`, org, subject)
		if err != nil {
			return err
		}
		n = len(ended)
		return s.db.RaiseAccessEpoch(ctx, tx)
	})
	if err != nil {
		return 0, fmt.Errorf("blocking user: %w", err)
	}
	return n, nil
}

// UnblockUser lets the user connect again; what was revoked stays so. [ErrNotFound]
// when the user is not blocked.
func (s *Store) UnblockUser(ctx context.Context, org, subject string) error {
	var was bool
	err := s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		was, err = s.users.setBlocked(ctx, tx, org, subject, 0)
		return err
	})
	if err != nil {
		return fmt.Errorf("unblocking user: %w", err)
	}
	s.users.blocked.Forget(struct{}{})
	if !was {
		return ErrNotFound
	}
	return nil
}
