package authproxy

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/grant"
)

// Client authentication at the token and revocation endpoints: none (RFC 7591 2), and
// private_key_jwt (RFC 7523 2.2, 3) for clients with a metadata document.
const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// assertionLife is how far ahead an assertion may expire, clockSkew what clocks differ.
	assertionLife = 5 * time.Minute
	clockSkew     = 30 * time.Second
	maxAssertion  = 8 << 10
	maxJTI        = 256
)

// assertionAlgorithms: asymmetric ones alone, so that a public key never becomes an
// HMAC secret (RFC 8725 3.1).
var assertionAlgorithms = []string{"RS256", "ES256"}

func unauthorized(description string, cause error) *oauthError {
	return &oauthError{status: http.StatusUnauthorized, code: invalidClient, description: description, cause: cause}
}

// identify finds the client and sees that it authenticates as it must. A client that
// brings a secret believes that it has one, and is told so rather than humoured. The
// form has the client's id afterwards, wherever it stood.
func (s *Server) identify(r *http.Request, form url.Values) error {
	if form.Get("client_secret") != "" {
		return unauthorized("clients here have no secret", nil)
	}
	if r.Header.Get("Authorization") != "" {
		e := unauthorized("clients here have no password: send client_id in the form", nil)
		e.challenge = `Basic realm="sfmcp-proxy"` // RFC 6749 5.2
		return e
	}
	assertion := form.Get("client_assertion")
	if (assertion != "" || form.Get("client_assertion_type") != "") && form.Get("client_assertion_type") != assertionType {
		return unauthorized("client_assertion_type must be "+assertionType, nil)
	}
	if form.Get("client_id") == "" && assertion != "" {
		form.Set("client_id", assertedClient(assertion)) // RFC 7521 4.2: optional beside an assertion
	}
	id := form.Get("client_id")
	if id == "" {
		return badRequest("client_id is required")
	}
	client, err := s.Grants.LastKnown(r.Context(), id)
	if errors.Is(err, grant.ErrNoClient) {
		return unauthorized("unknown client", err)
	}
	if err != nil {
		return err
	}
	if form.Get("client_assertion_type") == "" {
		if !client.Allows(clientdoc.MethodNone) {
			return s.refuseClient(r.Context(), id, unauthorized("this client authenticates with private_key_jwt", nil))
		}
		return nil
	}
	err = s.verifyAssertion(r.Context(), client, assertion)
	if refused, ok := errors.AsType[*oauthError](err); ok {
		return s.refuseClient(r.Context(), id, refused)
	}
	return err
}

// refuseClient records that somebody who claims to be the client could not prove it.
func (s *Server) refuseClient(ctx context.Context, id string, refused *oauthError) error {
	s.recordRefusal(ctx, audit.Entry{Actor: "client " + id, Action: "client.authenticate", Outcome: audit.Denied, Client: id, Reason: refused.description})
	return refused
}

// assertedClient reads who an assertion says it is of. What it says is believed once it
// is verified with that client's key.
func assertedClient(assertion string) string {
	var claims jwt.RegisteredClaims
	if len(assertion) > maxAssertion {
		return ""
	}
	if _, _, err := jwt.NewParser().ParseUnverified(assertion, &claims); err != nil {
		return ""
	}
	return claims.Issuer
}

// verifyAssertion is RFC 7523 3. Refusals are oauthErrors. The id of an assertion is
// spent only when everything else is right, so that nobody can spend another's.
func (s *Server) verifyAssertion(ctx context.Context, client grant.Client, assertion string) error {
	switch {
	case !client.Allows(clientdoc.MethodPrivateKeyJWT):
		return unauthorized("this client does not authenticate with private_key_jwt", nil)
	case assertion == "" || len(assertion) > maxAssertion:
		return unauthorized("client_assertion is missing or too long", nil)
	}
	var failed error // of ours, not of the assertion
	key := func(t *jwt.Token) (any, error) {
		if err := readOneWay(assertion); err != nil {
			return nil, err
		}
		kid, _ := t.Header["kid"].(string)
		public, err := s.Grants.ClientKey(ctx, client, kid, t.Method.Alg())
		if err != nil && !errors.Is(err, grant.ErrNoClient) {
			failed = err
		}
		return public, err
	}
	now := s.Now()
	var claims jwt.RegisteredClaims
	_, err := jwt.NewParser(jwt.WithValidMethods(assertionAlgorithms), jwt.WithStrictDecoding(), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(clockSkew), jwt.WithTimeFunc(func() time.Time { return now })).ParseWithClaims(assertion, &claims, key)
	if failed != nil {
		return failed
	}
	if err == nil {
		err = s.checkClaims(client, claims, now)
	}
	if err != nil {
		return unauthorized("client_assertion is not valid", err)
	}
	fresh, err := s.Grants.SpendAssertion(ctx, client.ID, claims.ID, claims.ExpiresAt.Add(clockSkew))
	if err != nil {
		return err
	}
	if !fresh {
		return unauthorized("client_assertion was used before", nil)
	}
	return nil
}

// readOneWay refuses an assertion that another reader could understand otherwise than the
// library does, which takes the last of two members and a name in any case (RFC 8725 3.1
// and 2.4; names are case-sensitive, RFC 7519 2). Of the header it wants a key id that is
// text, and nothing that changes how the rest is to be read (RFC 7515 4.1.11, RFC 7797).
func readOneWay(assertion string) error {
	parts := strings.Split(assertion, ".")
	for i, names := range [][]string{{"alg", "kid", "crit", "b64"}, {"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return err
		}
		var members map[string]jsontext.Value
		if err := json.Unmarshal(text, &members); err != nil { // refuses members that come twice
			return err
		}
		for member, value := range members {
			known := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, member) })
			switch {
			case known >= 0 && names[known] != member, i == 0 && (member == "crit" || member == "b64"):
				return fmt.Errorf("member %q", member)
			case i == 0 && member == "kid" && value.Kind() != '"':
				return errors.New("kid is no text")
			}
		}
	}
	return nil
}

// checkClaims: the audience is us, and us alone (RFC 8725 3.9): the issuer, or the
// token endpoint, which older clients name.
func (s *Server) checkClaims(client grant.Client, c jwt.RegisteredClaims, now time.Time) error {
	switch {
	case c.Issuer != client.ID || c.Subject != client.ID:
		return errors.New("iss and sub must be the client")
	case len(c.Audience) != 1 || !slices.Contains([]string{s.issuer, s.issuer + "/oauth/token"}, c.Audience[0]):
		return errors.New("aud must be the issuer or the token endpoint")
	case c.ExpiresAt.Time.After(now.Add(assertionLife + clockSkew)):
		return fmt.Errorf("exp must be at most %v ahead", assertionLife)
	case c.ID == "" || len(c.ID) > maxJTI:
		return fmt.Errorf("jti must have 1 to %d characters", maxJTI)
	}
	return nil
}
