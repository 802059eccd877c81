package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// FW-32: whether an answer may hold text that outsiders wrote is judged on what the call
// reaches; what cannot be determined may.
func TestFW32WhatHoldsOutsideText(t *testing.T) {
	sobjects := (&Policy{Name: "p"}).For("https://api.salesforce.com/platform/mcp/v1/platform/sobject-all")
	custom := (&Policy{Name: "p"}).For("https://api.salesforce.com/platform/mcp/v1/custom/Ops")
	query := func(soql string) string { return `{"q":"` + soql + `"}` }
	for _, test := range []struct {
		tool, arguments string
		want            bool
	}{
		{"soqlQuery", query("SELECT Description FROM Case"), true},
		{"soqlQuery", query("SELECT Id, CaseNumber, Status FROM Case"), false},
		{"soqlQuery", query("SELECT FIELDS(ALL) FROM Case LIMIT 200"), true},
		{"soqlQuery", query("SELECT Web_Reason__c FROM Case"), true},
		{"soqlQuery", query("SELECT Id, (SELECT CommentBody FROM CaseComments) FROM Case"), true},
		{"soqlQuery", query("SELECT Id, Parent.Description FROM CaseComment"), true},
		{"soqlQuery", query("SELECT OldValue FROM CaseHistory"), true},
		{"soqlQuery", query("SELECT Body FROM CaseFeed"), true},
		{"soqlQuery", query("SELECT Body FROM AccountFeed"), true},
		{"soqlQuery", query("SELECT TextBody FROM EmailMessage"), true},
		{"soqlQuery", query("SELECT Subject FROM ActivityHistory"), true},
		{"soqlQuery", query("SELECT Company FROM Lead"), true},
		{"soqlQuery", query("SELECT Address FROM Lead"), true},
		{"soqlQuery", query("SELECT Status FROM Lead"), false},
		{"soqlQuery", query("SELECT LeadSource, COUNT(Id) FROM Lead GROUP BY LeadSource"), true},
		{"soqlQuery", query("SELECT Origin FROM Case"), true},
		{"soqlQuery", query("SELECT MessageIdentifier FROM EmailMessage"), true},
		{"soqlQuery", query("SELECT Value FROM FeedAttachment"), true},
		{"soqlQuery", query("SELECT Topic.Name FROM TopicAssignment"), true},
		{"soqlQuery", query("SELECT Response FROM EventRelation"), true},
		{"soqlQuery", query("SELECT Name FROM Account"), false},
		{"soqlQuery", query("SELECT Custom__r.Name FROM Account"), true}, // nobody knows where that leads
		{"soqlQuery", query("SELECT Title FROM ContentVersion"), true},
		{"find", `{"search":"FIND {x} IN ALL FIELDS RETURNING Case(Description)"}`, true},
		{"getUserInfo", `{}`, false},
		{"getObjectSchema", `{"object-name":"Account"}`, false},
		{"updateSobjectRecord", `{"sobject-name":"Case","id":"500000000000001AAA","body":{"Description":"x"}}`, false},
		{"deleteSobjectRecord", `{"sobject-name":"Case","id":"500000000000001AAA"}`, false},
		{"summary", `{"id":"500000000000001AAA"}`, true},
	} {
		p := sobjects
		if test.tool == "summary" {
			p = custom
		}
		d := p.Decide(Principal{}, Call{Tool: test.tool, Arguments: jsontext.Value(test.arguments)})
		if strings.HasPrefix(d.Reason, "arguments refused") {
			t.Errorf("%s %s: %s", test.tool, test.arguments, d.Reason)
		} else if d.OutsideText != test.want {
			t.Errorf("%s %s: %v, want %v", test.tool, test.arguments, d.OutsideText, test.want)
		}
	}
}

// Every row of the catalogue names a standard object, and says how the text gets there.
func TestFW32OutsideCatalogue(t *testing.T) {
	for _, row := range outsideCatalogue {
		if !slices.ContainsFunc(knownObjects, func(o string) bool { return o == row.object }) && row.object != "*Feed" {
			t.Errorf("%s is no standard object", row.object)
		}
		if row.why == "" || len(row.fields) == 0 {
			t.Errorf("%s: no fields or no reason", row.object)
		}
		for _, f := range row.fields {
			if f != "*" && !validObjectPattern(f) {
				t.Errorf("%s.%s is no field", row.object, f)
			}
		}
		if !WrittenOutside(row.object) {
			t.Errorf("%s is not found", row.object)
		}
	}
	if WrittenOutside("Account") {
		t.Error("Account is found")
	}
}

// FW-32: a rule with after matches while outside text was given, and is asked about it only
// where that decides.
func TestFW32AfterOutsideText(t *testing.T) {
	p := &Policy{Name: "p", Rules: []Rule{
		{Effect: Deny, Classes: []Class{Delete}, After: OutsideText},
		{Effect: Confirm, Classes: []Class{Create, Update}, After: OutsideText},
		{Effect: Allow, Classes: []Class{Read, Create, Update, Delete}},
	}}
	if problems := p.Validate(); problems != nil {
		t.Fatal(problems)
	}
	calls := map[string]Call{
		"read":   {Tool: "soqlQuery", Arguments: jsontext.Value(`{"q":"SELECT Name FROM Account"}`)},
		"create": {Tool: "createSobjectRecord", Arguments: jsontext.Value(`{"sobject-name":"Account","body":{"Name":"x"}}`)},
		"delete": {Tool: "deleteSobjectRecord", Arguments: jsontext.Value(`{"sobject-name":"Account","id":"001000000000001AAA"}`)},
	}
	for _, test := range []struct {
		call    string
		outside bool
		effect  Effect
		asked   int
	}{
		{"read", true, Allow, 0}, {"create", true, Confirm, 1}, {"create", false, Allow, 1}, {"delete", true, Deny, 1}, {"delete", false, Allow, 1},
	} {
		call, asked := calls[test.call], 0
		call.OutsideText = func() bool { asked++; return test.outside }
		d := p.Decide(Principal{}, call)
		if d.Effect != test.effect || asked != test.asked {
			t.Errorf("%s, outside text %v: %s, asked %d times; want %s, %d", test.call, test.outside, d.Effect, asked, test.effect, test.asked)
		}
		if d.Effect == Confirm && !strings.Contains(d.Reason, "after outside_text") {
			t.Errorf("the reason does not say so: %s", d.Reason)
		}
	}
	for tool := range map[string]bool{"createSobjectRecord": true, "deleteSobjectRecord": true} {
		if !p.Visible(Principal{}, tool) {
			t.Errorf("%s is hidden, and passes at other times", tool)
		}
	}
	for name, r := range map[string]Rule{
		"allow": {Effect: Allow, After: OutsideText}, "other": {Effect: Confirm, After: "lunch"},
	} {
		if problems := (&Policy{Name: "p", Rules: []Rule{r}}).Validate(); len(problems) != 1 || problems[0].Key != "after" && problems[0].Key != "after[0]" {
			t.Errorf("%s: %v", name, problems)
		}
	}
	longer := *p
	longer.Taint = time.Hour
	same := *p
	same.Taint = DefaultTaint
	if longer.Version() == p.Version() || same.Version() != p.Version() {
		t.Error("the time is not part of the version, or its default is")
	}
}
