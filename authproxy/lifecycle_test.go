package authproxy

import (
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// What nobody uses ends by itself: connections, waiting calls, the login at Salesforce, each with its
// entry. One use of one person keeps the client for everybody.
func TestClientsThatNobodyUsesEnd(t *testing.T) {
	t.Parallel()
	f := start(t, change{clients: func(_ *fixture, c *client.Config) {
		c.Lifecycle = client.Lifecycle{HideAfter: 24 * time.Hour, EndAfter: 48 * time.Hour}
	}})
	l := &Lifecycle{Cutoff: f.Cutoff}
	sweep := func(wait time.Duration) {
		t.Helper()
		f.clock.Add(wait)
		f.sweep(t)
		if err := l.Sweep(t.Context(), f.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	live := func(want int) {
		t.Helper()
		of, err := f.Grants.ByClient(t.Context(), "chatgpt")
		if err != nil || of["chatgpt"].Grants != want {
			t.Errorf("%d connections, %v, want %d", of["chatgpt"].Grants, err, want)
		}
	}
	_, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
	f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	sweep(47 * time.Hour)
	live(2)
	rep = f.tokens(t, refreshForm(rep.refresh))
	f.opens(t, rep.access, true)
	sweep(2 * time.Hour)
	live(2)
	sweep(46 * time.Hour) // 48 after that use
	live(0)
	f.wantPending(t, 0)
	f.wantLogin(t, sim.RepID, "revoked")
	f.wantLogin(t, sim.ManagerID, "revoked")
	var revoked []audit.Entry
	for _, action := range []audit.Action{audit.GrantRevoke, audit.ClientRevoke} {
		revoked = append(revoked, f.audited(t, action)...)
	}
	if len(revoked) != 3 {
		t.Errorf("%d entries", len(revoked))
	}
	for _, e := range revoked {
		if e.Actor != actor.Proxy || e.Client != "chatgpt" || !strings.Contains(e.Reason, "unused for 2 days") {
			t.Errorf("%+v", e)
		}
	}
	if c, err := f.Clients.Current(t.Context(), "chatgpt"); err != nil || c.Name != "ChatGPT" {
		t.Errorf("it can be connected again: %v", err)
	}
}
