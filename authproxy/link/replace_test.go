package link_test

import (
	"log/slog"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/examples/salesforcesim"
)

// SR-CL-3: however a login replaces another, one approval lives at Salesforce in the end:
// also when the revocation fails there, when the process dies before it is told, and when
// somebody signs in again and again meanwhile. Salesforce's own limit of five is never met.
func TestReplacementLeavesOneApproval(t *testing.T) {
	t.Parallel()
	sim, err := salesforcesim.Listen(salesforcesim.Config{Faults: salesforcesim.Faults{RevokeDown: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	sf, err := salesforce.New(salesforce.Config{Log: slog.New(slog.DiscardHandler), Orgs: []salesforce.Org{{Name: "acme",
		LoginURL: sim.LoginURL("acme"), OrgID: salesforcesim.OrgID, ClientID: salesforcesim.PublicClientID, InsecureHTTP: true}}})
	if err != nil {
		t.Fatal(err)
	}
	at := &clock{now: time.Now()}
	fs := newFiles(t)
	start := func() *process {
		return fs.start(t, newLogin(t), func(cfg *link.Config) { cfg.Salesforce, cfg.Now = sf, at.Now })
	}
	signIn := func(p *process) {
		t.Helper()
		access, refresh, err := sim.IssueTokens(salesforcesim.RepUsername, salesforcesim.PublicClientID)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Replace(t.Context(), "acme", &salesforce.Token{AccessToken: access, RefreshToken: refresh,
			ExpiresAt: at.Now().Add(time.Hour), OrgID: salesforcesim.OrgID, Subject: salesforcesim.RepID}); err != nil {
			t.Fatal(err)
		}
	}
	live := func() (n int) {
		for _, token := range sim.RefreshTokens(salesforcesim.GrantFilter{}) {
			if token.State == "live" {
				n++
			}
		}
		return n
	}
	first := start()
	for range 3 {
		signIn(first)
	}
	if left, err := first.RevokePending(t.Context()); left != 2 || err != nil { // Salesforce does not revoke
		t.Errorf("%d revocations wait, %v", left, err)
	}
	signIn(first)
	first.db.Close() // dies before it told Salesforce anything

	if err := sim.SetFaults(salesforcesim.Faults{}); err != nil {
		t.Fatal(err)
	}
	at.pass(time.Minute)
	second := start()
	second.drain(t)
	if n := live(); n != 1 {
		t.Errorf("%d approvals live at Salesforce", n)
	}
	for _, g := range sim.Grants(salesforcesim.GrantFilter{}) {
		if g.Why == "evicted by a newer approval" {
			t.Error("Salesforce had to end one itself")
		}
	}
	// And the one that lives is the link's.
	if _, err := second.Refused(t.Context(), "acme", salesforcesim.RepID, mustToken(t, second)); err != nil {
		t.Errorf("the login that is left is not ours: %v", err)
	}
}

func mustToken(t *testing.T, p *process) string {
	t.Helper()
	token, err := p.Token(t.Context(), "acme", salesforcesim.RepID)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
