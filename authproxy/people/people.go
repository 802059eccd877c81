package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
)

// Errors of the store.
var (
	// ErrNoSession: nobody is signed in with that id: it is unknown, ended, expired or was idle.
	ErrNoSession = errors.New("not signed in with the company")
	// ErrLinked: the Salesforce user is somebody else already.
	ErrLinked = errors.New("the Salesforce user is linked to another person")
	// ErrNotFound: there is no such link or session.
	ErrNotFound = errors.New("not found")
)

// Roles that pages of ours are for. Configuration may name others, for approvals.
const (
	Security = "security" // reads everything, and acts: ends, blocks, stops, accepts
	Auditor  = "auditor"  // reads everything
)

// Defaults of Config.
const (
	DefaultMaxAge   = 15 * time.Minute
	DefaultIdle     = time.Hour
	DefaultLifetime = 12 * time.Hour
)

// sessionsPerPerson is how many browsers a person is signed in with at a time; with one more,
// the oldest is signed out.
const sessionsPerPerson = 10

// Config is what [New] needs. DB and SignIn are required.
type Config struct {
	DB     *db.DB
	SignIn *company.SignIn // knows the roles
	// MaxAge is how long what the provider said of a person gives roles; 0: [DefaultMaxAge].
	MaxAge time.Duration
	// Idle is how long a session lasts without a request; 0: [DefaultIdle]. Lifetime is how long
	// it lasts at most; 0: [DefaultLifetime].
	Idle, Lifetime time.Duration
	// Blocked says that a Salesforce user is blocked: the person whom they are has no role then.
	// nil: nobody is.
	Blocked func(ctx context.Context, org, subject string) (bool, error)
	// Users are the Salesforce users whom a name means that somebody typed; nil: nobody.
	Users func(ctx context.Context, who string) ([]grant.User, error)
	Now   func() time.Time // nil: time.Now
}

// Store keeps people, their sessions and links.
type Store struct{ Config }

// New returns the store in the database of c.
func New(c Config) *Store {
	for _, d := range []struct {
		value    *time.Duration
		byItself time.Duration
	}{{&c.MaxAge, DefaultMaxAge}, {&c.Idle, DefaultIdle}, {&c.Lifetime, DefaultLifetime}} {
		if *d.value <= 0 {
			*d.value = d.byItself
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{c}
}

// Person is who signed in with the company, as a session shows them.
type Person struct {
	company.Identity // AuthTime and ACR are those of the session
	// Roles are those that they hold now; none if Stale.
	Roles []string
	// Stale says that what the provider said of them is too old to give roles; Aging, that half the time is over for
	// which it does, also where all of it is.
	Stale, Aging bool
	// Blocked says that a Salesforce user who is the same human is blocked: they have no role.
	// [Store.Sessions] does not look.
	Blocked bool
	// ID names the session for people; it does not open it.
	ID                           string
	CreatedAt, SeenAt, ExpiresAt time.Time
}

// Human names the person over all browsers.
func (p *Person) Human() string { return company.Human(p.Issuer, p.Subject) }

// Label returns the best name there is for the person.
func (p *Person) Label() string {
	switch {
	case p.Name != "":
		return p.Name
	case p.Email != "":
		return p.Email
	}
	return p.Subject
}

// ErrCutOff refuses somebody who was cut off since their sign-in was begun: nothing of them is kept.
var ErrCutOff = errors.New("cut off since the sign-in was begun")

// Start keeps what the provider said of a person and signs a browser in as them, unless they were cut off since the sign-in was
// begun, when [db.DB.LastCut] was began: [ErrCutOff]. The id is always new; previous, what the browser had, is ended once
// the new one is there.
func (s *Store) Start(ctx context.Context, i company.Identity, previous string, began int64) (id string, err error) {
	b := make([]byte, 32)
	rand.Read(b) // does not fail
	id = base64.RawURLEncoding.EncodeToString(b)
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.DB.HoldCuts(ctx, tx, i.Issuer, i.Subject); err != nil { // whoever cuts them off after this finds what is kept
			return err
		}
		if cut, err := s.DB.CutSince(ctx, tx, i.Issuer, i.Subject, began); err != nil {
			return err
		} else if cut {
			return ErrCutOff
		}
		if err := s.see(ctx, tx, i); err != nil {
			return err
		}
		return s.keep(ctx, tx, i, id, previous)
	})
	if err != nil {
		return "", fmt.Errorf("signing a person in: %w", err)
	}
	return id, nil
}

