package salesforcesim

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"sync"
)

// signingKey is one RSA key of an org.
type signingKey struct {
	ID      string
	DER     []byte // PKCS #1
	private *rsa.PrivateKey
}

// keyPool holds the RSA keys of this process. Making one costs a quarter of a second,
// so the nth key of every simulator in a process is the same; within one simulator all
// keys differ, in all its orgs and over all rotations.
var keyPool struct {
	sync.Mutex
	keys []*rsa.PrivateKey
}

func pooledKey(n int) *rsa.PrivateKey {
	keyPool.Lock()
	defer keyPool.Unlock()
	for len(keyPool.keys) <= n {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			// The system's source of randomness is gone.
			panic(fmt.Sprintf("making an RSA key: %v", err))
		}
		keyPool.keys = append(keyPool.keys, key)
	}
	return keyPool.keys[n]
}

// addKey gives an org a new signing key, which signs from now on; the caller holds mu or is New.
func (s *Sim) addKey(o *org) {
	private := pooledKey(s.keys)
	s.keys++
	id := fmt.Sprintf("CORE_ATJWT.%s.%d", o.ID[:15], s.now().UnixMilli()+int64(s.keys))
	s.state.Keys[o.Name] = append(s.state.Keys[o.Name], signingKey{ID: id, DER: x509.MarshalPKCS1PrivateKey(private), private: private})
}

// RotateKeys makes a new signing key for an org, withdraws the oldest one and returns
// the id of the new one, or "" where there is no such org. The key that signed until
// now stays published.
func (s *Sim) RotateKeys(orgName string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.org(orgName)
	if o == nil {
		return ""
	}
	s.addKey(o)
	s.state.Keys[o.Name] = s.state.Keys[o.Name][1:]
	s.save()
	return s.signer(o).ID
}

// signer is the key that signs; the caller holds mu.
func (s *Sim) signer(o *org) signingKey {
	keys := s.state.Keys[o.Name]
	return keys[len(keys)-1]
}

// keyNamed finds the published key of an id, and its org; the caller holds mu.
func (s *Sim) keyNamed(id string) (*org, *rsa.PublicKey) {
	for _, o := range s.orgs {
		for _, key := range s.state.Keys[o.Name] {
			if key.ID == id {
				return o, &key.private.PublicKey
			}
		}
	}
	return nil, nil
}

// serveKeys answers /id/keys with the org's JSON Web Key Set (RFC 7517).
func (s *Sim) serveKeys(w http.ResponseWriter, _ *http.Request, o *org) {
	s.mu.Lock()
	down := s.switches.KeysDown
	keys := []map[string]string{}
	for _, key := range s.state.Keys[o.Name] {
		var exponent [8]byte
		binary.BigEndian.PutUint64(exponent[:], uint64(key.private.E))
		keys = append(keys, map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.ID,
			"n": base64.RawURLEncoding.EncodeToString(key.private.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(bytes.TrimLeft(exponent[:], "\x00"))})
	}
	s.mu.Unlock()
	if down {
		htmlError(w, http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": keys})
}
