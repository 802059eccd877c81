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

// A rule that lets pass takes no call for what it may be, and in shadow nothing is denied for it.
func TestOnlyDenialsHoldWhatMayBe(t *testing.T) {
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
