package grant

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
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
	// ID is a secret of the page that was shown; set by [Requests.Open] alone.
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
	// GrantID is the id that the grant will get, set by [Requests.Finish] so that it can
	// be recorded before there is a grant.
	GrantID              string
	CreatedAt, ExpiresAt time.Time
	// From is who began it; it is stored, and not read back.
	From  party.Sources
	began int64  // [db.DB.LastCut] when it was sent, set by [Requests.Finish]
	row   string // its request_hash, set by [Requests.Finish]; one that was never stored nobody can end
}

// Requests are the authorization requests of a [Store], from the page that asks for consent
// to the return from Salesforce. What one ends in is not theirs: [Store.CreateGrant] takes a
// finished one.
type Requests struct {
	db   *db.DB
	ring *seal.KeyRing
	life time.Duration // [Lifetimes.Consent]
	now  func() time.Time
}

// storedRequest is a row of authorization_requests.
type storedRequest struct {
	AuthorizationRequest
	hash, browserHash                    string
	stateHash, loginHash, sealedVerifier string // of one that was sent
	mac                                  string
}

// covered are the columns of [db.Requests].
func (r *storedRequest) covered() []any {
	return []any{r.hash, r.Kind, r.Status, r.Org, r.Server, r.Resource, r.ClientID, r.RedirectURI, r.State, r.Scope, r.CodeChallenge, r.ReturnTo,
		r.browserHash, r.stateHash, r.loginHash, r.sealedVerifier, db.Millis(r.CreatedAt), db.Millis(r.ExpiresAt)}
}

// SentRequest is what [Requests.Send] made for the way to Salesforce.
type SentRequest struct {
	// State goes to Salesforce, Verifier stays here (its challenge goes), Login
	// becomes a cookie that the callback must bring.
	State, Verifier, Login string
	Request                *AuthorizationRequest
}

const requestColumns = `request_hash, kind, status, org, server, resource, client_id, redirect_uri, state, scope,
	code_challenge, return_to, browser_hash, upstream_state_hash, login_hash, sealed_verifier, created_at, expires_at, mac`

// read returns the one request for which where holds, or [ErrNoRequest]: also for
// one that somebody changed.
func (q *Requests) read(ctx context.Context, where string, args ...any) (*storedRequest, error) {
	var r storedRequest
	var created, expires int64
	err := q.db.Reads.QueryRowContext(ctx, `SELECT `+requestColumns+` FROM authorization_requests WHERE `+where, args...).
		Scan(&r.hash, &r.Kind, &r.Status, &r.Org, &r.Server, &r.Resource, &r.ClientID, &r.RedirectURI, &r.State, &r.Scope,
			&r.CodeChallenge, &r.ReturnTo, &r.browserHash, &r.stateHash, &r.loginHash, &r.sealedVerifier, &created, &expires, &r.mac)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoRequest
	}
	if err != nil {
		return nil, err
	}
	r.CreatedAt, r.ExpiresAt = db.Time(created), db.Time(expires)
	authentic, err := q.db.Verify(db.Requests, r.mac, r.covered()...)
	if err != nil {
		return nil, err
	}
	if !authentic || r.Kind != Authorize && r.Kind != SignIn { // a kind of a later version's
		return nil, ErrNoRequest
	}
	return &r, nil
}

// of reads a browser's request by its id.
func (q *Requests) of(ctx context.Context, id, browser string, status Status) (*storedRequest, error) {
	return q.read(ctx, `request_hash = $1 AND browser_hash = $2 AND status = $3 AND expires_at > $4`,
		seal.Hash(id), seal.Hash(browser), string(status), db.Millis(q.now()))
}

