package link

import (
	"context"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// Status describes a link without its tokens.
type Status struct {
	Org, Subject string
	// State is "" if there is no such link.
	State State
	// ExpiresAt is when the access token expires; zero without one.
	ExpiresAt time.Time
	// Failure is why the login is lost, or why its last refresh failed; the zero value
	// after a success.
	Failure Failure
	// Why is what revoked the link here; of a failure before there was Failure, the sentence
	// that was written then.
	Why string
	// CreatedAt is the first sign-in, RefreshedAt the last change of tokens: for a link
	// that is not active, when that ended.
	CreatedAt, RefreshedAt time.Time
}

func (l *record) status() Status {
	return Status{Org: l.org, Subject: l.subject, State: l.state, ExpiresAt: l.expiresAt, Failure: l.failure, Why: l.why,
		CreatedAt: l.createdAt, RefreshedAt: l.refreshedAt}
}

// Status of one link. A link that does not exist has State "".
func (s *Store) Status(ctx context.Context, org, subject string) (Status, error) {
	l, err := s.load(ctx, s.DB.Reads, org, subject)
	if err != nil {
		return Status{}, err
	}
	if l == nil {
		return Status{Org: org, Subject: subject}, nil
	}
	return l.status(), nil
}

// List returns all links, by org and subject.
func (s *Store) List(ctx context.Context) (out []Status, err error) {
	err = s.each(ctx, func(l *record) { out = append(out, l.status()) })
	return out, err
}

// Unused are the users with a login that was renewed last by a time, and without a live connection at now.
func (s *Store) Unused(ctx context.Context, by, now time.Time) (unused []Whose, err error) {
	return s.whose(ctx, "unused", `SELECT org, subject FROM links WHERE state <> $1 AND refreshed_at <= $2
		AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.org = links.org AND grants.subject = links.subject AND grants.revoked_at = 0 AND grants.expires_at > $3)
		ORDER BY org, subject`, string(Revoked), db.Millis(by), db.Millis(now))
}

// Whose names the user of a link.
type Whose struct{ Org, Subject string }

// Lost are the users whose logins are over, who must sign in again.
func (s *Store) Lost(ctx context.Context) (lost []Whose, err error) {
	return s.whose(ctx, "lost", `SELECT org, subject FROM links WHERE state = $1 ORDER BY org, subject`, string(NeedsReauth))
}

// whose reads users of links, which are called what in errors.
func (s *Store) whose(ctx context.Context, what, query string, args ...any) (all []Whose, err error) {
	rows, err := s.DB.Reads.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("listing %s links: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		var w Whose
		if err := rows.Scan(&w.Org, &w.Subject); err != nil {
			return nil, fmt.Errorf("listing %s links: %w", what, err)
		}
		all = append(all, w)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("listing %s links: %w", what, err)
	}
	return all, nil
}

// Openable sorts the subjects of an org's active links by whether their refresh token
// opens with the keys of the ring. Those of closed end at their next refresh.
func (s *Store) Openable(ctx context.Context, org string) (open, closed []string, err error) {
	err = s.each(ctx, func(l *record) {
		if l.org != org || l.state != Active {
			return
		}
		if _, err := s.refreshToken(l); err == nil {
			open = append(open, l.subject)
		} else {
			closed = append(closed, l.subject)
		}
	})
	return open, closed, err
}

// each reads all links, by org and subject.
func (s *Store) each(ctx context.Context, read func(*record)) error {
	rows, err := s.DB.Reads.QueryContext(ctx, `SELECT `+recordColumns+` FROM links ORDER BY org, subject`)
	if err != nil {
		return fmt.Errorf("listing links: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		l, err := scanRecord(rows.Scan)
		if err != nil {
			return fmt.Errorf("listing links: %w", err)
		}
		read(l)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("listing links: %w", err)
	}
	return nil
}
