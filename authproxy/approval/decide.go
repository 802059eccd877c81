package approval

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
)

// attempts bounds how often a decision is tried again because another was written between
// reading and writing: each of them is one that stands.
const attempts = 20

// Approve has d count for a pending request, which is approved once every factor is met. The
// caller has checked that the person may. Errors: [ErrNotFound]; and, then the request is
// returned as well, [ErrGone] if it is not pending, [ErrAlready] if the person agreed before,
// [ErrNotApprover] if nobody is missing for the factor. Where the database does not answer, it is asked for up to 20 seconds
// what became of it, here and by whatever else people decide: [ErrInDoubt].
func (s *Store) Approve(ctx context.Context, id string, d Decision) (*Request, error) {
	if !d.By.Known() || d.Human == "" {
		return nil, errors.New("approving: nobody decides")
	}
	for range attempts {
		r, err := s.pending(ctx, id)
		if err != nil {
			return requestOf(r), fmt.Errorf("approving: %w", err)
		}
		again, err := r.Has(ctx, s.people, d.Human)
		switch {
		case err != nil:
			return nil, fmt.Errorf("approving: %w", err)
		case again:
			return &r.Request, fmt.Errorf("approving: %w", ErrAlready)
		case !r.lacks(d.Factor):
			return &r.Request, fmt.Errorf("approving: %w: nobody is missing for role %q", ErrNotApprover, d.Factor)
		}
		if written, err := s.approve(ctx, r, d); err != nil {
			return nil, fmt.Errorf("approving: %w", err)
		} else if written { // as it was written: a look at it that fails must not say that nothing was
			return &r.Request, nil
		}
	}
	return nil, fmt.Errorf("approving: others decided %d times meanwhile", attempts)
}

// pending reads a request that waits; of another it returns [ErrGone] with it.
func (s *Store) pending(ctx context.Context, id string) (*stored, error) {
	r, err := s.one(ctx, s.db.Reads, `WHERE id = $1`, id)
	if err == nil && r.State != Pending {
		return r, errors.Join(s.addWhatFollowed(ctx, s.db.Reads, r), ErrGone)
	}
	return r, err
}

func requestOf(r *stored) *Request {
	if r == nil {
		return nil
	}
	return &r.Request
}

// approve writes a decision, if the request still waits as it did when it was read: with the
// decisions that it had.
func (s *Store) approve(ctx context.Context, r *stored, d Decision) (written bool, err error) {
	pending, now := r.stateMAC, db.Millis(s.now())
	d.At = db.Time(now)
	d.AuthTime = db.Time(db.Millis(d.AuthTime))
	mac := s.db.MAC(db.ApprovalDecisions, d.covered(r.ID)...)
	r.Decisions = append(slices.Clone(r.Decisions), d)
	r.decisions = digestOf(append(slices.Clone(r.decisionMACs), mac))
	if len(r.Missing()) == 0 {
		r.State, r.DecidedAt, r.DecidedBy = Approved, d.At, d.By
	}
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := db.Affected(ctx, tx, `
			UPDATE approvals SET state = $1, decided_at = $2, decided_by_kind = $3, decided_by_id = $4, decided_by_as = $5, decisions = $6, state_mac = $7
			WHERE id = $8 AND state = 'pending' AND state_mac = $9 AND expires_at > $10 AND sealed_arguments <> ''`,
			string(r.State), db.Millis(r.DecidedAt), string(r.DecidedBy.Kind), r.DecidedBy.ID, r.DecidedBy.As, r.decisions,
			s.db.MAC(db.ApprovalStates, r.standing()...), r.ID, pending, now)
		if written = n == 1; err != nil || !written {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO approval_decisions (`+decisionColumns+`, request_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			d.Human, d.Factor, d.Role, string(d.By.Kind), d.By.ID, d.By.As, d.Org, now, db.Millis(d.AuthTime), d.ACR, string(d.Shown), mac, r.ID)
		return err
	})
	return written, err
}

// Deny refuses a pending request for good in the name of by, who may do so, with a reason that
// may be empty (see [actor.ForDenial]). Errors: [ErrNotFound]; [ErrGone], then the request is
// returned as well, to tell what became of it.
func (s *Store) Deny(ctx context.Context, id string, by actor.Actor, reason string) (*Request, error) {
	if !by.Known() {
		return nil, errors.New("denying: nobody decides")
	}
	reason, err := actor.ForDenial.Clean(reason)
	if err != nil {
		return nil, fmt.Errorf("denying: %w", err)
	}
	r, err := s.pending(ctx, id)
	if err != nil {
		return requestOf(r), fmt.Errorf("denying: %w", err)
	}
	sealed := ""
	if reason != "" {
		if sealed, err = s.ring.Seal(r.place(reasonPurpose), []byte(reason)); err != nil {
			return nil, fmt.Errorf("denying: %w", err)
		}
	}
	// Whatever others agreed to meanwhile: as long as it waits, a denial ends it.
	now := db.Millis(s.now())
	var n int64
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		n, err = db.Affected(ctx, tx, `
			UPDATE approvals SET state = 'denied', decided_at = $1, decided_by_kind = $2, decided_by_id = $3, decided_by_as = $4, sealed_reason = $5, state_mac = ''
			WHERE id = $6 AND state = 'pending' AND expires_at > $1`, now, string(by.Kind), by.ID, by.As, sealed, id)
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("denying: %w", err)
	case n == 0:
		became, err := s.Get(ctx, id)
		if err == nil {
			err = ErrGone
		}
		return became, fmt.Errorf("denying: %w", err)
	}
	r.State, r.DecidedAt, r.DecidedBy, r.Reason = Denied, db.Time(now), by, reason
	r.DeniedUntil = r.DecidedAt.Add(s.lifetime)
	return &r.Request, nil
}
