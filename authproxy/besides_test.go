package authproxy

import (
	"testing"

	"sfmcp-proxy/authproxy/link"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// A sign-in beside an authorization of the same user, which has no connection yet, ends no login that this one needs: neither
// what it has stored, nor what took its place.
func TestSignInBesideAnAuthorizationLeavesItsLogin(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b, callback := f.atCallback(t)
	first := true
	f.Profiles = profileHook(func() {
		if first {
			first = false
			f.signInAt(t, f.browser(), "/signin?org=acme&return_to=/account")
		}
	})
	u := f.callbackWith(t, b, callback.Query()).location(t)
	f.opens(t, f.tokens(t, f.codeForm(u.Query().Get("code"))).access, true)
	if status, err := f.Links.Status(t.Context(), "acme", sim.RepID); err != nil || status.State != link.Active {
		t.Errorf("the login is %+v, %v", status, err)
	}
	if _, err := f.Links.Token(t.Context(), "acme", sim.RepID); err != nil {
		t.Errorf("its calls get no token: %v", err)
	}
}
