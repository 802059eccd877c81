package approval

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Undo makes a request of the call that takes back the one of request id, which was done and of
// which it is known what it changed: b is that other call, author the human who asks for it. It
// waits for people and is spent like any other, and nothing is done before. The caller has
// checked that the author may ask, and that the record is as the call left it. Errors:
// [ErrNotFound], [ErrUndo], [ErrTooMany].
func (s *Store) Undo(ctx context.Context, id string, b Binding, class, author string) (undo *Request, err error) {
	if err := b.validate(); err != nil {
		return nil, fmt.Errorf("undoing: %w", err)
	}
	if author == "" {
		return nil, errors.New("undoing: nobody asks for it")
	}
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.db.Lock(ctx, tx, "approvals of "+b.Org+" "+b.Subject); err != nil {
			return err
		}
		r, err := s.one(ctx, tx, `WHERE id = $1`, id)
		if err == nil {
			err = s.addWhatFollowed(ctx, tx, r)
		}
		switch {
		case err != nil:
			return err
		case r.Org != b.Org || r.Subject != b.Subject || r.Server != b.Server:
			return errors.New("the other call is another user's, or of another server")
		}
		if err := r.MayUndo(); err != nil {
			return err
		}
		switch there, err := s.meets(ctx, tx, b); {
		case err != nil:
			return err
		case there != nil:
			return Refuse(ErrUndo, "%s", there.standsFor())
		}
		if err := s.admit(ctx, tx, b); err != nil {
			return err
		}
		undo, err = s.insert(ctx, tx, Request{Binding: b, Class: class, Author: author, UndoOf: r.ID})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("undoing: %w", err)
	}
	return undo, nil
}

// MayUndo says why a call cannot be taken back, as far as is known here: an [ErrUndo]. What Get and
// Submit add must be there.
func (r *Request) MayUndo() error {
	switch {
	case r.State != Spent || r.Outcome != Done:
		return Refuse(ErrUndo, "the call was not carried out, or nobody knows")
	case r.Check == nil || r.Check.Images == nil || r.Arguments == nil:
		return Refuse(ErrUndo, "what the record was before is not known, or no longer kept")
	case r.Undo != nil && (r.Undo.State == Pending || r.Undo.State == Approved):
		return Refuse(ErrUndo, "that was asked for already, as %s", r.Undo.ID)
	case r.Undo != nil && r.Undo.State == Spent && r.Undo.Outcome != Failed:
		return Refuse(ErrUndo, "it was undone already, as %s", r.Undo.ID)
	}
	return nil
}