// Open stores a pending request for the browser that holds the cookie value
// browser, and returns its id. r's ID, Status and times are ignored.
func (q *Requests) Open(ctx context.Context, r AuthorizationRequest, browser string) (id string, err error) {
	if browser == "" || r.Org == "" || (r.Kind != Authorize && r.Kind != SignIn) {
		return "", errors.New("opening authorization request: browser, org and kind are required")
	}
	if r.Kind == Authorize && (r.ClientID == "" || r.RedirectURI == "" || r.Server == "" || r.Resource == "" || r.CodeChallenge == "") {
		return "", errors.New("opening authorization request: client, redirect URI, resource and challenge are required")
	}
	id = seal.Secret("")
	now := q.now()
	row := storedRequest{AuthorizationRequest: r, hash: seal.Hash(id), browserHash: seal.Hash(browser)}
	row.Status, row.CreatedAt, row.ExpiresAt = Pending, now, now.Add(q.life)
	err = q.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := makeRoom(ctx, q.db, tx, db.Millis(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO authorization_requests
			(request_hash, kind, status, org, server, resource, client_id, redirect_uri, state, scope,
			 code_challenge, return_to, browser_hash, created_at, expires_at, network, host, mac)
			VALUES ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
			row.hash, string(r.Kind), r.Org, r.Server, r.Resource, r.ClientID, r.RedirectURI, r.State, r.Scope, r.CodeChallenge,
			r.ReturnTo, row.browserHash, db.Millis(row.CreatedAt), db.Millis(row.ExpiresAt), r.From.Network, r.From.Host, q.db.MAC(db.Requests, row.covered()...))
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

// Pending returns the request of that id, or [ErrNoRequest] when it is
// unknown, expired, another browser's or no longer pending.
func (q *Requests) Pending(ctx context.Context, id, browser string) (*AuthorizationRequest, error) {
	r, err := q.of(ctx, id, browser, Pending)
	if err != nil {
		return nil, err
	}
	return &r.AuthorizationRequest, nil
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

// randomPart is how many characters of a verifier are random.
var randomPart = len(seal.Secret(""))

// newVerifier is a PKCE verifier (RFC 7636 4.1) that ends with the last cut before its request was sent: the verifier is sealed, and
// earlier versions take it as it is. It has characters of base64url alone, for who expects no others.
func newVerifier(lastCut int64) string { return seal.Secret("") + strconv.FormatInt(lastCut, 10) }

// beganAt reads what newVerifier wrote. One of an earlier version has none: 0, which is before every cut.
func beganAt(verifier string) int64 {
	if len(verifier) <= randomPart {
		return 0
	}
	n, err := strconv.ParseInt(verifier[randomPart:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Send takes a pending request on its way to Salesforce: it makes the state and the
// PKCE verifier of that leg and the login cookie. From here the time to come back is
// counted anew. The same again, from a second click or the back button, gets the same way
// until somebody has come back on it. [ErrNoRequest] as for [Requests.Pending].
func (q *Requests) Send(ctx context.Context, id, browser string) (*SentRequest, error) {
	r, err := q.of(ctx, id, browser, Pending)
	if errors.Is(err, ErrNoRequest) {
		return q.sentBefore(ctx, id, browser)
	}
	if err != nil {
		return nil, err
	}
	last, err := q.db.LastCut(ctx)
	if err != nil {
		return nil, fmt.Errorf("sending authorization request: %w", err)
	}
	sent := newSentRequest(newVerifier(last))
	if r.sealedVerifier, err = q.ring.Seal(verifierPlace(r.hash, r.Org), []byte(sent.Verifier)); err != nil {
		return nil, fmt.Errorf("sending authorization request: %w", err)
	}
	r.Status, r.stateHash, r.loginHash, r.ExpiresAt = Sent, seal.Hash(sent.State), seal.Hash(sent.Login), q.now().Add(q.life)
	n, err := q.advance(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("sending authorization request: %w", err)
	}
	if n == 0 { // the other click was faster
		return q.sentBefore(ctx, id, browser)
	}
	sent.Request = &r.AuthorizationRequest
	return sent, nil
}

// advance writes what became of a request, if it is still what it was with its MAC.
func (q *Requests) advance(ctx context.Context, r *storedRequest) (int64, error) {
	next := ""
	if r.Status != Done { // which gives nothing any more
		next = q.db.MAC(db.Requests, r.covered()...)
	}
	return db.Affected(ctx, q.db.Writes, `UPDATE authorization_requests
		SET status = $1, upstream_state_hash = $2, login_hash = $3, sealed_verifier = $4, expires_at = $5, mac = $6
		WHERE request_hash = $7 AND mac = $8 AND expires_at > $9`,
		string(r.Status), r.stateHash, r.loginHash, r.sealedVerifier, db.Millis(r.ExpiresAt), next, r.hash, r.mac, db.Millis(q.now()))
}

// sentBefore returns the way of a request that is under way to Salesforce.
func (q *Requests) sentBefore(ctx context.Context, id, browser string) (*SentRequest, error) {
	r, err := q.of(ctx, id, browser, Sent)
	if err != nil {
		return nil, err
	}
	verifier, err := q.ring.Open(verifierPlace(r.hash, r.Org), r.sealedVerifier)
	if err != nil {
		return nil, fmt.Errorf("sending authorization request: %w", err)
	}
	sent := newSentRequest(string(verifier))
	sent.Request = &r.AuthorizationRequest
	return sent, nil
}

// Deny ends a pending request; again tells that it had ended so before, by the same
// browser. [ErrNoRequest] as for [Requests.Pending].
func (q *Requests) Deny(ctx context.Context, id, browser string) (r *AuthorizationRequest, again bool, err error) {
	row, err := q.of(ctx, id, browser, Pending)
	if err == nil {
		row.Status = Denied
		if n, err := q.advance(ctx, row); err != nil || n == 1 {
			return &row.AuthorizationRequest, false, err
		}
	} else if !errors.Is(err, ErrNoRequest) {
		return nil, false, err
	}
	if row, err = q.of(ctx, id, browser, Denied); err != nil {
		return nil, true, err
	}
	return &row.AuthorizationRequest, true, nil
}

// Finish takes a sent request whose state came back from Salesforce, once. It
// wants the login cookie of the browser that was sent there (SR-UI-2), and returns the
// PKCE verifier of that leg. [ErrOtherBrowser] tells of a state that is good but for the
// cookie, [ErrNoRequest] of everything else that does not match; both change nothing.
func (q *Requests) Finish(ctx context.Context, state, login string) (r *AuthorizationRequest, verifier string, err error) {
	row, err := q.read(ctx, `upstream_state_hash = $1 AND login_hash = $2 AND status = 'sent' AND expires_at > $3`,
		seal.Hash(state), seal.Hash(login), db.Millis(q.now()))
	if errors.Is(err, ErrNoRequest) {
		return nil, "", whyNotFinished(ctx, q.db.Reads, state, login, db.Millis(q.now()))
	}
	if err != nil {
		return nil, "", fmt.Errorf("finishing authorization request: %w", err)
	}
	row.Status = Done
	row.ExpiresAt = q.now().Add(max(row.ExpiresAt.Sub(q.now()), finishing)) // so long it can be ended, see [Requests.Stands]
	n, err := q.advance(ctx, row)
	if err != nil {
		return nil, "", fmt.Errorf("finishing authorization request: %w", err)
	}
	if n == 0 { // another one was faster
		return nil, "", ErrNoRequest
	}
	r = &row.AuthorizationRequest
	r.row = row.hash
	plain, err := q.ring.Open(verifierPlace(row.hash, r.Org), row.sealedVerifier)
	if err != nil {
		return nil, "", fmt.Errorf("finishing authorization request: %w", err)
	}
	r.began = beganAt(string(plain))
	if r.Kind == Authorize {
		r.GrantID = newGrantID()
	}
	return r, string(plain), nil
}

// finishing is how long a request is kept at least that has come back from Salesforce: longer than it may take
// until it has ended in a code or a session.
const finishing = 5 * time.Minute

// Stands returns [ErrNoRequest] for a finished request that gives the user who came back with it nothing any more: all that they
// had was ended since it was sent, by [Store.RevokeUser] or [Store.BlockUser], or the client's, by [Store.RevokeClient].
func (q *Requests) Stands(ctx context.Context, r *AuthorizationRequest, subject string) error {
	var stands bool
	if err := q.db.Reads.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM authorization_requests WHERE request_hash = $1 AND status = 'done')`, r.row).Scan(&stands); err != nil {
		return fmt.Errorf("looking for an authorization request: %w", err)
	}
	if !stands {
		return ErrNoRequest
	}
	return r.notCut(ctx, q.db, q.db.Reads, subject)
}

// notCut returns [ErrNoRequest] if the user was cut off since the request was sent.
func (r *AuthorizationRequest) notCut(ctx context.Context, d *db.DB, from db.RowQuerier, subject string) error {
	cut, err := d.CutSince(ctx, from, r.Org, subject, r.began)
	if err == nil && cut {
		return ErrNoRequest
	}
	return err
}

// hold keeps, until the transaction ends, everybody from ending a finished request and from cutting off the user who came back with
// it, or returns [ErrNoRequest] if either was done.
func (r *AuthorizationRequest) hold(ctx context.Context, d *db.DB, tx *sql.Tx, subject string) error {
	if r.row == "" {
		return nil
	}
	if err := d.HoldCuts(ctx, tx, r.Org, subject); err != nil {
		return err
	}
	n, err := db.Affected(ctx, tx, `UPDATE authorization_requests SET status = 'done' WHERE request_hash = $1 AND status = 'done'`, r.row)
	switch {
	case err != nil:
		return err
	case n != 1:
		return ErrNoRequest
	}
	return r.notCut(ctx, d, tx, subject)
}

// endBegun ends the requests of a client. A transaction that ends what a client has does it first: whoever made a grant of one
// before is then seen by the statement that ends grants, and nobody makes one after.
func endBegun(ctx context.Context, d *db.DB, tx *sql.Tx, clientID string) error {
	if err := d.Lock(ctx, tx, "authorization_requests"); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM authorization_requests WHERE client_id = $1`, clientID)
	return err
}

// EndOfOrg ends the requests of an org that were begun before then, with which somebody has gone to Salesforce: by whom is not known.
func (q *Requests) EndOfOrg(ctx context.Context, org string, before time.Time) error {
	return q.endBefore(ctx, `org = $1 AND status IN ('sent', 'done')`, org, before)
}

// EndOfClient ends the authorizations of a client that were begun before then.
func (q *Requests) EndOfClient(ctx context.Context, clientID string, before time.Time) error {
	return q.endBefore(ctx, `client_id = $1`, clientID, before)
}

func (q *Requests) endBefore(ctx context.Context, where, of string, before time.Time) error {
	if _, err := q.db.Writes.ExecContext(ctx, `DELETE FROM authorization_requests WHERE created_at < $2 AND `+where, of, db.Millis(before)); err != nil {
		return fmt.Errorf("ending authorization requests: %w", err)
	}
	return nil
}

func whyNotFinished(ctx context.Context, q querier, state, login string, now int64) error {
	var waits bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM authorization_requests
		WHERE upstream_state_hash = $1 AND login_hash <> $2 AND status = 'sent' AND expires_at > $3)`, seal.Hash(state), seal.Hash(login), now).Scan(&waits)
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
