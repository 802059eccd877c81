package approval

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
)

// Decide approves or denies a pending request, once, in the name of by. The caller has
// checked that they may. Errors: [ErrNotFound]; [ErrGone], then the request is returned as
// well, to tell what became of it.
func (s *Store) Decide(ctx context.Context, id string, approve bool, by actor.Actor) (*Request, error) {
	if !by.Known() {
		return nil, errors.New("deciding approval: nobody decides")
	}
	n, err := s.decide(ctx, id, approve, by)
	if err != nil {
		return nil, fmt.Errorf("deciding approval: %w", err)
	}
	r, err := s.Get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("deciding approval: %w", err)
	}
	if n == 0 {
		return r, fmt.Errorf("deciding approval: %w", ErrGone)
	}
	return r, nil
}

// decide writes a decision, if the request still waits as it did when it was read.
func (s *Store) decide(ctx context.Context, id string, approve bool, by actor.Actor) (int64, error) {
	r, err := s.scan(s.db.Reads.QueryRowContext(ctx, `SELECT `+columns+` FROM approvals WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, ErrNotFound) || err == nil && r.State != Pending {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	pending, now := r.stateMAC, db.Millis(s.now())
	r.State, r.DecidedAt, r.DecidedBy = Denied, db.Time(now), by
	mac := ""
	if approve {
		r.State = Approved
		mac = s.db.MAC(db.ApprovalStates, r.standing()...)
	}
	return db.Affected(ctx, s.db.Writes, `
		UPDATE approvals SET state = $1, decided_at = $2, decided_by_kind = $3, decided_by_id = $4, decided_by_as = $5, state_mac = $6
		WHERE id = $7 AND state = 'pending' AND state_mac = $8 AND expires_at > $2 AND sealed_arguments <> ''`,
		string(r.State), now, string(by.Kind), by.ID, by.As, mac, id, pending)
}

// VoidFilter selects the requests of what ended; empty fields select all, but not
// every field may be empty.
type VoidFilter struct {
	ID           string
	Org, Subject string
	ClientID     string
	GrantID      string
}

// Void ends the pending and approved requests that f selects, and returns how many.
// why says what ended: "user revoked". A call that is being forwarded at this moment
// goes on, but its approval cannot be given back any more.
func (s *Store) Void(ctx context.Context, f VoidFilter, why string) (n int, err error) {
	if f == (VoidFilter{}) || why == "" {
		return 0, errors.New("voiding approvals: a selection and a reason are required")
	}
	// One statement: of a request that is being spent or given back at this moment, it sees
	// what became of it.
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		n = 0
		rows, err := tx.QueryContext(ctx, `
			UPDATE approvals SET why = $1, state = CASE state WHEN 'spent' THEN 'spent' ELSE 'void' END,
				state_mac = CASE state WHEN 'spent' THEN state_mac ELSE '' END
			WHERE (state = 'spent' AND outcome = '' OR state IN ('pending', 'approved') AND expires_at > $6)
			  AND ($2 = '' OR org = $2) AND ($3 = '' OR subject = $3) AND ($4 = '' OR client_id = $4) AND ($5 = '' OR grant_id = $5)
			  AND ($7 = '' OR id = $7)
			RETURNING state`, why, f.Org, f.Subject, f.ClientID, f.GrantID, db.Millis(s.now()), f.ID)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var state State
			if err := rows.Scan(&state); err != nil {
				return err
			}
			if state == Void {
				n++
			}
		}
		return rows.Err()
	})
	if err != nil {
		return 0, fmt.Errorf("voiding approvals: %w", err)
	}
	return n, nil
}

// keepOver is how long a request that is over can still be looked at; the audit log
// keeps it for good.
const keepOver = 30 * 24 * time.Hour

// Expire writes down what time has already done, so that lists stay cheap, and
// returns how many requests it concerned. It erases the answers that no repeat gets any
// more, the arguments of calls of which nothing can come any more (see
// [Config.KeepArguments]; their digest stays), and after 30 days the requests that are over.
// Nothing depends on when it runs.
func (s *Store) Expire(ctx context.Context) (n int, err error) {
	var count int64
	err = s.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		now := s.now()
		if count, err = db.Affected(ctx, tx,
			`UPDATE approvals SET state = 'expired', state_mac = '' WHERE state IN ('pending', 'approved') AND expires_at <= $1`, db.Millis(now)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE approvals SET sealed_result = ''
			WHERE sealed_result <> '' AND spent_at <= $1`, db.Millis(now.Add(-s.lifetime))); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE approvals SET sealed_arguments = ''
			WHERE sealed_arguments <> '' AND state NOT IN ('pending', 'approved') AND decided_at <= $1
			AND (state IN ('void', 'expired') OR state = 'denied' AND expires_at <= $3
				OR state = 'spent' AND spent_at <= $2 AND (outcome <> '' OR expires_at <= $3))`,
			db.Millis(now.Add(-s.keep)), db.Millis(now.Add(-s.lifetime)), db.Millis(now)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM approvals WHERE state NOT IN ('pending', 'approved') AND expires_at <= $1`,
			db.Millis(now.Add(-keepOver)))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("expiring approvals: %w", err)
	}
	return int(count), nil
}
