package mcpforward

import (
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
	if r := w.decide(true); r.ID == own.ID || r.Approvers != "role:approver" {
		t.Errorf("approved %s by %s, the previous one is %s", r.ID, r.Approvers, own.ID)
	}
	if a := c.create(createAccount); a.failed() || w.accounts("Nimbus") != 1 {
		t.Errorf("approved by the role: %s", a.body)
	}
	if r, _ := w.approvals.Get(t.Context(), own.ID); r.State != approval.Approved {
		t.Errorf("the requester's own approval is %s", r.State)
	}
}
