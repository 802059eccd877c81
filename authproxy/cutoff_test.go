package authproxy

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/seal"
	sim "sfmcp-proxy/examples/salesforcesim"
)

var byAdmin = Act{By: actor.Operator("alice", ""), Why: "left the company"}

// connect makes a connection, with an approval that waits.
func (f *fixture) connect(t *testing.T, username, password string) (grantID string, got tokens) {
	t.Helper()
	q := f.logInAs(t, f.browser(), username, password)
	got = f.tokens(t, f.codeForm(q.Get("code")))
	g, err := f.Grants.Authenticate(t.Context(), got.access, "sales")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Cutoff.Approvals.Submit(t.Context(), approval.Binding{Org: g.Org, Subject: g.Subject, ClientID: g.ClientID, GrantID: g.ID, Server: "sales",
		Tool: "createSobjectRecord", DefinitionHash: "d", PolicyVersion: "p", Arguments: jsontext.Value(`{"id":"` + g.ID + `"}`), Confirmation: policy.Confirmation{Approvers: policy.Requester}}, "create")
	if err != nil {
		t.Fatal(err)
	}
	return g.ID, got
}

func (f *fixture) wantPending(t *testing.T, want int) {
	t.Helper()
	pending, err := f.Cutoff.Approvals.List(t.Context(), approval.Filter{State: approval.Pending})
	if err != nil || len(pending) != want {
		t.Errorf("%d approvals wait (%v), want %d", len(pending), err, want)
	}
}

func (f *fixture) wantLogin(t *testing.T, subject, want string) {
	t.Helper()
	if s, err := f.Links.Status(t.Context(), "acme", subject); err != nil || string(s.State) != want {
		t.Errorf("login of %s is %v (%v), want %s", subject, s.State, err, want)
	}
}

func TestCL11RevokeUser(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	_, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
	_, again := f.connect(t, sim.RepUsername, sim.RepPassword)
	_, manager := f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	if err := f.sim.SetSwitches(sim.Switches{RevokeDown: true}); err != nil {
		t.Fatal(err)
	}
	n, err := f.Cutoff.RevokeUser(t.Context(), "acme", sim.RepID, byAdmin)
	if err != nil || n.Connections != 2 || n.Approvals != 2 {
		t.Errorf("ended %+v (%v), want 2 connections", n, err)
	}
	f.opens(t, rep.access, false)
	f.opens(t, again.access, false)
	f.opens(t, manager.access, true)
	f.wantPending(t, 1)
	f.wantLogin(t, sim.RepID, "revoked")
	f.wantLogin(t, sim.ManagerID, "active")
	if n := f.count(t, `SELECT COUNT(*) FROM browser_sessions WHERE subject = '`+sim.RepID+`'`); n != 0 {
		t.Errorf("%d browser sessions", n)
	}
	if len(f.forgot) != 1 || f.forgot[0] != "acme "+sim.RepID {
		t.Errorf("forgot %v", f.forgot)
	}
	f.wantAudited(t, "user.revoke", "ok", "left the company")
	if left, _ := f.Links.RevokePending(t.Context()); left == 0 {
		t.Error("nothing is left to revoke at Salesforce while its endpoint is down")
	}
	f.connect(t, sim.RepUsername, sim.RepPassword) // revoked is not blocked
}

func TestCutoffBlock(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	_, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
	if n, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.RepID, byAdmin); err != nil || n.Connections != 1 {
		t.Errorf("ended %+v (%v), want 1 connection", n, err)
	}
	f.opens(t, rep.access, false)
	f.wantPending(t, 0)
	f.wantLogin(t, sim.RepID, "revoked")
	f.wantAudited(t, "user.block", "ok", "")
	if err := f.Cutoff.UnblockUser(t.Context(), "acme", sim.ManagerID, byAdmin); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("unblocking a user who is not blocked: %v", err)
	}
	if err := f.Cutoff.UnblockUser(t.Context(), "acme", sim.RepID, byAdmin); err != nil {
		t.Error(err)
	}
	f.wantAudited(t, "user.unblock", "ok", "")
}

