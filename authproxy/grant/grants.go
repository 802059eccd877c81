package grant

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

// Grant is the consent of one user to one client for one MCP endpoint.
type Grant struct {
	// ID is a name, not a secret: grt_ and 16 characters.
	ID string
	// Org and Subject are the Salesforce user, Username and Name what is known of
	// them for people to read ("" when unknown).
	Org, Subject, Username, Name string
	ClientID                     string
	// Server is the name of the endpoint, Resource its URL when it was granted.
	Server, Resource string
	Scope            string
	RedirectURI      string
	// ExpiresAt ends it whatever happens; until its code is redeemed (ActivatedAt)
	// that is the end of the code. LastUsedAt is kept to the minute.
	CreatedAt, ExpiresAt, ActivatedAt, LastUsedAt time.Time
	// RevokedAt is zero unless someone or something (RevokedWhy) ended it.
	RevokedAt  time.Time
	RevokedWhy string
}

// Live says whether the grant can still be used at that time.
func (g *Grant) Live(now time.Time) bool { return g.RevokedAt.IsZero() && g.ExpiresAt.After(now) }

// grantColumns fit a SELECT and a RETURNING, which can neither join nor use an alias.
const grantColumns = `grants.id, grants.org, grants.subject, grants.client_id, grants.server, grants.resource, grants.scope, grants.redirect_uri,
	grants.created_at, grants.expires_at, grants.activated_at, grants.last_used_at, grants.revoked_at, grants.revoked_why,
	COALESCE((SELECT username FROM users u WHERE u.org = grants.org AND u.subject = grants.subject), ''),
	COALESCE((SELECT name FROM users u WHERE u.org = grants.org AND u.subject = grants.subject), '')`

func scanGrant(row interface{ Scan(...any) error }, more ...any) (*Grant, error) {
	var g Grant
	var created, expires, activated, used, revoked int64
	err := row.Scan(append([]any{&g.ID, &g.Org, &g.Subject, &g.ClientID, &g.Server, &g.Resource, &g.Scope, &g.RedirectURI,
		&created, &expires, &activated, &used, &revoked, &g.RevokedWhy, &g.Username, &g.Name}, more...)...)
	if err != nil {
		return nil, err
	}
	g.CreatedAt, g.ExpiresAt, g.ActivatedAt = db.Time(created), db.Time(expires), db.Time(activated)
	g.LastUsedAt, g.RevokedAt = db.Time(used), db.Time(revoked)
	return &g, nil
}

func scanGrants(rows *sql.Rows, err error) ([]Grant, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Grant
	for rows.Next() {
		g, err := scanGrant(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, *g)
	}
	return all, rows.Err()
}

// covered are the columns of [db.Grants].
func (g *Grant) covered() []any {
	return []any{g.ID, g.Org, g.Subject, g.ClientID, g.Server, g.Resource, g.Scope, g.RedirectURI,
		db.Millis(g.CreatedAt), db.Millis(g.ExpiresAt), db.Millis(g.ActivatedAt)}
}

// authenticColumns are those of a grant and of its user, as alias u, with their MACs: what
// is read where a grant opens something.
const authenticColumns = `grants.id, grants.org, grants.subject, grants.client_id, grants.server, grants.resource, grants.scope, grants.redirect_uri,
	grants.created_at, grants.expires_at, grants.activated_at, grants.last_used_at, grants.revoked_at, grants.revoked_why,
	u.username, u.name, grants.mac, u.blocked_at, u.mac`

// scanAuthentic reads a grant, and whether its user is blocked. A grant that somebody
// changed, or whose user somebody did, is not there: [sql.ErrNoRows]. One that was revoked
// has no MAC, and opens nothing.
func (s *Store) scanAuthentic(ctx context.Context, row interface{ Scan(...any) error }, more ...any) (g *Grant, blocked bool, err error) {
	var mac, userMAC string
	var blockedAt int64
	g, err = scanGrant(row, append([]any{&mac, &blockedAt, &userMAC}, more...)...)
	if err != nil {
		return nil, false, err
	}
	authentic, err := s.db.Verify(db.Users, userMAC, g.Org, g.Subject, g.Username, g.Name, blockedAt)
	if authentic && g.RevokedAt.IsZero() {
		authentic, err = s.db.Verify(db.Grants, mac, g.covered()...)
	}
	switch {
	case err != nil:
		return nil, false, err
	case !authentic:
		return nil, false, sql.ErrNoRows
	case blockedAt != 0:
		return g, true, nil
	}
	blocked, err = s.users.listed(ctx, g.Org, g.Subject)
	return g, blocked, err
}

