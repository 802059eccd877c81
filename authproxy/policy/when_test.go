package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/policy/condition"
)

func calendars(t testing.TB) []*condition.Calendar {
	t.Helper()
	hours, faults := condition.ParseCalendar("business-hours", "Europe/Berlin", []string{"Mon-Fri 08:00-18:00"}, nil)
	if faults != nil {
		t.Fatal(faults)
	}
	freeze, faults := condition.ParseCalendar("change-freeze", "UTC", nil, []string{"2026-12-20 to 2027-01-06"})
	if faults != nil {
		t.Fatal(faults)
	}
	return []*condition.Calendar{hours, freeze}
}

// A condition decides like any other key; what is neither true nor false denies, whatever the
// rule is for and whatever comes after it.
func TestWhenDecides(t *testing.T) {
	monday := time.Date(2026, 11, 30, 8, 30, 0, 0, time.UTC)
	query := Call{Tool: "soqlQuery", Arguments: []byte(`{"q":"SELECT Name, SSN__c FROM Contact LIMIT 5"}`), Server: "sales", Source: "10.1.2.3", Now: monday}
	at := func(text string) Call {
		c := query
		var err error
		if c.Now, err = time.Parse(time.RFC3339, text); err != nil {
			t.Fatal(err)
		}
		return c
	}
	opaque := query
	opaque.Arguments = []byte(`{"q":"SELECT Plan__r.Name FROM Contact LIMIT 5"}`)
	for name, c := range map[string]struct {
		rules  []Rule
		call   Call
		effect Effect
		rule   int
		reason string
		text   string
	}{
		"true":                      {[]Rule{{Effect: Allow, When: `source.in_network("10.0.0.0/8")`}}, query, Allow, 0, "", ""},
		"false, the next is asked":  {[]Rule{{Effect: Deny, When: `rows > 10`}, {Effect: Allow}}, query, Allow, 1, "", ""},
		"a field is reached":        {[]Rule{{Effect: Deny, When: `field("Contact.SSN__c")`}, {Effect: Allow}}, query, Deny, 0, "rule 1", textDenied},
		"an object is not reached":  {[]Rule{{Effect: Deny, When: `reaches("Account")`}, {Effect: Allow}}, query, Allow, 1, "", ""},
		"cannot be determined":      {[]Rule{{Effect: Allow, When: `!reaches("Account")`}, {Effect: Allow}}, opaque, Deny, 0, "its condition cannot be evaluated: what the call reaches cannot be determined", textDenied},
		"an error in a denial":      {[]Rule{{Effect: Deny, When: `arguments.absent == 1`}, {Effect: Allow}}, query, Deny, 0, "no such key", textDenied},
		"an error in an allowance":  {[]Rule{{Effect: Allow, When: `arguments.absent == 1`}, {Effect: Allow}}, query, Deny, 0, "no such key", textDenied},
		"an error that is not met":  {[]Rule{{Effect: Deny, Objects: []string{"Account"}, When: `arguments.absent == 1`}, {Effect: Allow}}, query, Allow, 1, "", ""},
		"not valid":                 {[]Rule{{Effect: Allow, When: `nonsense`}, {Effect: Allow}}, query, Deny, 0, "it is not valid", textDenied},
		"in hours":                  {[]Rule{{Effect: Allow, When: `during("business-hours")`}}, query, Allow, 0, "", ""},
		"after hours":               {[]Rule{{Effect: Allow, When: `during("business-hours")`}}, at("2026-11-27T19:00:00Z"), Deny, -1, "no rule matches", "This call is not allowed at this time by the rules of your organization. It may be from Monday, 30 November 2026, 08:00 (Europe/Berlin)."},
		"in a freeze":               {[]Rule{{Effect: Deny, When: `during("change-freeze")`}, {Effect: Allow}}, at("2026-12-24T12:00:00Z"), Deny, 0, "rule 1", "This call is not allowed at this time by the rules of your organization. It may be from Thursday, 7 January 2027, 00:00 (UTC)."},
		"after changes without use": {[]Rule{{Effect: Allow, When: `during("business-hours") && !during("change-freeze")`}}, at("2026-12-24T12:00:00Z"), Deny, -1, "", "This call is not allowed at this time by the rules of your organization. It may be from Thursday, 7 January 2027, 08:00 (Europe/Berlin)."},
		"time would not help":       {[]Rule{{Effect: Allow, When: `during("business-hours") && rows > 100`}}, at("2026-11-27T19:00:00Z"), Deny, -1, "no rule matches", textDenied},
		"nor for another's calls":   {[]Rule{{Effect: Allow, Groups: []string{"leads"}, When: `during("business-hours")`}, {Effect: Confirm, Classes: []Class{Delete}}}, at("2026-11-27T19:00:00Z"), Deny, -1, "no rule matches", ""},
		"the soonest of two":        {[]Rule{{Effect: Allow, When: `!during("change-freeze") && rows > 99 || during("change-freeze")`}, {Effect: Allow, When: `during("business-hours")`}}, at("2026-11-27T19:00:00Z"), Deny, -1, "", "This call is not allowed at this time by the rules of your organization. It may be from Monday, 30 November 2026, 08:00 (Europe/Berlin)."},
		"the client has no address": {[]Rule{{Effect: Allow, When: `source.in_network("10.0.0.0/8")`}}, Call{Tool: "getUserInfo", Now: monday}, Deny, 0, "the address of the client is not known", textDenied},
	} {
		t.Run(name, func(t *testing.T) {
			p := (&Policy{Name: "p", Rules: c.rules, Calendars: calendars(t)}).For("https://api.salesforce.com/platform/mcp/v1/platform/sobject-all")
			d := p.Decide(Principal{Subject: "005xx000001Sv6AAAS", Groups: []string{"pilot"}}, c.call)
			if d.Effect != c.effect || d.Rule != c.rule || !strings.Contains(d.Reason, c.reason) || d.Text != c.text {
				t.Errorf("%s by rule %d, %q\n%q", d.Effect, d.Rule, d.Reason, d.Text)
			}
		})
	}
}

