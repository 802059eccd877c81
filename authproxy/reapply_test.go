package authproxy

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// SR-ST-4: a database that was put back to before somebody was cut off gives nothing back.
func TestSRST4PutBackDatabaseRevivesNothing(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	id, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
	_, manager := f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	restore := f.keepDatabase(t)

	f.clock.Add(time.Second)
	if _, err := f.Cutoff.RevokeGrant(t.Context(), id, byAdmin); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.ManagerID, byAdmin); err != nil {
		t.Fatal(err)
	}
	if err := f.Cutoff.Stop(t.Context(), access.StopWrites, byAdmin); err != nil {
		t.Fatal(err)
	}
	f.opens(t, rep.access, false)
	restore()
	f.opens(t, rep.access, true)
	f.opens(t, manager.access, true)

	n, err := reapplied(t, f, 0)
	if err != nil || n != 5 { // a connection, a block, a stop, and the two calls that waited
		t.Errorf("Reapply = %d, %v", n, err)
	}
	f.opens(t, rep.access, false)
	f.opens(t, manager.access, false)
	if blocked, err := f.Grants.Blocked(t.Context(), "acme", sim.ManagerID); err != nil || !blocked {
		t.Errorf("blocked: %t, %v", blocked, err)
	}
	if mode, err := f.Access.StopMode(t.Context()); err != nil || mode != access.StopWrites {
		t.Errorf("stop is %v, %v", mode, err)
	}
	if got := f.audited(t, audit.LogApply); len(got) != 1 || got[0].Object != "5 changes" {
		t.Errorf("the record of it: %+v", got)
	}
	// A second time there is nothing to do; and who was let in again since stays in.
	if err := f.Cutoff.UnblockUser(t.Context(), "acme", sim.ManagerID, byAdmin); err != nil {
		t.Fatal(err)
	}
	if err := f.Cutoff.Stop(t.Context(), access.StopOff, byAdmin); err != nil {
		t.Fatal(err)
	}
	f.clock.Add(time.Second)
	_, again := f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	if n, err := reapplied(t, f, 0); err != nil || n != 0 {
		t.Errorf("a second time: %d, %v", n, err)
	}
	f.opens(t, again.access, true)
}

// reapplied has the log behind number after applied, and recorded as at a start.
func reapplied(t *testing.T, f *fixture, after int64) (int, error) {
	t.Helper()
	again, err := f.Cutoff.Reapply(t.Context(), after)
	return again.Changed, errors.Join(err, again.Unread, f.Cutoff.RecordReapplied(t.Context(), again))
}

