package link_test

import (
	"testing"
	"time"

	"sfmcp-proxy/examples/salesforcesim"
)

// SR-CL-3: however a login replaces another, one approval lives at Salesforce in the end:
// also when the revocation fails there, when the process dies before it is told, and when
// somebody signs in again and again meanwhile. Salesforce's own limit of five is never met.
func TestReplacementLeavesOneApproval(t *testing.T) {
	t.Parallel()
	at := &clock{now: time.Now()}
	sim := simulate(t, salesforcesim.Config{Now: at.Now, Switches: salesforcesim.Switches{RevokeDown: true}}, salesforcesim.PublicClientID)
	signIn := func(p *process) {
		t.Helper()
		sim.signIn(t, p, salesforcesim.RepUsername, salesforcesim.RepID, time.Hour)
	}
	first := sim.process(t)
	for range 3 {
		signIn(first)
	}
	if left, err := first.RevokePending(t.Context()); left != 2 || err != nil { // Salesforce does not revoke
		t.Errorf("%d revocations wait, %v", left, err)
	}
	signIn(first)
	first.db.Close() // dies before it told Salesforce anything

	if err := sim.SetSwitches(salesforcesim.Switches{}); err != nil {
		t.Fatal(err)
	}
	at.pass(time.Minute)
	second := sim.process(t)
	second.drain(t)
	if n := sim.liveTokens(); n != 1 {
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
