package config

import (
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/policy"
)

// Rules that ask a role and say nothing of escalation have that of approvals.escalate; others
// are left alone.
func TestEscalateIsThatOfRules(t *testing.T) {
	t.Parallel()
	rules := []policy.Rule{
		{Effect: policy.Confirm, Approvers: "role:a"},
		{Effect: policy.Confirm, Factors: []policy.Factor{{Role: "a"}}, Escalate: policy.Escalation{After: time.Minute, To: "role:b"}},
		{Effect: policy.Confirm, Approvers: policy.Requester},
		{Effect: policy.Confirm},
		{Effect: policy.Allow},
	}
	c := &Config{Approvals: Approvals{Escalate: Escalate{After: 5 * time.Minute, To: "role:lead"}}}
	c.escalate(rules)
	var got []string
	for _, r := range rules {
		got = append(got, string(r.Escalate.To))
	}
	if want := "role:lead role:b   "; strings.Join(got, " ") != want || rules[0].Escalate.After != 5*time.Minute {
		t.Errorf("escalated to %q", got)
	}
}

// What escalates to nobody, never or too late is refused.
func TestEscalateIsChecked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		said  string
		wants string
	}{
		"to nobody":    {"approvals: {escalate: {after: 10m}}", "approvals.escalate.to: found nothing"},
		"never":        {"approvals: {escalate: {to: role:lead}}", "approvals.escalate.after: found 0s"},
		"to one":       {"approvals: {escalate: {after: 10m, to: lead}}", `approvals.escalate.to: found "lead"`},
		"after expiry": {"approvals: {escalate: {after: 15m, to: role:lead}}", "escalate.after: found 15m0s, expected less than lifetimes.approval"},
		"in time":      {"approvals: {escalate: {after: 14m, to: role:lead}}", ""},
		"none":         {"approvals: {escalate: {after: 0s, to: \"\"}}", ""},
	} {
		pilot := strings.Replace(pilotOf(t), "    rules:\n", "    rules:\n      - {effect: confirm, classes: [create], approvers: role:approver}\n", 1)
		_, err := load(t, pilot+"\n"+tt.said+"\n")
		if (err == nil) != (tt.wants == "") || err != nil && !strings.Contains(err.Error(), tt.wants) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
