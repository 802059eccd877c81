package salesforce

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/singleflight"
)

const (
	// keysFresh is how long a fetched key set is used without asking again; a key that
	// Salesforce removed is refused after it.
	keysFresh = 15 * time.Minute
	// keysMaxAge is how long the last good set is used while the key host is down; a key
	// that was removed meanwhile counts for as long. Then nothing verifies.
	keysMaxAge = 12 * time.Hour
	// keysPause is the least time between two fetches that fail or find nothing.
	keysPause = 30 * time.Second
	keysLimit = 10 * time.Second
	// maxKeys bounds a set; Salesforce publishes a handful.
	maxKeys = 64
)

// keySet holds the signing keys of one org, from its pinned URL alone.
//
// A fetch replaces the set, it never merges. A token with an unknown kid causes a
// fetch, since that is how key rotation shows, but at most one in keysPause. While the
// host is down the last good set serves until keysMaxAge; then nothing verifies.
// (go-oidc's RemoteKeySet has neither limit, bounds neither body nor keys, and keeps
// its keys for ever while the host is down.)
type keySet struct {
	url  string
	http *http.Client
	now  func() time.Time
	log  *slog.Logger

	flight singleflight.Group
	mu     sync.Mutex
	// keys by kid; nil for a kid that two keys of the set share.
	keys      map[string]*rsa.PublicKey
	fetchedAt time.Time
	// The last attempt: when, whether for an unknown kid, and how it ended.
	triedAt  time.Time
	forKid   bool
	triedErr error
}

// unknownKey is the code of an error: the org does not publish the key.
const unknownKey = "unknown_key"

// errPaused says that a fetch is not made because one was made just now.
var errPaused = errors.New("the key set was asked for less than 30 s ago")

// ready makes sure that there are keys to verify with. The error is Transient.
func (k *keySet) ready(ctx context.Context) error {
	k.mu.Lock()
	// A set from the future was fetched before the clock was set back: its age is unknown.
	have, age := k.keys != nil, k.now().Sub(k.fetchedAt).Abs()
	k.mu.Unlock()
	if have && age < keysFresh {
		return nil
	}
	err := k.fetch(ctx, false)
	if err == nil || have && age < keysMaxAge {
		return nil
	}
	return keysUnavailable(err)
}

// find returns the key named kid, fetching the set if it does not know it. The error
// is Refused if a fresh set has no such key, Transient if no fresh set was to be had.
func (k *keySet) find(ctx context.Context, kid string) (*rsa.PublicKey, error) {
	if err := k.ready(ctx); err != nil {
		return nil, err
	}
	key, known := k.lookup(kid)
	if !known {
		if err := k.fetch(ctx, true); err != nil {
			return nil, keysUnavailable(err)
		}
		key, known = k.lookup(kid)
	}
	switch {
	case !known:
		return nil, refused(unknownKey, "the token is signed with a key that the org does not publish", "")
	case key == nil:
		return nil, refused("ambiguous_key", "the org publishes two keys under the token's key id", "")
	}
	return key, nil
}

func (k *keySet) lookup(kid string) (*rsa.PublicKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, known := k.keys[kid]
	return key, known
}

// fetch replaces the set, once for all who ask at the same time. A caller who leaves
// does not end it.
func (k *keySet) fetch(ctx context.Context, forKid bool) error {
	done := k.flight.DoChan("", func() (any, error) {
		if !k.mayFetch(forKid) {
			return nil, errPaused
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysLimit)
		defer cancel()
		keys, err := k.get(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.triedErr = err; err != nil {
			k.log.Warn("fetching Salesforce keys failed", "url", k.url, "error", err)
			return nil, err
		}
		k.keys, k.fetchedAt = keys, k.now()
		return nil, nil
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case res := <-done:
		return res.Err
	}
}

// mayFetch records an attempt unless it comes too soon. The first unknown kid after a
// good periodic fetch need not wait: keys may rotate at any time.
func (k *keySet) mayFetch(forKid bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	since := k.now().Sub(k.triedAt)
	rotated := forKid && !k.forKid && k.triedErr == nil
	// A clock that was set back must not keep us away.
	if !k.triedAt.IsZero() && since >= 0 && since < keysPause && !rotated {
		return false
	}
	k.triedAt, k.forKid = k.now(), forKid
	return true
}

func (k *keySet) get(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	res, err := k.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := ReadAll(res.Body, answerLimit)
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

func keysUnavailable(err error) *Error {
	return &Error{Kind: Transient, Code: "keys_unavailable", Description: "the org's signing keys are not to be had now",
		Hint: "jwks_url must be reachable from this host", cause: err}
}

type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Modulus   string `json:"n"`
	Exponent  string `json:"e"`
}

// parseKeys reads a JWK set (RFC 7517). Keys that are not for RS256 signatures, too
// short or too long are skipped; a set without a usable key is an error, so that an
// empty answer does not replace a good set.
func parseKeys(body []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("key set is not well-formed JSON")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("key set has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, raw := range set.Keys {
		var j jwk
		if json.Unmarshal(raw, &j) != nil {
			continue
		}
		key := j.publicKey()
		if key == nil {
			continue
		}
		if _, twice := keys[j.KeyID]; twice {
			key = nil
		}
		keys[j.KeyID] = key
	}
	if len(keys) == 0 {
		return nil, errors.New("key set has no usable key")
	}
	return keys, nil
}

// publicKey returns nil for a key that must not verify anything.
func (j jwk) publicKey() *rsa.PublicKey {
	if j.Type != "RSA" || j.KeyID == "" || j.Use != "" && j.Use != "sig" || j.Algorithm != "" && j.Algorithm != "RS256" {
		return nil
	}
	if len(j.Modulus) > 1400 || len(j.Exponent) > 6 { // 8192 bits and 32 bits in base64url
		return nil
	}
	n, err := segment(j.Modulus)
	if err != nil {
		return nil
	}
	e, err := segment(j.Exponent)
	if err != nil {
		return nil
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if bits := key.N.BitLen(); bits < 2048 || bits > 8192 || key.N.Bit(0) == 0 {
		return nil
	}
	if key.E < 3 || key.E > 1<<31-1 || key.E%2 == 0 {
		return nil
	}
	return key
}
