package clientdoc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const maxKeys = 32

// KeySet holds a client's public keys for signatures.
type KeySet struct{ keys []key }

type key struct {
	id, algorithm string // algorithm is the one that the key is used with
	public        crypto.PublicKey
}

type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	N         string `json:"n"`
	E         string `json:"e"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

// secretMembers are those of RFC 7518 6 that only the holder of a key may have.
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// ParseKeys reads a JWK set (RFC 7517 5). Keys that are not for RS256 (2048 to 8192
// bits) or ES256 are left out; a set without a usable key, or with a secret in it, is
// an error.
func ParseKeys(body []byte) (KeySet, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil {
		return KeySet{}, errors.New("expected a JWK set")
	}
	if len(set.Keys) > maxKeys {
		return KeySet{}, fmt.Errorf("has more than %d keys", maxKeys)
	}
	var out KeySet
	for _, raw := range set.Keys {
		var members object
		if json.Unmarshal(raw, &members) != nil {
			return KeySet{}, errors.New("expected a list of keys")
		}
		for _, name := range secretMembers {
			if members.has(name) {
				return KeySet{}, errors.New("holds a private or symmetric key")
			}
		}
		var j jwk
		if json.Unmarshal(raw, &j) != nil {
			continue
		}
		if public, algorithm := j.public(); public != nil && (j.Use == "" || j.Use == "sig") && (j.Algorithm == "" || j.Algorithm == algorithm) {
			out.keys = append(out.keys, key{j.KeyID, algorithm, public})
		}
	}
	if len(out.keys) == 0 {
		return KeySet{}, errors.New("has no key for RS256 or ES256")
	}
	return out, nil
}

func (j jwk) public() (crypto.PublicKey, string) {
	switch {
	case j.Type == "RSA":
		n, nErr := base64.RawURLEncoding.DecodeString(j.N)
		e, eErr := base64.RawURLEncoding.DecodeString(j.E)
		if nErr != nil || eErr != nil || len(n) > 1024 || len(e) > 4 {
			return nil, ""
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if public.N.BitLen() < 2048 || public.N.Bit(0) == 0 || public.E < 3 || public.E > 1<<31-1 || public.E%2 == 0 {
			return nil, ""
		}
		return public, "RS256"
	case j.Type == "EC" && j.Curve == "P-256":
		x, xErr := base64.RawURLEncoding.DecodeString(j.X)
		y, yErr := base64.RawURLEncoding.DecodeString(j.Y)
		if xErr != nil || yErr != nil || len(x) != 32 || len(y) != 32 {
			return nil, ""
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil { // not a point of the curve
			return nil, ""
		}
		return public, "ES256"
	}
	return nil, ""
}

// Find returns the one key for an algorithm (RS256, ES256) with that id. Without an id
// there must be one key for the algorithm. nil: there is none, or it is not clear which.
func (s KeySet) Find(kid, algorithm string) (found crypto.PublicKey) {
	for _, k := range s.keys {
		if k.algorithm != algorithm || kid != "" && k.id != kid {
			continue
		}
		if found != nil {
			return nil
		}
		found = k.public
	}
	return found
}
