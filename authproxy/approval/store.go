package approval

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// IDPrefix is what the identifier of every request begins with.
const IDPrefix = "apr_"

// A client in a loop buries nobody in requests, and leaves its user's other connections room.
const (
	defaultPendingPerConnection = 10
	defaultPendingPerUser       = 30
)

// Config is what a Store works with.
type Config struct {
	DB       *db.DB
	Ring     *seal.KeyRing
	Lifetime time.Duration // from submission to expiry, and from spending to forgetting
	// KeepArguments is how long after the decision the arguments are kept of a call of which
	// nothing can come any more. Of a call that nobody decided they are erased
	// once it is expired or void.
	KeepArguments time.Duration
	Now           func() time.Time // nil: time.Now
	// PendingPerConnection is how many requests of one connection may wait at a time; 0: 10.
	PendingPerConnection int
	// PendingPerUser is how many requests of one user may wait at a time, over all connections; 0: 30.
	PendingPerUser int
	// People knows who may still agree when an approval is spent; nil: [Strangers].
	People People
	// Unsettled are those of the process; nil: the store has its own.
	Unsettled *Unsettled
}

// Store keeps the requests. It is safe for concurrent use.
type Store struct {
	db       *db.DB
	ring     *seal.KeyRing
	lifetime time.Duration
	keep     time.Duration // see Config.KeepArguments
	now      func() time.Time
	people   People

	perConnection, perUser int // see Config

	unsettled *Unsettled
}

// New returns the store in c.DB.
func New(c Config) (*Store, error) {
	if c.Lifetime <= 0 {
		return nil, errors.New("approval lifetime must be positive")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.PendingPerUser == 0 {
		c.PendingPerUser = defaultPendingPerUser
	}
	if c.PendingPerConnection == 0 {
		c.PendingPerConnection = defaultPendingPerConnection
	}
	if c.Unsettled == nil {
		c.Unsettled = &Unsettled{}
	}
	if c.People == nil {
		c.People = Strangers{}
	}
	return &Store{
		db: c.DB, ring: c.Ring, lifetime: c.Lifetime, keep: c.KeepArguments, now: c.Now, people: c.People,
		perConnection: c.PendingPerConnection, perUser: c.PendingPerUser, unsettled: c.Unsettled,
	}, nil
}

// Submit returns the request that a call with this binding meets: a new pending one,
// or the one there is (see the package comment); its State tells. Errors:
// [ErrTooMany].
func (s *Store) Submit(ctx context.Context, b Binding, class string) (*Request, error) {
	if err := b.validate(); err != nil {
		return nil, fmt.Errorf("submitting for approval: %w", err)
	}
	var r *Request
	// Locked from the look to the insert: two identical calls at the same time become one
	// request, and of a user's requests no more wait than may.
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.db.Lock(ctx, tx, "approvals of "+b.Org+" "+b.Subject); err != nil {
			return err
		}
		var err error
		if r, err = s.meets(ctx, tx, b); err != nil || r != nil {
			return err
		}
		if err := s.admit(ctx, tx, b); err != nil {
			return err
		}
		r, err = s.insert(ctx, tx, Request{Binding: b, Class: class})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("submitting for approval: %w", err)
	}
	return r, nil
}

// meets returns the request that still speaks for b, or nil. One that somebody changed ends.
func (s *Store) meets(ctx context.Context, tx *sql.Tx, b Binding) (*Request, error) {
	now := s.now()
	r, err := s.one(ctx, tx, `
		WHERE binding_hash = $1 AND (
			state IN ('pending', 'approved') AND expires_at > $2
			OR state IN ('denied', 'countered') AND decided_at > $3
			OR state = 'spent' AND spent_at > $3)
		ORDER BY created_at DESC, id LIMIT 1`,
		b.hash(), db.Millis(now), db.Millis(now.Add(-s.lifetime)))
	if errors.Is(err, ErrNotFound) || err == nil && r.State == Void {
		// There is none, or one that does not count. Of those no other may stand in the way.
		_, err := tx.ExecContext(ctx, `UPDATE approvals SET state = 'void', state_mac = '', why = $1, altered = TRUE,
				decided_at = 0, decided_by = '', decided_by_kind = '', decided_by_id = '', decided_by_as = ''
			WHERE binding_hash = $2 AND state IN ('pending', 'approved') AND expires_at > $3`, whyAltered, b.hash(), db.Millis(now))
		return nil, err
	}
	if err == nil {
		err = s.addWhatFollowed(ctx, tx, r)
	}
	switch {
	case err != nil:
		return nil, err
	case r.State == Countered && (r.Counter == nil || r.Counter.State == Void || r.Counter.State == Expired):
		return nil, nil // nothing came of what was proposed
	}
	r.AnswerOnly(b.GrantID)
	return &r.Request, nil
}

