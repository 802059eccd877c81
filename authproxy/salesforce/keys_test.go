package salesforce_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sfmcp-proxy/authproxy/salesforce"
)

// signedBy makes the token endpoint answer with tokens of now, signed by the other key.
func (f *fake) signedBy(kid string) {
	f.set(func() {
		f.token = func(w http.ResponseWriter, _ *http.Request) {
			f.answer(w, f.tokenAnswer(f.sign(jwt.SigningMethodRS256, otherKey, map[string]any{"kid": kid}, nil)))
		}
	})
}

// FT-27: Salesforce signs with a key that the key host does not publish yet. The token
// is not used, and what came with it is not taken for an attack: nobody loses a login.
func TestFaultFT27KeySetLagsBehind(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := f.client(t)
	if _, err := c.Refresh(t.Context(), "acme", "5Aep1"); err != nil {
		t.Fatal(err)
	}
	f.signedBy("k2")
	_, err := c.Refresh(t.Context(), "acme", "5Aep1")
	if e := failureOf(t, err); e.Kind != salesforce.Transient || e.Code != "unknown_key" || e.Received == nil {
		t.Errorf("a key set that lags: %v with %v", e, e.Received)
	}
	// A sign-in has a person who can repeat it; what it brought is not left alive.
	_, err = c.Exchange(t.Context(), "acme", "code", "verifier")
	if e := failureOf(t, err); e.Code != "keys_unavailable" || len(f.revokeForms) != 1 {
		t.Errorf("a sign-in meanwhile: %v, %d revocations", e, len(f.revokeForms))
	}
	f.set(func() {
		f.now = f.now.Add(31 * time.Second)
		f.keys = serveKeys(jwkOf("k1", signingKey), jwkOf("k2", otherKey))
	})
	if _, err := c.Refresh(t.Context(), "acme", "5Aep1"); err != nil {
		t.Errorf("once it is published: %v", err)
	}
}

// FT-27: what is no key set does not replace one, and 12 hours later nothing verifies.
func TestFaultFT27BadSetsDoNotReplace(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]http.HandlerFunc{
		"empty set": serveKeys(), "nothing": status(200, ""), "page": status(200, "<html>"), "error": status(500, ""), "redirect": status(302, "", "Location", "/elsewhere"),
		"cut": status(200, `{"keys":[{"kty":"RSA","ki`), "twice": status(200, `{"keys":[],"keys":[]}`), "connection": drop(""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			c := f.client(t)
			if _, err := c.Refresh(t.Context(), "acme", "5Aep1"); err != nil {
				t.Fatal(err)
			}
			begin := f.now
			f.set(func() { f.keys = keys })
			for age, want := range map[time.Duration]string{time.Hour: "", 12*time.Hour - time.Second: "", 12 * time.Hour: "keys_unavailable", 36 * time.Hour: "keys_unavailable",
				-11 * time.Hour: "", -13 * time.Hour: "keys_unavailable"} { // before: the clock was set back
				f.set(func() { f.now = begin.Add(age) })
				sent, got := len(f.tokenForms), ""
				if _, err := c.Refresh(t.Context(), "acme", "5Aep1"); err != nil {
					got = failureOf(t, err).Code
				}
				if got != want || (len(f.tokenForms) == sent) != (want != "") {
					t.Errorf("keys of %s ago: %q, %d tokens sent; want %q", age, got, len(f.tokenForms)-sent, want)
				}
			}
		})
	}
}

// FT-27: two orgs rotate at once: each is asked once, and neither's key counts for the other.
func TestFaultFT27TwoOrgsRotate(t *testing.T) {
	t.Parallel()
	a, b := newFake(t), newFake(t)
	other := b.org()
	other.Name, other.OrgID = "other", otherOrgID
	tenant := map[string]any{"tnk": "core/usa1s/" + otherOrgID}
	b.answerWith(b.jwt(tenant, nil))
	c := a.client(t, a.org(), other)
	refresh := func(org string) string {
		if _, err := c.Refresh(t.Context(), org, "5Aep1"); err != nil {
			return failureOf(t, err).Code
		}
		return ""
	}
	if got := refresh("acme") + refresh("other"); got != "" {
		t.Fatal(got)
	}
	a.set(func() { a.keys = serveKeys(jwkOf("k2", otherKey)) })
	a.signedBy("k2")
	if got := refresh("acme"); got != "" || a.keyFetches != 2 || b.keyFetches != 1 {
		t.Errorf("%q after %d and %d fetches", got, a.keyFetches, b.keyFetches)
	}
	// The other org's token by the first one's new key.
	b.answerWith(b.sign(jwt.SigningMethodRS256, otherKey, merged(tenant, map[string]any{"kid": "k2"}), nil))
	if got := refresh("other"); got != "unknown_key" || b.keyFetches != 2 {
		t.Errorf("a token by another org's key: %q after %d fetches", got, b.keyFetches)
	}
}

// FT-32: Salesforce's clock against ours. A minute is tolerated, no more, and no token
// outlives what it says by Salesforce's clock.
func TestFaultFT32SkewedClocks(t *testing.T) {
	t.Parallel()
	for skew, want := range map[time.Duration]string{
		0: "", 44 * time.Second: "", -59 * time.Second: "", // iat may be a minute ahead of us
		75 * time.Second: "not_yet_valid", 5 * time.Minute: "not_yet_valid", time.Hour: "not_yet_valid",
		-29 * time.Minute: "", -(30*time.Minute + 59*time.Second): "", // exp may be a minute behind us
		-31 * time.Minute: "expired", -time.Hour: "expired", -24 * time.Hour: "expired",
	} {
		f := newFake(t)
		c := f.client(t)
		at := f.now.Add(skew).Unix()
		f.answerWith(f.jwt(nil, map[string]any{"iat": at, "nbf": at - 15, "exp": at + 1800}))
		token, err := c.Refresh(t.Context(), "acme", "5Aep1")
		got := ""
		if err != nil {
			got = failureOf(t, err).Code
		}
		if got != want {
			t.Errorf("Salesforce %s ahead: %q, want %q", skew, got, want)
		}
		if err == nil && token.ExpiresAt.Unix() != at+1800 {
			t.Errorf("Salesforce %s ahead: counts until %s", skew, token.ExpiresAt)
		}
	}
}