// wantVoided says which of the calls that waited lack an entry of their own that they ended.
func (f *fixture) wantVoided(t *testing.T, waited []approval.Request) {
	t.Helper()
	for _, r := range waited {
		all := slices.DeleteFunc(f.audited(t, audit.ApprovalVoid), func(e audit.Entry) bool {
			return e.Approval != r.ID || e.Object != r.ID || e.Outcome != audit.OK || e.Actor != byAdmin.By || e.Reason != byAdmin.Why ||
				e.Org != r.Org || e.Subject != r.Subject || e.Username == "" || e.Grant != r.GrantID || e.Client != r.ClientID || e.Tool != r.Tool || e.ArgumentsDigest != r.ArgumentsDigest
		})
		if len(all) != 1 {
			t.Errorf("%d entries say that %s ended, of %+v", len(all), r.ID, f.audited(t, audit.ApprovalVoid))
		}
	}
}

// Whatever ends calls that wait has an entry of each; the entry of the act counts what ended with it.
func TestAU13WhatAnActEndsIsOnRecord(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		act   func(*fixture, context.Context, string) error
		noun  audit.Action
		count string
	}{
		"user revoke": {func(f *fixture, ctx context.Context, _ string) error {
			_, err := f.Cutoff.RevokeUser(ctx, "acme", sim.RepID, byAdmin)
			return err
		}, audit.UserRevoke, "2 connections, 2 approvals, 2 sessions"},
		"user block": {func(f *fixture, ctx context.Context, _ string) error {
			_, err := f.Cutoff.BlockUser(ctx, "acme", sim.RepID, byAdmin)
			return err
		}, audit.UserBlock, "2 connections, 2 approvals, 2 sessions"},
		"client block": {func(f *fixture, ctx context.Context, _ string) error {
			_, _, err := f.Cutoff.BlockClient(ctx, "chatgpt", byAdmin)
			return err
		}, audit.ClientBlock, "2 connections, 2 approvals"},
		"grant revoke": {func(f *fixture, ctx context.Context, id string) error {
			_, err := f.Cutoff.RevokeGrant(ctx, id, byAdmin)
			return err
		}, audit.GrantRevoke, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, change{})
			id, _ := f.connect(t, sim.RepUsername, sim.RepPassword)
			f.connect(t, sim.RepUsername, sim.RepPassword)
			only := approval.Filter{State: approval.Pending}
			if name == "grant revoke" {
				only.GrantID = id
			}
			waited, err := f.Cutoff.Approvals.List(t.Context(), only)
			if err != nil || len(waited) == 0 {
				t.Fatalf("%d wait, %v", len(waited), err)
			}
			if err := tt.act(f, t.Context(), id); err != nil {
				t.Fatal(err)
			}
			f.wantVoided(t, waited)
			all := f.audited(t, tt.noun)
			if len(all) == 0 || all[len(all)-1].Object != tt.count {
				t.Errorf("the entries of the act: %+v, want the last with %q", all, tt.count)
			}
		})
	}
}

func TestUI16Disconnect(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	first, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
	second, again := f.connect(t, sim.RepUsername, sim.RepPassword)
	for _, stranger := range []struct{ org, subject, id string }{{"acme", sim.ManagerID, first}, {"beta", sim.RepID, first}, {"acme", sim.RepID, "grt_none"}} {
		if _, err := f.Cutoff.Disconnect(t.Context(), stranger.org, stranger.subject, stranger.id); !errors.Is(err, grant.ErrNotFound) {
			t.Errorf("%+v: %v", stranger, err)
		}
	}
	f.opens(t, rep.access, true)
	if _, err := f.Cutoff.Disconnect(t.Context(), "acme", sim.RepID, first); err != nil {
		t.Error(err)
	}
	f.opens(t, rep.access, false)
	f.opens(t, again.access, true)
	f.wantPending(t, 1)
	f.wantLogin(t, sim.RepID, "active")
	f.wantAudited(t, "grant.revoke", "ok", "disconnected by the user")
	if _, err := f.Cutoff.RevokeGrant(t.Context(), second, byAdmin); err != nil {
		t.Error(err)
	}
	f.wantLogin(t, sim.RepID, "revoked") // it was the last
	f.wantPending(t, 0)
	if _, err := f.Cutoff.RevokeGrant(t.Context(), second, byAdmin); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
}

