package ui

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// ErrNoSession is returned when a request comes from no signed-in browser, for
// whatever reason: no cookie, an unknown, ended or expired one.
var ErrNoSession = errors.New("not signed in")

// DefaultSessionLifetime is one working day (Config.Lifetime).
const DefaultSessionLifetime = 12 * time.Hour

// sessionsPerUser is how many browsers a person is signed in with at a time; with one more,
// the oldest is signed out.
const sessionsPerUser = 20

// Config is what Sessions need.
type Config struct {
	DB       *db.DB // holds the table browser_sessions
	Cookies  Cookies
	Lifetime time.Duration    // absolute, from sign-in; 0: DefaultSessionLifetime
	Now      func() time.Time // nil: time.Now
}

// Sessions keeps which browsers are signed in, and as whom.
type Sessions struct {
	db       *db.DB
	cookies  Cookies
	lifetime time.Duration
	now      func() time.Time
}

// Session is one signed-in browser.
type Session struct {
	Org, Subject         string // the Salesforce user
	CreatedAt, ExpiresAt time.Time

	// CSRF is the value of the field "csrf_token" in every form shown to this
	// session. It follows from the session's cookie, so no other session has it.
	CSRF string

	csrfHash string
}

// NewSessions returns the sessions in the database of c.
func NewSessions(c Config) *Sessions {
	s := &Sessions{db: c.DB, cookies: c.Cookies, lifetime: c.Lifetime, now: c.Now}
	if s.lifetime <= 0 {
		s.lifetime = DefaultSessionLifetime
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Start signs the browser in as subject of org. The id is always new, and a
// session that the browser had is ended once the new one is there: an id planted before the login
// is worth nothing after it.
func (s *Sessions) Start(w http.ResponseWriter, r *http.Request, org, subject string) error {
	ctx := r.Context()
	previous, _ := s.cookies.get(r, "session")
	id, now := newSecret(), s.now()
	row := []any{hash(id), org, subject, hash(FormToken(id)), db.Millis(now), db.Millis(now.Add(s.lifetime))}
	_, err := s.db.Writes.ExecContext(ctx, `
		INSERT INTO browser_sessions (session_hash, org, subject, csrf_hash, created_at, expires_at, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, append(row, s.db.MAC(db.BrowserSessions, row...))...)
	if err == nil {
		// After the insert: of two at the same time, the later looks at what both have stored.
		_, err = s.db.Writes.ExecContext(ctx, `DELETE FROM browser_sessions WHERE session_hash = $1 OR (org = $2 AND subject = $3 AND session_hash <> $4
			AND session_hash NOT IN (SELECT session_hash FROM browser_sessions WHERE org = $2 AND subject = $3 AND session_hash NOT IN ($1, $4)
				ORDER BY created_at DESC, session_hash LIMIT $5))`, hash(previous), org, subject, hash(id), sessionsPerUser-1)
	}
	if err != nil {
		return fmt.Errorf("starting session: %w", err)
	}
	s.cookies.set(w, "session", id, s.lifetime)
	return nil
}

// Current returns the session of the browser that sent r, or ErrNoSession: also for one that
// somebody changed without the keys.
func (s *Sessions) Current(r *http.Request) (*Session, error) {
	id, ok := s.cookies.get(r, "session")
	if !ok {
		return nil, ErrNoSession
	}
	session := Session{CSRF: FormToken(id)}
	var created, expires int64
	var mac string
	err := s.db.Reads.QueryRowContext(r.Context(), `
		SELECT org, subject, csrf_hash, created_at, expires_at, mac FROM browser_sessions
		WHERE session_hash = $1 AND expires_at > $2`, hash(id), db.Millis(s.now())).
		Scan(&session.Org, &session.Subject, &session.csrfHash, &created, &expires, &mac)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, ErrNoSession
	case err != nil:
		return nil, fmt.Errorf("reading session: %w", err)
	}
	authentic, err := s.db.Verify(db.BrowserSessions, mac, hash(id), session.Org, session.Subject, session.csrfHash, created, expires)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading session: %w", err)
	case !authentic:
		return nil, ErrNoSession
	}
	session.CreatedAt, session.ExpiresAt = db.Time(created), db.Time(expires)
	return &session, nil
}

// End signs the browser out. Its cookie is useless from then on, wherever it was
// copied to.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) error {
	if id, ok := s.cookies.get(r, "session"); ok {
		if err := s.delete(r.Context(), id); err != nil {
			return fmt.Errorf("ending session: %w", err)
		}
	}
	s.cookies.clear(w, "session")
	return nil
}

func (s *Sessions) delete(ctx context.Context, id string) error {
	_, err := s.db.Writes.ExecContext(ctx, `DELETE FROM browser_sessions WHERE session_hash = $1`, hash(id))
	return err
}

// EndUser signs a person out of every browser and returns how many there were.
func (s *Sessions) EndUser(ctx context.Context, org, subject string) (int, error) {
	n, err := s.deleteWhere(ctx, `DELETE FROM browser_sessions WHERE org = $1 AND subject = $2`, org, subject)
	if err != nil {
		return 0, fmt.Errorf("ending the sessions of a user: %w", err)
	}
	return n, nil
}

// EndBegunBefore signs a person out of every browser that was signed in before a time, and returns
// how many there were; the zero time: of every one.
func (s *Sessions) EndBegunBefore(ctx context.Context, org, subject string, before time.Time) (int, error) {
	if before.IsZero() {
		return s.EndUser(ctx, org, subject)
	}
	n, err := s.deleteWhere(ctx, `DELETE FROM browser_sessions WHERE org = $1 AND subject = $2 AND created_at < $3`, org, subject, db.Millis(before))
	if err != nil {
		return 0, fmt.Errorf("ending the earlier sessions of a user: %w", err)
	}
	return n, nil
}

// Sweep deletes expired sessions, which nothing accepts any more, and returns how
// many there were.
func (s *Sessions) Sweep(ctx context.Context) (int, error) {
	n, err := db.Affected(ctx, s.db.Writes, `DELETE FROM browser_sessions WHERE expires_at <= $1`, db.Millis(s.now()))
	if err != nil {
		return 0, fmt.Errorf("sweeping sessions: %w", err)
	}
	return int(n), nil
}

func (s *Sessions) deleteWhere(ctx context.Context, statement string, args ...any) (int, error) {
	n, err := s.db.KnownAffected(ctx, statement, args...)
	return int(n), err
}

// CheckCSRF returns a [Refusal] unless form holds the session's "csrf_token".
func (s *Session) CheckCSRF(form url.Values) error {
	if !sameText(hash(form.Get("csrf_token")), s.csrfHash) {
		return errStaleForm
	}
	return nil
}
