package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Who must agree has one text, and no other is taken for it.
func TestApprovers(t *testing.T) {
	t.Parallel()
	for a, want := range map[Approvers][]Factor{
		"role:approver":                     {{"approver", 1}},
		"role:requester":                    {{"requester", 1}},
		"2 of role:security":                {{"security", 2}},
		"role:sales-ops and role:security":  {{"sales-ops", 1}, {"security", 1}},
		"3 of role:a and role:b and role:c": {{"a", 3}, {"b", 1}, {"c", 1}},
		"requester":                         nil,
		"":                                  nil,
		"role:":                             nil,
		"Role:approver":                     nil,
		"role:a b":                          nil,
		"role:b and role:a":                 nil, // another order
		"role:a and role:a":                 nil,
		"role:a and ":                       nil,
		"1 of role:a":                       nil,
		"0 of role:a":                       nil,
		"-2 of role:a":                      nil,
		"02 of role:a":                      nil,
		"11 of role:a":                      nil,
		"2 of a":                            nil,
		"requester and role:a":              nil,
		"2 of requester":                    nil,
		"role:a and role:b and role:c and role:d and role:e and role:f": nil,
	} {
		if diff := cmp.Diff(want, a.Factors()); diff != "" {
			t.Errorf("%q: %s", a, diff)
		}
		if a.Valid() != (want != nil || a == Requester) {
			t.Errorf("%q: valid is %t", a, a.Valid())
		}
	}
}

// What a rule asks for is one value, and survives being stored.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	lead := Escalation{After: 10 * time.Minute, To: "role:lead"}
	for name, c := range map[string]struct {
		rule  Rule
		want  Confirmation
		terms string
		text  string
	}{
		"nothing said": {Rule{}, Confirmation{Approvers: "requester"}, "", "requester"},
		"a role":       {Rule{Approvers: "role:a"}, Confirmation{Approvers: "role:a"}, "", "role:a"},
		"two of it":    {Rule{Approvers: "role:a", Quorum: 2}, Confirmation{Approvers: "2 of role:a"}, "", "2 of role:a"},
		"factors": {Rule{Factors: []Factor{{Role: "sec", Quorum: 2}, {Role: "ops"}}}, Confirmation{Approvers: "role:ops and 2 of role:sec"}, "",
			"role:ops and 2 of role:sec"},
		"all of it": {Rule{Approvers: "role:a", StepUp: true, Group: true, Escalate: lead, Verify: true}, Confirmation{"role:a", true, true, lead, false, true},
			"step_up group escalate=10m0s=role:lead verify", "role:a, signed in anew, together with others, after 10m0s also role:lead, verified after it"},
		"held on a change":     {Rule{OnChange: HoldOnChange}, Confirmation{Approvers: "requester"}, "", "requester"},
		"passes with a change": {Rule{OnChange: AllowOnChange}, Confirmation{Approvers: "requester", AllowChanged: true}, "on_change=allow", "requester, even if the record changes meanwhile"},
	} {
		got := c.rule.Confirmation()
		if got != c.want || got.Terms() != c.terms || got.String() != c.text || !got.Valid() {
			t.Errorf("%s: %+v, terms %q, %q", name, got, got.Terms(), got)
		}
		if back, err := ParseTerms(got.Approvers, got.Terms()); back != got || err != nil {
			t.Errorf("%s comes back as %+v, %v", name, back, err)
		}
	}
	for _, terms := range []string{"stepup", "group step_up", "step_up ", "escalate=10m0s=requester", "escalate=x=role:a", "escalate=10m=role:a",
		"escalate=-10m0s=role:a", "escalate=10m0s=2 of role:a", "group group",
		"on_change", "on_change=hold", "on_change=", "on_change=allow group", "verify group", "verify=true", "verify on_change=allow"} {
		if c, err := ParseTerms("role:a", terms); err == nil {
			t.Errorf("%q was read as %+v", terms, c)
		}
	}
}
