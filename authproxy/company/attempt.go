package company

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-json-experiment/json"
	"golang.org/x/oauth2"

	"sfmcp-proxy/authproxy/seal"
)

// How says how the provider is to ask.
type How string

// Ways to ask.
const (
	AsUsual  How = ""       // a page if the provider wants one
	Silently How = "silent" // without a page (prompt=none); else [ErrLoginRequired]
	Freshly  How = "fresh"  // again, and as strongly as [Provider.ACR] says
)

// Attempt is a sign-in that was begun.
type Attempt struct {
	Issuer   string    `json:"i"`
	How      How       `json:"h,omitempty"`
	ReturnTo string    `json:"r,omitempty"` // path of ours
	LastCut  int64     `json:"-"`           // a number of the caller's, as it was when this was begun: that of the last cut of anybody
	At       time.Time `json:"t"`
}

// carried is an attempt as its state has it. The state is shown to anybody who begins a sign-in, and when somebody was cut off
// last is not theirs to know.
type carried struct {
	Attempt
	LastCut string `json:"c,omitempty"` // sealed
}

// cutPlace is where the number of an attempt is sealed: in the state that belongs to secret.
func cutPlace(secret string) seal.Place {
	return seal.Place{Purpose: "company sign-in cut", Row: derived("cut", secret)}
}

// SignInPath is our page that begins a sign-in with that provider and leads from there to a
// path of ours, which the caller has checked.
func SignInPath(issuer, returnTo string, how How) string {
	q := url.Values{"issuer": {issuer}, "return_to": {returnTo}}
	if how != AsUsual {
		q.Set("how", string(how))
	}
	return "/signin/company?" + q.Encode()
}

const (
	purpose = "company sign-in"
	// maxState bounds a state that comes back: a path of ours and an issuer.
	maxState = 4 << 10
)

// Start returns where the browser goes, the state that comes back from there, and the secret
// that the browser keeps for it. Errors: [ErrUnknownProvider], [ErrUnavailable].
func (s *SignIn) Start(ctx context.Context, a Attempt) (address, state, secret string, err error) {
	p, err := s.provider(a.Issuer)
	if err != nil {
		return "", "", "", err
	}
	f, err := p.metadata(ctx)
	if err != nil {
		return "", "", "", err
	}
	a.At = s.config.Now().UTC().Truncate(time.Second)
	secret = newSecret()
	sealed, err := s.config.Ring.Seal(cutPlace(secret), binary.BigEndian.AppendUint64(nil, uint64(a.LastCut)))
	if err != nil {
		return "", "", "", fmt.Errorf("beginning a sign-in: %w", err)
	}
	text, err := json.Marshal(carried{Attempt: a, LastCut: sealed})
	if err != nil {
		return "", "", "", fmt.Errorf("beginning a sign-in: %w", err)
	}
	payload := base64.RawURLEncoding.EncodeToString(text)
	state = payload + "." + base64.RawURLEncoding.EncodeToString([]byte(s.config.Ring.MAC(purpose, secret, payload)))
	options := []oauth2.AuthCodeOption{oidc.Nonce(derived("nonce", secret)), oauth2.S256ChallengeOption(derived("verifier", secret))}
	switch a.How {
	case Silently:
		options = append(options, oauth2.SetAuthURLParam("prompt", "none"))
	case Freshly: // OpenID Connect Core 3.1.2.1
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(FreshFor/time.Second))))
		if p.ACR != "" {
			options = append(options, oauth2.SetAuthURLParam("acr_values", p.ACR))
		}
	}
	return f.oauth.AuthCodeURL(state, options...), state, secret, nil
}

// Begun reads the state of an answer and sees that it was begun in the browser that holds
// secret. Errors: [ErrOtherBrowser], also for a state that is not ours, and [ErrOver].
func (s *SignIn) Begun(state, secret string) (Attempt, error) {
	var c carried
	payload, mac, ok := strings.Cut(state, ".")
	text, err := base64.RawURLEncoding.DecodeString(mac)
	if !ok || err != nil || len(state) > maxState || secret == "" || s.config.Ring.CheckMAC(string(text), purpose, secret, payload) != nil {
		return Attempt{}, ErrOtherBrowser
	}
	if text, err = base64.RawURLEncoding.DecodeString(payload); err != nil || json.Unmarshal(text, &c) != nil {
		return Attempt{}, ErrOtherBrowser
	}
	a := c.Attempt
	if c.LastCut != "" { // "": begun by an earlier version, as if before every cut
		number, err := s.config.Ring.Open(cutPlace(secret), c.LastCut)
		if err != nil || len(number) != 8 {
			return a, ErrOtherBrowser
		}
		a.LastCut = int64(binary.BigEndian.Uint64(number))
	}
	if age := s.config.Now().Sub(a.At); age > AttemptLifetime || age < -time.Minute {
		return a, ErrOver
	}
	return a, nil
}

// Finish takes the answer to an attempt that Begun returned: the parameters of the callback
// (RFC 6749 4.1.2, RFC 9207). Errors: [ErrLoginRequired], [ErrRefused], [ErrUnavailable],
// [ErrUnknownProvider].
func (s *SignIn) Finish(ctx context.Context, a Attempt, secret string, q url.Values) (Identity, error) {
	none := Identity{}
	p, err := s.provider(a.Issuer)
	if err != nil {
		return none, err
	}
	if q.Has("iss") && q.Get("iss") != p.Issuer { // RFC 9207 2.4
		return none, fmt.Errorf("%w: it came from another provider", ErrRefused)
	}
	switch code := q.Get("error"); {
	case a.How == Silently && (code == "login_required" || code == "interaction_required" || code == "consent_required" || code == "account_selection_required"):
		return none, ErrLoginRequired
	case code == "server_error" || code == "temporarily_unavailable":
		return none, fmt.Errorf("%w: it says %s", ErrUnavailable, code)
	case code != "":
		return none, fmt.Errorf("%w: it says %.40q", ErrRefused, code)
	case q.Get("code") == "":
		return none, fmt.Errorf("%w: it has no code", ErrRefused)
	}
	f, err := p.metadata(ctx)
	if err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.http), 3*requestTime)
	defer cancel()
	if err := f.keys.Ready(ctx); err != nil { // before the code is spent
		return none, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	token, err := f.oauth.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(derived("verifier", secret)))
	if err != nil {
		return none, exchangeError(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return none, fmt.Errorf("%w: it has no id token", ErrRefused)
	}
	return p.verify(ctx, f, a, derived("nonce", secret), raw, token.AccessToken)
}

// exchangeError says what a failed exchange means. What the provider wrote is not repeated but
// for its code: it may hold a secret.
func exchangeError(err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.Response.StatusCode < 500 {
		return fmt.Errorf("%w: the code was not taken (%.40q)", ErrRefused, e.ErrorCode)
	}
	return fmt.Errorf("%w: the code could not be exchanged", ErrUnavailable)
}

func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // does not fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// derived is a value that only the holder of secret knows, another one for each use.
func derived(use, secret string) string {
	sum := sha256.Sum256([]byte(use + " " + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
