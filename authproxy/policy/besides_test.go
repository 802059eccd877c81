package policy

import (
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy/reach"
)

// deletions are calls that delete records, or may, though their class says otherwise.
func deletions() map[string]Call {
	return map[string]Call{
		"bulk job":                     dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"delete"}`),
		"bulk job, for good":           dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"hardDelete"}`),
		"bulk job, in other case":      dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","Operation":"DELETE"}`),
		"bulk job, said twice":         dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"insert","Operation":"delete"}`),
		"bulk job, unsaid":             dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact"}`),
		"bulk job, unsaid in a header": dispatch("POST", "/jobs/ingest", `"body":{"object":"Contact","operation":"insert"},"headers":{"X-Other":"1"}`),
		"start of a bulk job":          dispatch("PATCH", "/jobs/ingest/750xx0000000001AAA", `"body":{"state":"UploadComplete"}`),
		"bulk job in older form":       call("dispatch", `{"method":"POST","url":"/services/async/67.0/job","body":{"operation":"delete","object":"Contact"}}`),
		"GraphQL":                      dispatch("POST", "/graphql", `"body":{"query":"mutation{uiapi{ContactDelete(input:{Id:\"x\"}){Id}}}"}`),
		"GraphQL in another member":    dispatch("POST", "/graphql", `"body":{"query":"{a}","id":"stored"}`),
		"composite of an odd request":  dispatch("POST", "/composite", `"body":{"compositeRequest":[{"method":"DELETE","url":"/services/data/v67.0/sobjects/Contact/@{a.name}"}]}`),
		"composite in other spelling":  dispatch("POST", "/composite", `"body":{"CompositeRequest":[{"method":"DELETE","url":"/services/data/v67.0/sobjects/Contact/003xx000004TmiQAAS"}]}`),
		"Apex REST":                    call("dispatch", `{"method":"POST","url":"/services/apexrest/clean","body":{"a":1}}`),
		"Apex REST, read":              call("dispatch", `{"method":"GET","url":"/services/apexrest/clean"}`),
		"invocable Apex":               dispatch("POST", "/actions/custom/apex/Clean", `"body":{"inputs":[]}`),
		"flow":                         dispatch("POST", "/actions/custom/flow/Clean", `"body":{"inputs":[]}`),
		"standard action":              dispatch("POST", "/actions/standard/emailSimple", `"body":{"inputs":[]}`),
		"stored query":                 dispatch("GET", "/named/query/Clean", ""),
		"process":                      dispatch("POST", "/process/rules", `"body":{"contextIds":[]}`),
		"feed":                         dispatch("POST", "/chatter/feed-elements", `"body":{"a":1}`),
		"anonymous Apex":               dispatch("GET", "/tooling/executeAnonymous?anonymousBody=x", ""),
		"tooling record":               dispatch("DELETE", "/tooling/sobjects/ApexClass/01pxx0000000001AAA", ""),
		"metadata action":              call("execute_metadata_action", `{"metadataType":"A","actionName":"b","parameters":{}}`),
		"record that administers":      call("deleteSobjectRecord", `{"sobject-name":"PermissionSetAssignment","id":"0Paxx0000000001AAA"}`),
		"the same by REST":             dispatch("DELETE", "/sobjects/PermissionSetAssignment/0Paxx0000000001AAA", ""),
		"agents":                       call("grid_run_worksheet", `{}`),
		"operation of Data 360":        call("execute", `{"toolName":"nobody_knows"}`),
		"custom tool":                  call("cleanUp", `{"inputs":[]}`),
	}
}

// A denial of deletions also holds a call of which nobody can tell that it deletes nothing: a rule
// behind it that lets everything pass does not pass it.
func TestADenialOfAClassHoldsWhatMayBeOfIt(t *testing.T) {
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

// What is known to be no deletion passes a denial of them, though its class is none of the others.
func TestADenialOfAClassLeavesWhatIsKnown(t *testing.T) {
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
		"by an external id":       {dispatch("PATCH", "/sobjects/Contact/Ext__c/1", `"body":{"LastName":"x"}`), []Class{Create, Update, Unknown}},
		"several by external ids": {dispatch("PATCH", "/composite/sobjects/Contact/Ext__c", `"body":{"records":[]}`), []Class{Create, Update, Unknown}},
		"feed":                    {dispatch("POST", "/chatter/feed-elements", `"body":{"a":1}`), []Class{Read, SideEffect, Create, Update, Delete, Unknown}},
		"user that is made":       {call("createSobjectRecord", `{"sobject-name":"User","body":{"LastName":"x"}}`), []Class{Create, Admin}},
		"code that is made":       {dispatch("POST", "/tooling/sobjects/ApexClass", `"body":{"Body":"x"}`), []Class{Create, Admin}},
		"custom tool":             {call("cleanUp", `{}`), reach.Classes},
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

// A tool that a denial of a class takes whole is not listed, and the operator is told; one that may
// still pass is listed.
func TestToolsThatADenialOfAClassTakes(t *testing.T) {
	t.Parallel()
	p := given(deny(class(Delete)), allow(tools("cleanUp", "dispatch"), class(reach.Classes...)))
	if problems := p.Validate(); len(problems) > 0 {
		t.Fatal(problems)
	}
	if p.Visible(rep, "cleanUp") || !p.Visible(rep, "dispatch") {
		t.Error("a tool whose every call is denied is listed, or one of which some pass is not")
	}
	doubts := func(p *Policy, upstream string) string {
		var said []string
		for _, d := range p.Doubts([]Front{{Upstream: upstream}}) {
			said = append(said, d.Found)
		}
		return strings.Join(said, "\n")
	}
	if said := doubts(p, customServer); !strings.Contains(said, `"cleanUp", which can never pass: rule 1 denies it, because what it does is not known`) {
		t.Errorf("doubts: %s", said)
	}
	late := given(deny(class(Delete)), confirm(class(Create, Unknown)))
	if said := doubts(late, standardServer); !strings.Contains(said, "unknown after rule 1 (deny classes delete)") {
		t.Errorf("doubts: %s", said)
	}
	for _, p := range []*Policy{given(confirm(class(Create, Unknown)), deny(class(Delete))), given(deny(class(Delete, Unknown)), allow(class(Read)))} {
		if said := doubts(p, standardServer); said != "" {
			t.Errorf("doubts: %s", said)
		}
	}
}

// A denial that holds what may be of its class is not dead behind a rule for that class alone.
func TestADenialOfAClassIsNotDeadBehindARuleForIt(t *testing.T) {
	t.Parallel()
	p := given(allow(tools("deleteSobjectRecord"), class(Delete)), allow(class(Delete)), deny(class(Delete)), allow(class(Unknown)))
	for _, problem := range p.Validate() {
		t.Errorf("%v", problem)
	}
	decided(t, p, "hidden", call("cleanUp", `{}`))
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
