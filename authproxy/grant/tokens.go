package grant

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// Tokens are what a token endpoint answers (RFC 6749 5.1).
type Tokens struct {
	// Grant is what the tokens stand for.
	Grant *Grant
	// AccessToken and RefreshToken are the secrets themselves.
	AccessToken, RefreshToken string
	Scope                     string
	// ExpiresIn is the lifetime of the access token.
	ExpiresIn time.Duration
}

// LogValue keeps the secrets out of logs.
func (t *Tokens) LogValue() slog.Value { return slog.StringValue("tokens of " + t.Grant.ID) }

// String is LogValue for fmt.
func (t *Tokens) String() string { return t.LogValue().String() }

// issue makes an access token of g to go with refresh.
func (s *Store) issue(ctx context.Context, tx *sql.Tx, g *Grant, refresh, scope string) (*Tokens, error) {
	access := seal.Secret(accessPrefix)
	now := s.now()
	life := min(s.lifetimes.AccessToken, g.ExpiresAt.Sub(now))
	row := []any{seal.Hash(access), g.ID, db.Millis(now), db.Millis(now.Add(life))}
	_, err := tx.ExecContext(ctx, `INSERT INTO access_tokens (token_hash, grant_id, created_at, expires_at, mac)
		VALUES ($1, $2, $3, $4, $5)`, append(row, s.db.MAC(db.AccessTokens, row...))...)
	if err != nil {
		return nil, err
	}
	return &Tokens{Grant: g, AccessToken: access, RefreshToken: refresh, Scope: scope, ExpiresIn: life}, nil
}

// issueRefresh makes a refresh token of g, its family's leaf.
func (s *Store) issueRefresh(ctx context.Context, tx *sql.Tx, g *Grant) (string, error) {
	refresh := seal.Secret(refreshPrefix)
	now := s.now()
	r := refreshToken{hash: seal.Hash(refresh), grantID: g.ID, created: db.Millis(now), idleExpires: db.Millis(now.Add(s.lifetimes.RefreshIdle))}
	_, err := tx.ExecContext(ctx, `INSERT INTO refresh_tokens (token_hash, grant_id, created_at, idle_expires_at, mac)
		VALUES ($1, $2, $3, $4, $5)`, r.hash, r.grantID, r.created, r.idleExpires, s.db.MAC(db.RefreshTokens, r.covered()...))
	return refresh, err
}

// Authenticate returns the grant that an access token stands for, if it opens that
// server now. Everything else is [ErrInvalidToken]: malformed, unknown, expired,
// revoked, another server's (a [ForeignTokenError]), a blocked user, a client that is no
// longer configured.
//
// The caller must still see that its server fronts the grant's org. What the database
// said is remembered for as long as nothing takes access away (see [db.Cache]); times are
// compared at every call. The time of use is kept in memory until [Store.Sweep].
func (s *Store) Authenticate(ctx context.Context, accessToken, server string) (Authenticated, error) {
	if !seal.WellFormed(accessToken, accessPrefix) || server == "" {
		return Authenticated{}, ErrInvalidToken
	}
	hash, now := seal.Hash(accessToken), s.millis()
	a, look, err := s.authenticated.Look(credential{hash, server},
		func(a access) bool { return a.until > now },
		func() (access, error) { return s.readAccess(ctx, hash, server, now) })
	if errors.Is(err, sql.ErrNoRows) {
		return Authenticated{}, ErrInvalidToken
	}
	if foreign, ok := errors.AsType[*ForeignTokenError](err); ok && s.clients.Knows(foreign.Grant.ClientID) {
		return Authenticated{}, foreign
	} else if ok {
		return Authenticated{}, ErrInvalidToken
	}
	if err != nil {
		return Authenticated{}, fmt.Errorf("authenticating: %w", err)
	}
	if !s.clients.Knows(a.grant.ClientID) {
		return Authenticated{}, ErrInvalidToken
	}
	s.mu.Lock()
	s.used[a.grant.ID] = now
	s.mu.Unlock()
	return Authenticated{a.grant, a.until, look}, nil
}

// Authenticated is what [Store.Authenticate] says of an access token.
type Authenticated struct {
	*Grant         // shared with others: it must not be changed
	Until  int64   // the end of the token or of the grant, in Unix milliseconds
	Look   db.Look // at the database
}