func TestCutoffRevokeClient(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	_, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
	_, manager := f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	if ended, err := f.Cutoff.RevokeClient(t.Context(), "inspector", byAdmin); err != nil || len(ended) != 0 {
		t.Errorf("client without connections: %v, %v", ended, err)
	}
	f.opens(t, rep.access, true)
	ended, err := f.Cutoff.RevokeClient(t.Context(), "chatgpt", byAdmin)
	if err != nil || len(ended) != 2 {
		t.Errorf("ended %d connections (%v), want 2", len(ended), err)
	}
	f.opens(t, rep.access, false)
	f.opens(t, manager.access, false)
	f.wantPending(t, 0)
	f.wantLogin(t, sim.RepID, "revoked")
	f.wantLogin(t, sim.ManagerID, "revoked")
	f.wantAudited(t, "client.revoke", "ok", "")
}

func TestCutoffStop(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, mode := range []access.Stop{access.StopAll, access.StopWrites, access.StopOff, access.StopWrites} {
		if err := f.Cutoff.Stop(t.Context(), mode, byAdmin); err != nil {
			t.Fatal(err)
		}
		if have, err := f.Access.StopMode(t.Context()); err != nil || have != mode {
			t.Errorf("stop is %v (%v), want %v", have, err, mode)
		}
	}
	if err := f.Cutoff.Stop(t.Context(), "some", byAdmin); err == nil {
		t.Error("an unknown position was accepted")
	}
	// What gives access has its intent first.
	var recorded []string
	for _, e := range f.audited(t, audit.StopSet) {
		recorded = append(recorded, e.Object+" "+string(e.Outcome))
	}
	if want := []string{"all ok", "writes intent", "writes ok", "off intent", "off ok", "writes ok"}; !slices.Equal(recorded, want) {
		t.Errorf("recorded %v, want %v", recorded, want)
	}
}

func TestCutoffOrderWithoutAudit(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	id, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
	if err := f.Cutoff.Stop(t.Context(), access.StopAll, byAdmin); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.ManagerID, byAdmin); err != nil {
		t.Fatal(err)
	}
	f.refuseEntries("")
	// What takes access away works, and says that it is not recorded.
	if _, err := f.Cutoff.RevokeGrant(t.Context(), id, byAdmin); err == nil {
		t.Error("no error for a missing audit entry")
	}
	f.opens(t, rep.access, false)
	// What gives access does not happen.
	if err := f.Cutoff.UnblockUser(t.Context(), "acme", sim.ManagerID, byAdmin); err == nil {
		t.Error("unblocked without an entry")
	}
	if blocked, err := f.Grants.Blocked(t.Context(), "acme", sim.ManagerID); err != nil || !blocked {
		t.Errorf("blocked: %t, %v", blocked, err)
	}
	if err := f.Cutoff.Stop(t.Context(), access.StopOff, byAdmin); err == nil {
		t.Error("loosened without an entry")
	}
	if mode, err := f.Access.StopMode(t.Context()); err != nil || mode != access.StopAll {
		t.Errorf("stop is %v, %v", mode, err)
	}
}

func TestCutoffSweep(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	sweep := func() {
		t.Helper()
		if err := errors.Join(f.Grants.Sweep(t.Context()), f.Cutoff.Sweep(t.Context(), f.clock.Now())); err != nil {
			t.Fatal(err)
		}
	}
	f.code(t) // never redeemed
	f.clock.Add(9 * time.Minute)
	sweep()
	f.wantLogin(t, sim.RepID, "active") // too young to judge
	f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	f.clock.Add(11 * time.Minute)
	sweep()
	f.wantLogin(t, sim.RepID, "revoked")
	f.wantLogin(t, sim.ManagerID, "active")
	f.clock.Add(720 * time.Hour) // its refresh token is idle for too long
	sweep()
	f.wantLogin(t, sim.ManagerID, "revoked")
}

