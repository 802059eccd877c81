package console

import (
	"fmt"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
)

// A page says from when on others may agree, and that they may now; not of a call that is over.
func TestEscalationInWords(t *testing.T) {
	t.Parallel()
	asked := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a := &approval.Request{State: approval.Pending, CreatedAt: asked}
	if got := escalationInWords(a, asked); got != "" {
		t.Errorf("without: %q", got)
	}
	a.Confirmation.Escalate = policy.Escalation{After: 10 * time.Minute, To: "role:lead"}
	for after, want := range map[time.Duration]string{
		time.Minute:      "If it still waits then, people with the role lead may agree as well from 12:10 UTC (in 9 minutes) on.",
		10 * time.Minute: "It has waited for so long that people with the role lead may agree as well.",
	} {
		if got := escalationInWords(a, asked.Add(after)); got != want {
			t.Errorf("after %v: %q", after, got)
		}
	}
	a.State = approval.Denied
	if got := escalationInWords(a, asked); got != "" {
		t.Errorf("over: %q", got)
	}
}

// Who asked, who proposed the call and who agreed already cannot agree, so they are not named; of many
// some are.
func TestWhoCouldAgree(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	who := &manyPeople{requester: "h0"}
	s.console.People = who
	a := &approval.Request{State: approval.Pending, Author: who.human(1), Decisions: []approval.Decision{{Human: who.human(2)}}}
	who.requester = who.human(0)
	names, others, err := s.console.whoCould(t.Context(), a, "approver")
	if err != nil || len(names) != couldNamed || names[0] != "p3" || !others {
		t.Errorf("%v, others %t, %v", names, others, err)
	}
	s.console.People = nil
	if names, _, err := s.console.whoCould(t.Context(), a, "approver"); len(names) != 0 || err != nil {
		t.Errorf("without a company: %v, %v", names, err)
	}
}

// Somebody with a role, whose decision a call does not wait for, is told whether they have agreed, whom
// it waits for, and why it is not them.
func TestNextForWhoDecidesNothing(t *testing.T) {
	t.Parallel()
	a := &approval.Request{State: approval.Pending, Binding: approval.Binding{Confirmation: policy.Confirmation{Approvers: "role:sales-ops and 2 of role:security"}},
		Decisions: []approval.Decision{{Human: "ann", Factor: "sales-ops"}, {Human: "bob", Factor: "security"}}}
	for want, may := range map[string]approval.May{
		"You have agreed. It still waits for a person with the role security.":                        {Approve: approval.ErrAlready, Agreed: true},
		"Others decide: a person with the role security.":                                             {Approve: approval.ErrNotApprover},
		"Others decide: a person with the role security. You proposed it: somebody else must decide.": {Approve: fmt.Errorf("you proposed it: %w", approval.ErrNotApprover)},
		"": {},
	} {
		if got := nextForRole(a, may.Approve == nil, may); got != want {
			t.Errorf("%v: %q", may, got)
		}
	}
}
