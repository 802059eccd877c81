package link_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/examples/salesforcesim"
)

// The same promises against the simulated Salesforce, whose recorder is the witness:
// fifty calls at expiry from two processes cause one refresh, a refresh whose answer is
// lost presents the spent token once, and a revoked user has no live token there.
func TestLinkAgainstSimulator(t *testing.T) {
	t.Parallel()
	sim, err := salesforcesim.Listen(salesforcesim.Config{AccessTokenLifetime: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	sf, err := salesforce.New(salesforce.Config{Log: slog.New(slog.DiscardHandler), Orgs: []salesforce.Org{{Name: "acme",
		LoginURL: sim.LoginURL("acme"), OrgID: salesforcesim.OrgID, ClientID: salesforcesim.PublicClientID, InsecureHTTP: true}}})
	if err != nil {
		t.Fatal(err)
	}
	fs := newFiles(t)
	againstSim := func(cfg *link.Config) { cfg.Salesforce, cfg.Now = sf, time.Now }
	processes := []*process{fs.start(t, newLogin(t), againstSim), fs.start(t, newLogin(t), againstSim)}
	access, refresh, err := sim.IssueTokens(salesforcesim.RepUsername, salesforcesim.PublicClientID)
	if err != nil {
		t.Fatal(err)
	}
	err = processes[0].Replace(t.Context(), "acme", &salesforce.Token{AccessToken: access, RefreshToken: refresh,
		ExpiresAt: time.Now().Add(-time.Second), OrgID: salesforcesim.OrgID, Subject: salesforcesim.RepID})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.ChangeFaults(func(f *salesforcesim.Faults) {
		f.AccessTokenLifetime, f.TokenDelay = salesforcesim.Duration(time.Hour), salesforcesim.Duration(50*time.Millisecond)
	}); err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for i := range 50 {
		callers.Go(func() {
			if _, err := processes[i%2].Token(t.Context(), "acme", salesforcesim.RepID); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if got := tokenRequests(sim); got != 1 {
		t.Errorf("%d refreshes at Salesforce", got)
	}

	if err := sim.ChangeFaults(func(f *salesforcesim.Faults) { f.TokenRepliesLost = 1 }); err != nil {
		t.Fatal(err)
	}
	current, err := processes[0].Token(t.Context(), "acme", salesforcesim.RepID)
	if err != nil {
		t.Fatal(err)
	}
	// The first forced refresh is answered with a loss, the second attempt with invalid_grant.
	if _, err := processes[0].Refused(t.Context(), "acme", salesforcesim.RepID, current); err == nil {
		t.Error("a lost rotation gave a token")
	}
	if s, err := processes[1].Status(t.Context(), "acme", salesforcesim.RepID); s.State != link.NeedsReauth || err != nil {
		t.Errorf("link is %s, %v", s.State, err)
	}
	if got := tokenRequests(sim); got != 3 {
		t.Errorf("%d requests to the token endpoint, expected 3", got)
	}
	for _, token := range sim.RefreshTokens(salesforcesim.GrantFilter{}) {
		if token.Reused > 1 {
			t.Errorf("a spent token was presented %d times", token.Reused)
		}
	}

	for range 2 {
		access, refresh, err := sim.IssueTokens(salesforcesim.ManagerUsername, salesforcesim.PublicClientID)
		if err != nil {
			t.Fatal(err)
		}
		err = processes[0].Replace(t.Context(), "acme", &salesforce.Token{AccessToken: access, RefreshToken: refresh,
			ExpiresAt: time.Now().Add(time.Hour), OrgID: salesforcesim.OrgID, Subject: salesforcesim.ManagerID})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := processes[1].Revoke(t.Context(), "acme", salesforcesim.ManagerID, "user revoke"); err != nil {
		t.Fatal(err)
	}
	processes[1].drain(t)
	for _, token := range sim.RefreshTokens(salesforcesim.GrantFilter{Username: salesforcesim.ManagerUsername}) {
		if token.State == "live" {
			t.Error("a refresh token of a revoked user is alive at Salesforce")
		}
	}
}

func tokenRequests(sim *salesforcesim.Running) int {
	return len(sim.Requests(salesforcesim.RequestFilter{Path: "/services/oauth2/token"}))
}