// see keeps what the provider said, in the place of what it said before.
func (s *Store) see(ctx context.Context, tx *sql.Tx, i company.Identity) error {
	groups, err := json.Marshal(append([]string{}, i.Groups...))
	if err != nil {
		return err
	}
	row := []any{i.Issuer, i.Subject, i.Name, i.Email, string(groups), db.Millis(i.CheckedAt)}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO company_people (issuer, subject, name, email, groups, checked_at, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (issuer, subject) DO UPDATE SET name = excluded.name, email = excluded.email, groups = excluded.groups,
			checked_at = excluded.checked_at, mac = excluded.mac
		WHERE company_people.checked_at <= excluded.checked_at`, append(row, s.DB.MAC(db.CompanyPeople, row...))...)
	return err
}

// keep keeps the session id, and ends previous and those that are more than a person has.
func (s *Store) keep(ctx context.Context, tx *sql.Tx, i company.Identity, id, previous string) error {
	now := s.Now()
	row := []any{hash(id), i.Issuer, i.Subject, millis(i.AuthTime), i.ACR, db.Millis(now), db.Millis(now.Add(s.Lifetime))}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO company_sessions (session_hash, issuer, subject, auth_time, acr, created_at, expires_at, mac, seen_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, append(row, s.DB.MAC(db.CompanySessions, row...), db.Millis(now))...)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM company_sessions WHERE session_hash = $1 OR (issuer = $2 AND subject = $3 AND session_hash <> $4
		AND session_hash NOT IN (SELECT session_hash FROM company_sessions WHERE issuer = $2 AND subject = $3 AND session_hash NOT IN ($1, $4)
			ORDER BY created_at DESC, session_hash LIMIT $5))`, hash(previous), i.Issuer, i.Subject, hash(id), sessionsPerPerson-1)
	return err
}

// Current returns the person of a session, or [ErrNoSession], and counts the request against
// the session's idle time.
func (s *Store) Current(ctx context.Context, id string) (*Person, error) {
	p, err := s.Look(ctx, id)
	if err != nil {
		return nil, err
	}
	if now := s.Now(); now.Sub(p.SeenAt) > s.Idle/20 { // not with every request
		if _, err := s.DB.Writes.ExecContext(ctx, `UPDATE company_sessions SET seen_at = $1 WHERE session_hash = $2 AND seen_at < $1`, db.Millis(now), hash(id)); err != nil {
			return nil, fmt.Errorf("reading a company session: %w", err)
		}
	}
	return p, nil
}

// Look is [Store.Current] for what no person does: it does not keep a session from ending for
// being idle.
func (s *Store) Look(ctx context.Context, id string) (*Person, error) {
	found, err := s.sessions(ctx, ` AND s.session_hash = $2`, hash(id))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNoSession
	}
	p := &found[0]
	blocked, err := s.blocked(ctx, p.Issuer, p.Subject)
	if err != nil {
		return nil, err
	}
	if blocked {
		p.Roles, p.Blocked = nil, true
	}
	return p, nil
}

// Sessions are the browsers that are signed in with the company, the newest first.
func (s *Store) Sessions(ctx context.Context) ([]Person, error) { return s.sessions(ctx, "") }

// SessionsOf are those of one person.
func (s *Store) SessionsOf(ctx context.Context, issuer, subject string) ([]Person, error) {
	return s.sessions(ctx, ` AND s.issuer = $2 AND s.subject = $3`, issuer, subject)
}

