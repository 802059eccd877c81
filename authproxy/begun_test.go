package authproxy

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/grant"
	sim "sfmcp-proxy/examples/salesforcesim"
)

var cutNow = Act{By: actor.Operator("root", ""), Why: "stolen"}

// RS-10: a sign-in that was under way when everything of the user or the client ended gives neither a code nor a
// session: back from Salesforce, on the consent page of the client, and with the session not yet started.
func TestRS10SignInUnderWay(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.connect(t, sim.RepUsername, sim.RepPassword)
	for name, cut := range map[string]func() error{
		"user":   func() error { _, err := f.Cutoff.RevokeUser(t.Context(), "acme", sim.RepID, cutNow); return err },
		"client": func() error { _, err := f.Cutoff.RevokeClient(t.Context(), "chatgpt", cutNow); return err },
		"block": func() error {
			_, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.RepID, cutNow)
			return errors.Join(err, f.Cutoff.UnblockUser(t.Context(), "acme", sim.RepID, cutNow))
		},
	} {
		b, callback := f.atCallback(t)
		browser := f.browser(f.PublicURL + "/oauth/callback")
		signingIn, err := browser.LogIn(t.Context(), f.PublicURL+"/signin?org=acme", sim.RepUsername, sim.RepPassword)
		if err != nil {
			t.Fatal(err)
		}
		asked := f.browser()
		page := f.openConsent(t, asked)
		if err := cut(); err != nil {
			t.Fatal(err)
		}
		if r := f.callbackWith(t, b, callback.Query()); r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
			t.Errorf("%s: back with %d to %q", name, r.status, r.header.Get("Location"))
		}
		back, err := browser.Get(t.Context(), signingIn)
		if err != nil {
			t.Fatal(err)
		}
		if signed := f.session(t, browser) != nil; signed != (name == "client") { // whose cut is not about who signs in
			t.Errorf("%s: signed in is %t: %d", name, signed, back.Status)
		}
		if next := f.decide(t, asked, page, "allow"); (next.Status >= 400) != (name == "client") {
			t.Errorf("%s: a consent that was open leads to %d %s", name, next.Status, next.URL)
		}
		if n, err := f.Grants.LiveGrants(t.Context(), "acme", sim.RepID); err != nil || n > 0 {
			t.Errorf("%s: %d connections, %v", name, n, err)
		}
	}

	// The cut comes between the return and the session.
	id, err := f.Grants.Requests.Open(t.Context(), grant.AuthorizationRequest{Kind: grant.SignIn, Org: "acme"}, "browser")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := f.Grants.Requests.Send(t.Context(), id, "browser")
	if err != nil {
		t.Fatal(err)
	}
	req, _, err := f.Grants.Requests.Finish(t.Context(), sent.State, sent.Login)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cutoff.RevokeUser(t.Context(), "acme", sim.RepID, cutNow); err != nil {
		t.Fatal(err)
	}
	err = f.startSession(t.Context(), httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/oauth/callback", nil), req, f.personOf(t.Context(), "acme", sim.RepID))
	if !errors.Is(err, grant.ErrNoRequest) {
		t.Errorf("a session after the cut: %v", err)
	}
	if n, err := f.Sessions.EndUser(t.Context(), "acme", sim.RepID); n != 0 || err != nil {
		t.Errorf("%d sessions are left, %v", n, err)
	}
}
