package link

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/salesforce"
)

// change is what a link becomes at its next version.
type change struct {
	state     State
	access    string
	expiresAt time.Time
	// keepAccess leaves the access token and its expiry as they are.
	keepAccess bool
	// refresh is the new refresh token; "" in an Active change keeps the old one.
	refresh   string
	holdUntil time.Time
	why       string // what ends it here
	failure   Failure
}

// sealedChange has its tokens sealed; access and refresh of change are empty.
type sealedChange struct{ change }

func (s *Store) seal(l *record, c change) (sealedChange, error) {
	out := sealedChange{c}
	if c.keepAccess {
		out.access, out.expiresAt = l.sealedAccess, l.expiresAt
	} else {
		sealed, err := s.Ring.Seal(place(l.org, l.subject, "access"), []byte(c.access))
		if err != nil {
			return sealedChange{}, err
		}
		out.access = sealed
	}
	if c.refresh == "" {
		out.refresh = l.sealedRefresh
		return out, nil
	}
	sealed, err := s.Ring.Seal(place(l.org, l.subject, "refresh"), []byte(c.refresh))
	if err != nil {
		return sealedChange{}, err
	}
	out.refresh = sealed
	return out, nil
}

// advance moves a link from the version and state in l to the next; false if it has
// moved already.
func (s *Store) advance(ctx context.Context, e db.Execer, l *record, c sealedChange) (bool, error) {
	n, err := db.Affected(ctx, e,
		`UPDATE links SET state = $1, version = version + 1, sealed_access = $2, access_expires_at = $3, sealed_refresh = $4,
		lease_until = $5, lease_holder = '', unanswered = 0, why = $6, refreshed_at = $7,
		failure_kind = $8, failure_code = $9, failure_text = $10, failure_hint = $11, failure_lost = $12
		WHERE org = $13 AND subject = $14 AND version = $15 AND state = $16`,
		c.state, c.access, db.Millis(c.expiresAt), c.refresh,
		db.Millis(c.holdUntil), c.why, db.Millis(s.Now()),
		c.failure.Kind, c.failure.Code, c.failure.Text, c.failure.Hint, c.failure.Lost,
		l.org, l.subject, l.version, l.state)
	if err != nil {
		return false, fmt.Errorf("changing link: %w", err)
	}
	return n == 1, nil
}

// errRaced says that a link changed between reading and writing it.
var errRaced = errors.New("link changed at the same time")

// advanceOrRace is advance for [Store.retry]: that the link has moved already is errRaced.
func (s *Store) advanceOrRace(ctx context.Context, tx *sql.Tx, l *record, c sealedChange) error {
	won, err := s.advance(ctx, tx, l, c)
	if err == nil && !won {
		return errRaced
	}
	return err
}

// Replace stores a fresh login of a user as the org's link of that user. The refresh
// token of a previous login is queued for revocation at Salesforce in the same
// transaction. It wins against a refresh that is under way.
func (s *Store) Replace(ctx context.Context, org string, t *salesforce.Token) error {
	_, err := s.Keep(ctx, org, t)
	return err
}

// Kept is the login that [Store.Keep] has stored.
type Kept struct {
	version int64
	over    bool // it took the place of one that was good
}

// Keep is Replace, and says what it has stored, for [Store.EndUnused]. Where the database does not answer, it is found out what
// became of it: whoever takes a login that is stored for one that is not would end it.
func (s *Store) Keep(ctx context.Context, org string, t *salesforce.Token) (kept Kept, err error) {
	if t.Subject == "" || t.AccessToken == "" || t.RefreshToken == "" {
		return kept, errors.New("storing Salesforce login: token without subject, access or refresh token")
	}
	fresh := &record{org: org, subject: t.Subject}
	sealed, err := s.seal(fresh, change{state: Active, access: t.AccessToken, expiresAt: t.ExpiresAt, refresh: t.RefreshToken})
	if err != nil {
		return kept, fmt.Errorf("storing Salesforce login: %w", err)
	}
	store := func(ctx context.Context, tx *sql.Tx) error {
		l, err := s.load(ctx, tx, org, t.Subject)
		if err != nil {
			return err
		}
		if l == nil {
			kept = Kept{version: db.Millis(s.Now())}
			return s.insert(ctx, tx, fresh, sealed, kept.version)
		}
		kept = Kept{l.version + 1, l.state == Active}
		if err := s.advanceOrRace(ctx, tx, l, sealed); err != nil {
			return err
		}
		return s.enqueuePrevious(ctx, tx, l, t.RefreshToken)
	}
	err = s.retry(ctx, store)
	s.held.Forget(user{org, t.Subject})
	if err != nil {
		return Kept{}, fmt.Errorf("storing Salesforce login: %w", err)
	}
	s.nudge()
	return kept, nil
}

