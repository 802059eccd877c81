package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// moment is one at which calls of a section are made.
type moment struct {
	said string // in the words of the section
	who  Principal
	call func(*Call) // what is otherwise than usual; nil: nothing
}

// section is a policy with the calls that show what one key means.
type section struct {
	title   string
	keys    string // that it is about
	rules   []Rule
	moments []moment
	calls   []Call
}

// TestDecisionsByKeys holds what every key of a rule means, by calls of real use, against
// testdata/keys.txt, which is written to be read.
func TestDecisionsByKeys(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	rows, shown := 0, map[string]bool{}
	for _, s := range sections() {
		p := (&Policy{Name: s.title, Rules: s.rules, Calendars: calendars(t)}).For("https://api.salesforce.com/platform/mcp/v1/platform/sobject-all")
		if problems := p.Validate(); len(problems) > 0 {
			t.Errorf("%s: %v", s.title, problems)
		}
		for _, name := range strings.Fields(s.keys) {
			shown[name] = true
		}
		fmt.Fprintf(&out, "# %s (%s)\n", s.title, s.keys)
		for i := range p.Rules {
			fmt.Fprintf(&out, "#   %s\n", p.Rules[i].reason(i))
		}
		for _, m := range s.moments {
			fmt.Fprintf(&out, "## %s\n", m.said)
			for _, c := range s.calls {
				c.Server, c.Source, c.Now = "sales", "10.1.2.3", workday
				if m.call != nil {
					m.call(&c)
				}
				rows++
				fmt.Fprintf(&out, "%s %s\n    %s\n", c.Tool, c.Arguments, inProse(p.Decide(m.who, c)))
			}
		}
		out.WriteString("\n")
	}
	compareGolden(t, "testdata/keys.txt", out.String())
	for i := range keys {
		if !shown[keys[i].name] {
			t.Errorf("no section shows what %s means", keys[i].name)
		}
	}
	if rows < 100 {
		t.Errorf("only %d decisions", rows)
	}
}

// workday is a Monday morning within business hours.
var workday = time.Date(2026, 11, 30, 8, 30, 0, 0, time.UTC)

