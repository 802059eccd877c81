package analysis

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/condition"
)

const (
	sobjectAll = "https://api.salesforce.com/platform/mcp/v1/platform/sobject-all"
	custom     = "https://api.salesforce.com/platform/mcp/v1/custom/Sales"
	rep        = "rep@acme.example"
	lead       = "lead@acme.example"
)

var (
	reads  = []policy.Class{policy.Read}
	writes = []policy.Class{policy.Create, policy.Update}

	people = People{
		Groups:  []Group{{"pilot", []string{rep, lead}}, {"leads", []string{lead}}, {"nobody", nil}, {"idle", []string{rep}}},
		Clients: []string{"chatgpt", "claude"},
	}
)

func at(upstream string, rules ...policy.Rule) Server {
	p := &policy.Policy{Name: "pilot-policy", Rules: rules}
	return Server{"sales", p.For(upstream), []string{"pilot"}}
}

func allow(r policy.Rule) policy.Rule   { r.Effect = policy.Allow; return r }
func confirm(r policy.Rule) policy.Rule { r.Effect = policy.Confirm; return r }
func deny(r policy.Rule) policy.Rule    { r.Effect = policy.Deny; return r }

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		server Server
		want   []Finding
	}{
		"nothing wrong": {at(sobjectAll, deny(policy.Rule{Objects: []string{"User", "Profile"}}), allow(policy.Rule{Classes: reads, MaxRows: 2000}), confirm(policy.Rule{Classes: writes})), nil},
		"shadowed by one": {at(sobjectAll, allow(policy.Rule{Classes: reads}), allow(policy.Rule{Classes: reads, Objects: []string{"Account"}})),
			[]Finding{{1, "never decides: rule 1 decides every call that it matches"}}},
		"shadowed by two together": {at(sobjectAll, allow(policy.Rule{Classes: writes}), allow(policy.Rule{Classes: reads}), deny(policy.Rule{Objects: []string{"User"}, Classes: append(reads, writes...)})),
			[]Finding{{2, "never decides: rule 1 and rule 2 decide every call that it matches"}}},
		"shadowed for one group": {at(sobjectAll, allow(policy.Rule{Classes: reads, Groups: []string{"pilot"}}), deny(policy.Rule{Classes: reads, Groups: []string{"leads"}})),
			[]Finding{{1, "never decides: rule 1 decides every call that it matches"}}},
		"not shadowed, for the group is another": {at(sobjectAll, allow(policy.Rule{Classes: reads, Groups: []string{"leads"}}), allow(policy.Rule{Classes: reads, Groups: []string{"pilot"}, MaxRows: 5})), nil},
		"decides calls on two objects alone": {at(sobjectAll, allow(policy.Rule{Classes: reads, Objects: []string{"Account"}}), allow(policy.Rule{Classes: reads, Objects: []string{"Contact"}}),
			confirm(policy.Rule{Classes: reads, Objects: []string{"Account", "Contact"}})), nil},
		"decides calls on all its objects alone": {at(sobjectAll, allow(policy.Rule{Classes: reads, Objects: []string{"Account", "Contact"}}), allow(policy.Rule{Classes: reads, Objects: []string{"Account", "Case"}}),
			allow(policy.Rule{Classes: reads, Objects: []string{"Contact", "Case"}}), confirm(policy.Rule{Classes: reads, Objects: []string{"Account", "Contact", "Case"}})), nil},
		"matches nothing": {at(sobjectAll, allow(policy.Rule{Classes: reads}), allow(policy.Rule{Classes: []policy.Class{policy.Read}, Tools: []string{"grid_get_worksheet"}})),
			[]Finding{{1, "matches no call: none of its servers has such a tool, class or user"}}},
		"nobody": {at(sobjectAll, allow(policy.Rule{Classes: reads}), confirm(policy.Rule{Classes: writes, Groups: []string{"nobody"}})),
			[]Finding{{1, "matches no call: none of its servers has such a tool, class or user"}}},
		"changes nothing": {at(sobjectAll, allow(policy.Rule{Classes: reads, Objects: []string{"Account"}}), allow(policy.Rule{Classes: reads})),
			[]Finding{{0, "changes nothing: without it rule 2 would do the same"}}},
		"a last denial is said for people":  {at(sobjectAll, allow(policy.Rule{Classes: reads}), deny(policy.Rule{})), nil},
		"hides what another rule lets pass": {at(sobjectAll, allow(policy.Rule{Classes: reads}), allow(policy.Rule{Classes: reads, Objects: []string{"Contact"}, Mask: []string{"Contact.SSN__c"}})), nil},
		"wider than it looks": {at(sobjectAll, allow(policy.Rule{Tools: []string{"*Record"}})),
			[]Finding{{0, "names no classes, and lets pass without a person: create, update, delete"}}},
		"every tool by its name":   {at(sobjectAll, allow(policy.Rule{Tools: []string{"deleteSobjectRecord"}})), nil},
		"tools of a custom server": {at(custom, allow(policy.Rule{Tools: []string{"getOpenOrders"}}), confirm(policy.Rule{Tools: []string{"get*"}})), nil},
		"prompts": {at(sobjectAll, allow(policy.Rule{Tools: []string{"prompt:*"}})),
			[]Finding{{0, "names no classes, and lets pass without a person: unknown"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Check([]Server{c.server}, people)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A rule is needed if it decides on one of the servers.
func TestCheckAsksAllServers(t *testing.T) {
	rules := []policy.Rule{allow(policy.Rule{Classes: reads}), confirm(policy.Rule{Tools: []string{"getOpenOrders"}})}
	if found := Check([]Server{at(sobjectAll, rules...), at(custom, rules...)}, people); found != nil {
		t.Errorf("%+v", found)
	}
}

// lines are changes as people read them.
func lines(changes []Change) (out []string) {
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%+d %s", c.More(), c))
	}
	return out
}

func TestDiff(t *testing.T) {
	before := at(sobjectAll, deny(policy.Rule{Objects: []string{"User"}}), allow(policy.Rule{Classes: reads, MaxRows: 2000}), confirm(policy.Rule{Classes: writes}))
	for name, c := range map[string]struct {
		after []policy.Rule
		want  []string
	}{
		"the same":              {before.Policy.Rules, nil},
		"numbers are no change": {append([]policy.Rule{deny(policy.Rule{Tools: []string{"grid_get_column_data"}})}, before.Policy.Rules...), nil},
		"fewer records": {[]policy.Rule{before.Policy.Rules[0], allow(policy.Rule{Classes: reads, MaxRows: 500}), before.Policy.Rules[2]},
			[]string{"-1 every user of sales: read any object that no rule names (501 to 2000 records) with find and soqlQuery: allowed → denied"}},
		"leads need nobody in chatgpt": {append([]policy.Rule{before.Policy.Rules[0], allow(policy.Rule{Classes: []policy.Class{policy.Update}, Groups: []string{"leads"}, Clients: []string{"chatgpt"}})}, before.Policy.Rules[1:]...),
			[]string{"+1 group leads through chatgpt: update any object that no rule names with updateRelatedRecord and updateSobjectRecord: held for requester → allowed"}},
		"a second person": {[]policy.Rule{before.Policy.Rules[0], before.Policy.Rules[1], confirm(policy.Rule{Classes: writes, Approvers: "role:approver", Quorum: 2})},
			[]string{
				"+0 every user of sales: create any object that no rule names with createSobjectRecord: held for requester → held for 2 of role:approver",
				"+0 every user of sales: update any object that no rule names with updateRelatedRecord and updateSobjectRecord: held for requester → held for 2 of role:approver",
			}},
		"a denial dropped": {before.Policy.Rules[1:], []string{
			"+1 every user of sales: read User and objects that cannot be determined (at most 2000 records) with find and soqlQuery: denied → allowed",
			"+1 every user of sales: read User and objects that cannot be determined with getObjectSchema, getRelatedRecords and listRecentSobjectRecords: denied → allowed",
			"+1 every user of sales: read with prompt:accountReviewBriefing, prompt:einstein_gpt__accountReviewBriefing, prompt:einstein_gpt__revenueReconciliationAnalysis and prompt:revenueReconciliationAnalysis: denied → allowed",
			"+1 every user of sales: create User and objects that cannot be determined with createSobjectRecord: denied → held for requester",
			"+1 every user of sales: update User and objects that cannot be determined with updateRelatedRecord and updateSobjectRecord: denied → held for requester",
		}},
		"a field hidden": {[]policy.Rule{before.Policy.Rules[0], allow(policy.Rule{Classes: reads, MaxRows: 2000, Mask: []string{"Contact.SSN__c"}}), before.Policy.Rules[2]}, []string{
			"-1 every user of sales: read Contact (all fields) and Contact.SSN__c (at most 2000 records) with find and soqlQuery: allowed → allowed, Contact.SSN__c hidden",
			"-1 every user of sales: read Contact (all fields) and Contact.SSN__c with getObjectSchema, getRelatedRecords and listRecentSobjectRecords: allowed → allowed, Contact.SSN__c hidden",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			after := &policy.Policy{Name: "pilot-policy", Rules: c.after}
			got := lines(Diff(before, people, Server{before.Name, after.For(sobjectAll), before.Groups}, people))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Another member of a group, and another group of a server, are changes too.
// What stands for objects that no rule names is never told by the name that is used for it, nor
// without one, and each object and hidden field of a change is told.
func TestDiffNamesAllThatChanges(t *testing.T) {
	objects := []string{"Account", "Asset", "Campaign", "Case", "Contact", "Contract", "Event", "Lead", "Opportunity", "Order", "Quote", "Task"}
	masks := []string{"*.Birthdate", "*.HomePhone", "*.OtherPhone", "*.SSN__c", "*.Salary__c", "Lead.MobilePhone"}
	before := at(sobjectAll, allow(policy.Rule{Classes: reads, MaxRows: 500}), confirm(policy.Rule{Classes: writes}))
	after := at(sobjectAll, allow(policy.Rule{Classes: reads, Objects: objects, Mask: masks, MaxRows: 500}))
	text := strings.Join(lines(Diff(before, people, after, people)), "\n")
	for _, wrong := range []string{otherObject, "(; )", "()", " more"} {
		if strings.Contains(text, wrong) {
			t.Errorf("%q in\n%s", wrong, text)
		}
	}
	for _, name := range append(objects, masks...) {
		if !strings.Contains(text, name) {
			t.Errorf("%s is not told of in\n%s", name, text)
		}
	}
}

func TestDiffOfPeople(t *testing.T) {
	server := at(sobjectAll, allow(policy.Rule{Classes: reads}), allow(policy.Rule{Classes: writes, Groups: []string{"leads"}}))
	promoted := People{Groups: []Group{{"pilot", []string{rep, lead, "new@acme.example"}}, {"leads", []string{lead, rep}}}, Clients: people.Clients}
	want := []string{
		"+1 rep@acme.example: create every object with createSobjectRecord: denied → allowed",
		"+1 rep@acme.example: update every object with updateRelatedRecord and updateSobjectRecord: denied → allowed",
		"+1 new@acme.example: read every object with find, soqlQuery, getObjectSchema, getRelatedRecords and listRecentSobjectRecords: denied → allowed",
		"+1 new@acme.example: read with getUserInfo, prompt:accountReviewBriefing, prompt:einstein_gpt__accountReviewBriefing, prompt:einstein_gpt__revenueReconciliationAnalysis and prompt:revenueReconciliationAnalysis: denied → allowed",
	}
	if got := lines(Diff(server, people, server, promoted)); !sameNames(want, got) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	closed := server
	closed.Groups = []string{"leads"}
	for _, change := range Diff(server, people, closed, people) {
		if change.More() != -1 || change.Who() != rep || change.After[0].Words != "not in the server's groups" {
			t.Errorf("%s", change)
		}
	}
}

// What is cut short for people is compared whole: long conditions, long lists of hidden fields,
// and what a calendar means.
func TestDiffComparesWhole(t *testing.T) {
	long := `tool in ["` + strings.Repeat("x", 300) + `"]`
	hours := func(hours string) Server {
		calendar, faults := condition.ParseCalendar("hours", "UTC", []string{hours}, nil)
		if faults != nil {
			t.Fatal(faults)
		}
		p := &policy.Policy{Name: "p", Calendars: []*condition.Calendar{calendar}, Rules: []policy.Rule{allow(policy.Rule{Classes: reads, When: `during("hours")`})}}
		return Server{"sales", p.For(sobjectAll), []string{"pilot"}}
	}
	when := func(when string) Server { return at(sobjectAll, allow(policy.Rule{Classes: reads, When: when})) }
	masks := func(last string) Server {
		return at(sobjectAll, allow(policy.Rule{Classes: reads, Mask: []string{"Contact.A__c", "Contact.B__c", "Contact.C__c", "Contact.D__c", "Contact.E__c", last}}))
	}
	for name, c := range map[string]struct{ before, after Server }{
		"a condition":     {when(long + " && rows > 1"), when(long + " && rows > 2")},
		"a calendar":      {hours("Mon 08:00-18:00"), hours("Mon-Sun 00:00-24:00")},
		"a hidden field":  {masks("Contact.F__c"), masks("Contact.G__c")},
		"taken out of it": {at(sobjectAll, allow(policy.Rule{Classes: reads, Mask: []string{"Contact.A__c"}})), at(sobjectAll, allow(policy.Rule{Classes: reads, Drop: []string{"Contact.A__c"}}))},
	} {
		if len(Diff(c.before, people, c.after, people)) == 0 {
			t.Errorf("%s: no difference is seen", name)
		}
		if changes := Diff(c.before, people, c.before, people); len(changes) > 0 {
			t.Errorf("%s: the same is different: %s", name, changes[0])
		}
	}
}

func TestWhoCan(t *testing.T) {
	s := at(sobjectAll, deny(policy.Rule{Objects: []string{"User"}}),
		allow(policy.Rule{Classes: []policy.Class{policy.Delete}, Groups: []string{"leads"}, Objects: []string{"Task"}}),
		confirm(policy.Rule{Tools: []string{"deleteSobjectRecord"}, Approvers: "role:approver"}))
	for object, want := range map[string][]string{
		"Account": {"every user of sales: delete Account with deleteSobjectRecord: held for role:approver"},
		"User":    nil,
		"Task": {
			"rep@acme.example: delete Task with deleteSobjectRecord: held for role:approver",
			"group leads: delete Task with deleteRelatedRecord and deleteSobjectRecord: allowed",
		},
	} {
		t.Run(object, func(t *testing.T) {
			var got []string
			for _, p := range WhoCan(s, people, policy.Delete, object) {
				got = append(got, fmt.Sprintf("%s: %s: %s", p.Who(), p.What(), p.Ways))
			}
			if !cmp.Equal(want, got) {
				t.Errorf("%s", strings.Join(got, "\n"))
			}
		})
	}
}

// An object that no rule names is said by its name, once, and what cannot be determined beside it.
func TestWhoCanOfAnUnnamedObject(t *testing.T) {
	s := at(sobjectAll, allow(policy.Rule{Classes: writes}))
	found := WhoCan(s, people, policy.Update, "Case")
	if len(found) != 1 || found[0].What() != "update Case and objects that cannot be determined with updateRelatedRecord and updateSobjectRecord" {
		t.Errorf("%+v", found)
	}
	rows := at(sobjectAll, allow(policy.Rule{Classes: reads, MaxRows: 5, Mask: []string{"Contact.SSN__c"}}))
	for _, p := range WhoCan(rows, people, policy.Read, "Case") {
		if strings.Contains(p.What(), "(;") || strings.Contains(p.What(), "; )") {
			t.Errorf("%s", p.What())
		}
	}
}

func TestCoverage(t *testing.T) {
	s := at(sobjectAll, allow(policy.Rule{Classes: reads}), allow(policy.Rule{Classes: []policy.Class{policy.Update}, Objects: []string{"Task"}}), confirm(policy.Rule{Classes: writes}))
	open := at(custom, allow(policy.Rule{}))
	open.Name, open.Groups, open.Policy.Mode = "orders", []string{Everyone}, policy.Shadow
	closed := at(sobjectAll)
	closed.Name, closed.Groups = "closed", nil
	var got []string
	for _, g := range Coverage([]Server{s, open, closed}, []string{"pilot-policy", "draft"}, people, []string{"stranger@acme.example"}) {
		got = append(got, g.About+": "+g.Text)
	}
	want := []string{
		"server sales: without a person: every user of sales may update Task with updateRelatedRecord and updateSobjectRecord (rule 2)",
		"server orders: may be used by every user of its org",
		"server orders: only watches (mode shadow): what its policy pilot-policy denies passes",
		"server orders: without a person: every user may call any other prompt, any resource and any other tool (rule 1)",
		"server closed: names no groups: nobody may use it",
		"group leads: opens no server, and no rule names it",
		"group nobody: has no members",
		"group idle: opens no server, and no rule names it",
		"policy draft: stands in front of no server",
		"user stranger@acme.example: has signed in and may use no server",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What Decide judges otherwise, Diff names: random rules, and calls of every kind about them.
func TestDiffOverlooksNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) []string {
		if r.IntN(2) == 0 {
			return nil
		}
		return from[r.IntN(len(from)):][:1]
	}
	random := func() *policy.Policy {
		p := &policy.Policy{Name: "p"}
		for range 1 + r.IntN(4) {
			rule := policy.Rule{Effect: []policy.Effect{policy.Allow, policy.Confirm, policy.Deny}[r.IntN(3)]}
			rule.Tools = pick("soqlQuery", "*Record", "getRelatedRecords")
			rule.Objects, rule.Groups, rule.Clients = pick("Account", "Contact", "C*"), pick("leads", "pilot"), pick("chatgpt")
			if rule.Effect != policy.Deny && r.IntN(3) == 0 {
				rule.MaxRows = 10
			}
			for _, c := range pick("read", "update", "delete") {
				rule.Classes = append(rule.Classes, policy.Class(c))
			}
			p.Rules = append(p.Rules, rule)
		}
		return p.For(sobjectAll)
	}
	calls := []policy.Call{
		{Tool: "soqlQuery", Arguments: []byte(`{"q":"SELECT Id FROM Account LIMIT 5"}`)},
		{Tool: "soqlQuery", Arguments: []byte(`{"q":"SELECT Id FROM Contact"}`)},
		{Tool: "soqlQuery", Arguments: []byte(`{"q":"SELECT Id FROM Lead LIMIT 50"}`)},
		{Tool: "listRecentSobjectRecords", Arguments: []byte(`{"sobject-name":"Case"}`)},
		{Tool: "updateSobjectRecord", Arguments: []byte(`{"sobject-name":"Account","id":"001000000000000AAA","body":{"Name":"x"}}`)},
		{Tool: "deleteSobjectRecord", Arguments: []byte(`{"sobject-name":"Contact","id":"003000000000000AAA"}`)},
		{Tool: "getUserInfo"},
	}
	different := 0
	for range 400 {
		before, after := random(), random()
		var first string
		for _, call := range calls {
			for _, client := range []string{"chatgpt", "other"} {
				for name, groups := range map[string][]string{rep: {"pilot", "idle"}, lead: {"pilot", "leads"}} {
					who := policy.Principal{Subject: unlistedUser, Username: name, Client: client, Groups: groups}
					if a, b := before.Decide(who, call), after.Decide(who, call); a.Effect != b.Effect {
						first = fmt.Sprintf("%s %s through %s: %s → %s", name, call.Tool, client, a.Effect, b.Effect)
					}
				}
			}
		}
		if first == "" {
			continue
		}
		if different++; len(Diff(Server{"sales", before, []string{"pilot"}}, people, Server{"sales", after, []string{"pilot"}}, people)) == 0 {
			t.Fatalf("%s, and Diff says nothing\n%+v\n%+v", first, before.Rules, after.Rules)
		}
	}
	if different < 100 {
		t.Errorf("only %d pairs differ", different)
	}
}
