package grant

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// Rotation is a token request with a refresh token (RFC 6749 6).
type Rotation struct {
	RefreshToken, ClientID string
	// Resource and Scope may be empty: then they are the granted ones.
	Resource, Scope string
	// HasLogin says whether the grant's user has a Salesforce login to use; nil: it is
	// not asked. It is asked last, of a token that is good otherwise.
	HasLogin func(context.Context, *Grant) (bool, error)
}

// withoutLogin is how long a refresh token stays good after it was refused for want of
// a login: a weekend or some days off, for the user to sign in again. A client that
// asked for a new authorization meanwhile has dropped it, and nobody would end its grant.
const withoutLogin = 7 * 24 * time.Hour

// How often a grant is refreshed: what each refresh leaves behind (an access token until its
// time is over, a spent refresh token until its family would have been idle for too long),
// and each access token that is revoked makes every process read anew whom it lets in. Both
// bounds are far beyond clients that refresh when a token is over, also where many copies of
// a client share a grant.
const (
	// tokensAtATime is how many access tokens a grant gets within the lifetime of one, those
	// that were revoked included.
	tokensAtATime = 500
	// copiesOfAClient may rotate once in each lifetime of an access token, a day long.
	copiesOfAClient = 20
)

// refreshToken is a row of refresh_tokens, with its grant where one is presented.
type refreshToken struct {
	hash, grantID, sealedSuccessor, mac string
	created, idleExpires, rotated       int64

	grant   *Grant
	blocked bool
}

// covered are the columns of [db.RefreshTokens].
func (p *refreshToken) covered() []any {
	return []any{p.hash, p.grantID, p.created, p.idleExpires, p.rotated, p.sealedSuccessor}
}

// Rotate exchanges a refresh token for a fresh access token and the next refresh
// token, in one transaction.
//
// A token that was rotated no longer ago than the grace window gets a fresh access
// token and the family's present leaf: the very refresh token that the first caller
// got, or, if that was rotated in turn, its successor. Presented later it revokes the
// grant and returns a [*ReplayError]. [ErrNoLogin] spends nothing, but leaves the grant
// a week to be refreshed in. Other refusals ([ErrInvalidGrant], [ErrInvalidTarget],
// [ErrInvalidScope], [ErrTooOften]) change nothing.
func (s *Store) Rotate(ctx context.Context, r Rotation) (*Tokens, error) {
	if !s.clients.Knows(r.ClientID) || !seal.WellFormed(r.RefreshToken, refreshPrefix) {
		return nil, ErrInvalidGrant
	}
	step := tokenRotation{s, r}
	hasLogin, err := step.askForLogin(ctx)
	if err != nil {
		return nil, fmt.Errorf("rotating refresh token: %w", err)
	}
	var t *Tokens
	err = s.judge(ctx, func(tx *sql.Tx) (refused, failed error) {
		t, refused, failed = step.rotate(ctx, tx, hasLogin)
		return refused, failed
	})
	if err != nil {
		return nil, fmt.Errorf("rotating refresh token: %w", err)
	}
	return t, nil
}

// tokenRotation is one rotation on its way.
type tokenRotation struct {
	*Store
	Rotation
}

// askForLogin asks before the transaction, which keeps others waiting. A login that is lost
// or found between the two is noticed at the next call or refresh.
func (r tokenRotation) askForLogin(ctx context.Context) (bool, error) {
	if r.HasLogin == nil {
		return true, nil
	}
	p, err := r.presented(ctx, r.db.Reads, "")
	if err != nil || p == nil {
		return true, err
	}
	if refused := r.refuse(p); refused != nil || p.late(r.Store) {
		return true, nil // for that
	}
	return r.HasLogin(ctx, p.grant)
}

