package salesforcesim

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

// decode splits a JWT without verifying it.
func decode(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// publishedKeys are the keys of /id/keys by id.
func publishedKeys(t *testing.T, base string) map[string]*rsa.PublicKey {
	t.Helper()
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal([]byte(send(t, "GET", base+"/id/keys", nil, "").body), &set); err != nil {
		t.Fatal(err)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, key := range set.Keys {
		if key["kty"] != "RSA" || key["use"] != "sig" || key["alg"] != "RS256" {
			t.Errorf("key %v", key)
		}
		n, _ := base64.RawURLEncoding.DecodeString(key["n"])
		e, _ := base64.RawURLEncoding.DecodeString(key["e"])
		keys[key["kid"]] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	return keys
}

func verifies(token string, keys map[string]*rsa.PublicKey, now time.Time) error {
	_, err := jwt.NewParser(jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithValidMethods([]string{"RS256"}),
		jwt.WithExpirationRequired()).Parse(token, func(t *jwt.Token) (any, error) {
		if key := keys[t.Header["kid"].(string)]; key != nil {
			return key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	})
	return err
}

func TestAccessTokenClaims(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := start(t, Config{Now: clock.Now})
	access, _ := issueTokens(t, s)
	header, claims := decode(t, access)

	kid, _ := header["kid"].(string)
	if !regexp.MustCompile(`^CORE_ATJWT\.00Dxx0000001gPF\.\d{13}$`).MatchString(kid) {
		t.Errorf("kid %q", kid)
	}
	wantHeader := map[string]any{"alg": "RS256", "typ": "JWT", "kid": kid, "tty": "sfdc-core-token", "tnk": "core/usa1s/" + OrgID, "ver": "1.0"}
	if diff := cmp.Diff(wantHeader, header); diff != "" {
		t.Error(diff)
	}
	now := float64(clock.Now().Unix())
	wantClaims := map[string]any{"iss": s.BaseURL(), "aud": []any{s.BaseURL()}, "sub": "uid:" + RepID, "scp": "refresh_token mcp_api",
		"client_id": PublicClientID, "iat": now, "nbf": now - 15, "exp": now + 1800, "mty": "oauth", "sfi": claims["sfi"], "roles": []any{}, "hsc": false}
	if diff := cmp.Diff(wantClaims, claims); diff != "" {
		t.Error(diff)
	}
	if claims["sfi"] == "" || claims["sfi"] == nil {
		t.Error("no sfi")
	}
	if err := verifies(access, publishedKeys(t, s.BaseURL()), clock.Now()); err != nil {
		t.Error(err)
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	if n := len(publishedKeys(t, s.BaseURL())); n != 2 {
		t.Fatalf("%d keys, want 2", n)
	}
	before, _ := issueTokens(t, s)
	kid := s.RotateKeys("")
	after, _ := issueTokens(t, s)
	if header, _ := decode(t, after); header["kid"] != kid {
		t.Errorf("signed by %v, want %s", header["kid"], kid)
	}
	keys := publishedKeys(t, s.BaseURL())
	for name, token := range map[string]string{"before": before, "after": after} {
		if err := verifies(token, keys, time.Now()); err != nil {
			t.Errorf("%s the rotation: %v", name, err)
		}
	}
	s.RotateKeys("")
	if err := verifies(before, publishedKeys(t, s.BaseURL()), time.Now()); err == nil {
		t.Error("a withdrawn key is still published")
	}
	setSwitches(t, s, Switches{KeysDown: true})
	if got := send(t, "GET", s.BaseURL()+"/id/keys", nil, ""); got.status != 503 {
		t.Errorf("keys down: %d", got.status)
	}
}

// TestHostileTokens: each hostile token is wrong in exactly one thing, and the gateway
// refuses all but those that are right in themselves.
func TestHostileTokens(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	good, _ := issueTokens(t, s)
	goodHeader, goodClaims := decode(t, good)
	changed := map[string]string{"alg_none": "alg", "hs256_public_key": "alg", "bad_signature": "", "unknown_kid": "kid", "wrong_iss": "iss",
		"wrong_aud": "aud", "wrong_client_id": "client_id", "wrong_tty": "tty", "missing_scope": "scp", "wider_scope": "scp", "other_org": "tnk", "other_user": "sub",
		"expired": "exp", "not_yet_valid": "nbf", "no_exp": "exp", "wrong_instance_url": ""}
	accepted := map[string]bool{"wider_scope": true, "other_org": true, "other_user": true, "wrong_instance_url": true}
	if len(changed) != len(hostileTokens) {
		t.Fatalf("test knows %d hostile tokens of %d", len(changed), len(hostileTokens))
	}
	for _, hostile := range hostileTokens {
		setSwitches(t, s, Switches{HostileToken: hostile})
		access, _ := issueTokens(t, s)
		header, claims := decode(t, access)
		for name, value := range goodHeader {
			if same := cmp.Equal(value, header[name]); same == (name == changed[hostile]) {
				t.Errorf("%s: header %s: %v", hostile, name, header[name])
			}
		}
		for name, value := range goodClaims {
			if name == "iat" || name == "sfi" || (name == "nbf" || name == "exp") && name != changed[hostile] {
				continue // these differ by the time of the test
			}
			if same := cmp.Equal(value, claims[name]); same == (name == changed[hostile]) {
				t.Errorf("%s: claim %s: %v", hostile, name, claims[name])
			}
		}
		_, err := s.gateway.bearer(access)
		if (err == nil) != accepted[hostile] {
			t.Errorf("%s: gateway: %v", hostile, err)
		}
	}
}

// TestTokenOfAnotherOrg: with a second org, other_org is that org's own token, which
// its own keys verify.
func TestTokenOfAnotherOrg(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Switches: Switches{HostileToken: "other_org"},
		Orgs: []Org{{Name: "acme", ID: OrgID}, {Name: "sandbox", ID: "00Dxx0000002gPFEAY", Kind: "sandbox"}}})
	access, _ := issueTokens(t, s)
	header, claims := decode(t, access)
	if header["tnk"] != "core/usa1s/00Dxx0000002gPFEAY" || claims["iss"] != s.LoginURL("sandbox") {
		t.Errorf("%v %v", header, claims)
	}
	if verifies(access, publishedKeys(t, s.BaseURL()), time.Now()) == nil {
		t.Error("keys of the first org verify it")
	}
	if err := verifies(access, publishedKeys(t, s.LoginURL("sandbox")), time.Now()); err != nil {
		t.Error(err)
	}
}

func TestWrongInstanceURL(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Switches: Switches{HostileToken: "wrong_instance_url"}})
	got := postForm(t, s.tokenURL(), redeemForm(getCode(t, s, RepUsername, RepPassword))).json(t)
	if got["instance_url"] == s.BaseURL() {
		t.Error("instance_url is right")
	}
}

func TestAccessTokenLifetime(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := start(t, Config{Now: clock.Now, Switches: Switches{AccessTokenLifetime: Duration(time.Minute)}})
	access, _ := issueTokens(t, s)
	clock.Advance(59 * time.Second)
	if _, err := s.gateway.bearer(access); err != nil {
		t.Errorf("after 59 s: %v", err)
	}
	clock.Advance(2 * time.Second)
	if _, err := s.gateway.bearer(access); err == nil {
		t.Error("accepted after 61 s")
	}
}