func newGrantID() string { return "grt_" + strings.ToLower(rand.Text()[:16]) }

// CreateGrant makes the grant that the finished request r asked for, with r.GrantID,
// for the user who signed in, and its code. [ErrBlocked] refuses a blocked user,
// [ErrNoRequest] a request that is not an authorization that came back, or was ended since.
func (s *Store) CreateGrant(ctx context.Context, r *AuthorizationRequest, subject string) (id, code string, err error) {
	if r.Kind != Authorize || r.Status != Done || subject == "" || r.GrantID == "" {
		return "", "", ErrNoRequest
	}
	id, code = r.GrantID, seal.Secret(codePrefix)
	now := s.now()
	expires := db.Millis(now.Add(s.lifetimes.Code))
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := r.hold(ctx, s.db, tx, subject); err != nil {
			return err
		}
		if err := s.users.see(ctx, tx, r.Org, subject, db.Millis(now)); err != nil {
			return err
		}
		// The user's row is written above, so a block either came before it and is
		// seen here, or comes after this transaction and revokes the grant.
		u, err := s.users.read(ctx, tx, r.Org, subject)
		if err != nil {
			return err
		}
		if u.Blocked() {
			return ErrBlocked
		}
		g := Grant{ID: id, Org: r.Org, Subject: subject, ClientID: r.ClientID, Server: r.Server, Resource: r.Resource, Scope: r.Scope,
			RedirectURI: r.RedirectURI, CreatedAt: now, ExpiresAt: now.Add(s.lifetimes.Code)}
		if _, err := tx.ExecContext(ctx, `INSERT INTO grants
			(id, org, subject, client_id, server, resource, scope, redirect_uri, created_at, expires_at, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			id, r.Org, subject, r.ClientID, r.Server, r.Resource, r.Scope, r.RedirectURI, db.Millis(now), expires, s.db.MAC(db.Grants, g.covered()...)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO codes (code_hash, grant_id, client_id, redirect_uri, code_challenge, expires_at, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, seal.Hash(code), id, r.ClientID, r.RedirectURI, r.CodeChallenge, expires,
			s.db.MAC(db.Codes, seal.Hash(code), id, r.ClientID, r.RedirectURI, r.CodeChallenge, expires))
		return err
	})
	if err != nil {
		return "", "", fmt.Errorf("creating grant: %w", err)
	}
	return id, code, nil
}

// Grant returns one grant, live or not, or [ErrNotFound].
func (s *Store) Grant(ctx context.Context, id string) (*Grant, error) {
	g, err := scanGrant(s.db.Reads.QueryRowContext(ctx, `SELECT `+grantColumns+` FROM grants WHERE grants.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading grant: %w", err)
	}
	return g, nil
}

// LiveGrants counts the user's live grants.
func (s *Store) LiveGrants(ctx context.Context, org, subject string) (int, error) {
	var n int
	err := s.db.Reads.QueryRowContext(ctx, `SELECT COUNT(*) FROM grants
		WHERE org = $1 AND subject = $2 AND revoked_at = 0 AND expires_at > $3`, org, subject, s.millis()).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting grants: %w", err)
	}
	return n, nil
}

// Alive says whether the grant may still be used: for what runs longer than the
// request that was authenticated. It remembers as [Store.Authenticate] does.
func (s *Store) Alive(ctx context.Context, id string) (bool, error) {
	now := s.millis()
	l, err := s.live.Get(id, func(l liveGrant) bool { return l.until > now }, func() (l liveGrant, err error) {
		g, blocked, err := s.scanAuthentic(ctx, s.db.Reads.QueryRowContext(ctx, `SELECT `+authenticColumns+` FROM grants
			JOIN users u ON u.org = grants.org AND u.subject = grants.subject
			WHERE grants.id = $1 AND grants.revoked_at = 0 AND grants.expires_at > $2`, id, now))
		if err == nil && blocked {
			err = sql.ErrNoRows
		}
		if err != nil {
			return l, err
		}
		return liveGrant{g.ClientID, db.Millis(g.ExpiresAt)}, nil
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("checking grant: %w", err)
	}
	return s.clients.Knows(l.client), nil
}

// liveGrant is what Alive looks at.
type liveGrant struct {
	client string
	until  int64 // the grant's end, in milliseconds
}
