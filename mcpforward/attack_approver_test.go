package mcpforward

import (
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// AP-12: while a call waits, or after it was approved, its user comes under a rule that
// asks for somebody else. What the previous rule let the user agree to is not enough then.
func TestAP12OtherApprover(t *testing.T) {
	t.Parallel()
	strict := &policy.Policy{Name: "strict", Rules: []policy.Rule{
		{Effect: policy.Allow, Classes: []policy.Class{policy.Read}},
		{Effect: policy.Confirm, Classes: []policy.Class{policy.Create}, Groups: []string{"watched"}, Approvers: "role:approver", Quorum: 1},
		{Effect: policy.Confirm, Classes: []policy.Class{policy.Create}, Approvers: "requester"},
	}}
	w := newWorld(t, func(c *setup) { c.Servers[0].Policy = strict })
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	own := w.decide(true)
	w.regroup("watched", salesforcesim.RepID)
	w.wantHeld("approved by the requester, who may not any more", c.create(createAccount))
	if got := w.forwarded(); len(got) != 0 {
		t.Fatalf("forwarded %v", got)
	}
	if r := w.decide(true); r.ID == own.ID || r.Confirmation.Approvers != "role:approver" {
		t.Errorf("approved %s by %s, the previous one is %s", r.ID, r.Confirmation, own.ID)
	}
	if a := c.create(createAccount); a.failed() || w.accounts("Nimbus") != 1 {
		t.Errorf("approved by the role: %s", a.body)
	}
	if r, _ := w.approvals.Get(t.Context(), own.ID); r.State != approval.Approved {
		t.Errorf("the requester's own approval is %s", r.State)
	}
}

// What a model is told of a call that waits names who can decide and how: never a page
// whose reader can decide nothing.
func TestU8WhoDecidesIsSaid(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		approvers   policy.Approvers
		says, never []string
	}{
		{"requester", []string{"approval of the user who is signed in", "Ask the user to open https://mcp.example.com/approvals/", "approved or denied"}, []string{"role", "approval approve"}},
		{"role:approver", []string{"a person with the role approver", "the user who is signed in cannot give it", "approval approve apr_", "read the call in full at https://mcp.example.com/approvals/apr_", "whoever holds the role decides there"},
			[]string{"approved or denied", "Ask the user to open"}},
		{"role:requester", []string{"a person with the role requester", "approval approve apr_"}, []string{"approved or denied"}},
	} {
		text := approvalResult(&approval.Request{ID: "apr_x", State: approval.Pending, Binding: approval.Binding{Confirmation: policy.Confirmation{Approvers: tt.approvers}}}, "https://mcp.example.com/approvals/apr_x").String()
		for _, want := range append(tt.says, "not carried out", "repeat exactly the same call") {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing: %s", tt.approvers, want, text)
			}
		}
		for _, unwanted := range tt.never {
			if strings.Contains(text, unwanted) {
				t.Errorf("%s: says %q: %s", tt.approvers, unwanted, text)
			}
		}
	}
}
