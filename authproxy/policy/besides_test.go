package policy

import (
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy/reach"
)

// deletions are calls that delete records, or may by what they say themselves, though their class is another.
func deletions() map[string]Call {
	return map[string]Call{
		"bulk job":                    dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"delete"}`),
		"bulk job, for good":          dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"hardDelete"}`),
		"bulk job, in other case":     dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","Operation":"DELETE"}`),
		"bulk job, said twice":        dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"insert","Operation":"delete"}`),
		"bulk job, unsaid":            dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact"}`),
		"bulk job, unknown header":    dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"insert"},"headers":{"X-Other":"1"}`),
		"start of a bulk job":         dispatch("PATCH", "/jobs/ingest/750xx0000000001AAA", `"body":{"state":"UploadComplete"}`),
		"bulk job in older form":      call("dispatch", `{"method":"POST","url":"/services/async/67.0/job","body":{"operation":"delete","object":"Contact"}}`),
		"GraphQL":                     dispatch("POST", "/graphql", `"body":{"query":"mutation{uiapi{ContactDelete(input:{Id:\"x\"}){Id}}}"}`),
		"GraphQL in another member":   dispatch("POST", "/graphql", `"body":{"query":"{a}","id":"stored"}`),
		"composite of an odd request": dispatch("POST", "/composite", `"body":{"compositeRequest":[{"method":"DELETE","url":"/services/data/v67.0/sobjects/Contact/@{a.name}"}]}`),
		"composite in other spelling": dispatch("POST", "/composite", `"body":{"CompositeRequest":[{"method":"DELETE","url":"/services/data/v67.0/sobjects/Contact/003xx000004TmiQAAS"}]}`),
		"tooling record":              dispatch("DELETE", "/tooling/sobjects/ApexClass/01pxx0000000001AAA", ""),
		"record that administers":     call("deleteSobjectRecord", `{"sobject-name":"PermissionSetAssignment","id":"0Paxx0000000001AAA"}`),
		"the same by REST":            dispatch("DELETE", "/sobjects/PermissionSetAssignment/0Paxx0000000001AAA", ""),
	}
}

// undeclared are calls that say nothing of what they do.
func undeclared() map[string]Call {
	return map[string]Call{
		"Apex REST":             call("dispatch", `{"method":"POST","url":"/services/apexrest/clean","body":{"a":1}}`),
		"invocable Apex":        dispatch("POST", "/actions/custom/apex/Clean", `"body":{"inputs":[]}`),
		"flow":                  dispatch("POST", "/actions/custom/flow/Clean", `"body":{"inputs":[]}`),
		"stored query":          dispatch("GET", "/named/query/Clean", ""),
		"process":               dispatch("POST", "/process/rules", `"body":{"contextIds":[]}`),
		"anonymous Apex":        dispatch("GET", "/tooling/executeAnonymous?anonymousBody=x", ""),
		"metadata action":       call("execute_metadata_action", `{"metadataType":"A","actionName":"b","parameters":{}}`),
		"agents":                call("grid_run_worksheet", `{}`),
		"operation of Data 360": call("execute", `{"toolName":"nobody_knows"}`),
		"custom tool":           call("cleanUp", `{"inputs":[]}`),
	}
}

// A denial of deletions also holds a call that says that it deletes, or may, though its class is another: a rule
// behind it that lets everything pass does not pass it.
func TestADenialOfAClassHoldsWhatSaysItIsOfIt(t *testing.T) {
	t.Parallel()
	behind := []Rule{allow(class(Unknown, Admin)), allow(tools("*"), class(reach.Classes...)), confirm(class(reach.Classes...))}
	for name, c := range deletions() {
		for _, last := range behind {
			p := given(deny(class(Delete)), allow(class(Read)), last)
			if d := p.Decide(rep, c); d.Effect != Deny || d.Rule != 0 || !strings.Contains(d.Reason, "may be") {
				t.Errorf("%s: %s, %s", name, d.Effect, d.Reason)
			}
			if d := given(last).Decide(rep, c); d.Effect == Deny {
				t.Errorf("%s without the denial: %s", name, d.Reason)
			}
		}
		p := given(deny(class(Delete)), allow(class(reach.Classes...)))
		p.Rules[0].Observe = true
		if d := p.Decide(rep, c); d.Effect != Allow || len(d.Observed) != 1 {
			t.Errorf("%s, only observed: %s, observed %q", name, d.Effect, d.Observed)
		}
	}
}

// A rule that has people asked about deletions also holds a call that says that it deletes, or may, where a later
// rule would let it pass without a person; it lets nothing pass by itself, and takes no call from another that asks.
func TestARuleThatAsksHoldsWhatSaysItIsOfItsClass(t *testing.T) {
	t.Parallel()
	asks, others := confirm(class(Delete)), confirm(class(Unknown, Admin))
	asks.Approvers, asks.Quorum = "role:security", 2
	late := asks
	late.After = OutsideText
	bounded := 0
	observed, masked := asks, allow(class(Unknown, Admin))
	observed.Observe = true
	masked.Mask = []string{"Contact.SSN__c"}
	for name, c := range deletions() {
		for about, want := range map[string]struct {
			rules  []Rule
			effect Effect
			rule   int
		}{
			"before a rule that lets it pass":   {[]Rule{asks, allow(class(Read)), allow(class(reach.Classes...))}, Confirm, 0},
			"before two that ask":               {[]Rule{asks, confirm(class(Delete)), allow(class(Unknown, Admin))}, Confirm, 0},
			"before another that asks for it":   {[]Rule{asks, others, allow(class(reach.Classes...))}, Confirm, 1},
			"before a denial of it":             {[]Rule{asks, deny(class(Unknown, Admin)), allow(class(reach.Classes...))}, Deny, 1},
			"alone":                             {[]Rule{asks}, Deny, -1},
			"behind the rule that lets it pass": {[]Rule{allow(class(Unknown, Admin)), asks}, Allow, 0},
			"for other tools":                   {[]Rule{confirm(class(Delete), tools("find")), allow(class(reach.Classes...))}, Allow, 1},
			"for other users":                   {[]Rule{confirm(class(Delete), users("nobody@acme.example")), allow(class(reach.Classes...))}, Allow, 1},
			"for objects that it may be of":     {[]Rule{confirm(class(Delete), objects("*")), allow(class(reach.Classes...))}, Confirm, 0},
			"for classes that it is not of":     {[]Rule{confirm(class(Read)), allow(class(reach.Classes...))}, Allow, 1},
			"only observed":                     {[]Rule{observed, allow(class(reach.Classes...))}, Allow, 1},
			"only after outside text":           {[]Rule{late, allow(class(reach.Classes...))}, Allow, 1},
		} {
			d := given(want.rules...).Decide(rep, c)
			if d.Effect == Confirm && d.Confirmation != given(want.rules...).Rules[d.Rule].Confirmation() {
				t.Errorf("%s, %s: asks %+v", name, about, d.Confirmation)
			}
			if d.Effect != want.effect || d.Rule != want.rule {
				t.Errorf("%s, %s: %s by rule %d: %s", name, about, d.Effect, d.Rule, d.Reason)
			}
			if d.Effect == Confirm && d.Rule == 0 && !strings.Contains(d.Reason, "may be") {
				t.Errorf("%s, %s: %s", name, about, d.Reason)
			}
			if about == "only observed" && len(d.Observed) != 1 {
				t.Errorf("%s, only observed: %q", name, d.Observed)
			}
		}
		c.OutsideText = func() bool { return true }
		if d := given(late, allow(class(reach.Classes...))).Decide(rep, c); d.Effect != Confirm || d.Confirmation != late.Confirmation() {
			t.Errorf("%s, after outside text: %s by %+v: %s", name, d.Effect, d.Confirmation, d.Reason)
		}
		// What the answer may hold is for the rule to say that lets the call pass.
		if d := given(asks, allow(class(reach.Classes...), maxRows(7))).Decide(rep, c); d.Effect == Confirm {
			if bounded++; d.Obligations.Rows != 7 {
				t.Errorf("%s: at most %d rows", name, d.Obligations.Rows)
			}
		}
		if d := given(asks, masked).Decide(rep, c); d.Rule != 0 || len(d.Obligations.Mask) != 1 && !strings.HasSuffix(d.Reason, "hidden fields cannot be told apart") {
			t.Errorf("%s: %s by rule %d, hidden %q: %s", name, d.Effect, d.Rule, d.Obligations.Mask, d.Reason)
		}
	}
	if bounded == 0 {
		t.Error("no call was asked about that a rule bounds")
	}
	for name, c := range undeclared() {
		if d := given(asks, allow(class(Unknown, Admin))).Decide(rep, c); d.Effect != Allow {
			t.Errorf("%s: %s, %s", name, d.Effect, d.Reason)
		}
	}
}

// Outcomes have such a rule right before the one that lets the call pass without a person.
func TestOutcomesOfARuleThatAsksForWhatACallMayBe(t *testing.T) {
	t.Parallel()
	asks, others, behind := confirm(class(Delete)), confirm(class(Admin, Unknown), users("nobody@acme.example")), allow(class(reach.Classes...))
	p := given(asks, others, behind)
	for about, c := range map[string]struct {
		tool        string
		class       Class
		rules       []int
		conditional bool
	}{
		"a deletion by which the org is administered": {"deleteSobjectRecord", Admin, []int{0, 2, -1}, false},
		"a request that may delete":                   {"dispatch", Unknown, []int{0, 2, -1}, true},
		"a custom tool":                               {"cleanUp", Unknown, []int{2, -1}, false},
		"a deletion":                                  {"deleteSobjectRecord", Delete, []int{0, 2, -1}, false},
		"an update by which the org is administered":  {"updateSobjectRecord", Admin, []int{2, -1}, false},
	} {
		out := p.Outcomes(rep, c.tool, Reached{Class: c.class})
		var rules []int
		for _, o := range out {
			rules = append(rules, o.Rule)
		}
		if !slices.Equal(rules, c.rules) || out[0].Conditional != c.conditional || (c.rules[0] == 0) != (out[0].Effect == Confirm) {
			t.Errorf("%s: %+v", about, out)
		}
	}
	if out := given(asks, deny(class(Admin)), allow(class(Admin))).Outcomes(rep, "deleteSobjectRecord", Reached{Class: Admin}); out[0].Rule != 1 {
		t.Errorf("before a denial: %+v", out)
	}
}

// What a rule about reads hides is hidden in the answer of a call that may read, for all that anybody knows.
func TestWhatReadsHideIsHiddenWhereACallMayRead(t *testing.T) {
	t.Parallel()
	reads := allow(class(Read))
	reads.Mask = []string{"Contact.SSN__c"}
	for name, c := range map[string]Call{
		"custom tool":  call("cleanUp", `{"inputs":[]}`),
		"GraphQL":      dispatch("POST", "/graphql", `"body":{"query":"query{uiapi{query{Contact{edges{node{Id}}}}}}"}`),
		"Apex REST":    call("dispatch", `{"method":"GET","url":"/services/apexrest/people"}`),
		"stored query": dispatch("GET", "/named/query/People", ""),
	} {
		for _, last := range []Rule{allow(class(Unknown)), confirm(class(Unknown))} {
			d := given(reads, last).Decide(rep, c)
			if withheld := d.Effect == Deny && strings.HasSuffix(d.Reason, "hidden fields cannot be told apart"); !withheld && (d.Effect != last.Effect || len(d.Obligations.Mask) != 1) {
				t.Errorf("%s: %s, hidden %q", name, d.Effect, d.Obligations.Mask)
			}
		}
	}
	p := given(reads, allow(class(Update)))
	if d := p.Decide(rep, call("updateSobjectRecord", `{"sobject-name":"Contact","id":"003xx000004TmiQAAS","body":{"LastName":"x"}}`)); len(d.Obligations.Mask) != 0 {
		t.Errorf("an update: %q", d.Obligations.Mask)
	}
}

// A call that says nothing of what it does is of the class unknown, or admin, and of no other: a rule that a person
// wrote for such calls decides, and only one for that class denies it.
func TestACallThatSaysNothingIsUnknown(t *testing.T) {
	t.Parallel()
	for name, c := range undeclared() {
		p := given(deny(class(Read, SideEffect, Create, Update, Delete)), confirm(class(Unknown, Admin)))
		if d := p.Decide(rep, c); d.Effect != Confirm {
			t.Errorf("%s: %s, %s", name, d.Effect, d.Reason)
		}
		p = given(deny(class(Delete, Unknown, Admin)), confirm(class(Unknown, Admin)))
		if d := p.Decide(rep, c); d.Effect != Deny {
			t.Errorf("%s, denied as what it is: %s, %s", name, d.Effect, d.Reason)
		}
	}
}

// Whose denial holds a call.
func TestTheClassesThatACallIsOf(t *testing.T) {
	t.Parallel()
	everything := allow(class(reach.Classes...))
	for name, c := range map[string]struct {
		call Call
		of   []Class // whose denial holds the call
	}{
		"bulk insert":             {dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"insert"}`), []Class{Create, Unknown}},
		"bulk upsert":             {dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"upsert"}`), []Class{Create, Update, Unknown}},
		"bulk query":              {dispatch("POST", "/jobs/query", `"body":{"operation":"query","query":"SELECT Id FROM Contact"}`), []Class{Read, Unknown}},
		"GraphQL that reads":      {dispatch("POST", "/graphql", `"body":{"query":"query{uiapi{query{Contact{edges{node{Id}}}}}}"}`), []Class{Read, Unknown}},
		"GraphQL that writes":     {dispatch("POST", "/graphql", `"body":{"query":"mutation{a}"}`), []Class{Create, Update, Delete, Unknown}},
		"by an external id":       {dispatch("PATCH", "/sobjects/Contact/Ext__c/1", `"body":{"LastName":"x"}`), []Class{Create, Update, Unknown}},
		"several by external ids": {dispatch("PATCH", "/composite/sobjects/Contact/Ext__c", `"body":{"records":[]}`), []Class{Create, Update, Unknown}},
		"feed":                    {dispatch("POST", "/chatter/feed-elements", `"body":{"a":1}`), []Class{Unknown}},
		"user that is made":       {call("createSobjectRecord", `{"sobject-name":"User","body":{"LastName":"x"}}`), []Class{Create, Admin}},
		"code that is made":       {dispatch("POST", "/tooling/sobjects/ApexClass", `"body":{"Body":"x"}`), []Class{Create, Admin}},
		"custom tool":             {call("cleanUp", `{}`), []Class{Unknown}},
		"record":                  {call("updateSobjectRecord", `{"sobject-name":"Contact","id":"003xx000004TmiQAAS","body":{"LastName":"x"}}`), []Class{Update}},
		"query":                   {call("soqlQuery", `{"q":"SELECT Id FROM Contact LIMIT 1"}`), []Class{Read}},
	} {
		for _, of := range reach.Classes {
			want := Allow
			if slices.Contains(c.of, of) {
				want = Deny
			}
			if d := given(deny(class(of)), everything).Decide(rep, c.call); d.Effect != want {
				t.Errorf("%s, %s denied: %s, %s", name, of, d.Effect, d.Reason)
			}
		}
	}
}

// A rule lets no call pass for what it may be, and in shadow nothing is denied for it.
func TestNothingPassesForWhatItMayBe(t *testing.T) {
	t.Parallel()
	for name, c := range deletions() {
		for _, p := range []*Policy{given(allow(class(Delete))), given(confirm(class(Delete)))} {
			if d := p.Decide(rep, c); d.Effect != Deny || d.Rule >= 0 {
				t.Errorf("%s: %s, %s", name, d.Effect, d.Reason)
			}
		}
		shadow := given(deny(class(Delete)), allow(class(reach.Classes...)))
		shadow.Mode = Shadow
		if d := shadow.Decide(rep, c); !d.Shadow {
			t.Errorf("%s in shadow: %s", name, d.Reason)
		}
	}
}

// The tool of a rule for unknown calls stays in lists behind a denial of deletions, and the operator is told that
// such a tool may delete where no person is asked.
func TestToolsBehindADenialOfAClass(t *testing.T) {
	t.Parallel()
	p := given(deny(class(Delete)), allow(tools("cleanUp", "dispatch"), class(reach.Classes...)))
	if problems := p.Validate(); len(problems) > 0 {
		t.Fatal(problems)
	}
	if !p.Visible(rep, "cleanUp") || !p.Visible(rep, "dispatch") {
		t.Error("a tool of which calls pass is not listed")
	}
	doubts := func(p *Policy) string {
		var said []string
		for _, d := range p.Doubts([]Front{{Upstream: standardServer}}) {
			said = append(said, d.Found)
		}
		return strings.Join(said, "\n")
	}
	doubted := given(deny(class(Delete)), allow(class(Create, Unknown)))
	if said := doubts(doubted); !strings.Contains(said, "unknown after rule 1 (deny classes delete), which does not hold a custom tool") {
		t.Errorf("doubts: %s", said)
	}
	if said := doubts(given(confirm(class(Delete)), allow(class(Create, Unknown)))); !strings.Contains(said, "unknown after rule 1 (confirm classes delete), which does not hold a custom tool") {
		t.Errorf("doubts: %s", said)
	}
	for _, p := range []*Policy{given(deny(class(Delete)), confirm(class(Create, Unknown))), given(allow(class(Create, Unknown)), deny(class(Delete))),
		given(deny(class(Delete, Unknown)), allow(class(Read)))} {
		if said := doubts(p); said != "" {
			t.Errorf("doubts: %s", said)
		}
	}
}

// A budget of deletions counts the deletion of a record by which the org is administered.
func TestFW30ABudgetOfAClassCountsWhatIsDone(t *testing.T) {
	t.Parallel()
	p := given(allow(class(reach.Classes...)))
	for call, want := range map[*Call]bool{
		{Tool: "deleteSobjectRecord", Arguments: []byte(`{"sobject-name":"GroupMember","id":"011xx0000000001AAA"}`)}:       true,
		{Tool: "createSobjectRecord", Arguments: []byte(`{"sobject-name":"GroupMember","body":{"a":1}}`)}:                  false,
		{Tool: "deleteSobjectRecord", Arguments: []byte(`{"sobject-name":"Contact","id":"003xx000004TmiQAAS"}`)}:           true,
		{Tool: "updateSobjectRecord", Arguments: []byte(`{"sobject-name":"Contact","id":"003xx000004TmiQAAS","body":{}}`)}: false,
	} {
		d := p.Decide(rep, *call)
		b := Budget{What: Calls, Classes: []Class{Delete}}
		if got := b.Counts(&d); got != want {
			t.Errorf("%s %s, of the class %s, is counted: %t", call.Tool, call.Arguments, d.Class, got)
		}
	}
}
