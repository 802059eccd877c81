package authproxy

import (
	"context"
	"maps"
	"slices"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/grant"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// wantUnconfirmed contains an incident and compares which steps are not confirmed.
func (f *fixture) wantUnconfirmed(t *testing.T, whom Target, want ...string) *Containment {
	t.Helper()
	over, cancel := context.WithCancel(t.Context())
	cancel() // nobody tells Salesforce meanwhile
	done := f.Cutoff.Contain(t.Context(), whom, byAdmin, nil)
	if _, err := f.Links.RevokePending(t.Context()); err != nil {
		t.Log(err)
	}
	f.Cutoff.AwaitSalesforce(over, done)
	steps, got := map[string]bool{}, []string(nil)
	for _, s := range done.Steps {
		steps[s.Name] = true
		if !s.Confirmed {
			got = append(got, s.Name)
		}
	}
	if !slices.Equal(got, want) || done.Confirmed() != (len(want) == 0) {
		t.Errorf("not confirmed: %v, want %v: %+v", got, want, done.Steps)
	}
	if !steps["login"] || !steps["salesforce"] {
		t.Errorf("only these steps: %v", slices.Sorted(maps.Keys(steps)))
	}
	return done
}

var rep = Target{Org: "acme", Subject: sim.RepID}

// SR-AD-2: a login that could not be ended is not confirmed to be, neither here nor at Salesforce; that it was done is
// recorded all the same. Whoever contains it once more ends it.
func TestContainLooksAtTheLogin(t *testing.T) {
	t.Parallel()
	for _, whom := range []Target{rep, {Client: "chatgpt"}} {
		f := start(t, change{})
		f.connect(t, sim.RepUsername, sim.RepPassword)
		accept := dbtest.Refuse(t, f.db, "links")
		f.wantUnconfirmed(t, whom, "login", "salesforce")
		f.wantLogin(t, sim.RepID, "active")
		accept()
		if done := f.wantUnconfirmed(t, whom); len(done.People) != 1 || done.Ended.Connections != 0 {
			t.Errorf("a second time: %+v", done)
		}
		f.wantLogin(t, sim.RepID, "revoked")
	}
}

// SR-AD-2: nothing is confirmed that cannot be looked at.
func TestContainWithoutDatabase(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.connect(t, sim.RepUsername, sim.RepPassword)
	f.db.Close()
	f.wantUnconfirmed(t, rep, "refused", "connections", "approvals", "sessions", "login", "salesforce")
	f.wantUnconfirmed(t, Target{Client: "chatgpt"}, "refused", "connections", "approvals", "login", "salesforce")
}

// SR-AD-2: without its entry an incident is contained, and that it is not recorded is said, and nothing else.
func TestContainUnrecorded(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.connect(t, sim.RepUsername, sim.RepPassword)
	f.refuseEntries("")
	f.wantUnconfirmed(t, rep, "recorded")
	f.wantUnconfirmed(t, Target{Client: "chatgpt"}, "recorded")
}

// SR-AD-2: whoever uses another client, too, keeps their login, and it is not said that they have none.
func TestContainClientLeavesOtherConnections(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.connect(t, sim.RepUsername, sim.RepPassword)
	f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	other := &grant.AuthorizationRequest{Kind: grant.Authorize, Status: grant.Done, Org: "acme", Server: "sales", Resource: f.Access.Resource("sales"),
		ClientID: "inspector", RedirectURI: "http://127.0.0.1/cb", Scope: "mcp", CodeChallenge: "x", GrantID: "grt_other"}
	if _, _, err := f.Grants.CreateGrant(t.Context(), other, sim.RepID); err != nil {
		t.Fatal(err)
	}
	done := f.wantUnconfirmed(t, Target{Client: "chatgpt"})
	f.wantLogin(t, sim.RepID, "active")
	f.wantLogin(t, sim.ManagerID, "revoked")
	said := map[string]string{}
	for _, s := range done.Steps {
		said[s.Name] = s.Text
	}
	for step, want := range map[string]string{"connections": "2 connections ended, of 2 people",
		"login":      "the Salesforce login of those who have no other connection is ended here",
		"salesforce": "no refresh token is left at Salesforce of those who have no other connection"} {
		if said[step] != want {
			t.Errorf("%s: %q, want %q", step, said[step], want)
		}
	}
	if err := f.Cutoff.UnblockClient(t.Context(), "chatgpt", byAdmin); err != nil {
		t.Error(err)
	}
}