// querier is a transaction or [db.DB.Reads].
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// presented reads what a refresh token stands for; nil: nothing that is the client's.
func (r tokenRotation) presented(ctx context.Context, q querier, lock string) (*refreshToken, error) {
	var p refreshToken
	var err error
	p.grant, p.blocked, err = r.scanAuthentic(ctx, q.QueryRowContext(ctx, `SELECT `+authenticColumns+`, r.token_hash, r.grant_id, r.sealed_successor, r.created_at,
		r.idle_expires_at, r.rotated_at, r.mac
		FROM refresh_tokens r JOIN grants ON grants.id = r.grant_id JOIN users u ON u.org = grants.org AND u.subject = grants.subject
		WHERE r.token_hash = $1 AND grants.client_id = $2`+lock, seal.Hash(r.RefreshToken), r.ClientID),
		&p.hash, &p.grantID, &p.sealedSuccessor, &p.created, &p.idleExpires, &p.rotated, &p.mac)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	// One that is late has no MAC once it is swept: that it comes again can only take away.
	if err == nil && !p.late(r.Store) {
		authentic, err := r.db.Verify(db.RefreshTokens, p.mac, p.covered()...)
		if err != nil || !authentic {
			return nil, err
		}
	}
	return &p, err
}

// late says that a token was rotated longer ago than a client may not have heard of it.
func (p *refreshToken) late(s *Store) bool {
	return p.rotated != 0 && s.millis()-p.rotated >= s.lifetimes.RefreshGrace.Milliseconds()
}

// refuse says why a token that is not late is no good, whatever the login; nil: it is.
func (r tokenRotation) refuse(p *refreshToken) error {
	now := r.millis()
	_, fits := narrow(p.grant.Scope, r.Scope)
	switch {
	case !p.grant.Live(db.Time(now)) || p.blocked || p.idleExpires <= now:
		return ErrInvalidGrant
	case r.Resource != "" && r.Resource != p.grant.Resource:
		return ErrInvalidTarget
	case !fits:
		return ErrInvalidScope
	}
	return nil
}

func (r tokenRotation) rotate(ctx context.Context, tx *sql.Tx, hasLogin bool) (t *Tokens, refused, failed error) {
	p, err := r.presented(ctx, tx, r.db.ForUpdate("r, grants"))
	switch {
	case err != nil:
		return nil, nil, err
	case p == nil:
		return nil, ErrInvalidGrant, nil
	case p.late(r.Store):
		refused, failed = r.replayed(ctx, tx, p.grant, "refresh token")
		return nil, refused, failed
	}
	if refused := r.refuse(p); refused != nil {
		return nil, &RefusedError{*p.grant, refused}, nil
	}
	if !hasLogin {
		return nil, &RefusedError{*p.grant, ErrNoLogin}, r.waitForLogin(ctx, tx, p.grant)
	}
	switch often, err := r.tooOften(ctx, tx, p.grant.ID); {
	case err != nil:
		return nil, nil, err
	case often:
		return nil, ErrTooOften, nil
	}
	var leaf string
	if p.rotated == 0 {
		leaf, failed = r.rotateOnce(ctx, tx, p)
	} else {
		leaf, failed = leafOf(ctx, tx, r.RefreshToken, p.sealedSuccessor)
	}
	if errors.Is(failed, seal.ErrSealed) {
		return nil, &RefusedError{*p.grant, ErrInvalidGrant}, nil // somebody changed it: nobody gets the successor from here
	}
	if failed != nil {
		return nil, nil, failed
	}
	scope, _ := narrow(p.grant.Scope, r.Scope)
	t, failed = r.issue(ctx, tx, p.grant, leaf, scope)
	return t, nil, failed
}

