package salesforce_test

import (
	"log/slog"
	"net/url"
	"testing"

	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/examples/salesforcesim"
)

// simulated starts a simulated Salesforce with two orgs and a client for both.
func simulated(t *testing.T, clientID, secret string) (*salesforcesim.Running, *salesforce.Client) {
	t.Helper()
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{redirectURI},
		Orgs: []salesforcesim.Org{{Name: "acme", ID: salesforcesim.OrgID}, {Name: "other", ID: otherOrgID}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	c, err := salesforce.New(salesforce.Config{RedirectURI: redirectURI, Log: slog.New(slog.DiscardHandler), Orgs: []salesforce.Org{
		{Name: "acme", LoginURL: sim.LoginURL("acme"), OrgID: salesforcesim.OrgID, ClientID: clientID, ClientSecret: secret, InsecureHTTP: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return sim, c
}

// signIn walks the pages of the simulated Salesforce and exchanges the code.
func signIn(t *testing.T, c *salesforce.Client) (*salesforce.Token, error) {
	t.Helper()
	verifier := salesforce.NewVerifier()
	authorize, err := c.AuthorizeURL("acme", "state", verifier)
	if err != nil {
		t.Fatal(err)
	}
	callback, err := salesforcesim.LogIn(t.Context(), nil, authorize, salesforcesim.RepUsername, salesforcesim.RepPassword)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Query().Get("state"); got != "state" {
		t.Fatalf("state came back as %q", got)
	}
	return c.Exchange(t.Context(), "acme", u.Query().Get("code"), verifier)
}

func TestSignInRefreshRevoke(t *testing.T) {
	t.Parallel()
	for _, app := range [][2]string{{salesforcesim.PublicClientID, ""}, {salesforcesim.ConfidentialClientID, salesforcesim.ConfidentialSecret}} {
		sim, c := simulated(t, app[0], app[1])
		token, err := signIn(t, c)
		if err != nil {
			t.Fatal(err)
		}
		if token.Subject != salesforcesim.RepID || token.OrgID != salesforcesim.OrgID {
			t.Errorf("signed in as %v", token)
		}
		sim.RotateKeys("acme")
		next, err := c.Refresh(t.Context(), "acme", token.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		if next.RefreshToken == "" || next.RefreshToken == token.RefreshToken || next.Subject != token.Subject {
			t.Errorf("refreshed to %v", next)
		}
		for range 2 { // the second time the token is unknown
			if err := c.Revoke(t.Context(), "acme", next.RefreshToken); err != nil {
				t.Errorf("revoke: %v", err)
			}
		}
		_, err = c.Refresh(t.Context(), "acme", next.RefreshToken)
		if e := failureOf(t, err); e.Kind != salesforce.Dead {
			t.Errorf("after revocation: %v", e)
		}
	}
}

// CL-04, RS-07: each way in which Salesforce can answer with a token that is not what
// it should be: none becomes an identity, and none stays alive.
func TestRS07HostileTokensOfSimulator(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{"alg_none", "hs256_public_key", "bad_signature", "unknown_kid", "wrong_iss", "wrong_aud",
		"wrong_client_id", "wrong_tty", "missing_scope", "wider_scope", "other_org", "expired", "not_yet_valid", "no_exp", "opaque"} {
		t.Run(hostile, func(t *testing.T) {
			t.Parallel()
			sim, c := simulated(t, salesforcesim.PublicClientID, "")
			if err := sim.ChangeSwitches(func(f *salesforcesim.Switches) {
				if f.OpaqueTokens = hostile == "opaque"; !f.OpaqueTokens {
					f.HostileToken = hostile
				}
			}); err != nil {
				t.Fatal(err)
			}
			token, err := signIn(t, c)
			if err == nil {
				t.Fatalf("signed in as %v", token)
			}
			if e := failureOf(t, err); e.Kind != salesforce.Refused {
				t.Errorf("error is %v", e)
			}
			for _, r := range sim.RefreshTokens(salesforcesim.GrantFilter{}) {
				if r.State == "live" {
					t.Error("a refresh token is alive at Salesforce")
				}
			}
		})
	}
}

// instance_url chooses nothing: an answer that names another host is as good as any.
func TestInstanceURLIsIgnored(t *testing.T) {
	t.Parallel()
	sim, c := simulated(t, salesforcesim.PublicClientID, "")
	if err := sim.ChangeSwitches(func(f *salesforcesim.Switches) { f.HostileToken = "wrong_instance_url" }); err != nil {
		t.Fatal(err)
	}
	if _, err := signIn(t, c); err != nil {
		t.Error(err)
	}
}

// FT-17 and settings: what the simulator can get wrong has its kind and a hint.
func TestSimulatorSwitches(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*salesforcesim.Switches)
		kind   salesforce.Kind
		lost   bool
	}{
		"app not propagated": {func(f *salesforcesim.Switches) { f.AppNotPropagated = true }, salesforce.Misconfigured, false},
		"ip restricted":      {func(f *salesforcesim.Switches) { f.IPRestricted = true }, salesforce.Dead, false},
		"down":               {func(f *salesforcesim.Switches) { f.Down = true }, salesforce.Transient, false},
		"token error page":   {func(f *salesforcesim.Switches) { f.TokenErrors = 1 }, salesforce.Transient, false},
		"reply lost":         {func(f *salesforcesim.Switches) { f.TokenRepliesLost = 1 }, salesforce.Transient, true},
		"redirect":           {func(f *salesforcesim.Switches) { f.RedirectTo = "https://elsewhere.example" }, salesforce.Misconfigured, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, c := simulated(t, salesforcesim.PublicClientID, "")
			token, err := signIn(t, c)
			if err != nil {
				t.Fatal(err)
			}
			if err := sim.ChangeSwitches(tc.change); err != nil {
				t.Fatal(err)
			}
			_, err = c.Refresh(t.Context(), "acme", token.RefreshToken)
			if e := failureOf(t, err); e.Kind != tc.kind || e.Lost != tc.lost {
				t.Errorf("error is %v", e)
			}
		})
	}
}
