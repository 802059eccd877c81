package policy

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*Policy{
		"contract":       confirmWrites,
		"deny all":       given(deny()),
		"narrow first":   given(allow(tools("get*")), deny(tools("getUserInfo", "x")), allow()),
		"mode left out":  {Name: "x", Rules: []Rule{allow()}},
		"prompts":        given(allow(tools("prompt:*", "resource:ui://*"))),
		"custom objects": given(deny(objects("ns__My_Object__c", "*__Share"), fields("*.SSN__c", "Contact.*"))),
		"users":          given(deny(users("005xx000001Sv6A", "a@b.example")), allow()),
		"rows differ":    given(allow(class(Read), maxRows(10)), confirm(class(Read), maxRows(100)), confirm(class(Read))),
		"clients":        given(allow(clients("https://chatgpt.com/oauth/client.json"))),
		"long tools":     given(allow(tools(strings.Repeat("a", 128), "resource:ui://"+strings.Repeat("a", 242)))),
	} {
		if problems := p.Validate(); problems != nil {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		policy *Policy
		want   []string
	}{
		{"no rules", given(), []string{"rules: found nothing"}},
		{"no name", &Policy{Rules: []Rule{allow()}}, []string{"name: found nothing"}},
		{"mode", &Policy{Name: "x", Mode: "off", Rules: []Rule{allow()}}, []string{`mode: found "off"`}},
		{"effect", given(rule("permit")), []string{`rules[0].effect: found "permit"`}},
		{"no effect", given(Rule{}), []string{`rules[0].effect: found ""`}},
		{"empty lists", given(allow(tools(), users(), groups(), clients(), class(), objects(), fields())), []string{
			"rules[0].tools: found an empty list", "rules[0].users: found an empty list", "rules[0].groups: found an empty list", "rules[0].clients: found an empty list",
			"rules[0].classes: found an empty list", "rules[0].objects: found an empty list", "rules[0].fields: found an empty list",
		}},
		{"empty values", given(allow(tools(""), users(""), groups(""), clients(" "), class(""), objects(""), fields(""))), []string{
			`tools[0]: found ""`, `users[0]: found ""`, `groups[0]: found ""`, `clients[0]: found " "`, `classes[0]: found ""`, `objects[0]: found ""`, `fields[0]: found ""`,
		}},
		{"class", given(allow(class("write"))), []string{`classes[0]: found "write"`}},
		{"tool", given(allow(tools("get user", "délete"))), []string{"tools[0]", "tools[1]"}},
		{"long tools", given(allow(tools(strings.Repeat("a", 257), "resource:ui://"+strings.Repeat("a", 243)))), []string{"tools[0]", "tools[1]"}},
		{"user", given(allow(users("bob", "005xx*@x", "@x"))), []string{"users[0]", "users[1]", "users[2]"}},
		{"object", given(deny(objects("Account/User", "a.b", "1x"))), []string{"objects[0]", "objects[1]", "objects[2]"}},
		{"field", given(deny(fields("SSN__c", "Contact.a.b", "Contact."))), []string{"fields[0]", "fields[1]", "fields[2]"}},
		{"twice", given(deny(objects("User", "User"))), []string{`objects[1]: found "User" a second time`}},
		{"rows", given(allow(maxRows(-1))), []string{"max_rows: found -1"}},
		{"a limit without rows", given(allow(class(Read), func(r *Rule) { r.Rewrite = true })), []string{"rewrite: found true without max_rows"}},
		{"rows on deny", given(deny(maxRows(5))), []string{"max_rows: found 5, which has no meaning"}},
		{"approvers on allow", given(allow(approvers("requester"), quorum(1))), []string{`approvers: found "requester", expected it only`, "quorum: found 1, expected it only"}},
		{"approvers", given(confirm(approvers("boss"))), []string{`approvers: found "boss"`}},
		{"role", given(confirm(approvers("role:"))), []string{"names no role"}},
		{"quorum", given(confirm(quorum(-1))), []string{"quorum: found -1"}},
		{"quorum of one", given(confirm(quorum(2))), []string{"impossible with the requester alone"}},
		{"quorum of a crowd", given(confirm(approvers("role:a"), quorum(11))), []string{"quorum: found 11, expected 1 to 10"}},
		{"no factors", given(confirm(factors())), []string{"factors: found 0 of them, expected 1 to 5"}},
		{"factors beside approvers", given(confirm(approvers("role:a"), quorum(2), factors(Factor{Role: "b"}))), []string{"found it beside approvers or quorum"}},
		{"factor of nobody", given(confirm(factors(Factor{}, Factor{Role: "role:a"}, Factor{Role: "c", Quorum: 11}))),
			[]string{`factors[0].role: found ""`, `factors[1].role: found "role:a"`, "factors[2].quorum: found 11"}},
		{"a factor twice", given(confirm(factors(Factor{Role: "a"}, Factor{Role: "a", Quorum: 2}))), []string{`factors: found "a" a second time`}},
		{"factors on allow", given(allow(factors(Factor{Role: "a"}))), []string{`factors: found "role:a", expected it only`}},
		{"verify of what changes no record", given(confirm(func(r *Rule) { r.Classes, r.Verify = []Class{SideEffect}, true })), []string{"verify: found true for calls that create, update and delete nothing"}},
		{"step-up of the requester", given(confirm(func(r *Rule) { r.StepUp = true })), []string{"step_up: found true with the requester alone"}},
		{"a group of deletions", given(confirm(class(Delete), func(r *Rule) { r.Group = true })), []string{"group: found true for calls of the class delete"}},
		{"a change that is neither held nor allowed", given(confirm(func(r *Rule) { r.OnChange = "ask" })), []string{`on_change: found "ask"`}},
		{"escalation to nobody", given(confirm(approvers("role:a"), func(r *Rule) { r.Escalate.To = "requester" })),
			[]string{"escalate.after: found 0s", `escalate.to: found "requester"`}},
		{"escalation of the requester", given(confirm(func(r *Rule) { r.Escalate = Escalation{time.Minute, "role:a"} })), []string{"escalate: found it with the requester alone"}},
		{"after everything", given(allow(), deny(objects("User"))), []string{"rules[1]: found a rule that can never match: rules[0] (allow)"}},
		{"same keys", given(allow(class(Read)), deny(class(Read))), []string{"rules[1]: found a rule that can never match"}},
		{"narrower", given(allow(class(Read, Create)), confirm(class(Create), tools("create*"))), []string{"rules[1]: found a rule that can never match"}},
		{"covered glob", given(deny(tools("get*")), allow(tools("getUserInfo"))), []string{"rules[1]: found a rule that can never match"}},
		{"same user", given(deny(users("005xx000001Sv6A")), allow(users("005xx000001Sv6AAAS"))), []string{"rules[1]: found a rule that can never match"}},
		{"same objects", given(deny(objects("User", "Profile")), deny(objects("profile", "user"), class(Read))), []string{"rules[1]: found a rule that can never match"}},
	}
	for _, tt := range tests {
		problems := tt.policy.Validate()
		if problems == nil {
			t.Errorf("%s: no problem", tt.name)
			continue
		}
		for _, want := range tt.want {
			if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.String(), want) }) {
				t.Errorf("%s: %q is not in\n%v", tt.name, want, problems)
			}
		}
	}
}

// A rule that is declared dead must be dead.
func TestValidateNeverCondemnsALiveRule(t *testing.T) {
	t.Parallel()
	someone := rep
	someone.Username = ""
	live := []struct {
		name  string
		rules []Rule
		who   Principal
		call  Call
	}{
		{"deny by name reaches unknown names", []Rule{allow(users("a@b.example")), deny(users("a@b.example"))}, someone, call("getUserInfo", "")},
		{"deny star reaches prompts", []Rule{allow(tools("*")), deny(tools("*"))}, rep, call("prompt:x", "")},
		{"deny objects reaches one of two", []Rule{allow(objects("Account", "User")), deny(objects("User", "Account"))}, rep, soqlCall("SELECT Id, (SELECT Id FROM Contacts) FROM Account")},
		{"prompt by name", []Rule{allow(tools("*")), allow(tools("prompt:x"))}, rep, call("prompt:x", "")},
	}
	for _, tt := range live {
		p := given(tt.rules...)
		if d := p.Decide(tt.who, tt.call); d.Rule != 1 {
			t.Errorf("%s: decided by rule %d", tt.name, d.Rule)
		}
		if problems := p.Validate(); problems != nil {
			t.Errorf("%s: %v", tt.name, problems)
		}
	}
}
