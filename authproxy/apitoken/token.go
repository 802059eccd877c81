package apitoken

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// Bounds of tokens.
const (
	// Prefix begins every token.
	Prefix = "sft_"
	// MaxLive is how many tokens can be good at a time.
	MaxLive = 50
	// MaxLifetime is the longest that a token can be good.
	MaxLifetime = 366 * 24 * time.Hour
	// kept is how long a token that is over is still listed.
	kept = 90 * 24 * time.Hour
	// usedStep is how exactly the last use is kept.
	usedStep = time.Minute
)

// Errors of the store.
var (
	// ErrUnknown: it is no token of ours.
	ErrUnknown = errors.New("unknown token")
	// ErrOver: the token was one, and is revoked or at its end.
	ErrOver = errors.New("the token is revoked or at its end")
	// ErrNotFound: no good token has that id.
	ErrNotFound = errors.New("no such token")
	// ErrTooMany: there are [MaxLive] already.
	ErrTooMany = fmt.Errorf("there are %d tokens already: revoke those that nobody uses", MaxLive)
	// ErrName: the name is taken by a good token.
	ErrName = errors.New("a good token has that name: choose another, or revoke that one")
)

// Token is what is known of a token; not the token itself.
type Token struct {
	ID                   string // apt_ and 16 characters: a name, not a secret
	Name, Role           string
	CreatedBy            actor.Actor
	CreatedAt, ExpiresAt time.Time
	// LastUsedAt is kept to the minute; zero: it was never used.
	LastUsedAt time.Time
	RevokedAt  time.Time // zero: it is not
}

// Actor is who acts with the token, as the audit log names it.
func (t *Token) Actor() actor.Actor { return actor.APIToken(t.Name, t.ID) }

// Good reports whether the token opens anything at that time.
func (t *Token) Good(now time.Time) bool { return t.RevokedAt.IsZero() && t.ExpiresAt.After(now) }

// State is good, revoked or expired.
func (t *Token) State(now time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !t.Good(now):
		return "expired"
	}
	return "good"
}

// Config is what [New] needs. Now may be left out.
type Config struct {
	DB *db.DB
	// Roles are those that a token can have.
	Roles []string
	Now   func() time.Time // nil: time.Now
}

// Store keeps tokens. It is safe for concurrent use.
type Store struct{ Config }

// New returns the store in c.DB.
func New(c Config) *Store {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{c}
}

