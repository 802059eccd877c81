package jwks

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Errors of a set; a caller tells them apart with [errors.Is].
var (
	// ErrUnknownKey: the set has no key with that id for that algorithm.
	ErrUnknownKey = errors.New("the key is not in the key set")
	// ErrAmbiguousKey: the set has several such keys, and nothing says which is meant.
	ErrAmbiguousKey = errors.New("the key set has several such keys")
	// ErrSignature: the text is no JWS in compact form (RFC 7515 section 7.1) of an
	// allowed algorithm, or its signature is not by the key that it names.
	ErrSignature = errors.New("the signature does not fit")
)

// Algorithms of keys that a [Set] can hold (RFC 7518 section 3.1).
const (
	RS256 = string(jose.RS256)
	ES256 = string(jose.ES256)
)

// Bounds of one key, in characters of base64url: a modulus of 8192 bits, an exponent of
// 32, a coordinate of P-256.
const (
	maxModulus    = 1400
	maxExponent   = 6
	maxCoordinate = 43
	minBits       = 2048
	maxBits       = 8192
)

// Rules say which keys of a document count.
type Rules struct {
	// Algorithms that keys are used for: RS256, ES256 or both. A key for another one is
	// left out.
	Algorithms []string
	// MaxKeys a document may have, the unusable ones counted; more is an error.
	MaxKeys int
	// NeedKeyID leaves out keys without a kid.
	NeedKeyID bool
}

// Set is what one document published: public keys for signatures. It does not change, and
// the zero value has no key.
type Set struct{ keys []publicKey }

// publicKey is a key and the one algorithm that it is used with (RFC 8725 section 3.1).
type publicKey struct {
	id, algorithm string
	key           crypto.PublicKey
}

// member are the members of a key that are read (RFC 7517 section 4, RFC 7518 section 6).
type member struct {
	Type      string `json:"kty"`
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	KeyID     string `json:"kid,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
}

// secretMembers are those that only the holder of a key may have (RFC 7518 section 6).
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// Parse reads a key set (RFC 7517 section 5). Keys that the rules do not allow, that are
// not for signatures, too short, too long or malformed are left out. A set without a
// usable key is an error, so that an empty answer does not replace a good set; so is one
// with a private or symmetric key in it, since then nobody knows who signs.
func Parse(document []byte, rules Rules) (Set, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if json.Unmarshal(document, &set) != nil { // strict: no member twice, no text behind
		return Set{}, errors.New("expected a JWK set")
	}
	if len(set.Keys) > rules.MaxKeys {
		return Set{}, fmt.Errorf("has %d keys, more than %d", len(set.Keys), rules.MaxKeys)
	}
	var out Set
	for _, raw := range set.Keys {
		var members map[string]jsontext.Value
		if json.Unmarshal(raw, &members) != nil {
			return Set{}, errors.New("expected a list of keys")
		}
		for _, name := range secretMembers {
			if v, ok := members[name]; ok && v.Kind() != 'n' {
				return Set{}, errors.New("holds a private or symmetric key")
			}
		}
		if k, ok := parseKey(raw, rules); ok {
			out.keys = append(out.keys, k)
		}
	}
	if len(out.keys) == 0 {
		return Set{}, fmt.Errorf("has no key for %v", rules.Algorithms)
	}
	return out, nil
}

// parseKey reads one key; false if it must not verify anything.
func parseKey(raw jsontext.Value, rules Rules) (publicKey, bool) {
	var m member
	if json.Unmarshal(raw, &m) != nil || m.KeyID == "" && rules.NeedKeyID || m.Use != "" && m.Use != "sig" {
		return publicKey{}, false
	}
	if len(m.N) > maxModulus || len(m.E) > maxExponent || len(m.X) > maxCoordinate || len(m.Y) > maxCoordinate {
		return publicKey{}, false
	}
	checked, err := json.Marshal(m) // without certificates, which go-jose would parse
	var parsed jose.JSONWebKey
	if err != nil || parsed.UnmarshalJSON(checked) != nil || !parsed.Valid() || !parsed.IsPublic() {
		return publicKey{}, false
	}
	algorithm := algorithmOf(parsed.Key)
	if !slices.Contains(rules.Algorithms, algorithm) || m.Algorithm != "" && m.Algorithm != algorithm {
		return publicKey{}, false
	}
	return publicKey{m.KeyID, algorithm, parsed.Key}, true
}

// algorithmOf is what a key is used for; "" if it is too weak, too large or of another
// kind. go-jose has seen that a point is on its curve, and has no opinion on RSA keys.
func algorithmOf(key crypto.PublicKey) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		if bits >= minBits && bits <= maxBits && key.N.Bit(0) == 1 && key.E >= 3 && key.E <= 1<<31-1 && key.E%2 == 1 {
			return RS256
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return ES256
		}
	}
	return ""
}

// Find returns the key for an algorithm with that id. Without an id there must be one key
// for the algorithm. Errors are [ErrUnknownKey] and [ErrAmbiguousKey].
func (s Set) Find(kid, algorithm string) (crypto.PublicKey, error) {
	var found crypto.PublicKey
	for _, k := range s.keys {
		switch {
		case k.algorithm != algorithm || kid != "" && k.id != kid:
		case found != nil:
			return nil, ErrAmbiguousKey
		default:
			found = k.key
		}
	}
	if found == nil {
		return nil, ErrUnknownKey
	}
	return found, nil
}

// Len is how many keys of the set can be found by their id.
func (s Set) Len() (n int) {
	for _, k := range s.keys {
		if _, err := s.Find(k.id, k.algorithm); err == nil {
			n++
		}
	}
	return n
}

// VerifySignature checks a JWS in compact form against the one key that its header names
// by kid, for the algorithm in alg, and returns its payload. Keys that the header brings
// itself (jwk, jku, x5c, x5u) do not count. Errors are [ErrUnknownKey],
// [ErrAmbiguousKey] and [ErrSignature].
func (s Set) VerifySignature(_ context.Context, token string) ([]byte, error) {
	// Compact alone: go-oidc also takes the JSON form, and white space between.
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return nil, ErrSignature // its text quotes what it could not read
	}
	header := parsed.Signatures[0].Protected
	key, err := s.Find(header.KeyID, header.Algorithm)
	if err != nil {
		return nil, err
	}
	payload, err := parsed.Verify(key)
	if err != nil {
		return nil, ErrSignature
	}
	return payload, nil
}