// tooOften says that a grant has had as many tokens as it gets. Its row is locked.
func (r tokenRotation) tooOften(ctx context.Context, tx *sql.Tx, grantID string) (bool, error) {
	const day = 24 * time.Hour
	var access, refresh int64
	now := r.now()
	err := tx.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM access_tokens WHERE grant_id = $1 AND expires_at > $2),
		(SELECT COUNT(*) FROM refresh_tokens WHERE grant_id = $1 AND created_at > $3)`,
		grantID, db.Millis(now), db.Millis(now.Add(-day))).Scan(&access, &refresh)
	return access >= tokensAtATime || refresh >= copiesOfAClient*int64(day/r.lifetimes.AccessToken), err
}

// waitForLogin bounds how long a grant whose client was refused can still be refreshed.
// Asking again does not move the bound.
func (r tokenRotation) waitForLogin(ctx context.Context, tx *sql.Tx, g *Grant) error {
	until := db.Millis(r.now().Add(withoutLogin))
	leaf := refreshToken{grantID: g.ID} // the family has one, and its grant is locked
	err := tx.QueryRowContext(ctx, `SELECT token_hash, created_at, idle_expires_at, mac FROM refresh_tokens
		WHERE grant_id = $1 AND rotated_at = 0 AND idle_expires_at > $2 ORDER BY created_at DESC LIMIT 1`, g.ID, until).
		Scan(&leaf.hash, &leaf.created, &leaf.idleExpires, &leaf.mac)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if authentic, err := r.db.Verify(db.RefreshTokens, leaf.mac, leaf.covered()...); err != nil || !authentic {
		return err
	}
	leaf.idleExpires = until
	_, err = tx.ExecContext(ctx, `UPDATE refresh_tokens SET idle_expires_at = $1, mac = $2 WHERE token_hash = $3 AND rotated_at = 0`,
		until, r.db.MAC(db.RefreshTokens, leaf.covered()...), leaf.hash)
	return err
}

// rotateOnce rotates the token, which has not been rotated, and returns its successor.
func (r tokenRotation) rotateOnce(ctx context.Context, tx *sql.Tx, p *refreshToken) (string, error) {
	successor, err := r.issueRefresh(ctx, tx, p.grant)
	if err != nil {
		return "", err
	}
	sealed, err := sealSuccessor(r.RefreshToken, successor)
	if err != nil {
		return "", err
	}
	now := r.millis()
	p.rotated, p.sealedSuccessor = now, sealed
	n, err := db.Affected(ctx, tx, `UPDATE refresh_tokens SET rotated_at = $1, sealed_successor = $2, mac = $3
		WHERE token_hash = $4 AND rotated_at = 0`, now, sealed, r.db.MAC(db.RefreshTokens, p.covered()...), p.hash)
	if err != nil {
		return "", err
	}
	if n != 1 {
		return "", errors.New("another transaction rotated it")
	}
	_, err = tx.ExecContext(ctx, `UPDATE grants SET last_used_at = $1 WHERE id = $2`, now, p.grant.ID)
	return successor, err
}

// leafOf follows a rotated token to its family's leaf. Each successor is rotated later
// than its predecessor, so it is within the grace window when the first one is.
func leafOf(ctx context.Context, tx *sql.Tx, token, sealedSuccessor string) (string, error) {
	for sealedSuccessor != "" {
		successor, err := openSuccessor(token, sealedSuccessor)
		if err != nil {
			return "", err
		}
		token = successor
		err = tx.QueryRowContext(ctx, `SELECT sealed_successor FROM refresh_tokens WHERE token_hash = $1`,
			seal.Hash(token)).Scan(&sealedSuccessor)
		if err != nil {
			return "", err
		}
	}
	return token, nil
}

// narrow returns the scope that a refresh gets: a subset of the granted one that still
// opens something (RFC 6749 6: never more than was granted).
func narrow(granted, wanted string) (string, bool) {
	if wanted == "" {
		return granted, true
	}
	have, want := strings.Fields(granted), strings.Split(wanted, " ")
	for _, scope := range want {
		if !slices.Contains(have, scope) {
			return "", false
		}
	}
	return wanted, slices.Contains(want, have[0])
}

// successorBox seals the successor under its predecessor: only whoever presents the
// predecessor opens it, and the database holds but a hash of that.
func successorBox(predecessor string) (cipher.AEAD, error) {
	return seal.NewAEAD([]byte(predecessor), "sfmcp-proxy refresh token successor")
}

func sealSuccessor(predecessor, successor string) (string, error) {
	box, err := successorBox(predecessor)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(box.Seal(nil, nil, []byte(successor), nil)), nil
}

func openSuccessor(predecessor, sealed string) (string, error) {
	box, err := successorBox(predecessor)
	if err != nil {
		return "", err
	}
	text, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return "", seal.ErrSealed
	}
	successor, err := box.Open(nil, nil, text, nil)
	if err != nil {
		return "", seal.ErrSealed
	}
	return string(successor), nil
}
