package salesforcesim

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"sfmcp-proxy/examples/salesforcesim/rsakey"
)

// signingKey is one RSA key of an org.
type signingKey struct {
	ID      string
	DER     []byte // PKCS #1
	private *rsa.PrivateKey
}

// signingKeys makes and finds the keys that sign access tokens, which the state holds. The nth key
// of every simulator in a process is the same; within one simulator all keys differ, in all
// its orgs and over all rotations.
type signingKeys struct {
	sim  *Sim
	made int // so far
}

// add gives an org a new signing key, which signs from now on; the caller holds mu or is New.
func (k *signingKeys) add(o *org) {
	private, err := rsakey.Nth("salesforce", k.made)
	if err != nil {
		panic(err) // the system's source of randomness is gone, or the directory of keys
	}
	k.made++
	id := fmt.Sprintf("CORE_ATJWT.%s.%d", o.ID[:15], k.sim.now().UnixMilli()+int64(k.made))
	k.sim.state.Keys[o.Name] = append(k.sim.state.Keys[o.Name], signingKey{ID: id, DER: x509.MarshalPKCS1PrivateKey(private), private: private})
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
	s.keys.add(o)
	s.state.Keys[o.Name] = s.state.Keys[o.Name][1:]
	s.save()
	return s.keys.signer(o).ID
}

// signer is the key that signs; the caller holds mu.
func (k *signingKeys) signer(o *org) signingKey {
	keys := k.sim.state.Keys[o.Name]
	return keys[len(keys)-1]
}

// named finds the published key of an id, and its org; the caller holds mu.
func (k *signingKeys) named(id string) (*org, *rsa.PublicKey) {
	for _, o := range k.sim.orgs {
		for _, key := range k.sim.state.Keys[o.Name] {
			if key.ID == id {
				return o, &key.private.PublicKey
			}
		}
	}
	return nil, nil
}

// published are the keys of an org as JSON Web Keys (RFC 7517); the caller holds mu.
func (k *signingKeys) published(o *org) []map[string]string {
	keys := []map[string]string{}
	for _, key := range k.sim.state.Keys[o.Name] {
		var exponent [8]byte
		binary.BigEndian.PutUint64(exponent[:], uint64(key.private.E))
		keys = append(keys, map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.ID,
			"n": base64.RawURLEncoding.EncodeToString(key.private.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(bytes.TrimLeft(exponent[:], "\x00"))})
	}
	return keys
}
