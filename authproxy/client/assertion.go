package client

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/jwks"
	"sfmcp-proxy/authproxy/seal"
)

const (
	// assertionLife is how far ahead an assertion may expire, clockSkew what clocks differ.
	assertionLife = 5 * time.Minute
	clockSkew     = 30 * time.Second
	maxAssertion  = 8 << 10
	maxJTI        = 256
)

// AssertionAlgorithms are those with which clients may sign: asymmetric ones alone, so
// that a public key never becomes an HMAC secret (RFC 8725 3.1).
var AssertionAlgorithms = []string{jwks.RS256, jwks.ES256}

// AssertedBy reads which client an assertion names, "" if none. That is believed once
// [Store.VerifyAssertion] has verified it with that client's key.
func AssertedBy(assertion string) string {
	var claims jwt.RegisteredClaims
	if len(assertion) > maxAssertion {
		return ""
	}
	if _, _, err := jwt.NewParser().ParseUnverified(assertion, &claims); err != nil {
		return ""
	}
	return claims.Issuer
}

// AssertionError refuses an assertion, or the client that brings one.
type AssertionError struct {
	// Description is for the client; it repeats nothing that was sent.
	Description string
	// Cause is for the log; it may be nil.
	Cause error
}

func (e *AssertionError) Error() string { return e.Description }

// Unwrap returns the cause.
func (e *AssertionError) Unwrap() error { return e.Cause }

// VerifyAssertion sees that an assertion was made by the client, for us, now and for the
// first time (RFC 7523 3). Refusals are [*AssertionError]; other errors are failures of
// ours. The id of an assertion is spent only when everything else is right, so that nobody
// can spend another's.
func (s *Store) VerifyAssertion(ctx context.Context, client Client, assertion string) error {
	switch {
	case !client.Allows(clientdoc.MethodPrivateKeyJWT):
		return &AssertionError{Description: "this client does not authenticate with private_key_jwt"}
	case assertion == "" || len(assertion) > maxAssertion:
		return &AssertionError{Description: "client_assertion is missing or too long"}
	}
	var failed error // of ours, not of the assertion
	key := func(t *jwt.Token) (any, error) {
		if err := readOneWay(assertion); err != nil {
			return nil, err
		}
		kid, _ := t.Header["kid"].(string)
		public, err := s.key(ctx, client, kid, t.Method.Alg())
		if err != nil && !errors.Is(err, ErrUnknown) {
			failed = err
		}
		return public, err
	}
	now := s.now()
	var claims jwt.RegisteredClaims
	_, err := jwt.NewParser(jwt.WithValidMethods(AssertionAlgorithms), jwt.WithStrictDecoding(), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(clockSkew), jwt.WithTimeFunc(func() time.Time { return now })).ParseWithClaims(assertion, &claims, key)
	if failed != nil {
		return failed
	}
	if err == nil {
		err = s.checkClaims(client, claims, now)
	}
	if err != nil {
		return &AssertionError{"client_assertion is not valid", err}
	}
	fresh, err := s.spendAssertion(ctx, client.ID, claims.ID, claims.ExpiresAt.Add(clockSkew))
	if err != nil {
		return err
	}
	if !fresh {
		return &AssertionError{Description: "client_assertion was used before"}
	}
	return nil
}

// readOneWay refuses an assertion that another reader could understand otherwise than the
// library does, which takes the last of two members and a name in any case (RFC 8725 3.1
// and 2.4; names are case-sensitive, RFC 7519 2). Of the header it wants a key id that is
// text, and nothing that changes how the rest is to be read (RFC 7515 4.1.11, RFC 7797).
func readOneWay(assertion string) error {
	if strings.ContainsAny(assertion, "\r\n") {
		return errors.New("line end in base64url") // which decoders skip, in the signature too
	}
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
func (s *Store) checkClaims(client Client, c jwt.RegisteredClaims, now time.Time) error {
	switch {
	case c.Issuer != client.ID || c.Subject != client.ID:
		return errors.New("iss and sub must be the client")
	case len(c.Audience) != 1 || !slices.Contains([]string{s.publicURL, s.publicURL + "/oauth/token"}, c.Audience[0]):
		return errors.New("aud must be the issuer or the token endpoint")
	case c.ExpiresAt.Time.After(now.Add(assertionLife + clockSkew)):
		return fmt.Errorf("exp must be at most %v ahead", assertionLife)
	case c.ID == "" || len(c.ID) > maxJTI:
		return fmt.Errorf("jti must have 1 to %d characters", maxJTI)
	}
	return nil
}

// spendAssertion marks the id of a verified client assertion as used, and the client as
// one that signs. false: the id was used before (RFC 7523 3, item 7). The database
// remembers, so that it holds for every process; until expires, after which the
// assertion is no good in any case.
func (s *Store) spendAssertion(ctx context.Context, clientID, jti string, expires time.Time) (fresh bool, err error) {
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		n, err := db.Affected(ctx, tx, `INSERT INTO client_assertions (client_id, jti_hash, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (client_id, jti_hash) DO NOTHING`, clientID, seal.Hash(jti), db.Millis(expires))
		if fresh = n == 1; err != nil || !fresh {
			return err
		}
		return s.setAsserted(ctx, tx, clientID)
	})
	if err != nil {
		return false, fmt.Errorf("spending assertion: %w", err)
	}
	return fresh, nil
}

// setAsserted notes that a client signs, once. A row that somebody changed is left alone: it
// says nothing.
func (s *Store) setAsserted(ctx context.Context, tx *sql.Tx, clientID string) error {
	var r registration
	err := r.scan(tx.QueryRowContext(ctx, `SELECT `+registrationColumns+` FROM registered_clients WHERE id = $1 AND asserted_at = 0`+
		s.db.ForUpdate("registered_clients"), clientID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if authentic, err := s.db.Verify(db.RegisteredClients, r.mac, r.covered()...); err != nil || !authentic {
		return err
	}
	r.assertedAt = s.millis()
	_, err = tx.ExecContext(ctx, `UPDATE registered_clients SET asserted_at = $1, mac = $2 WHERE id = $3 AND asserted_at = 0`,
		r.assertedAt, s.db.MAC(db.RegisteredClients, r.covered()...), clientID)
	return err
}
