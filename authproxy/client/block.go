package client

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sfmcp-proxy/authproxy/db"
)

var (
	// ErrBlocked: the client is refused until somebody unblocks it. It is an [ErrUnknown] too.
	ErrBlocked = fmt.Errorf("%w: it is blocked", ErrUnknown)
	// ErrNotBlocked: there is no block to be lifted.
	ErrNotBlocked = errors.New("the client is not blocked")
)

// maxBlocked is how many clients can be blocked at a time: the list is read whole.
const maxBlocked = 1000

// mayCome returns [ErrBlocked] for a client that is blocked. While nobody can know who is, nothing
// new begins (absence denies); what goes on does, since a block ended what a client had.
func (s *Store) mayCome(ctx context.Context, id string, goesOn bool) error {
	listed, err := s.db.ReadBlocked(ctx, s.db.Reads)
	if lost := errors.Is(err, db.ErrBlockedLost); lost && !goesOn || listed[db.ClientKey(id)] {
		return ErrBlocked
	} else if lost {
		return nil
	}
	return err
}

// Block refuses a client from now on, whether it is known or not: it begins no authorization,
// and gets no tokens. What it has is for the caller to end.
func (s *Store) Block(ctx context.Context, id string) error {
	if !validID(id) || len(id) > 2048 {
		return errors.New("blocking client: a client id is required, in visible ASCII")
	}
	_, err := s.setBlocked(ctx, id, true)
	return err
}

// Unblock lets people connect the client again. [ErrNotBlocked] when it is not blocked.
func (s *Store) Unblock(ctx context.Context, id string) error {
	was, err := s.setBlocked(ctx, id, false)
	if err == nil && !was {
		err = ErrNotBlocked
	}
	return err
}

// setBlocked writes whether a client is blocked, and reports whether it was.
func (s *Store) setBlocked(ctx context.Context, id string, blocked bool) (was bool, err error) {
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.db.Lock(ctx, tx, db.BlockedLock); err != nil {
			return err
		}
		listed, err := s.db.ReadBlocked(ctx, tx)
		if errors.Is(err, db.ErrBlockedLost) { // it begins anew with those whose rows say so
			listed, err = db.BlockedRows(ctx, tx)
		}
		if err != nil {
			return err
		}
		key := db.ClientKey(id)
		was = listed[key]
		if delete(listed, key); blocked {
			listed[key] = true
		}
		if n := len(clientsIn(listed)); blocked && !was && n > maxBlocked {
			return fmt.Errorf("%d clients are blocked, and no more can be: take the host from registration.metadata_documents, or switch registration.dynamic off", maxBlocked)
		}
		if err := s.db.WriteBlocked(ctx, tx, listed); err != nil {
			return err
		}
		return s.db.RaiseAccessEpoch(ctx, tx)
	})
	if err != nil {
		return false, fmt.Errorf("blocking client: %w", err)
	}
	return was, nil
}

// Blocked are the ids of the clients that are blocked. An error that is [db.ErrBlockedLost] says
// that nobody can know, and that all are refused.
func (s *Store) Blocked(ctx context.Context) (map[string]bool, error) {
	listed, err := s.db.ReadBlocked(ctx, s.db.Reads)
	if err != nil {
		return nil, err
	}
	return clientsIn(listed), nil
}

func clientsIn(listed db.Blocked) map[string]bool {
	ids := map[string]bool{}
	for key := range listed {
		if key.Org == "" {
			ids[key.Subject] = true
		}
	}
	return ids
}