// insert stores the first link of a user. Its version is the time: a refresh of a link of theirs that
// was erased has another one, and cannot be taken for one of this.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, l *record, c sealedChange, now int64) error {
	n, err := db.Affected(ctx, tx,
		`INSERT INTO links (org, subject, state, version, sealed_access, access_expires_at, sealed_refresh, created_at, refreshed_at)
		VALUES ($1, $2, $3, $7, $4, $5, $6, $7, $7) ON CONFLICT (org, subject) DO NOTHING`,
		l.org, l.subject, c.state, c.access, db.Millis(c.expiresAt), c.refresh, now)
	if err == nil && n == 0 {
		return errRaced
	}
	return err
}

// Revoke ends a link: its tokens are erased here at once, and the refresh token is
// queued for revocation at Salesforce in the same transaction. No link, or one that is
// revoked, is no error. It wins against a refresh that is under way.
func (s *Store) Revoke(ctx context.Context, org, subject, why string) error {
	return s.revoke(ctx, org, subject, why, func(context.Context, *sql.Tx, *record) (bool, error) { return true, nil })
}

// revoke ends a link of which which says so, in the same transaction.
func (s *Store) revoke(ctx context.Context, org, subject, why string, which func(context.Context, *sql.Tx, *record) (bool, error)) error {
	err := s.retry(ctx, func(ctx context.Context, tx *sql.Tx) error {
		l, err := s.load(ctx, tx, org, subject)
		if err != nil || l == nil || l.state == Revoked {
			return err
		}
		if is, err := which(ctx, tx, l); err != nil || !is {
			return err
		}
		if err := s.advanceOrRace(ctx, tx, l, sealedChange{change{state: Revoked, why: why}}); err != nil {
			return err
		}
		if err := s.enqueuePrevious(ctx, tx, l, ""); err != nil {
			return err
		}
		return s.DB.RaiseAccessEpoch(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("revoking Salesforce login: %w", err)
	}
	s.nudge()
	return nil
}

// Discard queues the refresh token of a login that is not stored for revocation at
// Salesforce. The user's link stays what it is.
func (s *Store) Discard(ctx context.Context, org string, t *salesforce.Token) error {
	if err := s.enqueue(ctx, s.DB.Writes, &record{org: org, subject: t.Subject}, t.RefreshToken); err != nil {
		return fmt.Errorf("discarding Salesforce login: %w", err)
	}
	s.nudge()
	return nil
}

// enqueuePrevious queues the refresh token that l had. One that does not open any more
// cannot be revoked by anybody, and must not keep a login from being ended.
func (s *Store) enqueuePrevious(ctx context.Context, tx *sql.Tx, l *record, except string) error {
	if l.sealedRefresh == "" {
		return nil
	}
	old, err := s.refreshToken(l)
	if missing := s.DB.Doubt(ctx, err); missing != nil {
		return missing // whoever has the key can end it at Salesforce, too
	}
	if err != nil {
		s.Log.Error("a refresh token cannot be revoked at Salesforce", "org", l.org, "subject", l.subject, "error", err)
		return nil
	}
	if old == except {
		return nil
	}
	return s.enqueue(ctx, tx, l, old)
}

// retry runs f in a transaction again while it finds errRaced, and finds out what became of it.
func (s *Store) retry(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	for range 10 {
		if err := s.DB.KnownTx(ctx, f); !errors.Is(err, errRaced) {
			return err
		}
	}
	return errRaced
}
