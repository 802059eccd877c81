package salesforce

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/jwks"
)

// tokenLimit bounds an access token in bytes before anything of it is decoded.
const tokenLimit = 16 << 10

// coreTokenType is the tty of an access token for named users.
const coreTokenType = "sfdc-core-token"

// signingKeys are the keys that Salesforce signs access tokens with; it publishes a
// handful.
var signingKeys = jwks.Rules{Algorithms: []string{jwks.RS256}, MaxKeys: 64, NeedKeyID: true}

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

// identity is what a verified access token says.
type identity struct {
	subject, scope string
	expiresAt      time.Time
}

// verify checks one access token completely. Errors are Refused, or Transient if the
// keys to judge it are not to be had now.
//
// The order is: our strict reading, the header (it says by which rules the rest is to be
// read), then go-oidc for signature, issuer, audience and expiry, and last the claims as
// we read them, which are narrower. See DESIGN.md for why both are needed.
func (o *org) verify(ctx context.Context, token string, now time.Time) (*identity, error) {
	header, claims, err := decodeJWT(token)
	if err != nil {
		return nil, err
	}
	if err := o.checkHeader(header); err != nil {
		return nil, err
	}
	keys := &keysOnce{keys: o.keys}
	_, unverified := oidc.NewVerifier(o.Issuer, keys, &oidc.Config{
		ClientID:             o.Issuer, // Salesforce names the org itself as audience
		SupportedSigningAlgs: signingKeys.Algorithms,
		Now:                  func() time.Time { return now.Add(-leeway) },
	}).Verify(ctx, token)
	if err := keys.refusal(); err != nil {
		return nil, err
	}
	who, err := o.checkClaims(claims, now)
	if err == nil && unverified != nil { // go-oidc read other claims than we did
		return nil, NewError(malformedToken, "the access token's claims can be read in two ways")
	}
	return who, err
}

// keysOnce is the org's key set for one token. It keeps what the set answered, because
// go-oidc makes text of it.
type keysOnce struct {
	keys  *jwks.Remote
	asked bool
	err   error
}

// VerifySignature implements [oidc.KeySet].
func (k *keysOnce) VerifySignature(ctx context.Context, token string) (payload []byte, err error) {
	k.asked = true
	payload, k.err = k.keys.VerifySignature(ctx, token)
	return payload, k.err
}

// refusal says why the signature does not count; nil if it does.
func (k *keysOnce) refusal() error {
	switch {
	case errors.Is(k.err, jwks.ErrUnknownKey):
		return NewError(unknownKey, "the token is signed with a key that the org does not publish")
	case errors.Is(k.err, jwks.ErrAmbiguousKey):
		return NewError(ambiguousKey, "the org publishes two keys under the token's key id")
	case errors.Is(k.err, jwks.ErrUnavailable):
		return keysUnavailable(k.err)
	case k.err != nil, !k.asked: // not asked: go-oidc could not read the signature
		return NewError(badSignature, "the token's signature does not fit the org's key")
	}
	return nil
}

// ready makes sure that there are keys to verify with. The error is Transient.
func (o *org) ready(ctx context.Context) error {
	if err := o.keys.Ready(ctx); err != nil {
		return keysUnavailable(err)
	}
	return nil
}

func keysUnavailable(err error) *Error {
	e := NewError(noKeys, "the org's signing keys are not to be had now")
	e.cause = err
	return e
}

// decodeJWT reads header and claims strictly: a duplicate member at any depth, a wrong
// type, invalid UTF-8 or base64 with anything beside its alphabet is refused. Names
// match by exact case.
func decodeJWT(token string) (*jwtHeader, *jwtClaims, error) {
	parts := strings.Split(token, ".")
	if len(token) > tokenLimit || len(parts) != 3 {
		return nil, nil, NewError(opaqueToken, "the access token is not a JWT")
	}
	if strings.ContainsAny(token, "\r\n") { // which the decoder skips, in the signature too
		return nil, nil, NewError(malformedToken, "the access token is not a well-formed JWT")
	}
	header, claims := &jwtHeader{}, &jwtClaims{}
	for i, into := range []any{header, claims} {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			return nil, nil, NewError(malformedToken, "the access token is not a well-formed JWT")
		}
	}
	return header, claims, nil
}

func (o *org) checkHeader(h *jwtHeader) error {
	switch {
	case h.Algorithm != jwks.RS256: // RFC 8725 section 3.1
		return NewError(wrongAlgorithm, "the token is not signed with RS256")
	case h.Critical != nil || h.Unencoded != nil:
		return NewError(wrongHeader, "the token's header has an extension")
	case h.Type != "JWT" || h.TokenType != coreTokenType:
		return NewError(wrongType, "the token is not an access token of the platform")
	case h.KeyID == "":
		return NewError(wrongHeader, "the token names no key")
	}
	tenant := strings.Split(h.Tenant, "/") // core/INSTANCE/ORG
	if len(tenant) != 3 || tenant[0] != "core" {
		return NewError(wrongOrg, "the token does not name its org")
	}
	if id, err := NormalizeID(tenant[2]); err != nil || id != o.OrgID {
		return NewError(wrongOrg, "the token is of another org")
	}
	return nil
}
