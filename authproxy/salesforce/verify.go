package salesforce

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

const (
	// leeway for clocks that differ (RFC 8725 says a few minutes at most).
	leeway = 60 * time.Second
	// maxLifetime is twice what Salesforce can be set to (720 minutes); a token that
	// claims more is not one of its.
	maxLifetime = 24 * time.Hour
	// tokenLimit bounds an access token in bytes before anything of it is decoded.
	tokenLimit = 16 << 10
	// coreTokenType is the tty of an access token for named users.
	coreTokenType = "sfdc-core-token"
)

// Codes of errors that a clock makes, ours or Salesforce's.
const (
	tokenExpired     = "expired"
	tokenNotYetValid = "not_yet_valid"
)

// jwtHeader is the protected header. Members that would bring their own key (jku,
// jwk, x5u, x5c) have no field: the key comes from the org's set by kid, or not at all.
type jwtHeader struct {
	Algorithm string         `json:"alg"`
	Type      string         `json:"typ"`
	KeyID     string         `json:"kid"`
	TokenType string         `json:"tty"`
	Tenant    string         `json:"tnk"`
	Critical  jsontext.Value `json:"crit"`
	Unencoded jsontext.Value `json:"b64"`
}

type jwtClaims struct {
	Issuer    string         `json:"iss"`
	Audience  jsontext.Value `json:"aud"`
	Subject   string         `json:"sub"`
	ClientID  string         `json:"client_id"`
	Scope     string         `json:"scp"`
	ExpiresAt jsontext.Value `json:"exp"`
	NotBefore jsontext.Value `json:"nbf"`
	IssuedAt  jsontext.Value `json:"iat"`
}

// identity is what a verified access token says.
type identity struct {
	subject, scope string
	expiresAt      time.Time
}

// verify checks one access token completely. Errors are Refused, or Transient if the
// keys to judge it are not to be had now.
func (o *org) verify(ctx context.Context, token string, now time.Time) (*identity, error) {
	header, claims, err := decodeJWT(token)
	if err != nil {
		return nil, err
	}
	if err := o.checkHeader(header); err != nil {
		return nil, err
	}
	key, err := o.keys.find(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	dot := strings.LastIndexByte(token, '.')
	signature, err := segment(token[dot+1:])
	if err != nil || jwt.SigningMethodRS256.Verify(token[:dot], signature, key) != nil {
		return nil, refused("bad_signature", "the token's signature does not fit the org's key", "")
	}
	return o.checkClaims(claims, now)
}

// decodeJWT reads header and claims strictly: a duplicate member at any depth, a wrong
// type, invalid UTF-8 or base64 with anything beside its alphabet is refused. Names
// match by exact case.
func decodeJWT(token string) (*jwtHeader, *jwtClaims, error) {
	parts := strings.Split(token, ".")
	if len(token) > tokenLimit || len(parts) != 3 {
		return nil, nil, refused("opaque_token", "the access token is not a JWT",
			setupSettings+" > Security: Issue JSON Web Token (JWT)-based access tokens for named users; and scope api must not be asked for")
	}
	header, claims := &jwtHeader{}, &jwtClaims{}
	for i, into := range []any{header, claims} {
		raw, err := segment(parts[i])
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			return nil, nil, refused("malformed_token", "the access token is not a well-formed JWT", "")
		}
	}
	return header, claims, nil
}

func segment(s string) ([]byte, error) {
	// The decoder skips line ends.
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line end in base64url")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

func (o *org) checkHeader(h *jwtHeader) error {
	switch {
	case h.Algorithm != jwt.SigningMethodRS256.Alg(): // RFC 8725 section 3.1
		return refused("wrong_algorithm", "the token is not signed with RS256", "")
	case h.Critical != nil || h.Unencoded != nil:
		return refused("wrong_header", "the token's header has an extension", "")
	case h.Type != "JWT" || h.TokenType != coreTokenType:
		return refused("wrong_token_type", "the token is not an access token of the platform", "")
	case h.KeyID == "":
		return refused("wrong_header", "the token names no key", "")
	}
	tenant := strings.Split(h.Tenant, "/") // core/INSTANCE/ORG
	if len(tenant) != 3 || tenant[0] != "core" {
		return refused("wrong_org", "the token does not name its org", "")
	}
	if id, err := NormalizeID(tenant[2]); err != nil || id != o.OrgID {
		return refused("wrong_org", "the token is of another org",
			"the user is signed in to another org in this browser; or org_id is not that of login_url: Setup > Company Information > Organization ID")
	}
	return nil
}

func (o *org) checkClaims(c *jwtClaims, now time.Time) (*identity, error) {
	if c.Issuer != o.Issuer {
		return nil, refused("wrong_issuer", "the token has another issuer", "issuer: set it to the org's Current My Domain URL from Setup > My Domain")
	}
	if !slices.Contains(audience(c.Audience), c.Issuer) {
		return nil, refused("wrong_audience", "the token is for another audience", "")
	}
	if c.ClientID != o.ClientID {
		return nil, refused("wrong_client", "the token was issued to another client", "")
	}
	if err := o.checkScope(c.Scope, true); err != nil {
		return nil, err
	}
	expiresAt, err := checkTimes(c, now)
	if err != nil {
		return nil, err
	}
	user, isUser := strings.CutPrefix(c.Subject, "uid:")
	subject, err := NormalizeID(user)
	if err != nil || !isUser || !strings.HasPrefix(subject, "005") {
		return nil, refused("wrong_subject", "the token's subject is no user", "")
	}
	return &identity{subject: subject, scope: c.Scope, expiresAt: expiresAt}, nil
}

// audience reads both forms of RFC 7519 section 4.1.3: a string, or a list of them.
func audience(v jsontext.Value) []string {
	var one string
	if json.Unmarshal(v, &one) == nil && v.Kind() == '"' {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(v, &many) != nil {
		return nil
	}
	return many
}

func checkTimes(c *jwtClaims, now time.Time) (time.Time, error) {
	var times [3]time.Time
	for i, v := range []jsontext.Value{c.ExpiresAt, c.NotBefore, c.IssuedAt} {
		// Whole seconds alone: "1e300", strings and fractions have readers that differ.
		seconds, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil || seconds <= 0 || seconds > 1<<40 {
			return time.Time{}, refused("wrong_time", "the token's exp, nbf or iat is missing or no whole number", "")
		}
		times[i] = time.Unix(seconds, 0).UTC()
	}
	expiresAt, notBefore, issuedAt := times[0], times[1], times[2]
	switch {
	case !now.Before(expiresAt.Add(leeway)):
		return time.Time{}, refused(tokenExpired, "the token has expired", "compare this host's clock with the time")
	case now.Before(notBefore.Add(-leeway)), now.Before(issuedAt.Add(-leeway)):
		return time.Time{}, refused(tokenNotYetValid, "the token is from the future", "compare this host's clock with the time")
	case expiresAt.After(now.Add(maxLifetime)):
		return time.Time{}, refused("wrong_time", "the token lives longer than Salesforce lets one live", "")
	}
	return expiresAt, nil
}
