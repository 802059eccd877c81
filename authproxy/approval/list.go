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

const columns = `id, state, org, subject, grant_id, client_id, server, tool, class, policy_version, definition_hash,
	arguments_digest, sealed_arguments, approvers, created_at, expires_at, decided_at, decided_by,
	decided_by_kind, decided_by_id, decided_by_as, spent_at, outcome, sealed_result, why, binding_hash, mac, state_mac`

// maxListed bounds a list that asks for no bound.
const maxListed = 1000

// Filter selects requests; an empty field selects all.
type Filter struct {
	Org, Subject string
	State        State
	Limit        int // 0: 1000
}

// Get returns a request with its arguments and result, or [ErrNotFound].
func (s *Store) Get(ctx context.Context, id string) (*Request, error) {
	r, err := s.one(ctx, s.db.Reads, `WHERE id = $1`, id)
	if err != nil {
		return nil, fmt.Errorf("reading approval request: %w", err)
	}
	return &r.Request, nil
}

// List returns the requests that match, newest first, without arguments and results.
func (s *Store) List(ctx context.Context, f Filter) ([]Request, error) {
	if f.Limit <= 0 || f.Limit > maxListed {
		f.Limit = maxListed
	}
	rows, err := s.db.Reads.QueryContext(ctx, `
		SELECT `+columns+` FROM approvals
		WHERE ($1 = '' OR org = $1) AND ($2 = '' OR subject = $2)
		  AND ($3 = '' OR $3 = CASE WHEN state IN ('pending', 'approved') AND expires_at <= $4 THEN 'expired' ELSE state END)
		ORDER BY created_at DESC, id LIMIT $5`,
		f.Org, f.Subject, string(f.State), db.Millis(s.now()), f.Limit)
	if err != nil {
		return nil, fmt.Errorf("listing approval requests: %w", err)
	}
	defer rows.Close()
	var list []Request
	for rows.Next() {
		r, err := s.scan(rows)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing approval requests: %w", err)
		}
		list = append(list, r.Request)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("listing approval requests: %w", err)
	}
	return list, nil
}

// querier is a transaction or a handle.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// one reads the request that where selects and opens what is sealed of it.
func (s *Store) one(ctx context.Context, q querier, where string, args ...any) (*stored, error) {
	r, err := s.scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM approvals `+where, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	// Of a call that may still be made they are never erased by us.
	if r.sealedArguments != "" || r.State == Pending || r.State == Approved {
		if r.Arguments, err = s.ring.Open(r.place("approval arguments"), r.sealedArguments); err != nil {
			return nil, fmt.Errorf("arguments of %s: %w", r.ID, err)
		}
	}
	if r.sealedResult != "" {
		if r.Result, err = s.ring.Open(r.place("approval result"), r.sealedResult); err != nil {
			return nil, fmt.Errorf("result of %s: %w", r.ID, err)
		}
	}
	return r, nil
}

// stored is a request as its row has it.
type stored struct {
	Request
	bindingHash                   string
	sealedArguments, sealedResult string
	mac, stateMAC                 string
}

// covered are the columns of [db.Approvals]: what the call is.
func (r *stored) covered() []any {
	return []any{r.ID, r.bindingHash, r.Org, r.Subject, r.GrantID, r.ClientID, r.Server, r.Tool, r.Class, r.PolicyVersion, r.DefinitionHash,
		r.ArgumentsDigest, string(r.Approvers), db.Millis(r.CreatedAt), db.Millis(r.ExpiresAt)}
}

// standing are the columns of [db.ApprovalStates]: that it waits for a person, may be made
// once, or is being made.
func (r *stored) standing() []any {
	return []any{r.ID, r.mac, r.State, db.Millis(r.DecidedAt), string(r.DecidedBy.Kind), r.DecidedBy.ID, r.DecidedBy.As, db.Millis(r.SpentAt)}
}

// gives says whether a state lets somebody do something.
func (r *stored) gives() bool {
	return r.State == Pending || r.State == Approved || r.State == Spent && r.Outcome == ""
}

// Altered is why a request is void whose state somebody changed.
const Altered = "what is stored of it was changed by something else than the proxy"

// scan reads a row. One whose call somebody changed is not there: [ErrNotFound]; one whose
// state somebody changed to one that gives something is void.
func (s *Store) scan(row interface{ Scan(...any) error }) (*stored, error) {
	var r stored
	var created, expires, decided, spent int64
	var untyped string
	err := row.Scan(&r.ID, &r.State, &r.Org, &r.Subject, &r.GrantID, &r.ClientID, &r.Server, &r.Tool, &r.Class,
		&r.PolicyVersion, &r.DefinitionHash, &r.ArgumentsDigest, &r.sealedArguments, &r.Approvers,
		&created, &expires, &decided, &untyped, &r.DecidedBy.Kind, &r.DecidedBy.ID, &r.DecidedBy.As, &spent, &r.Outcome, &r.sealedResult, &r.Why,
		&r.bindingHash, &r.mac, &r.stateMAC)
	if err != nil {
		return nil, err
	}
	r.Role = r.Approvers.Role()
	r.CreatedAt, r.ExpiresAt, r.DecidedAt, r.SpentAt = db.Time(created), db.Time(expires), db.Time(decided), db.Time(spent)
	if !s.db.Authentic(db.Approvals, r.mac, r.covered()...) {
		return nil, ErrNotFound
	}
	if r.gives() && !s.db.Authentic(db.ApprovalStates, r.stateMAC, r.standing()...) {
		r.State, r.Why = Void, Altered
		r.DecidedAt, r.DecidedBy, untyped = time.Time{}, actor.Actor{}, "" // which may be a lie
		r.DecidedAt, r.DecidedBy, untyped = time.Time{}, actor.Actor{}, ""
	}
	if r.DecidedBy.Kind == "" {
		r.DecidedBy.ID = untyped
	}
	if (r.State == Pending || r.State == Approved) && expires <= db.Millis(s.now()) {
		r.State = Expired
	}
	return &r, nil
}