// sections are the policies, one for each key or two, with the calls that tell the difference.
func sections() []section {
	const id = `"id":"001xx000003DGb1AAG"`
	anybody := []moment{{said: "anybody", who: rep}}
	manager := Principal{Org: "acme", Subject: "005xx000001Sv7BAAS", Username: "manager@acme.example", Client: "claude", Groups: []string{"managers"}}
	seller := Principal{Org: "acme", Subject: "005xx000001Sv6AAAS", Username: "rep@acme.example", Client: "chatgpt", Groups: []string{"sales"}}
	unnamed := seller
	unnamed.Username = ""
	people := []moment{{said: "a manager with Claude", who: manager}, {said: "a seller with ChatGPT", who: seller}, {said: "the seller before the first sign-in, whose user name is not known", who: unnamed}}
	read := soqlCall("SELECT Id, Name FROM Account LIMIT 20")
	contacts := soqlCall("SELECT Id, Phone, SSN__c FROM Contact LIMIT 5")
	update := call("updateSobjectRecord", `{"sobject-name":"Account",`+id+`,"body":{"Name":"x"}}`)
	remove := call("deleteSobjectRecord", `{"sobject-name":"Account",`+id+`}`)
	create := call("createSobjectRecord", `{"sobject-name":"Case","body":{"Subject":"x"}}`)
	observed := deny(objects("Contact"))
	observed.Observe = true
	bounded := allow(class(Read), maxRows(100))
	rewritten := bounded
	rewritten.Rewrite = true
	masks := allow(class(Read), objects("Contact", "Account", "Case"))
	masks.Mask, masks.Drop = []string{"Contact.Phone", "*.Birthdate"}, []string{"Contact.SSN__c"}
	when := func(r Rule, text string) Rule { r.When = text; return r }
	after := func(r Rule) Rule { r.After = OutsideText; return r }
	strict := confirm(class(Delete), approvers("role:security"), quorum(2))
	strict.StepUp, strict.Escalate = true, Escalation{After: time.Hour, To: "role:admins"}
	grouped := confirm(class(Update))
	grouped.Group, grouped.OnChange, grouped.Verify = true, AllowOnChange, true
	both := confirm(class(SideEffect))
	both.Factors = []Factor{{Role: "owners"}, {Role: "security", Quorum: 2}}
	bulk := []Call{
		soqlCall("SELECT Id FROM Account"), soqlCall("SELECT Id FROM Account LIMIT 100"), soqlCall("SELECT Id FROM Account LIMIT 101"), soqlCall("SELECT COUNT() FROM Account"),
		soqlCall("SELECT Industry, COUNT(Id) FROM Account GROUP BY Industry"), soqlCall("SELECT Id, (SELECT Id FROM Contacts LIMIT 9) FROM Account LIMIT 10"),
		soqlCall("SELECT Id, (SELECT Id FROM Contacts) FROM Account LIMIT 10"), soslCall("FIND {acme} RETURNING Account(Id)"), soslCall("FIND {acme} RETURNING Account(Id) LIMIT 50"),
		call("getRelatedRecords", `{"sobject-name":"Account",`+id+`,"relationship-path":"Contacts"}`), call("listRecentSobjectRecords", `{"sobject-name":"Account"}`), update,
	}
	return []section{
		{"reading by name of the tool", "tools", []Rule{deny(tools("find")), allow(tools("soql*", "find", "get*")), allow(tools("prompt:accountReviewBriefing"))}, anybody,
			[]Call{read, soslCall("FIND {acme} RETURNING Account(Id)"), call("getUserInfo", "{}"), call("getObjectSchema", `{"objects":"Account"}`), call("getObjectSchema", "{}"), update, call("prompt:accountReviewBriefing", ""), call("prompt:revenueReconciliationAnalysis", ""), call("GetUserInfo", "{}")}},
		{"one person, by either name", "users", []Rule{deny(users("rep@acme.example"), objects("Case")), allow(users("005xx000001Sv6A")), allow(users("Manager@acme.example"), class(Read))}, people,
			[]Call{read, update, soqlCall("SELECT Id FROM Case LIMIT 5")}},
		{"managers may change, everybody may read", "groups", []Rule{allow(groups("managers")), allow(class(Read))}, people, []Call{read, update, remove}},
		{"one client alone", "clients", []Rule{deny(clients("claude"), class(Update, Delete)), confirm(clients("chatgpt", "claude"), class(Update, Delete)), allow(class(Read))}, people, []Call{read, update, remove}},
		{"by what a call does", "classes", []Rule{allow(class(Read)), confirm(class(Create, Update)), deny(class(Delete, Unknown))}, anybody,
			[]Call{read, soqlCall("SELECT Id FROM Account FOR VIEW"), create, update, remove, call("updateSobjectRecord", `{"sobject-name":"User","id":"005xx000001Sv6AAAS","body":{"IsActive":false}}`), call("createSobjectRecord", `{"sobject-name":"PermissionSetAssignment","body":{"AssigneeId":"005xx000001Sv6AAAS"}}`), call("doSomething", "{}")}},
		{"no users, no secrets", "objects", []Rule{deny(objects("User", "Secret__c", "*__History")), allow(class(Read))}, anybody, []Call{
			read, soqlCall("SELECT Owner.Name FROM Account LIMIT 5"), soqlCall("SELECT OwnerId FROM Account LIMIT 5"), soqlCall("SELECT Owner.Type FROM Account LIMIT 5"), soqlCall("SELECT Id FROM Account WHERE CreatedBy.Email LIKE 'a%' LIMIT 5"),
			soqlCall("SELECT Id FROM Account WHERE OwnerId IN (SELECT Id FROM User) LIMIT 5"), soqlCall("SELECT Id FROM ns__Secret__c LIMIT 5"), soqlCall("SELECT Id FROM Secret__Share LIMIT 5"), soqlCall("SELECT NewValue FROM Plan__History LIMIT 5"),
			soqlCall("SELECT Name FROM RecentlyViewed LIMIT 5"), soqlCall("SELECT Body FROM FeedItem LIMIT 5"), soqlCall("SELECT Plan__r.Name FROM Account LIMIT 5"), soslCall("FIND {x} RETURNING Account(Id), User(Id) LIMIT 5"),
			call("getObjectSchema", "{}"), call("getObjectSchema", `{"objects":"User"}`), call("getUserInfo", "{}")}},
		{"a list of objects", "objects", []Rule{allow(class(Read, Update), objects("Account", "Contact", "Plan*"))}, anybody, []Call{
			read, contacts, soqlCall("SELECT Id, (SELECT Id FROM Contacts LIMIT 1) FROM Account LIMIT 5"), soqlCall("SELECT Account.Name FROM Contact LIMIT 5"), soqlCall("SELECT Account.Owner.Name FROM Contact LIMIT 5"),
			soqlCall("SELECT Id FROM Plan__c LIMIT 5"), soqlCall("SELECT Id FROM ns__Plan__c LIMIT 5"), soqlCall("SELECT Id FROM ContactHistory LIMIT 5"), update, create, call("getUserInfo", "{}"), call("getObjectSchema", "{}")}},
		{"no numbers of persons", "fields", []Rule{deny(fields("*.SSN__c", "Contact.MailingStreet", "Lead.*")), allow(class(Read, Create))}, anybody, []Call{
			contacts, soqlCall("SELECT Id, Phone FROM Contact LIMIT 5"), soqlCall("SELECT Id FROM Contact WHERE SSN__c = '1' LIMIT 5"), soqlCall("SELECT Id FROM Contact ORDER BY ns__SSN__c LIMIT 5"), soqlCall("SELECT MailingAddress FROM Contact LIMIT 5"),
			soqlCall("SELECT MailingCity FROM Contact LIMIT 5"), soqlCall("SELECT Contact.SSN__c FROM Case LIMIT 5"), soqlCall("SELECT SSN__pc FROM Account LIMIT 5"), soqlCall("SELECT FIELDS(ALL) FROM Contact LIMIT 5"), soqlCall("SELECT Id FROM Lead LIMIT 5"), soqlCall("SELECT COUNT() FROM Lead"),
			soslCall("FIND {x} IN NAME FIELDS RETURNING Contact(Id) LIMIT 5"), soslCall("FIND {x} RETURNING Contact(Id) LIMIT 5"), call("createSobjectRecord", `{"sobject-name":"Contact","body":{"LastName":"x","SSN__c":"1"}}`),
			call("listRecentSobjectRecords", `{"sobject-name":"Contact"}`)}},
		{"at most 100 records", "max_rows", []Rule{bounded, allow(class(Update))}, anybody, bulk},
		{"at most 100 records, made so", "max_rows rewrite", []Rule{rewritten, allow(class(Update))}, anybody, bulk},
		{"in business hours, from the office", "when", []Rule{when(deny(class(Update, Delete)), `during("change-freeze")`), when(deny(), `!source.in_network("10.0.0.0/8")`), when(confirm(class(Update)), `arguments["sobject-name"] == "Account"`), allow(class(Read, Update))},
			[]moment{{said: "on a working day", who: rep}, {said: "in the change freeze", who: rep, call: func(c *Call) { c.Now = time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC) }}, {said: "from elsewhere", who: rep, call: func(c *Call) { c.Source = "203.0.113.7" }}, {said: "from nobody knows where", who: rep, call: func(c *Call) { c.Source = "" }}},
			[]Call{read, update, call("updateSobjectRecord", `{"sobject-name":"Case","id":"500xx000003DGb1AAG","body":{"Status":"x"}}`), remove}},
		{"writes wait after text from outside", "after", []Rule{after(deny(class(Delete))), after(confirm(class(Create, Update))), allow()},
			[]moment{{said: "nothing from outside was read", who: rep}, {said: "an e-mail was read a moment ago", who: rep, call: func(c *Call) { c.OutsideText = func() bool { return true } }}},
			[]Call{read, soqlCall("SELECT Description FROM Case LIMIT 5"), update, remove}},
		{"a rule on trial", "observe", []Rule{observed, allow(class(Read))}, anybody, []Call{read, contacts, update}},
		{"hidden in answers", "mask drop", []Rule{masks, allow(class(Read))}, anybody, []Call{
			contacts, soqlCall("SELECT Id FROM Contact WHERE Phone = '1' LIMIT 5"), soqlCall("SELECT Phone, COUNT(Id) FROM Contact GROUP BY Phone LIMIT 5"), soqlCall("SELECT Id FROM Contact ORDER BY SSN__c LIMIT 5"), soqlCall("SELECT MAX(Birthdate) m FROM Contact"),
			soqlCall("SELECT Phone p FROM Contact LIMIT 5"), soqlCall("SELECT Contact.Phone FROM Case LIMIT 5"), soqlCall("SELECT Id FROM Lead LIMIT 5"), soslCall("FIND {x} RETURNING Contact(Id) LIMIT 5"), soslCall("FIND {x} IN NAME FIELDS RETURNING Contact(Id, Phone) LIMIT 5"),
			call("getObjectSchema", `{"objects":"Contact"}`), call("getRelatedRecords", `{"sobject-name":"Account",`+id+`,"relationship-path":"Contacts"}`)}},
		{"who has to agree", "approvers quorum factors step_up escalate group on_change verify", []Rule{strict, confirm(class(Create), approvers("role:sales-ops")), grouped, both, allow(class(Read))}, anybody, []Call{read, create, update, remove, soqlCall("SELECT Id FROM Account FOR VIEW")}},
	}
}
