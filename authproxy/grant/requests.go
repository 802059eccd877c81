package grant

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/party"
	"sfmcp-proxy/authproxy/seal"
)

// Kind is what an authorization request ends in.
type Kind string

// The kinds: a code for a client, or a browser session.
const (
	Authorize Kind = "authorize"
	SignIn    Kind = "signin"
)

// Status is how far an authorization request got.
type Status string

// The statuses, in their order; denied follows pending.
const (
	Pending Status = "pending"
	Sent    Status = "sent"
	Done    Status = "done"
	Denied  Status = "denied"
)

// maxOpenRequests bounds what anybody can make the proxy store. Their rate is
// limited before they get here. Where there are so many, the busiest source's oldest gives
// way: a flood displaces itself, and nobody is locked out by it.
const maxOpenRequests = 10_000

// AuthorizationRequest is stored between /oauth/authorize or /signin and the code or
// session that it ends in.
type AuthorizationRequest struct {
	// ID is a secret of the page that was shown; set by OpenRequest alone.
	ID     string
	Kind   Kind
	Status Status
	Org    string
	// Server is the name of the MCP endpoint, Resource its URL.
	Server, Resource string
	ClientID         string
	RedirectURI      string
	// State is the client's, to be echoed byte for byte.
	State string
	// Scope is what will be granted, already narrowed.
	Scope string
	// CodeChallenge is the client's, S256.
	CodeChallenge string
	// ReturnTo is the same-origin path that a sign-in ends at.
	ReturnTo string
	// GrantID is the id that the grant will get, set by FinishRequest so that it can
	// be recorded before there is a grant.
	GrantID              string
	CreatedAt, ExpiresAt time.Time
	// From is who began it; it is stored, and not read back.
	From party.Sources
}

// SentRequest is what [Store.SendRequest] made for the way to Salesforce.
type SentRequest struct {
	// State goes to Salesforce, Verifier stays here (its challenge goes), Login
	// becomes a cookie that the callback must bring.
	State, Verifier, Login string
	Request                *AuthorizationRequest
}

const requestColumns = `kind, status, org, server, resource, client_id, redirect_uri, state, scope,
	code_challenge, return_to, created_at, expires_at`

func scanRequest(row interface{ Scan(...any) error }, more ...any) (*AuthorizationRequest, error) {
	var r AuthorizationRequest
	var created, expires int64
	err := row.Scan(append([]any{&r.Kind, &r.Status, &r.Org, &r.Server, &r.Resource, &r.ClientID, &r.RedirectURI,
		&r.State, &r.Scope, &r.CodeChallenge, &r.ReturnTo, &created, &expires}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoRequest
	}
	if err != nil {
		return nil, err
	}
	r.CreatedAt, r.ExpiresAt = db.Time(created), db.Time(expires)
	return &r, nil
}

// OpenRequest stores a pending request for the browser that holds the cookie value
// browser, and returns its id. r's ID, Status and times are ignored.
func (s *Store) OpenRequest(ctx context.Context, r AuthorizationRequest, browser string) (id string, err error) {
	if browser == "" || r.Org == "" || (r.Kind != Authorize && r.Kind != SignIn) {
		return "", errors.New("opening authorization request: browser, org and kind are required")
	}
	if r.Kind == Authorize && (r.ClientID == "" || r.RedirectURI == "" || r.Server == "" || r.Resource == "" || r.CodeChallenge == "") {
		return "", errors.New("opening authorization request: client, redirect URI, resource and challenge are required")
	}
	id = seal.Secret("")
	now := s.now()
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := makeRoom(ctx, s.db, tx, db.Millis(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO authorization_requests
			(request_hash, kind, status, org, server, resource, client_id, redirect_uri, state, scope,
			 code_challenge, return_to, browser_hash, created_at, expires_at, network, host)
			VALUES ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			seal.Hash(id), string(r.Kind), r.Org, r.Server, r.Resource, r.ClientID, r.RedirectURI, r.State, r.Scope, r.CodeChallenge,
			r.ReturnTo, seal.Hash(browser), db.Millis(now), db.Millis(now.Add(s.lifetimes.Consent)), r.From.Network, r.From.Host)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("opening authorization request: %w", err)
	}
	return id, nil
}

// makeRoom removes the busiest source's oldest request, if as many are open as may be.
func makeRoom(ctx context.Context, d *db.DB, tx *sql.Tx, now int64) error {
	if err := d.Lock(ctx, tx, "authorization_requests"); err != nil { // they are counted
		return err
	}
	var open int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM authorization_requests WHERE expires_at > $1`, now).Scan(&open)
	if err != nil || open < maxOpenRequests {
		return err
	}
	network, host, err := db.Busiest(ctx, tx, `authorization_requests WHERE expires_at > $1`, now)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM authorization_requests WHERE request_hash = (SELECT request_hash FROM authorization_requests
		WHERE expires_at > $1 AND network = $2 AND host = $3 ORDER BY created_at, request_hash LIMIT 1)`, now, network, host)
	return err
}