// sessions are those that have not ended, and are ours, with their people.
func (s *Store) sessions(ctx context.Context, where string, args ...any) (all []Person, err error) {
	now := s.Now()
	rows, err := s.DB.Reads.QueryContext(ctx, `
		SELECT s.session_hash, s.issuer, s.subject, s.auth_time, s.acr, s.created_at, s.expires_at, s.mac, s.seen_at,
			p.name, p.email, p.groups, p.checked_at, p.mac
		FROM company_sessions s JOIN company_people p ON p.issuer = s.issuer AND p.subject = s.subject
		WHERE s.expires_at > $1`+where+` ORDER BY s.created_at DESC, s.session_hash LIMIT 1000`, append([]any{db.Millis(now)}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("reading company sessions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Person
		var sessionHash, mac, groups, personMAC string
		var authTime, created, expires, seen, checked int64
		if err := rows.Scan(&sessionHash, &p.Issuer, &p.Subject, &authTime, &p.ACR, &created, &expires, &mac, &seen,
			&p.Name, &p.Email, &groups, &checked, &personMAC); err != nil {
			return nil, fmt.Errorf("reading company sessions: %w", err)
		}
		if now.Sub(db.Time(seen)) > s.Idle {
			continue
		}
		authentic, err := s.DB.Verify(db.CompanySessions, mac, sessionHash, p.Issuer, p.Subject, authTime, p.ACR, created, expires)
		if authentic {
			authentic, err = s.DB.Verify(db.CompanyPeople, personMAC, p.Issuer, p.Subject, p.Name, p.Email, groups, checked)
		}
		if err != nil {
			return nil, err
		}
		if !authentic {
			continue
		}
		if err := json.Unmarshal([]byte(groups), &p.Groups); err != nil {
			return nil, fmt.Errorf("reading company sessions: %w", err)
		}
		p.ID, p.CheckedAt, p.CreatedAt, p.SeenAt, p.ExpiresAt = sessionHash[:idLength], db.Time(checked), db.Time(created), db.Time(seen), db.Time(expires)
		if authTime > 0 {
			p.AuthTime = db.Time(authTime)
		}
		p.Roles, p.Stale = s.roles(p.Identity)
		p.Aging = p.Stale || now.Sub(p.CheckedAt) > s.MaxAge/2
		all = append(all, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading company sessions: %w", err)
	}
	return all, nil
}

// roles are those that somebody holds now. The clock may have been set back.
func (s *Store) roles(i company.Identity) (roles []string, stale bool) {
	if age := s.Now().Sub(i.CheckedAt); age > s.MaxAge || age < -time.Minute {
		return nil, true
	}
	return s.SignIn.Roles(i), false
}

// End signs a browser out.
func (s *Store) End(ctx context.Context, id string) error {
	if _, err := s.DB.Writes.ExecContext(ctx, `DELETE FROM company_sessions WHERE session_hash = $1`, hash(id)); err != nil {
		return fmt.Errorf("ending a company session: %w", err)
	}
	return nil
}

// idLength is how much of a session's hash names it, in hexadecimal digits: 64 bits.
const idLength = 16

// EndNamed signs out the browser whose session has that [Person.ID], or [ErrNotFound].
func (s *Store) EndNamed(ctx context.Context, id string) error {
	if len(id) != idLength || strings.Trim(id, "0123456789abcdef") != "" {
		return ErrNotFound
	}
	n, err := s.DB.KnownAffected(ctx, `DELETE FROM company_sessions WHERE session_hash >= $1 AND session_hash < $2`, id, id+"g")
	return changed(n, err)
}

// Sweep deletes sessions that nothing accepts any more, and what was said of people who have
// none, whom nothing links and whose name is not needed any more.
func (s *Store) Sweep(ctx context.Context) error {
	now := s.Now()
	_, err := s.DB.Writes.ExecContext(ctx, `DELETE FROM company_sessions WHERE expires_at <= $1 OR seen_at < $2`, db.Millis(now), db.Millis(now.Add(-s.Idle)))
	if err == nil {
		_, err = s.DB.Writes.ExecContext(ctx, `DELETE FROM company_people WHERE checked_at < $1
			AND NOT EXISTS (SELECT 1 FROM company_sessions s WHERE s.issuer = company_people.issuer AND s.subject = company_people.subject)
			AND NOT EXISTS (SELECT 1 FROM human_links l WHERE l.issuer = company_people.issuer AND l.person = company_people.subject)`, db.Millis(now.Add(-namesKept)))
	}
	if err != nil {
		return fmt.Errorf("sweeping company sessions: %w", err)
	}
	return nil
}

// Holds reports whether a human holds a role now, by what their provider last said.
func (s *Store) Holds(ctx context.Context, human, role string) (bool, error) {
	issuer, subject, ok := company.ParseHuman(human)
	if !ok {
		return false, nil
	}
	i := company.Identity{Issuer: issuer, Subject: subject}
	var groups, mac string
	var checked int64
	err := s.DB.Reads.QueryRowContext(ctx, `SELECT name, email, groups, checked_at, mac FROM company_people WHERE issuer = $1 AND subject = $2`, issuer, subject).
		Scan(&i.Name, &i.Email, &groups, &checked, &mac)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading a person: %w", err)
	}
	if authentic, err := s.DB.Verify(db.CompanyPeople, mac, issuer, subject, i.Name, i.Email, groups, checked); err != nil || !authentic {
		return false, err
	}
	if err := json.Unmarshal([]byte(groups), &i.Groups); err != nil {
		return false, fmt.Errorf("reading a person: %w", err)
	}
	i.CheckedAt = db.Time(checked)
	if roles, _ := s.roles(i); !slices.Contains(roles, role) {
		return false, nil
	}
	blocked, err := s.blocked(ctx, issuer, subject)
	return !blocked && err == nil, err
}

func hash(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// millis is 0 for a time that is not known.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return db.Millis(t)
}

func changed(n int64, err error) error {
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}