// Of rules with conditions nothing is certain: they hide no tool and take no call from others.
func TestWhenIsConditional(t *testing.T) {
	p := &Policy{Name: "p", Calendars: calendars(t), Rules: []Rule{{Effect: Deny, When: `during("change-freeze")`}, {Effect: Allow, Classes: []Class{Read}}, {Effect: Allow, Classes: []Class{Read}, When: `rows > 5`}}}
	if !p.Visible(Principal{}, "soqlQuery") {
		t.Error("a conditional denial hides a tool")
	}
	out := p.Outcomes(Principal{}, "soqlQuery", Reached{Class: Read, Objects: []string{"Account"}})
	if len(out) != 4 || !out[0].Conditional || out[1].Conditional || !out[2].Conditional {
		t.Errorf("%+v", out)
	}
}

func TestWhenIsValidated(t *testing.T) {
	p := &Policy{Name: "p", Calendars: calendars(t), Rules: []Rule{{Effect: Allow, When: `during("holidays")`}, {Effect: Allow, When: `rows > `}, {Effect: Allow, When: `rows > 1`}}}
	problems := p.Validate()
	if len(problems) != 2 || problems[0].Path() != "rules[0].when" || !strings.Contains(problems[0].String(), "during(…) needs the name of a calendar") || problems[1].Path() != "rules[1].when" {
		t.Errorf("%v", problems)
	}
}

// A calendar that a condition asks for is part of what a policy decides; another is not.
func TestVersionHasCalendars(t *testing.T) {
	version := func(hours, when string) string {
		calendar, faults := condition.ParseCalendar("hours", "UTC", []string{hours}, nil)
		if faults != nil {
			t.Fatal(faults)
		}
		return (&Policy{Name: "p", Calendars: []*condition.Calendar{calendar}, Rules: []Rule{{Effect: Allow, When: when}}}).Version()
	}
	const asks, other = `during("hours")`, `rows > 1`
	if version("Mon 08:00-18:00", asks) == version("Mon 08:00-19:00", asks) || version("Mon 08:00-18:00", other) != version("Mon 08:00-19:00", other) {
		t.Error("the version has not what conditions mean by calendars, or more")
	}
}

// A rule that observes decides nothing, hides nothing and shows nothing: it is named.
func TestObserve(t *testing.T) {
	who := Principal{Subject: "005xx000001Sv6AAAS"}
	query := Call{Tool: "soqlQuery", Arguments: []byte(`{"q":"SELECT Name FROM Contact LIMIT 5"}`)}
	observe := func(r Rule) Rule { r.Observe = true; return r }
	for name, c := range map[string]struct {
		rules    []Rule
		effect   Effect
		rule     int
		observed []string
	}{
		"a denial":           {[]Rule{observe(Rule{Effect: Deny, Objects: []string{"Contact"}}), {Effect: Allow}}, Allow, 1, []string{"rule 1 (deny objects Contact observe true)"}},
		"an allowance":       {[]Rule{observe(Rule{Effect: Allow}), {Effect: Deny}}, Deny, 1, []string{"rule 1 (allow observe true)"}},
		"not matched":        {[]Rule{observe(Rule{Effect: Deny, Objects: []string{"Account"}}), {Effect: Allow}}, Allow, 1, nil},
		"nothing else":       {[]Rule{observe(Rule{Effect: Allow})}, Deny, -1, []string{"rule 1 (allow observe true)"}},
		"after the decision": {[]Rule{{Effect: Allow}, observe(Rule{Effect: Deny})}, Allow, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Policy{Name: "p", Rules: c.rules}
			d := p.Decide(who, query)
			if d.Effect != c.effect || d.Rule != c.rule || !slices.Equal(d.Observed, c.observed) {
				t.Errorf("%s by rule %d, observed %q", d.Effect, d.Rule, d.Observed)
			}
			if d.Effect == Deny && p.Visible(who, "soqlQuery") {
				t.Error("a tool is shown by a rule that observes")
			}
		})
	}
	hides := &Policy{Name: "p", Rules: []Rule{observe(Rule{Effect: Allow, Mask: []string{"Contact.Name"}}), {Effect: Allow}}}
	if d := hides.Decide(who, query); len(d.Obligations.Mask) > 0 {
		t.Error("a rule that observes hides")
	}
	many := &Policy{Name: "p", Rules: append(slices.Repeat([]Rule{observe(Rule{Effect: Deny})}, 20), Rule{Effect: Allow})}
	if d := many.Decide(who, query); len(d.Observed) != MaxObserved {
		t.Errorf("%d observed", len(d.Observed))
	}
}