// Request returns the pending request of that id, or [ErrNoRequest] when it is
// unknown, expired, another browser's or no longer pending.
func (s *Store) Request(ctx context.Context, id, browser string) (*AuthorizationRequest, error) {
	return scanRequest(s.db.Reads.QueryRowContext(ctx, `SELECT `+requestColumns+` FROM authorization_requests
		WHERE request_hash = $1 AND browser_hash = $2 AND status = 'pending' AND expires_at > $3`,
		seal.Hash(id), seal.Hash(browser), s.millis()))
}

// newSentRequest derives what the way to Salesforce needs from its PKCE verifier, the one
// secret of it that is kept: whoever sees the state or the cookie learns neither the verifier
// nor the other.
func newSentRequest(verifier string) *SentRequest {
	derived := func(purpose string) string {
		mac := hmac.New(sha256.New, []byte(verifier))
		mac.Write([]byte("sfmcp-proxy sign-in " + purpose))
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	return &SentRequest{State: derived("state"), Verifier: verifier, Login: derived("cookie")}
}

// SendRequest takes a pending request on its way to Salesforce: it makes the state and the
// PKCE verifier of that leg and the login cookie. From here the time to come back is
// counted anew. The same again, from a second click or the back button, gets the same way
// until somebody has come back on it. [ErrNoRequest] as for [Store.Request].
func (s *Store) SendRequest(ctx context.Context, id, browser string) (*SentRequest, error) {
	r, err := s.Request(ctx, id, browser)
	if errors.Is(err, ErrNoRequest) {
		return s.sentBefore(ctx, id, browser)
	}
	if err != nil {
		return nil, err
	}
	sent := newSentRequest(seal.Secret(""))
	sealed, err := s.ring.Seal(verifierPlace(seal.Hash(id), r.Org), []byte(sent.Verifier))
	if err != nil {
		return nil, fmt.Errorf("sending authorization request: %w", err)
	}
	now := s.now()
	sent.Request, err = scanRequest(s.db.Writes.QueryRowContext(ctx, `UPDATE authorization_requests
		SET status = 'sent', upstream_state_hash = $1, login_hash = $2, sealed_verifier = $3, expires_at = $4
		WHERE request_hash = $5 AND browser_hash = $6 AND status = 'pending' AND expires_at > $7
		RETURNING `+requestColumns,
		seal.Hash(sent.State), seal.Hash(sent.Login), sealed, db.Millis(now.Add(s.lifetimes.Consent)),
		seal.Hash(id), seal.Hash(browser), db.Millis(now)))
	if errors.Is(err, ErrNoRequest) { // the other click was faster
		return s.sentBefore(ctx, id, browser)
	}
	if err != nil {
		return nil, err
	}
	return sent, nil
}

// sentBefore returns the way of a request that is under way to Salesforce.
func (s *Store) sentBefore(ctx context.Context, id, browser string) (*SentRequest, error) {
	var sealed string
	r, err := scanRequest(s.db.Reads.QueryRowContext(ctx, `SELECT `+requestColumns+`, sealed_verifier FROM authorization_requests
		WHERE request_hash = $1 AND browser_hash = $2 AND status = 'sent' AND expires_at > $3`,
		seal.Hash(id), seal.Hash(browser), s.millis()), &sealed)
	if err != nil {
		return nil, err
	}
	verifier, err := s.ring.Open(verifierPlace(seal.Hash(id), r.Org), sealed)
	if err != nil {
		return nil, fmt.Errorf("sending authorization request: %w", err)
	}
	sent := newSentRequest(string(verifier))
	sent.Request = r
	return sent, nil
}

// DenyRequest ends a pending request; again tells that it had ended so before, by the same
// browser. [ErrNoRequest] as for [Store.Request].
func (s *Store) DenyRequest(ctx context.Context, id, browser string) (r *AuthorizationRequest, again bool, err error) {
	r, err = scanRequest(s.db.Writes.QueryRowContext(ctx, `UPDATE authorization_requests SET status = 'denied'
		WHERE request_hash = $1 AND browser_hash = $2 AND status = 'pending' AND expires_at > $3
		RETURNING `+requestColumns, seal.Hash(id), seal.Hash(browser), s.millis()))
	if !errors.Is(err, ErrNoRequest) {
		return r, false, err
	}
	r, err = scanRequest(s.db.Reads.QueryRowContext(ctx, `SELECT `+requestColumns+` FROM authorization_requests
		WHERE request_hash = $1 AND browser_hash = $2 AND status = 'denied' AND expires_at > $3`,
		seal.Hash(id), seal.Hash(browser), s.millis()))
	return r, true, err
}

// FinishRequest takes a sent request whose state came back from Salesforce, once. It
// wants the login cookie of the browser that was sent there (SR-UI-2), and returns the
// PKCE verifier of that leg. [ErrOtherBrowser] tells of a state that is good but for the
// cookie, [ErrNoRequest] of everything else that does not match; both change nothing.
func (s *Store) FinishRequest(ctx context.Context, state, login string) (r *AuthorizationRequest, verifier string, err error) {
	var hash, sealed string
	r, err = scanRequest(s.db.Writes.QueryRowContext(ctx, `UPDATE authorization_requests SET status = 'done'
		WHERE upstream_state_hash = $1 AND login_hash = $2 AND status = 'sent' AND expires_at > $3
		RETURNING `+requestColumns+`, request_hash, sealed_verifier`,
		seal.Hash(state), seal.Hash(login), s.millis()), &hash, &sealed)
	if errors.Is(err, ErrNoRequest) {
		return nil, "", whyNotFinished(ctx, s.db.Reads, state, s.millis())
	}
	if err != nil {
		return nil, "", fmt.Errorf("finishing authorization request: %w", err)
	}
	plain, err := s.ring.Open(verifierPlace(hash, r.Org), sealed)
	if err != nil {
		return nil, "", fmt.Errorf("finishing authorization request: %w", err)
	}
	if r.Kind == Authorize {
		r.GrantID = newGrantID()
	}
	return r, string(plain), nil
}

func whyNotFinished(ctx context.Context, q querier, state string, now int64) error {
	var waits bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM authorization_requests
		WHERE upstream_state_hash = $1 AND status = 'sent' AND expires_at > $2)`, seal.Hash(state), now).Scan(&waits)
	if err != nil {
		return fmt.Errorf("finishing authorization request: %w", err)
	}
	if waits {
		return ErrOtherBrowser
	}
	return ErrNoRequest
}

func verifierPlace(requestHash, org string) seal.Place {
	return seal.Place{Table: "authorization_requests", Row: requestHash, Org: org, Purpose: "verifier"}
}
