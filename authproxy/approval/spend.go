package approval

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
)

// maxResult bounds the answer that is kept for a repeat, in bytes.
const maxResult = 64 << 10

// Spend takes the approval of exactly this call, if there is one: approved → spent.
// The caller must have made every other check before, forwards the call at once and
// then calls [Store.Settle]; if ctx has ended meanwhile, so that the call is not made, [Store.Unspend].
// Of any number of callers one succeeds; the others get [ErrNotApproved].
// Where the database does not answer, it is asked again for up to 20 seconds, also when ctx ends: [ErrInDoubt]. Where somebody who agreed may no longer do so, that does not count any
// more, the request waits again, and the error is [ErrLapsed]. Where they saw what the record
// had, it is not taken: see [Store.SpendShown]. While how 256 calls of the process ended is still to be recorded
// ([Store.SettleLeft]), none is taken.
func (s *Store) Spend(ctx context.Context, b Binding) (*Request, error) {
	return s.SpendShown(ctx, b, ShownUnread)
}

// SpendShown is Spend for a caller who has just read what the record has now. Decisions of people
// who saw something else do not count any more, the request waits again, and the error is
// [ErrChanged]; if it could not be read, [ErrUnread]. See [Request.Bound].
func (s *Store) SpendShown(ctx context.Context, b Binding, now Shown) (*Request, error) {
	if err := b.validate(); err != nil {
		return nil, fmt.Errorf("spending approval: %w", err)
	}
	r, err := s.spend(ctx, b, now)
	if err != nil {
		return nil, fmt.Errorf("spending approval: %w", err)
	}
	return &r.Request, nil
}

func (s *Store) spend(ctx context.Context, b Binding, is Shown) (*stored, error) {
	if s.unsettled.Len() >= maxUnsettled {
		return nil, errUnsettled
	}
	// A unique index has one call approved once at a time.
	r, err := s.one(ctx, s.db.Reads, `WHERE binding_hash = $1 AND state = 'approved' AND expires_at > $2`, b.hash(), db.Millis(s.now()))
	if errors.Is(err, ErrNotFound) || err == nil && r.State != Approved {
		return nil, ErrNotApproved
	}
	if err != nil {
		return nil, err
	}
	switch lapsed, err := s.lapsed(ctx, &r.Request); {
	case err != nil:
		return nil, err
	case len(lapsed) > 0:
		return nil, errors.Join(s.reopen(ctx, r, lapsed, Lapsed), ErrLapsed)
	}
	if bound := r.Bound(); len(bound) > 0 && !is.Binds() {
		return nil, ErrUnread
	} else if others := slices.DeleteFunc(bound, func(d Decision) bool { return d.Shown == is }); len(others) > 0 {
		return nil, errors.Join(s.reopen(ctx, r, others, Changed), ErrChanged)
	}
	return r, s.take(ctx, r, b.GrantID)
}

// Bound are the decisions of people who saw what the record had, where the call is to be made
// only if it has the same.
func (r *Request) Bound() (bound []Decision) {
	for _, d := range r.Decisions {
		if d.Shown.Binds() && !r.Confirmation.AllowChanged {
			bound = append(bound, d)
		}
	}
	return bound
}

// reopen has an approved request wait again, without the decisions that have lapsed. If it is
// another one by now, nothing is done.
func (s *Store) reopen(ctx context.Context, r *stored, lapsed []Decision, why Reopening) error {
	approved := r.stateMAC
	var kept []Decision
	var macs []string
	for i, d := range r.Decisions {
		if !slices.ContainsFunc(lapsed, func(l Decision) bool { return l.Human == d.Human }) {
			kept, macs = append(kept, d), append(macs, r.decisionMACs[i])
		}
	}
	r.Decisions, r.decisionMACs, r.decisions = kept, macs, digestOf(macs)
	r.State, r.DecidedAt, r.DecidedBy = Pending, time.Time{}, actor.Actor{}
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		n, err := db.Affected(ctx, tx, `UPDATE approvals SET state = 'pending', decided_at = 0, decided_by_kind = '', decided_by_id = '', decided_by_as = '',
				decisions = $1, state_mac = $2, reopened = $5, reopenings = reopenings + 1
			WHERE id = $3 AND state = 'approved' AND state_mac = $4`, r.decisions, s.db.MAC(db.ApprovalStates, r.standing()...), r.ID, approved, string(why))
		if err != nil || n != 1 {
			return err
		}
		for _, d := range lapsed {
			if _, err := tx.ExecContext(ctx, `DELETE FROM approval_decisions WHERE request_id = $1 AND human = $2`, r.ID, d.Human); err != nil {
				return err
			}
		}
		return nil
	})
}

func changed(n int64, err error) error {
	if err == nil && n != 1 {
		return ErrNotSpent
	}
	return err
}
