package authproxy

import (
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// SR-ST-4: a process is killed right after it blocked somebody, and another one, whose log says so, lets them in
// again. The first one, started again, does not refuse them once more: the database knows that its block took effect.
func TestSRST4WhatAnotherReplicaGaveBackStays(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.Cutoff.OtherLogs = true
	f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	_, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.ManagerID, byAdmin)
	_, _, clientErr := f.Cutoff.BlockClient(t.Context(), "chatgpt", byAdmin)
	if err := errors.Join(err, clientErr, f.Cutoff.Stop(t.Context(), access.StopAll, byAdmin)); err != nil {
		t.Fatal(err)
	}
	// What the other one does, which stands in its own log.
	if err := errors.Join(f.Grants.UnblockUser(t.Context(), "acme", sim.ManagerID), f.Clients.Unblock(t.Context(), "chatgpt"),
		f.Access.SetStop(t.Context(), access.StopOff, "other")); err != nil {
		t.Fatal(err)
	}
	applied, err := f.Audit.Applied(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := reapplied(t, f, applied); err != nil || n != 0 {
		t.Errorf("Reapply = %d, %v", n, err)
	}
	blocked, err := f.Grants.Blocked(t.Context(), "acme", sim.ManagerID)
	clients, clientErr := f.Clients.Blocked(t.Context())
	stop, stopErr := f.Access.StopPosition(t.Context())
	if blocked || clients["chatgpt"] || stop != access.StopOff || errors.Join(err, clientErr, stopErr) != nil {
		t.Errorf("blocked %t, client blocked %t, stop %s, %v, %v, %v", blocked, clients["chatgpt"], stop, err, clientErr, stopErr)
	}
}

// SR-ST-4: of a call that was about to leave and did not, the approval was given back, and stays; of one whose end
// nobody knows it is over.
func TestSRST4ApprovalThatWasGivenBackStays(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, tt := range []struct {
		name, why string
		end       audit.Outcome // "": none
		want      approval.State
	}{
		{"did not leave", "", audit.Denied, approval.Approved}, {"nobody knows", "", "", approval.Void},
		{"failed before it left", "unavailable: HTTP 503; " + approval.GivenBack, audit.Failed, approval.Approved}, {"failed at Salesforce", "", audit.Failed, approval.Void},
	} {
		held, err := f.Cutoff.Approvals.Submit(t.Context(), approval.Binding{Org: "acme", Subject: sim.RepID, ClientID: "chatgpt", GrantID: "g", Server: "sales",
			Tool: "createSobjectRecord", PolicyVersion: "v", DefinitionHash: "h", Arguments: []byte(`{"a":"` + tt.name + `"}`), Confirmation: policy.Confirmation{Approvers: "role:approver"}}, "create")
		if err != nil {
			t.Fatal(err)
		}
		d := &Decisions{Approvals: f.Cutoff.Approvals, Grants: f.Grants, Audit: f.Audit}
		if _, err := d.Decide(t.Context(), approval.Decider{Actor: actor.Operator("root", "Ann")}, held.ID, approval.Choice{Approve: true}); err != nil {
			t.Fatal(err)
		}
		e := audit.Entry{Actor: actor.User(sim.RepID), Action: audit.ToolCall, Org: "acme", Subject: sim.RepID, Tool: "createSobjectRecord", Approval: held.ID, Outcome: audit.Intent}
		seq, err := f.Audit.Append(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if e.Outcome, e.IntentSeq, e.Reason = tt.end, seq, tt.why; tt.end != "" {
			if _, err := f.Audit.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := reapplied(t, f, seq-1); err != nil {
			t.Fatal(err)
		}
		if r, err := f.Cutoff.Approvals.Get(t.Context(), held.ID); err != nil || r.State != tt.want {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
}
