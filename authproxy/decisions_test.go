package authproxy

import (
	"errors"
	"slices"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// AP-05: about a request that does not exist nobody decides, an operator no more than a
// user, and nothing is recorded as decided.
func TestAP05DecisionsAboutNothing(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	d := &Decisions{Approvals: f.Cutoff.Approvals, Grants: f.Grants, Audit: f.Audit}
	for name, by := range map[string]approval.Decider{
		"a user": {Actor: actor.User(sim.RepID), Org: "acme"}, "an operator": {Actor: actor.Operator("root", "")}, "nobody": {},
	} {
		for _, id := range []string{"apr_none", "", "' OR 1=1 --"} {
			if r, err := d.Decide(t.Context(), by, id, approval.Choice{Approve: true}); r != nil || !errors.Is(err, approval.ErrNotFound) {
				t.Errorf("%s approves %q: %+v, %v", name, id, r, err)
			}
			if r, err := d.Decide(t.Context(), by, id, approval.Choice{}); r != nil || !errors.Is(err, approval.ErrNotFound) {
				t.Errorf("%s denies %q: %+v, %v", name, id, r, err)
			}
		}
	}
	if entries := f.audited(t, "approval.decide"); len(entries) != 0 {
		t.Errorf("recorded: %+v", entries)
	}
}

// AP-05: a decision that comes too late is told so. Only the same decision a second time is
// no fault: whoever approves what was denied, or has run out, has not approved it.
func TestAP05TooLateIsNotAlready(t *testing.T) {
	t.Parallel()
	already := map[audit.Decision][]approval.State{audit.Approve: {approval.Approved, approval.Spent}, audit.Deny: {approval.Denied}}
	for _, what := range []audit.Decision{audit.Approve, audit.Deny, audit.Counter} {
		for _, state := range []approval.State{approval.Approved, approval.Spent, approval.Denied, approval.Expired, approval.Void} {
			want := approval.ErrGone
			if slices.Contains(already[what], state) {
				want = approval.ErrAlready
			}
			if got := tooLate(&approval.Request{State: state}, what); !errors.Is(got, want) {
				t.Errorf("%v of what is %s: %v, want %v", what, state, got, want)
			}
		}
	}
}