// StillGood reports that a token which opened a server opens it now, as far as this can be told
// without asking the database; false says nothing.
func (s *Store) StillGood(a Authenticated) bool {
	return s.db.Holds(a.Look) && a.Until > s.millis() && s.clients.Knows(a.ClientID)
}

// ForeignTokenError is an [ErrInvalidToken] that names whose token it is: it is good, at
// another server.
type ForeignTokenError struct{ Grant Grant }

// Error is the text of ErrInvalidToken.
func (e *ForeignTokenError) Error() string { return ErrInvalidToken.Error() }

// Unwrap returns ErrInvalidToken.
func (e *ForeignTokenError) Unwrap() error { return ErrInvalidToken }

// credential is an access token at the server that it is shown to.
type credential struct{ hash, server string }

// access is what an access token opens.
type access struct {
	grant *Grant
	until int64 // the end of the token or of the grant, in milliseconds
}

// readAccess is one indexed read; its error for a token that opens nothing is
// [sql.ErrNoRows].
func (s *Store) readAccess(ctx context.Context, hash, server string, now int64) (access, error) {
	var created, until int64
	var mac string
	g, blocked, err := s.scanAuthentic(ctx, s.db.Reads.QueryRowContext(ctx, `SELECT `+authenticColumns+`, t.created_at, t.expires_at, t.mac
		FROM access_tokens t JOIN grants ON grants.id = t.grant_id JOIN users u ON u.org = grants.org AND u.subject = grants.subject
		WHERE t.token_hash = $1 AND t.expires_at > $2 AND t.revoked_at = 0
		AND grants.revoked_at = 0 AND grants.expires_at > $2 AND u.blocked_at = 0`, hash, now), &created, &until, &mac)
	if err != nil {
		return access{}, err
	}
	authentic, err := s.db.Verify(db.AccessTokens, mac, hash, g.ID, created, until)
	switch {
	case err != nil:
		return access{}, err
	case blocked || !authentic:
		return access{}, sql.ErrNoRows
	case g.Server != server:
		return access{}, &ForeignTokenError{*g}
	}
	return access{g, min(until, db.Millis(g.ExpiresAt))}, nil
}

// RevokeToken revokes at a client's wish (RFC 7009 2). A refresh token, spent or not,
// ends its grant; an access token ends alone. It returns the grant (RevokedAt shows
// whether it ended), or nil when there was nothing to do: unknown, another client's,
// or over.
func (s *Store) RevokeToken(ctx context.Context, token, clientID string) (*Grant, error) {
	var g *Grant
	err := s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		switch {
		case seal.WellFormed(token, refreshPrefix):
			g, err = s.revokeByRefresh(ctx, tx, token, clientID)
		case seal.WellFormed(token, accessPrefix):
			g, err = s.dropAccess(ctx, tx, token, clientID)
		}
		if err == nil && g == nil {
			err = db.ErrUnchanged
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revoking token: %w", err)
	}
	return g, nil
}

func (s *Store) revokeByRefresh(ctx context.Context, tx *sql.Tx, token, clientID string) (*Grant, error) {
	ended, err := s.revoke(ctx, tx, "revoked by the client",
		`grants.client_id = $3 AND grants.id = (SELECT r.grant_id FROM refresh_tokens r WHERE r.token_hash = $4)`, clientID, seal.Hash(token))
	if err != nil || len(ended) == 0 {
		return nil, err
	}
	return &ended[0], nil
}

func (s *Store) dropAccess(ctx context.Context, tx *sql.Tx, token, clientID string) (*Grant, error) {
	now := s.millis()
	g, err := scanGrant(tx.QueryRowContext(ctx, `SELECT `+grantColumns+` FROM access_tokens t JOIN grants ON grants.id = t.grant_id
		WHERE t.token_hash = $1 AND t.expires_at > $3 AND grants.client_id = $2 AND grants.revoked_at = 0 AND grants.expires_at > $3`,
		seal.Hash(token), clientID, now))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n, err := db.Affected(ctx, tx, `UPDATE access_tokens SET revoked_at = $1, mac = '' WHERE token_hash = $2 AND revoked_at = 0`, now, seal.Hash(token))
	if err != nil || n == 0 {
		return nil, err
	}
	return g, s.db.RaiseAccessEpoch(ctx, tx)
}
