package approval

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// maxUnsettled is how many outcomes that could not be recorded keep further approvals from being spent; with their answers it is
// 16 MiB. Those of calls that are under way by then are kept as well: none is lost because others could not be recorded.
const maxUnsettled = 256

// doubtPause is between two tries to record how a call ended, for which there is as much time as for finding out whether
// something was done.
const doubtPause = 200 * time.Millisecond

// errUnsettled refuses to spend an approval: how its call ends might not be recorded either.
var errUnsettled = fmt.Errorf("how %d calls ended is still to be recorded", maxUnsettled)

// GivenBack ends the reason of an audit entry of a call that failed before it left: its approval is good
// for another try, also when the audit log is applied again (authproxy.Cutoff.Reapply).
const GivenBack = "the approval was given back"

// Settle records how a spent call ended, and the answer for an identical repeat; an
// answer above 64 KiB is not kept. It can be called once a spending. Where the database does not answer, it is
// asked again for up to 20 seconds, also when ctx ends, but not when [db.Config.Waits] does; of what is not recorded then
// [Store.SettleLeft] takes care.
func (s *Store) Settle(ctx context.Context, id string, outcome Outcome, result []byte) error {
	if outcome != Done && outcome != Failed && outcome != Unknown {
		return fmt.Errorf("settling approval: no such outcome %q", outcome)
	}
	if len(result) > maxResult {
		result = nil
	}
	if err := s.record(ctx, &spentCall{id: id, outcome: outcome, result: result}); err != nil {
		return fmt.Errorf("settling approval: %w", err)
	}
	return nil
}

// Unspend gives back an approval whose call provably did not leave this process. If
// [Store.Void] came meanwhile, the request becomes void instead; if its time is over,
// expired. It waits for the database as [Store.Settle] does.
func (s *Store) Unspend(ctx context.Context, id string) error {
	if err := s.record(ctx, &spentCall{id: id}); err != nil {
		return fmt.Errorf("giving approval back: %w", err)
	}
	return nil
}

// SettleLeft records how calls ended of which that could not be recorded when they did. It is to be called every now and
// then; what is still not recorded when the process ends, people are asked about ([Request.Unresolved]). The error is about those
// that will not be recorded at all; the others are tried all the same. Once the database does not take one of them, the rest would
// each wait as long for nothing: they are kept untried, and come before that one the next time.
func (s *Store) SettleLeft(ctx context.Context) error {
	var failed []error
	left := s.unsettled.take()
	for i, c := range left {
		err := c.try(ctx, s)
		s.unsettled.tried(1)
		switch {
		case err == nil:
		case db.LacksKey(err): // that row's, and no other's
			s.unsettled.keep(c)
		case db.Passes(err) || ctx.Err() != nil:
			s.unsettled.keep(append(left[i+1:], c)...)
			s.unsettled.tried(len(left) - i - 1)
			return errors.Join(failed...)
		default:
			failed = append(failed, fmt.Errorf("settling the approval %s afterwards: %w", c.id, err))
		}
	}
	return errors.Join(failed...)
}

// record records how a call ended, and keeps that if it may be recorded later.
func (s *Store) record(ctx context.Context, c *spentCall) error {
	ctx, end := s.db.Doubting(ctx)
	defer end()
	for {
		err := c.try(ctx, s)
		if err == nil || !db.Passes(err) && ctx.Err() == nil {
			return err
		}
		select {
		case <-time.After(doubtPause):
		case <-ctx.Done():
			s.unsettled.keep(c)
			return err
		}
	}
}

// Unsettled are the calls of a process whose outcomes are still to be recorded with their approvals. All its stores on one
// database share it, so that none is lost when one store takes over from another.
type Unsettled struct {
	mu     sync.Mutex
	calls  []*spentCall
	trying int // those that were taken, while they are tried
}

// Len is how many are left, with those that are tried at the moment.
func (u *Unsettled) Len() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.calls) + u.trying
}

// GivesBack reports whether an approval is among them that is to be given back.
func (u *Unsettled) GivesBack() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.ContainsFunc(u.calls, func(c *spentCall) bool { return c.outcome == "" })
}

// keep keeps calls.
func (u *Unsettled) keep(calls ...*spentCall) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls = append(u.calls, calls...)
}

// take returns what was kept, and keeps it no more: each counts until tried says otherwise.
func (u *Unsettled) take() []*spentCall {
	u.mu.Lock()
	defer u.mu.Unlock()
	calls := u.calls
	u.calls, u.trying = nil, u.trying+len(calls)
	return calls
}

// tried says of n calls that take returned that they are tried no more.
func (u *Unsettled) tried(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.trying -= n
}

// spentCall is a call for which an approval was spent, and how it ended.
type spentCall struct {
	id      string
	outcome Outcome // "": it did not leave, and the approval is given back
	result  []byte  // for a repeat

	// seen says that the request was read with its approval spent for this call, in a try that may have had its effect; spending
	// is the name of that spending.
	seen     bool
	spending string
}

// try records the outcome. After a try that may have had its effect it may have been recorded, and the approval
// spent again by somebody else: that one's outcome is not touched.
func (c *spentCall) try(ctx context.Context, s *Store) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		r, err := s.one(ctx, tx, `WHERE id = $1`, c.id)
		switch {
		case err != nil:
			return err
		case c.seen && (r.spending != c.spending || r.Outcome != "" || c.outcome == "" && r.State != Spent):
			return nil
		case c.outcome == "" && r.State != Spent:
			return ErrNotSpent
		}
		c.seen, c.spending = true, r.spending
		if c.outcome == "" {
			return c.giveBack(ctx, tx, s, r)
		}
		sealed := ""
		if len(c.result) > 0 {
			if sealed, err = s.ring.Seal(r.place(resultPurpose), c.result); err != nil {
				return err
			}
		}
		return changed(db.Affected(ctx, tx,
			`UPDATE approvals SET outcome = $1, sealed_result = $2, state_mac = '' WHERE id = $3 AND state = 'spent' AND outcome = '' AND spending = $4`,
			string(c.outcome), sealed, c.id, c.spending))
	})
}

// giveBack has the approval of r count again.
func (c *spentCall) giveBack(ctx context.Context, tx *sql.Tx, s *Store, r *stored) error {
	spent := r.stateMAC
	r.State, r.SpentAt, r.SpentBy = Approved, time.Time{}, ""
	return changed(db.Affected(ctx, tx, `
		UPDATE approvals SET state = CASE WHEN why <> '' THEN 'void' WHEN expires_at > $2 THEN 'approved' ELSE 'expired' END, spent_at = 0, spent_grant = '',
			state_mac = CASE WHEN why = '' AND expires_at > $2 THEN $3 ELSE '' END
		WHERE id = $1 AND state = 'spent' AND outcome = '' AND state_mac = $4 AND spending = $5`,
		c.id, db.Millis(s.now()), s.db.MAC(db.ApprovalStates, r.standing()...), spent, c.spending))
}