// A registration that cannot be forgotten does not keep its connections alive, and neither
// does a caller who has gone: the first is reported.
func TestCutoffRevokeClientTriesEverything(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	id := f.registered(t, plainRegistration)
	have := f.tokens(t, f.codeForm(f.code(t, "client_id", id), "client_id", id))
	if _, err := f.db.Writes.Exec(`CREATE TRIGGER kept BEFORE DELETE ON registered_clients BEGIN SELECT RAISE(ABORT, 'full'); END`); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if ended, err := f.Cutoff.RevokeClient(gone, id, byAdmin); err == nil || len(ended) != 1 {
		t.Errorf("%d ended, %v", len(ended), err)
	}
	f.opens(t, have.access, false)
	f.wantAudited(t, "client.revoke", "error", "left the company")
	if _, err := f.db.Writes.Exec(`DROP TRIGGER kept`); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cutoff.RevokeClient(t.Context(), id, byAdmin); err != nil {
		t.Error(err)
	}
	if _, err := f.Clients.LastKnown(t.Context(), id); !errors.Is(err, client.ErrUnknown) {
		t.Errorf("the registration: %v", err)
	}
}

// Whoever asked may disconnect half way: what depends on the access ends all the same, and
// is recorded.
func TestCutoffOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	id, _ := f.connect(t, sim.RepUsername, sim.RepPassword)
	f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	var disconnect func()
	caller := func() (ctx context.Context) {
		ctx, disconnect = context.WithCancel(t.Context())
		t.Cleanup(disconnect)
		return ctx
	}
	f.Cutoff.Forget = func(string, string) { disconnect() }
	if _, err := f.Cutoff.Disconnect(caller(), "acme", sim.RepID, id); err != nil {
		t.Error(err)
	}
	f.wantLogin(t, sim.RepID, "revoked")
	f.wantAudited(t, "grant.revoke", "ok", "disconnected by the user")

	if _, err := f.Cutoff.RevokeClient(caller(), "chatgpt", byAdmin); err != nil {
		t.Error(err)
	}
	f.wantLogin(t, sim.ManagerID, "revoked")
	f.wantAudited(t, "client.revoke", "ok", "")

	f.connect(t, sim.RepUsername, sim.RepPassword)
	if _, err := f.Cutoff.RevokeUser(caller(), "acme", sim.RepID, byAdmin); err != nil {
		t.Error(err)
	}
	f.wantAudited(t, "user.revoke", "ok", "left the company")
}

// A kill switch that cannot be read stops everything, so every other position loosens it.
func TestCutoffStopUnreadable(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	if _, err := f.db.Writes.Exec(`UPDATE stops SET value = 'everything'`); err != nil {
		t.Fatal(err)
	}
	f.refuseEntries("")
	if err := f.Cutoff.Stop(t.Context(), access.StopOff, byAdmin); err == nil {
		t.Error("loosened without an entry")
	}
	if mode, err := f.Access.StopMode(t.Context()); err == nil || mode != access.StopAll {
		t.Errorf("stop is %v, %v", mode, err)
	}
}

// D15: a person's connections are bounded: the one unused longest ends with what hangs on it,
// which is recorded, and the rest goes on.
func TestD15ConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	oldest, first := f.connect(t, sim.RepUsername, sim.RepPassword)
	for range grant.MaxLive - 1 {
		f.clock.Add(time.Second)
		r := &grant.AuthorizationRequest{Kind: grant.Authorize, Status: grant.Done, Org: "acme", Server: "sales", Resource: f.PublicURL + "/mcp/sales", ClientID: "chatgpt",
			RedirectURI: "https://chatgpt.com/cb", Scope: "mcp", CodeChallenge: "x", GrantID: seal.Secret("grt_")}
		if _, _, err := f.Grants.CreateGrant(t.Context(), r, sim.RepID); err != nil {
			t.Fatal(err)
		}
	}
	f.opens(t, first.access, true)
	f.clock.Add(time.Second)
	_, last := f.connect(t, sim.RepUsername, sim.RepPassword)
	f.opens(t, first.access, false)
	f.opens(t, last.access, true)
	f.wantPending(t, 1)
	f.wantLogin(t, sim.RepID, "active")
	f.wantAudited(t, "grant.revoke", "ok", "more than 50 connections: the one unused longest")
	if g, err := f.Grants.Grant(t.Context(), oldest); err != nil || g.RevokedAt.IsZero() {
		t.Errorf("%+v, %v", g, err)
	}
}