// Wanted is a token that somebody asks for.
type Wanted struct {
	Name     string // letters, digits, ".", "_" and "-", at most 40
	Role     string
	Lifetime time.Duration // more than 0, at most [MaxLifetime]
	By       actor.Actor
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`)

// Check says what is wrong with what is asked for.
func (s *Store) Check(w Wanted) error {
	switch {
	case !nameForm.MatchString(w.Name):
		return fmt.Errorf("name %q: expected 1 to 40 letters, digits, dots, underscores and hyphens, beginning with a letter or digit", w.Name)
	case !slices.Contains(s.Roles, w.Role):
		return fmt.Errorf("role %q: a token can have %s; a decision about a call that waits is a person's, so no token has a role that decides", w.Role, strings.Join(s.Roles, " or "))
	case w.Lifetime <= 0 || w.Lifetime > MaxLifetime:
		return fmt.Errorf("lifetime %s: expected more than nothing and at most %d days", w.Lifetime, MaxLifetime/(24*time.Hour))
	}
	return nil
}

// Create makes a token. secret is the only time that it can be read. Errors: those of
// [Store.Check], [ErrTooMany], [ErrName].
func (s *Store) Create(ctx context.Context, w Wanted) (secret string, t *Token, err error) {
	if err := s.Check(w); err != nil {
		return "", nil, err
	}
	now := s.Now().UTC().Truncate(time.Millisecond)
	secret = seal.Secret(Prefix)
	t = &Token{ID: "apt_" + strings.ToLower(rand.Text()[:16]), Name: w.Name, Role: w.Role, CreatedBy: w.By, CreatedAt: now, ExpiresAt: now.Add(w.Lifetime)}
	row := []any{seal.Hash(secret), t.ID, t.Name, t.Role, t.CreatedBy.String(), db.Millis(t.CreatedAt), db.Millis(t.ExpiresAt)}
	err = s.DB.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.DB.Lock(ctx, tx, "api_tokens"); err != nil {
			return err
		}
		var live, named int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN name = $1 THEN 1 ELSE 0 END), 0) FROM api_tokens
			WHERE revoked_at = 0 AND expires_at > $2`, t.Name, db.Millis(now)).Scan(&live, &named); err != nil {
			return err
		}
		switch {
		case named > 0:
			return ErrName
		case live >= MaxLive:
			return ErrTooMany
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO api_tokens (token_hash, id, name, role, created_by, created_at, expires_at, last_used_at, revoked_at, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8)`, append(row, s.DB.MAC(db.APITokens, row...))...)
		return err
	})
	if err != nil {
		return "", nil, fmt.Errorf("creating a token: %w", err)
	}
	return secret, t, nil
}

const columns = `token_hash, id, name, role, created_by, created_at, expires_at, last_used_at, revoked_at, mac`

// scan reads a row, and reports whether it is ours. One that is revoked has no MAC, and opens
// nothing.
func (s *Store) scan(row interface{ Scan(...any) error }) (t *Token, ours bool, err error) {
	t = &Token{}
	var hash, by, mac string
	var created, expires, used, revoked int64
	if err := row.Scan(&hash, &t.ID, &t.Name, &t.Role, &by, &created, &expires, &used, &revoked, &mac); err != nil {
		return nil, false, err
	}
	t.CreatedBy, t.CreatedAt, t.ExpiresAt, t.LastUsedAt, t.RevokedAt = actor.Parse(by), db.Time(created), db.Time(expires), db.Time(used), db.Time(revoked)
	if revoked != 0 {
		return t, true, nil
	}
	ours, err = s.DB.Verify(db.APITokens, mac, hash, t.ID, t.Name, t.Role, by, created, expires)
	return t, ours, err
}

// Use returns the token of a secret and notes that it was used. Errors: [ErrUnknown]; [ErrOver],
// then the token is returned as well.
func (s *Store) Use(ctx context.Context, secret string) (*Token, error) {
	if !seal.WellFormed(secret, Prefix) {
		return nil, ErrUnknown
	}
	hash, now := seal.Hash(secret), s.Now()
	t, ours, err := s.scan(s.DB.Reads.QueryRowContext(ctx, `SELECT `+columns+` FROM api_tokens WHERE token_hash = $1`, hash))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, ErrUnknown
	case err != nil:
		return nil, fmt.Errorf("reading a token: %w", err)
	case !ours || !slices.Contains(s.Roles, t.Role):
		return nil, ErrUnknown
	case !t.Good(now):
		return t, ErrOver
	}
	if now.Sub(t.LastUsedAt) >= usedStep { // not with every request
		if _, err := s.DB.Writes.ExecContext(ctx, `UPDATE api_tokens SET last_used_at = $1 WHERE token_hash = $2 AND last_used_at < $1`, db.Millis(now), hash); err != nil {
			return nil, fmt.Errorf("noting the use of a token: %w", err)
		}
	}
	return t, nil
}

// List returns the tokens, the newest first, with those that are over for some months.
func (s *Store) List(ctx context.Context) (all []Token, err error) {
	rows, err := s.DB.Reads.QueryContext(ctx, `SELECT `+columns+` FROM api_tokens ORDER BY created_at DESC, id LIMIT 1000`)
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		t, ours, err := s.scan(rows)
		if err != nil {
			return nil, fmt.Errorf("listing tokens: %w", err)
		}
		if ours {
			all = append(all, *t)
		}
	}
	return all, rows.Err()
}

// Revoke ends the token with that id and returns it. [ErrNotFound] if there is no good one.
func (s *Store) Revoke(ctx context.Context, id string) (*Token, error) {
	now := db.Millis(s.Now())
	var t *Token
	err := s.DB.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		t, _, err = s.scan(tx.QueryRowContext(ctx, `UPDATE api_tokens SET revoked_at = $1, mac = '' WHERE id = $2 AND revoked_at = 0 AND expires_at > $1
			RETURNING `+columns, now, id))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("revoking a token: %w", err)
	}
	return t, nil
}

// Sweep deletes tokens that have been over for long, and answers that nobody can ask for any
// more. Call it once a minute.
func (s *Store) Sweep(ctx context.Context) error {
	now := s.Now()
	_, err := s.DB.Writes.ExecContext(ctx, `DELETE FROM api_tokens WHERE expires_at < $1 OR revoked_at > 0 AND revoked_at < $1`, db.Millis(now.Add(-kept)))
	if err == nil {
		_, err = s.DB.Writes.ExecContext(ctx, `DELETE FROM api_replays WHERE created_at <= $1`, db.Millis(now.Add(-AnswerKept)))
	}
	if err != nil {
		return fmt.Errorf("sweeping tokens: %w", err)
	}
	return nil
}