// What cannot be applied keeps nothing else from being applied: a block of a client that was never named, as earlier versions
// recorded it, and the stop behind it.
func TestSRST4OneThatCannotBeAppliedKeepsNoOther(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	restore := f.keepDatabase(t)
	for _, e := range []audit.Entry{
		{Actor: byAdmin.By, Action: audit.ClientBlock, Outcome: audit.Failed, Status: "incomplete"},
		{Actor: byAdmin.By, Action: audit.UserBlock, Outcome: audit.Failed, Status: "incomplete", Org: "acme"},
	} {
		if _, err := f.Audit.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Cutoff.Stop(t.Context(), access.StopAll, byAdmin); err != nil {
		t.Fatal(err)
	}
	restore()
	if n, err := reapplied(t, f, 0); err != nil || n != 1 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	if mode, err := f.Access.StopMode(t.Context()); err != nil || mode != access.StopAll {
		t.Errorf("stop is %v, %v", mode, err)
	}
	if _, err := f.Audit.Append(t.Context(), audit.Entry{Actor: byAdmin.By, Action: audit.ClientBlock, Outcome: audit.OK, Client: "no id"}); err != nil {
		t.Fatal(err)
	}
	restore()
	if _, err := reapplied(t, f, 0); err == nil {
		t.Error("a block that cannot be written is no error")
	}
	if mode, err := f.Access.StopMode(t.Context()); err != nil || mode != access.StopAll {
		t.Errorf("stop behind what cannot be written is %v, %v", mode, err)
	}
}

// SR-ST-4: a denial of which nobody knows whether it counted is applied again, as everything is that takes away; what gives is
// not.
func TestSRST4DenialInDoubtIsAppliedAgain(t *testing.T) {
	t.Parallel()
	for decision, want := range map[audit.Decision]approval.State{audit.Deny: approval.Void, audit.Counter: approval.Void, audit.Approve: approval.Pending} {
		f := start(t, change{})
		f.connect(t, sim.RepUsername, sim.RepPassword)
		waiting, err := f.Cutoff.Approvals.List(t.Context(), approval.Filter{State: approval.Pending})
		if err != nil || len(waiting) == 0 {
			t.Fatalf("nothing waits: %v", err)
		}
		id := waiting[0].ID
		if _, err := f.Audit.Append(t.Context(), audit.Entry{Actor: actor.User(sim.RepID), Action: audit.ApprovalDecide, Decision: decision, Outcome: audit.Unknown, Object: id, Approval: id}); err != nil {
			t.Fatal(err)
		}
		if _, err := reapplied(t, f, 0); err != nil {
			t.Fatal(err)
		}
		if now, err := f.Cutoff.Approvals.Get(t.Context(), id); err != nil || now.State != want {
			t.Errorf("%s in doubt: it is %s, %v, want %s", decision, now.State, err, want)
		}
	}
}

// keepDatabase returns what puts the rows that give access back as they are now, and those of other tables.
func (f *fixture) keepDatabase(t *testing.T, besides ...string) (restore func()) {
	t.Helper()
	tables := []string{"users", "grants", "codes", "access_tokens", "refresh_tokens", "stops", "links", "approvals", "meta"}
	tables = append(tables, besides...)
	for _, table := range tables {
		if _, err := f.db.Writes.Exec(`CREATE TABLE kept_` + table + ` AS SELECT * FROM ` + table); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		t.Helper()
		for _, table := range slices.Backward(tables) {
			if _, err := f.db.Writes.Exec(`DELETE FROM ` + table); err != nil {
				t.Fatal(err)
			}
		}
		for _, table := range tables {
			if _, err := f.db.Writes.Exec(`INSERT INTO ` + table + ` SELECT * FROM kept_` + table); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.db.Writes.Exec(`UPDATE epochs SET value = value + 1 WHERE name = 'access'`); err != nil {
			t.Fatal(err)
		}
		f.db.AwaitWatchers()
	}
}

// SR-ST-4: replicas have a log each. What one says was given ends nothing that was taken away later, of
// which another one tells and which its process has taken away again.
func TestSRST4GivingEndsNothingYounger(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.Cutoff.OtherLogs = true
	f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	f.clock.Add(time.Second)
	// Entries of this log, as they were; then what another replica has done again since.
	for _, e := range []audit.Entry{
		{Action: audit.UserBlock, Org: "acme", Subject: sim.ManagerID}, {Action: audit.UserUnblock, Org: "acme", Subject: sim.ManagerID},
		{Action: audit.StopSet, Object: string(access.StopAll)}, {Action: audit.StopSet, Object: string(access.StopOff)},
		{Action: audit.ClientBlock, Client: "chatgpt"}, {Action: audit.ClientUnblock, Client: "chatgpt"},
	} {
		e.Actor, e.Outcome = actor.Operator("root", ""), audit.OK
		if _, err := f.Audit.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	f.clock.Add(time.Second)
	if _, err := f.Grants.BlockUser(t.Context(), "acme", sim.ManagerID, again); err != nil {
		t.Fatal(err)
	}
	if err := f.Access.SetStop(t.Context(), access.StopWrites, actor.Proxy.String()); err != nil {
		t.Fatal(err)
	}
	if err := f.Clients.Block(t.Context(), "chatgpt"); err != nil {
		t.Fatal(err)
	}
	if n, err := reapplied(t, f, 0); err != nil || n != 0 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	blocked, err := f.Grants.Blocked(t.Context(), "acme", sim.ManagerID)
	clients, clientErr := f.Clients.Blocked(t.Context())
	stop, stopErr := f.Access.StopPosition(t.Context())
	if !blocked || !clients["chatgpt"] || stop != access.StopWrites || err != nil || clientErr != nil || stopErr != nil {
		t.Errorf("blocked %t, client blocked %t, stop %s, %v, %v, %v", blocked, clients["chatgpt"], stop, err, clientErr, stopErr)
	}
	// A stop is applied whatever there is.
	if _, err := f.Audit.Append(t.Context(), audit.Entry{Actor: actor.Operator("root", ""), Action: audit.StopSet, Outcome: audit.OK, Object: string(access.StopAll)}); err != nil {
		t.Fatal(err)
	}
	if n, err := reapplied(t, f, 0); err != nil || n != 1 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
}

// SR-ST-4, AD-11: what somebody stops while the log is applied is not loosened by what the log says of before.
func TestAD11ReapplyingLoosensNoStopUnseen(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for name, seen := range map[string]func(t *testing.T) access.StopSetting{
		"as it was read": func(t *testing.T) access.StopSetting {
			if err := f.Access.SetStop(t.Context(), access.StopWrites, "colleague"); err != nil {
				t.Fatal(err)
			}
			seen, err := f.Access.StopSeen(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return seen
		},
		"altered": func(*testing.T) access.StopSetting { return access.StopSetting{Position: access.StopAll} },
	} {
		r := reapplication{Cutoff: f.Cutoff, stop: access.StopOff, stopAt: f.clock.Now()}
		have := seen(t)
		if err := f.Access.SetStop(t.Context(), access.StopAll, "colleague"); err != nil {
			t.Fatal(err)
		}
		if err := r.setStopOver(t.Context(), have); err != nil || r.changed != 0 {
			t.Errorf("%s: %d changed, %v", name, r.changed, err)
		}
		if stop, err := f.Access.StopSetting(t.Context()); err != nil || stop.Position != access.StopAll {
			t.Errorf("%s: it stands at %s, %v", name, stop.Position, err)
		}
	}
}

// What did not happen is not applied: a decision that was refused, and an unblock that failed.
func TestSRST4WhatDidNotHappenIsNotApplied(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	id, _ := f.connect(t, sim.RepUsername, sim.RepPassword)
	g, err := f.Grants.Grant(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	held, err := f.Cutoff.Approvals.Submit(t.Context(), approval.Binding{Org: g.Org, Subject: g.Subject, ClientID: g.ClientID, GrantID: g.ID, Server: "sales",
		Tool: "createSobjectRecord", PolicyVersion: "v", DefinitionHash: "h", Arguments: []byte(`{}`), Confirmation: policy.Confirmation{Approvers: "role:approver"}}, "create")
	if err != nil {
		t.Fatal(err)
	}
	d := &Decisions{Approvals: f.Cutoff.Approvals, Grants: f.Grants, Audit: f.Audit}
	if _, err := d.Decide(t.Context(), approval.Decider{Actor: actor.User(sim.RepID), Org: "acme"}, held.ID, approval.Choice{}); err == nil {
		t.Fatal("the requester decided what a role decides")
	}
	restore := f.keepDatabase(t)
	if _, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.ManagerID, byAdmin); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Audit.Append(t.Context(), audit.Entry{Actor: actor.Operator("root", ""), Action: audit.UserUnblock, Outcome: audit.Failed, Org: "acme", Subject: sim.ManagerID}); err != nil {
		t.Fatal(err)
	}
	restore()
	if n, err := reapplied(t, f, 0); err != nil || n != 1 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	if blocked, err := f.Grants.Blocked(t.Context(), "acme", sim.ManagerID); err != nil || !blocked {
		t.Errorf("blocked: %t, %v", blocked, err)
	}
	if r, err := f.Cutoff.Approvals.Get(t.Context(), held.ID); err != nil || r.State != approval.Pending {
		t.Errorf("a call that somebody may not decide about: %+v, %v", r, err)
	}
}

// SR-ST-4: a call in whose place another was proposed does not wait again because an older copy of
// the database is put back.
func TestSRST4CounteredStaysOver(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	held, err := f.Cutoff.Approvals.Submit(t.Context(), approval.Binding{Org: "acme", Subject: sim.RepID, ClientID: "chatgpt", GrantID: "g", Server: "sales",
		Tool: "createSobjectRecord", PolicyVersion: "v", DefinitionHash: "h", Arguments: []byte(`{"a":1}`), Confirmation: policy.Confirmation{Approvers: "role:approver"}}, "create")
	if err != nil {
		t.Fatal(err)
	}
	restore := f.keepDatabase(t)
	d := &Decisions{Approvals: f.Cutoff.Approvals, Grants: f.Grants, Audit: f.Audit}
	if _, err := d.Counter(t.Context(), approval.Decider{Actor: actor.Operator("root", "Ann")}, held.ID, []byte(`{"a":2}`)); err != nil {
		t.Fatal(err)
	}
	restore()
	if n, err := reapplied(t, f, 0); err != nil || n != 1 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	if r, err := f.Cutoff.Approvals.Get(t.Context(), held.ID); err != nil || r.State != approval.Void {
		t.Errorf("it is %+v, %v", r, err)
	}
}

// Where nobody can tell who is blocked, the log has not been applied: it is not said to be.
func TestSRST4UnreadableUsersAreNoSuccess(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	if _, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.ManagerID, byAdmin); err != nil {
		t.Fatal(err)
	}
	if err := f.Cutoff.UnblockUser(t.Context(), "acme", sim.ManagerID, byAdmin); err != nil {
		t.Fatal(err)
	}
	if _, err := f.db.Writes.Exec(`ALTER TABLE users RENAME TO users_away`); err != nil {
		t.Fatal(err)
	}
	if n, err := reapplied(t, f, 0); err == nil {
		t.Errorf("Reapply = %d, without an error", n)
	}
}

// SR-ST-4: a client that was blocked is so again, and one that was unblocked is not.
func TestSRST4PutBackDatabaseKeepsClientsOut(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	if _, _, err := f.Cutoff.BlockClient(t.Context(), "inspector", byAdmin); err != nil {
		t.Fatal(err)
	}
	restore := f.keepDatabase(t)
	if err := f.Cutoff.UnblockClient(t.Context(), "inspector", byAdmin); err != nil {
		t.Fatal(err)
	}
	_, rep := f.connect(t, sim.RepUsername, sim.RepPassword)
	if ended, _, err := f.Cutoff.BlockClient(t.Context(), "chatgpt", byAdmin); err != nil || len(ended) != 1 {
		t.Fatalf("%d ended, %v", len(ended), err)
	}
	f.opens(t, rep.access, false)
	restore()
	if n, err := reapplied(t, f, 0); err != nil || n != 2 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	if blocked, err := f.Clients.Blocked(t.Context()); err != nil || len(blocked) != 1 || !blocked["chatgpt"] {
		t.Errorf("blocked: %v, %v", blocked, err)
	}
	if n, err := reapplied(t, f, 0); err != nil || n != 0 {
		t.Errorf("a second time: %d, %v", n, err)
	}
}

// SR-ST-4: company sign-ins that were ended, by somebody else or by signing out, do not live on in a
// database that was put back; one that is younger does.
func TestSRST4PutBackDatabaseEndsCompanySignIns(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	store := f.Cutoff.People
	signIn := func(subject string) string {
		t.Helper()
		id, err := store.Start(t.Context(), company.Identity{Issuer: "https://id.example", Subject: subject, CheckedAt: f.clock.Now()}, "", math.MaxInt64)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	lives := func(what, id string, want bool) {
		t.Helper()
		if _, err := store.Current(t.Context(), id); (err == nil) != want || err != nil && !errors.Is(err, people.ErrNoSession) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ended, left, kept := signIn("ann"), signIn("bob"), signIn("cem")
	restore := f.keepDatabase(t, "company_people", "company_sessions")
	f.clock.Add(time.Second)
	p, err := store.Current(t.Context(), ended)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Cutoff.EndSession(t.Context(), p.ID, byAdmin); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cutoff.Audit.Append(t.Context(), audit.Entry{Actor: actor.Person("https://id.example", "bob"), Action: audit.SessionEnd, Outcome: audit.OK}); err != nil {
		t.Fatal(err)
	}
	restore()
	f.clock.Add(time.Second)
	younger := signIn("bob")
	lives("before", ended, true)
	if n, err := reapplied(t, f, 0); err != nil || n != 2 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	lives("ended by its id", ended, false)
	lives("ended without one", left, false)
	lives("of somebody else", kept, true)
	lives("younger", younger, true)
}

// SR-ST-4: a token of a program that was revoked stays so when the database is put back.
func TestSRST4PutBackDatabaseRevivesNoToken(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	secret, token, err := f.Cutoff.Tokens.Create(t.Context(), apitoken.Wanted{Name: "siem", Role: "security", Lifetime: time.Hour, By: byAdmin.By})
	if err != nil {
		t.Fatal(err)
	}
	restore := f.keepDatabase(t, "api_tokens")
	if _, err := f.Cutoff.RevokeAPIToken(t.Context(), token.ID, byAdmin); err != nil {
		t.Fatal(err)
	}
	restore()
	if _, err := f.Cutoff.Tokens.Use(t.Context(), secret); err != nil {
		t.Fatalf("the database was not put back: %v", err)
	}
	if n, err := reapplied(t, f, 0); err != nil || n != 1 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	if _, err := f.Cutoff.Tokens.Use(t.Context(), secret); !errors.Is(err, apitoken.ErrOver) {
		t.Errorf("after it: %v", err)
	}
	if n, err := reapplied(t, f, 0); err != nil || n != 0 {
		t.Errorf("a second time: %d, %v", n, err)
	}
}
