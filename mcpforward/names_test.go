package mcpforward

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// names are those that the page of the one call that waits has beside ids, "ID=OBJECT NAME".
func (w *world) names() (all []string) {
	w.t.Helper()
	a := w.waiting()
	current, _ := w.handler.Current(w.t.Context(), a)
	for _, r := range w.handler.Names(w.t.Context(), a, current) {
		all = append(all, r.ID+"="+strings.TrimSpace(r.Object+" "+r.Name))
	}
	slices.Sort(all)
	return all
}

// Beside an id stands what its record is called, of values before and after; the requester's eyes
// and the rules decide, and what cannot be read is there without a name.
func TestNamesBesideIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "names", Rules: []policy.Rule{
			{Effect: policy.Deny, Objects: []string{"User"}},
			{Classes: []policy.Class{policy.Read}, Effect: policy.Allow, Mask: []string{"Opportunity.Name"}}, {Effect: policy.Confirm}}}
	})
	c := rep(w)
	id, name := w.someAccount()
	contact := salesforcesim.RepID
	for _, r := range w.sim.Records("acme", "Contact") {
		if r["AccountId"] == id {
			contact = fmt.Sprint(r["Id"])
		}
	}
	other, otherName := "", ""
	for _, r := range w.sim.Records("acme", "Account") {
		if r["Id"] != id && r["OwnerId"] == salesforcesim.RepID {
			other, otherName = fmt.Sprint(r["Id"]), fmt.Sprint(r["Name"])
		}
	}
	c.tool("updateSobjectRecord", `{"sobject-name":"Contact","id":"`+contact+`","body":{"AccountId":"`+other+`","OwnerId":"005000000000009AAA","Title":"001000000000001AAA","Invoice__c":"a00000000000001AAA","Batch__c":"ABCDEFGHIJKLMNO"}}`)
	before := len(w.forwarded())
	got := w.names()
	for _, want := range []string{other + "=Account " + otherName, "005000000000009AAA=User", "a00000000000001AAA="} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s among %q", want, got)
		}
	}
	if slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "001000000000001") || strings.HasPrefix(s, "ABC") }) {
		t.Errorf("a title, or a batch, is taken for a record: %q", got)
	}
	if n := len(w.forwarded()) - before; n != 3 { // the record, which has no Invoice__c and is refused; Account; Contact
		t.Errorf("%d queries", n)
	}
	w.decide(false)

	// The value of now is named as well.
	c.tool("updateSobjectRecord", `{"sobject-name":"Contact","id":"`+contact+`","body":{"AccountId":"`+other+`"}}`)
	if got := w.names(); !slices.Contains(got, id+"=Account "+name) || !slices.Contains(got, other+"=Account "+otherName) {
		t.Errorf("before and after: %q", got)
	}
	w.decide(false)

	// A create has names too, and what rules hide has none.
	c.create(`{"sobject-name":"Task","body":{"Subject":"x","WhatId":"006000000000001AAA","WhoId":"` + contact + `"}}`)
	if got := w.names(); !slices.Contains(got, "006000000000001AAA=Opportunity") || len(got) < 2 {
		t.Errorf("a create: %q", got)
	}
	if sent := w.sent("tools/call"); strings.Contains(sent, "SELECT Id, Name FROM Opportunity") {
		t.Errorf("asked for %s", sent)
	}
	w.decide(false)
	for _, e := range w.entries("approval.preview") {
		if e.Approval == "" || e.Subject != salesforcesim.RepID {
			t.Errorf("recorded %+v", e)
		}
	}
}