// AnswerOnly takes the answer away unless that connection is the one that made the call.
func (r *Request) AnswerOnly(grantID string) {
	by := r.SpentBy
	if by == "" { // spent by an earlier version
		by = r.GrantID
	}
	if by != grantID {
		r.Result = nil
	}
}

// TooManyError is an [ErrTooMany] that says which request has waited the longest of those in
// the way.
type TooManyError struct {
	Oldest string // its id
	Since  time.Time
	// Connection: it is the connection that has as many as it may, and not its user.
	Connection bool
}

// Error says what waits.
func (e *TooManyError) Error() string { return ErrTooMany.Error() + ", the oldest is " + e.Oldest }

// Is reports whether target is [ErrTooMany].
func (e *TooManyError) Is(target error) bool { return target == ErrTooMany }

// admit refuses a connection, or a user, that has too many requests waiting.
func (s *Store) admit(ctx context.Context, tx *sql.Tx, b Binding) error {
	rows, err := tx.QueryContext(ctx,
		`SELECT id, created_at, grant_id FROM approvals WHERE org = $1 AND subject = $2 AND state = 'pending' AND expires_at > $3 ORDER BY created_at, id`,
		b.Org, b.Subject, db.Millis(s.now()))
	if err != nil {
		return err
	}
	defer rows.Close()
	var ofUser, ofConnection int
	var oldest, oldestHere TooManyError
	for rows.Next() {
		e, created, grant := TooManyError{}, int64(0), ""
		if err := rows.Scan(&e.Oldest, &created, &grant); err != nil {
			return err
		}
		e.Since = db.Time(created)
		if ofUser++; ofUser == 1 {
			oldest = e
		}
		if grant != b.GrantID {
			continue
		}
		if ofConnection++; ofConnection == 1 {
			oldestHere = e
			oldestHere.Connection = true
		}
	}
	switch {
	case rows.Err() != nil:
		return rows.Err()
	case ofConnection >= s.perConnection:
		return &oldestHere
	case ofUser >= s.perUser:
		return &oldest
	}
	return nil
}

// insert makes a pending request of what r says of the call.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, r Request) (*Request, error) {
	now, b := s.now().UTC().Truncate(time.Millisecond), r.Binding
	r.ID = IDPrefix + strings.ToLower(rand.Text()) // 130 bits
	r.State, r.ArgumentsDigest = Pending, Digest(b.Arguments)
	r.CreatedAt, r.ExpiresAt = now, now.Add(s.lifetime)
	sealed, err := s.ring.Seal(r.place(argumentsPurpose), b.Arguments)
	if err != nil {
		return nil, err
	}
	row := &stored{Request: r, bindingHash: b.hash(), terms: b.Confirmation.Terms()}
	row.mac = s.db.MAC(db.Approvals, row.covered()...)
	// A unique index keeps one call from having two that are live; time alone does not tell it.
	_, err = tx.ExecContext(ctx, `UPDATE approvals SET state = 'expired', state_mac = ''
		WHERE binding_hash = $1 AND state IN ('pending', 'approved') AND expires_at <= $2`, b.hash(), db.Millis(now))
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO approvals (id, binding_hash, state, org, subject, grant_id, client_id, server, tool, class,
			policy_version, definition_hash, arguments_digest, sealed_arguments, approvers, created_at, expires_at, mac, state_mac,
			terms, author, counter_of, undo_of, rule)
		VALUES ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)`,
		r.ID, row.bindingHash, b.Org, b.Subject, b.GrantID, b.ClientID, b.Server, b.Tool, r.Class,
		b.PolicyVersion, b.DefinitionHash, r.ArgumentsDigest, sealed, string(b.Confirmation.Approvers), db.Millis(r.CreatedAt), db.Millis(r.ExpiresAt),
		row.mac, s.db.MAC(db.ApprovalStates, row.standing()...), row.terms, r.Author, r.CounterOf, r.UndoOf, b.Rule)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// place is where a sealed column of r lies.
func (r *Request) place(purpose string) seal.Place {
	return seal.Place{Table: "approvals", Row: r.ID, Org: r.Org, Subject: r.Subject, Purpose: purpose}
}

// checkPlace is where one of its row in approval_checks lies.
func (r *Request) checkPlace(purpose string) seal.Place {
	return seal.Place{Table: "approval_checks", Row: r.ID, Org: r.Org, Subject: r.Subject, Purpose: purpose}
}
