package grant

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// maxFailures is how many wrong verifiers a code survives.
const maxFailures = 5

// Redemption is a token request with a code (RFC 6749 4.1.3, RFC 7636 4.5).
type Redemption struct {
	Code, ClientID, RedirectURI, Verifier string
	// Resource may be empty: then it is the granted one.
	Resource string
}

type code struct {
	hash, grantID, clientID, challenge, redirectURI, mac string
	expires, redeemed                                    int64
	failures                                             int
}

// covered are the columns of [db.Codes].
func (c *code) covered() []any {
	return []any{c.hash, c.grantID, c.clientID, c.redirectURI, c.challenge, c.expires}
}

// Redeem exchanges a code for tokens, in one transaction.
//
// [ErrInvalidGrant] and [ErrInvalidTarget] refuse; another client's attempt changes
// nothing, a wrong verifier is counted and the fifth kills the code. A second
// presentation with everything right revokes the grant and returns a [*ReplayError].
func (s *Store) Redeem(ctx context.Context, r Redemption) (*Tokens, error) {
	if !s.clients.Knows(r.ClientID) || !seal.WellFormed(r.Code, codePrefix) {
		return nil, ErrInvalidGrant
	}
	var t *Tokens
	err := s.judge(ctx, func(tx *sql.Tx) (refused, failed error) {
		t, refused, failed = codeRedemption{s, r}.redeem(ctx, tx)
		return refused, failed
	})
	if err != nil {
		return nil, fmt.Errorf("redeeming code: %w", err)
	}
	return t, nil
}

// codeRedemption is one redemption on its way.
type codeRedemption struct {
	*Store
	Redemption
}

func (r codeRedemption) redeem(ctx context.Context, tx *sql.Tx) (t *Tokens, refused, failed error) {
	now := r.millis()
	var c code
	g, blocked, err := r.scanAuthentic(ctx, tx.QueryRowContext(ctx, `SELECT `+authenticColumns+`, c.code_hash, c.grant_id, c.client_id, c.code_challenge, c.redirect_uri,
		c.expires_at, c.redeemed_at, c.failures, c.mac
		FROM codes c JOIN grants ON grants.id = c.grant_id JOIN users u ON u.org = grants.org AND u.subject = grants.subject
		WHERE c.code_hash = $1 AND c.client_id = $2`+r.db.ForUpdate("c, grants"), seal.Hash(r.Code), r.ClientID),
		&c.hash, &c.grantID, &c.clientID, &c.challenge, &c.redirectURI, &c.expires, &c.redeemed, &c.failures, &c.mac)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrInvalidGrant, nil
	}
	if err != nil {
		return nil, nil, err
	}
	authentic := true
	if c.redeemed == 0 { // one that is redeemed has no MAC: that it comes again can only take away
		authentic, err = r.db.Verify(db.Codes, c.mac, c.covered()...)
	}
	switch {
	case err != nil:
		return nil, nil, err
	case !authentic:
		return nil, ErrInvalidGrant, nil
	// Wrong verifiers do not keep a code that was redeemed from ending its grant when it comes again.
	case c.redeemed == 0 && c.failures >= maxFailures || r.RedirectURI != c.redirectURI:
		return nil, &RefusedError{*g, ErrInvalidGrant}, nil
	case r.Resource != "" && r.Resource != g.Resource:
		return nil, &RefusedError{*g, ErrInvalidTarget}, nil
	case !verifies(r.Verifier, c.challenge):
		_, err := tx.ExecContext(ctx, `UPDATE codes SET failures = failures + 1 WHERE code_hash = $1`, c.hash)
		return nil, &RefusedError{*g, ErrInvalidGrant}, err
	case c.redeemed != 0:
		refused, failed = r.replayed(ctx, tx, g, "code")
		return nil, refused, failed
	case c.expires <= now || blocked || !g.RevokedAt.IsZero():
		return nil, &RefusedError{*g, ErrInvalidGrant}, nil
	}
	n, err := db.Affected(ctx, tx, `UPDATE codes SET redeemed_at = $1, mac = '' WHERE code_hash = $2 AND redeemed_at = 0`, now, c.hash)
	if err != nil || n != 1 {
		return nil, ErrInvalidGrant, err
	}
	g.ActivatedAt, g.ExpiresAt = db.Time(now), db.Time(now).Add(r.lifetimes.RefreshAbsolute)
	n, err = db.Affected(ctx, tx, `UPDATE grants SET activated_at = $1, last_used_at = $1, expires_at = $2, mac = $3
		WHERE id = $4 AND revoked_at = 0`, now, db.Millis(g.ExpiresAt), r.db.MAC(db.Grants, g.covered()...), g.ID)
	if err != nil || n != 1 {
		return nil, ErrInvalidGrant, err
	}
	refresh, err := r.issueRefresh(ctx, tx, g)
	if err != nil {
		return nil, nil, err
	}
	t, failed = r.issue(ctx, tx, g, refresh, g.Scope)
	return t, nil, failed
}

// verifies checks a PKCE verifier (RFC 7636 4.1 and 4.6, S256).
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 || strings.ContainsFunc(verifier, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r))
	}) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// replayed revokes the grant of a spent credential (RFC 9700 4.14.2).
func (s *Store) replayed(ctx context.Context, tx *sql.Tx, g *Grant, what string) (refused, failed error) {
	ended, err := s.revoke(ctx, tx, what+" presented again", `grants.id = $3`, g.ID)
	if err != nil {
		return nil, err
	}
	if len(ended) > 0 {
		g = &ended[0]
	}
	return &ReplayError{Grant: *g, Revoked: len(ended) > 0, What: what}, nil
}