// A record of an object of the org's own has its name, too: where a field leads the org says, which is
// asked once; not while everything is stopped.
func TestNamesOfCustomRecordsBesideIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "custom", Rules: []policy.Rule{
			{Classes: []policy.Class{policy.Read}, Effect: policy.Allow, Objects: []string{"Account", "Plan__c"}}, {Effect: policy.Confirm}}}
	})
	c := rep(w)
	id, _ := w.someAccount()
	plan := fmt.Sprint(w.sim.Records("acme", "Plan__c")[0]["Id"])
	c.tool("updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Plan__c":"`+plan+`"}}`)
	if err := w.handler.Access.SetStop(t.Context(), access.StopAll, "test"); err != nil {
		t.Fatal(err)
	}
	if got := w.names(); !slices.Contains(got, plan+"=") || len(w.askedFor()) != 0 {
		t.Errorf("while everything is stopped: %q, asked for %v", got, w.askedFor())
	}
	if err := w.handler.Access.SetStop(t.Context(), access.StopOff, "test"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := w.names(); !slices.Contains(got, plan+"=Plan__c Gold") {
			t.Errorf("no name of the plan among %q", got)
		}
	}
	if got := w.askedFor(); !slices.Equal(got, []string{"Account ok"}) {
		t.Errorf("asked for %v", got)
	}
}

// hangs is what the page of the one call that waits says of what hangs on its record.
func (w *world) hangs() (counted map[string]int, current approval.Current) {
	w.t.Helper()
	current, ok := w.handler.Current(w.t.Context(), w.waiting())
	if !ok {
		w.t.Fatal("nothing is read")
	}
	counted = map[string]int{}
	for _, c := range current.Hanging {
		counted[c.Relation] = c.Count
	}
	return counted, current
}

// The page of a delete says what hangs on the record: of the relations that the org describes to the
// requester, as far as the rules let them be read; and that is bound like everything that it shows.
func TestWhatHangsOnADelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "deletes", Rules: []policy.Rule{
			{Effect: policy.Deny, Objects: []string{"Case"}},
			{Classes: []policy.Class{policy.Read}, Effect: policy.Allow, Mask: []string{"Opportunity.*"}}, {Effect: policy.Confirm}}}
		open := c.Servers[0]
		open.Name, open.Policy = "open", allowAll()
		c.Servers = append(c.Servers, open)
	})
	c := rep(w)
	id, name := w.someAccount()
	contacts := 0
	for _, r := range w.sim.Records("acme", "Contact") {
		if r["AccountId"] == id {
			contacts++
		}
	}
	arguments := `{"sobject-name":"Account","id":"` + id + `"}`
	w.wantHeld("delete", c.tool("deleteSobjectRecord", arguments))
	counted, current := w.hangs()
	if counted["Contacts"] != contacts || contacts == 0 || current.Records[0].Name != name {
		t.Errorf("counted %v of %d contacts, %+v", counted, contacts, current)
	}
	if _, ok := counted["Cases"]; ok || !slices.Contains(current.Uncounted, "Cases") || !slices.Contains(current.Uncounted, "Opportunities") {
		t.Errorf("counted %v, not counted %v", counted, current.Uncounted)
	}
	w.look()
	w.elsewhere("createSobjectRecord", `{"sobject-name":"Contact","body":{"LastName":"New","AccountId":"`+id+`"}}`)
	before := count(w.forwarded(), "deleteSobjectRecord")
	if w.wantHeld("after one more", c.tool("deleteSobjectRecord", arguments)); count(w.forwarded(), "deleteSobjectRecord") != before {
		t.Error("it was deleted with more than was shown")
	}
	if w.waiting().Reopened != approval.Changed {
		t.Errorf("it is %+v", w.waiting())
	}
}

// Where the org does not describe the object, the usual relations are asked for, and where one of
// them is not there the record is shown without what hangs on it.
func TestWhatHangsIsNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "all", Rules: []policy.Rule{{Classes: []policy.Class{policy.Read}, Effect: policy.Allow}, {Effect: policy.Confirm}}}
	})
	c := rep(w)
	id := w.someCase()
	c.tool("deleteSobjectRecord", `{"sobject-name":"Case","id":"`+id+`"}`)
	w.handler.schemas.Missed("acme", salesforcesim.RepID, "Case")
	counted, current := w.hangs()
	if len(counted) != 0 || len(current.Uncounted) != 4 || current.Missing != "" || current.Records[0].ID != id {
		t.Errorf("%v %+v", counted, current)
	}
}

// What those who agreed saw, and what the call replaces, is one reading where both are wanted.
func TestVerifyReadsOnceBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, verifying())
	c := rep(w)
	id, _ := w.someAccount()
	arguments := `{"sobject-name":"Account","id":"` + id + `","body":{"Phone":"+49 1"}}`
	was := fmt.Sprintf("%q", w.account(id)["Phone"])
	w.wantHeld("first", c.tool("updateSobjectRecord", arguments))
	r := w.look()
	before := len(w.forwarded())
	c.tool("updateSobjectRecord", arguments)
	if got := w.forwarded()[before:]; !slices.Equal(got, []string{"soqlQuery", "updateSobjectRecord", "soqlQuery"}) {
		t.Errorf("sent %v", got)
	}
	r, err := w.approvals.Get(t.Context(), r.ID)
	if err != nil || r.Check == nil || r.Check.Verification != approval.Intended || r.Check.Images.Partial || len(r.Check.Images.Fields) != 1 || string(r.Check.Images.Fields[0].Before) != was {
		t.Errorf("%v %+v", err, r.Check)
	}
}

// someCase is a case that the representative sees.
func (w *world) someCase() string {
	w.t.Helper()
	for _, r := range w.sim.Records("acme", "Case") {
		if r["OwnerId"] == salesforcesim.RepID {
			return fmt.Sprint(r["Id"])
		}
	}
	w.t.Fatal("the representative owns no case")
	return ""
}
