package approval

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// maxUnsettled is how many ends of calls are kept at most that could not be recorded; with their answers it is 16 MiB.
const maxUnsettled = 256

// GivenBack ends the reason of an audit entry of a call that failed before it left: its approval is good
// for another try, also when the audit log is applied again (authproxy.Cutoff.Reapply).
const GivenBack = "the approval was given back"

// Settle records how a spent call ended, and the answer for an identical repeat; an
// answer above 64 KiB is not kept. It can be called once a spending. Where the database does not answer, it is
// asked again for up to 20 seconds, also when ctx ends; of what is not recorded then [Store.SettleLeft] takes care.
func (s *Store) Settle(ctx context.Context, id string, outcome Outcome, result []byte) error {
	if outcome != Done && outcome != Failed && outcome != Unknown {
		return fmt.Errorf("settling approval: no such outcome %q", outcome)
	}
	if len(result) > maxResult {
		result = nil
	}
	if err := s.unsettled.record(ctx, s, &ending{id: id, outcome: outcome, result: result}); err != nil {
		return fmt.Errorf("settling approval: %w", err)
	}
	return nil
}

// Unspend gives back an approval whose call provably did not leave this process. If
// [Store.Void] came meanwhile, the request becomes void instead; if its time is over,
// expired. It waits for the database as [Store.Settle] does.
func (s *Store) Unspend(ctx context.Context, id string) error {
	if err := s.unsettled.record(ctx, s, &ending{id: id}); err != nil {
		return fmt.Errorf("giving approval back: %w", err)
	}
	return nil
}

// SettleLeft records how calls ended of which that could not be recorded when they did. It is to be called every now and
// then; what is still not recorded when the process ends, people are asked about ([Request.Unresolved]).
func (s *Store) SettleLeft(ctx context.Context) error {
	for _, e := range s.unsettled.take() {
		if err := e.try(ctx, s); db.Passes(err) || ctx.Err() != nil {
			s.unsettled.keep(e)
		} else if err != nil {
			return fmt.Errorf("settling the approval %s afterwards: %w", e.id, err)
		}
	}
	return nil
}

// unsettled are the ends of calls that are still to be recorded.
type unsettled struct {
	mu   sync.Mutex
	ends []*ending
}

// record records an end, and keeps it if that may succeed later.
func (u *unsettled) record(ctx context.Context, s *Store, e *ending) error {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), s.doubt)
	defer end()
	for {
		err := e.try(ctx, s)
		if !db.Passes(err) {
			return err
		}
		select {
		case <-time.After(doubtPause):
		case <-ctx.Done():
			u.keep(e)
			return err
		}
	}
}

// keep keeps an end, if there is room.
func (u *unsettled) keep(e *ending) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.ends) < maxUnsettled {
		u.ends = append(u.ends, e)
	}
}

// take returns what was kept, and keeps it no more.
func (u *unsettled) take() []*ending {
	u.mu.Lock()
	defer u.mu.Unlock()
	ends := u.ends
	u.ends = nil
	return ends
}

// ending is how a call ended for which an approval was spent.
type ending struct {
	id      string
	outcome Outcome // "": it did not leave, and the approval is given back
	result  []byte  // for a repeat

	// seen says that the request was read with its approval spent for this call, in a try that may have had its effect; spending
	// is the name of that spending.
	seen     bool
	spending string
}

// try records the end. After a try that may have had its effect it may have been recorded, and the approval
// spent again by somebody else: that one's end is not touched.
func (e *ending) try(ctx context.Context, s *Store) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		r, err := s.one(ctx, tx, `WHERE id = $1`, e.id)
		switch {
		case err != nil:
			return err
		case e.seen && (r.spending != e.spending || r.Outcome != "" || e.outcome == "" && r.State != Spent):
			return nil
		case e.outcome == "" && r.State != Spent:
			return ErrNotSpent
		}
		e.seen, e.spending = true, r.spending
		if e.outcome == "" {
			return e.giveBack(ctx, tx, s, r)
		}
		sealed := ""
		if len(e.result) > 0 {
			if sealed, err = s.ring.Seal(r.place(resultPurpose), e.result); err != nil {
				return err
			}
		}
		return changed(db.Affected(ctx, tx,
			`UPDATE approvals SET outcome = $1, sealed_result = $2, state_mac = '' WHERE id = $3 AND state = 'spent' AND outcome = '' AND spending = $4`,
			string(e.outcome), sealed, e.id, e.spending))
	})
}

// giveBack has the approval of r count again.
func (e *ending) giveBack(ctx context.Context, tx *sql.Tx, s *Store, r *stored) error {
	spent := r.stateMAC
	r.State, r.SpentAt, r.SpentBy = Approved, time.Time{}, ""
	return changed(db.Affected(ctx, tx, `
		UPDATE approvals SET state = CASE WHEN why <> '' THEN 'void' WHEN expires_at > $2 THEN 'approved' ELSE 'expired' END, spent_at = 0, spent_grant = '',
			state_mac = CASE WHEN why = '' AND expires_at > $2 THEN $3 ELSE '' END
		WHERE id = $1 AND state = 'spent' AND outcome = '' AND state_mac = $4 AND spending = $5`,
		e.id, db.Millis(s.now()), s.db.MAC(db.ApprovalStates, r.standing()...), spent, e.spending))
}
