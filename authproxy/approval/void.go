package approval

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// VoidFilter selects the requests of what ended; empty fields select all, but not
// every field may be empty.
type VoidFilter struct {
	ID           string
	Org, Subject string
	ClientID     string
	GrantID      string
}

// Voided is a request that ended: what it was for.
type Voided struct {
	ID, Org, Subject, ClientID, GrantID, Server, Tool, Class string

	ArgumentsDigest, DefinitionHash, PolicyVersion string
}

// Void ends the pending and approved requests that f selects, and returns them.
// why says what ended: "user revoked". A call that is being forwarded at this moment
// goes on, but its approval cannot be given back any more.
func (s *Store) Void(ctx context.Context, f VoidFilter, why string) (ended []Voided, err error) {
	if f == (VoidFilter{}) || why == "" {
		return nil, errors.New("voiding approvals: a selection and a reason are required")
	}
	// One statement: of a request that is being spent or given back at this moment, it sees
	// what became of it.
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		ended = nil
		rows, err := tx.QueryContext(ctx, `
			UPDATE approvals SET why = $1, state = CASE state WHEN 'spent' THEN 'spent' ELSE 'void' END,
				state_mac = CASE state WHEN 'spent' THEN state_mac ELSE '' END
			WHERE (state = 'spent' AND outcome = '' OR state IN ('pending', 'approved') AND expires_at > $6)
			  AND ($2 = '' OR org = $2) AND ($3 = '' OR subject = $3) AND ($4 = '' OR client_id = $4) AND ($5 = '' OR grant_id = $5)
			  AND ($7 = '' OR id = $7)
			RETURNING state, id, org, subject, client_id, grant_id, server, tool, class, arguments_digest, definition_hash, policy_version`, why, f.Org, f.Subject, f.ClientID, f.GrantID, db.Millis(s.now()), f.ID)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var state State
			var v Voided
			if err := rows.Scan(&state, &v.ID, &v.Org, &v.Subject, &v.ClientID, &v.GrantID, &v.Server, &v.Tool, &v.Class, &v.ArgumentsDigest, &v.DefinitionHash, &v.PolicyVersion); err != nil {
				return err
			}
			if state == Void {
				ended = append(ended, v)
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("voiding approvals: %w", err)
	}
	return ended, nil
}

// keepOver is how long a request that is over can still be looked at; the audit log
// keeps it for good.
const keepOver = 30 * 24 * time.Hour

// Expire writes down what time has already done, so that lists stay cheap, and
// returns how many requests it concerned. It erases the answers that no repeat gets any
// more, the arguments of calls of which nothing can come any more (see
// [Config.KeepArguments]; their digest stays) with what was read of their records, and after 30 days the requests that are over.
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
		if _, err := tx.ExecContext(ctx, `UPDATE approvals SET sealed_arguments = '', sealed_reason = ''
			WHERE sealed_arguments <> '' AND state NOT IN ('pending', 'approved') AND decided_at <= $1
			AND (state IN ('void', 'expired') OR state IN ('denied', 'countered') AND decided_at <= $2
				OR state = 'spent' AND spent_at <= $2 AND (outcome <> '' OR expires_at <= $3))`,
			db.Millis(now.Add(-s.keep)), db.Millis(now.Add(-s.lifetime)), db.Millis(now)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE approval_checks SET sealed_images = '', sealed_resolution = ''
			WHERE (sealed_images <> '' OR sealed_resolution <> '') AND EXISTS (SELECT 1 FROM approvals a WHERE a.id = request_id AND a.sealed_arguments = '')`); err != nil {
			return err
		}
		return deleteOver(ctx, tx, `expires_at <= $1`, db.Millis(now.Add(-keepOver)))
	})
	if err != nil {
		return 0, fmt.Errorf("expiring approvals: %w", err)
	}
	return int(count), nil
}

// deleteOver deletes the requests that are over and that which selects, who agreed to them, and
// what was found out about them.
func deleteOver(ctx context.Context, tx *sql.Tx, which string, args ...any) error {
	which = `WHERE state NOT IN ('pending', 'approved') AND ` + which
	for _, table := range []string{"approval_decisions", "approval_checks"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE request_id IN (SELECT id FROM approvals `+which+`)`, args...); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM approvals `+which, args...)
	return err
}
