package mcpforward

import (
	"fmt"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// hands is a world with a second server, by which records are changed without asking anybody.
func hands(t *testing.T, rule func(*policy.Rule)) (w *world, c, elsewhere *client) {
	t.Helper()
	w = newWorld(t, func(c *setup) {
		held := policy.Rule{Effect: policy.Confirm}
		if rule != nil {
			rule(&held)
		}
		c.Servers[0].Policy = &policy.Policy{Name: "held", Rules: []policy.Rule{{Classes: []policy.Class{policy.Read}, Effect: policy.Allow}, held}}
		free := c.Servers[0]
		free.Name, free.Policy = "free", allowAll()
		c.Servers = append(c.Servers, free)
	})
	return w, rep(w), w.connect(salesforcesim.RepID, "claude", "free")
}

// look agrees to the one call that waits, as somebody who saw its page.
func (w *world) look() *approval.Request {
	w.t.Helper()
	r := w.waiting()
	d := agreement(r)
	if current, ok := w.handler.Current(w.t.Context(), r); ok {
		d.Shown = current.Shown()
	}
	r, err := w.approvals.Approve(w.t.Context(), r.ID, d)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// SR-AP-3: what the approver saw of the record is read again right before the call. If it is not
// the same any more, the call waits again and says why; nothing is written.
func TestRecordThatMovedOnIsHeldAgain(t *testing.T) {
	t.Parallel()
	const update = `{"sobject-name":"Account","id":"ID","body":{"Industry":"Energy","Phone":"1"}}`
	const same = `{"sobject-name":"Account","body":{"Name":"Nimbus"}}`
	change := func(body string) func(*world, *client, string) {
		return func(w *world, elsewhere *client, id string) {
			if a := elsewhere.tool("updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":`+body+`}`); a.failed() {
				w.t.Fatalf("not changed: %s", a.body)
			}
		}
	}
	create := func(w *world, elsewhere *client, _ string) {
		if a := elsewhere.tool("createSobjectRecord", same); a.failed() {
			w.t.Fatalf("not created: %s", a.body)
		}
	}
	for name, test := range map[string]struct {
		tool, arguments string
		rule            func(*policy.Rule)
		meanwhile       func(w *world, elsewhere *client, id string)
		held            bool
	}{
		"nothing":                          {tool: "updateSobjectRecord", arguments: update},
		"a field that it sets":             {tool: "updateSobjectRecord", arguments: update, meanwhile: change(`{"Phone":"2"}`), held: true},
		"a field that it sets, to null":    {tool: "updateSobjectRecord", arguments: update, meanwhile: change(`{"Phone":null}`), held: true},
		"the name of the record":           {tool: "updateSobjectRecord", arguments: update, meanwhile: change(`{"Name":"Another"}`), held: true},
		"a field that it leaves":           {tool: "updateSobjectRecord", arguments: update, meanwhile: change(`{"Description":"x"}`)},
		"a field that it sets, allowed":    {tool: "updateSobjectRecord", arguments: update, meanwhile: change(`{"Phone":"2"}`), rule: func(r *policy.Rule) { r.OnChange = policy.AllowOnChange }},
		"a record of the same name":        {tool: "createSobjectRecord", arguments: same, meanwhile: create},
		"the name of what it would delete": {tool: "deleteSobjectRecord", arguments: `{"sobject-name":"Account","id":"ID"}`, meanwhile: change(`{"Name":"Another"}`), held: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, c, elsewhere := hands(t, test.rule)
			id, _ := w.someAccount()
			arguments := strings.Replace(test.arguments, "ID", id, 1)
			w.wantHeld("first", c.tool(test.tool, arguments))
			w.look()
			if test.meanwhile != nil {
				test.meanwhile(w, elsewhere, id)
			}
			before := count(w.forwarded(), test.tool)
			a := c.tool(test.tool, arguments)
			if !test.held {
				if a.failed() || count(w.forwarded(), test.tool) != before+1 {
					t.Errorf("not made: %s", a.body)
				}
				return
			}
			w.wantHeld("after the change", a)
			if !strings.Contains(a.text(), "the record has changed in Salesforce since then") || count(w.forwarded(), test.tool) != before {
				t.Errorf("answered %s", a.text())
			}
			if r := w.waiting(); r.Reopened != approval.Changed || len(r.Decisions) != 0 {
				t.Errorf("it is %+v", r)
			}
			w.look()
			// What Salesforce makes of it is its own: an account with cases cannot be deleted.
			if a := c.tool(test.tool, arguments); count(w.forwarded(), test.tool) != before+1 {
				t.Errorf("after another look: %s", a.body)
			}
		})
	}
}

func count(all []string, what string) (n int) {
	for _, s := range all {
		if s == what {
			n++
		}
	}
	return n
}

// Whether a record has changed that cannot be read is not known, so the call is not made; the
// approval stays for when it can.
func TestRecordThatCannotBeReadIsNotWritten(t *testing.T) {
	t.Parallel()
	w, c, _ := hands(t, nil)
	id, _ := w.someAccount()
	update := fmt.Sprintf(`{"sobject-name":"Account","id":%q,"body":{"Phone":"1"}}`, id)
	w.wantHeld("first", c.tool("updateSobjectRecord", update))
	r := w.look()
	w.switches(func(f *salesforcesim.Switches) { f.UnexpectedErrors = -1 })
	if a := c.tool("updateSobjectRecord", update); !a.failed() || a.text() != textUnseen || count(w.forwarded(), "updateSobjectRecord") != 0 {
		t.Errorf("answered %s", a.body)
	}
	if e := w.entries("tool.call"); e[len(e)-1].Outcome != audit.Denied || !strings.Contains(e[len(e)-1].Reason, "could not be read") {
		t.Errorf("recorded %+v", e[len(e)-1])
	}
	w.switches(func(f *salesforcesim.Switches) { f.UnexpectedErrors = 0 })
	if now, err := w.approvals.Get(t.Context(), r.ID); err != nil || now.State != approval.Approved {
		t.Errorf("the approval is %s, %v", now.State, err)
	}
	if a := c.tool("updateSobjectRecord", update); a.failed() || count(w.forwarded(), "updateSobjectRecord") != 1 {
		t.Errorf("once it can be read: %s", a.body)
	}
}

// Whoever agreed without having seen the record agreed to the call alone: nothing is read again.
func TestCallOfWhichNothingWasShown(t *testing.T) {
	t.Parallel()
	w, c, elsewhere := hands(t, nil)
	id, _ := w.someAccount()
	update := fmt.Sprintf(`{"sobject-name":"Account","id":%q,"body":{"Phone":"1"}}`, id)
	w.wantHeld("first", c.tool("updateSobjectRecord", update))
	w.decide(true)
	elsewhere.tool("updateSobjectRecord", strings.Replace(update, `"1"`, `"2"`, 1))
	if a := c.tool("updateSobjectRecord", update); a.failed() || count(w.forwarded(), "soqlQuery") != 0 {
		t.Errorf("answered %s, asked %v", a.body, w.forwarded())
	}
}

// What is too much to compare, or no value of a field, is counted, so that a page can say so.
func TestCurrentCountsWhatItDoesNotRead(t *testing.T) {
	t.Parallel()
	w, c, _ := hands(t, nil)
	id, _ := w.someAccount()
	w.wantHeld("update", c.tool("updateSobjectRecord", fmt.Sprintf(`{"sobject-name":"Account","id":%q,"body":{"Phone":"1","Owner":{"a":1},"Tags":[1]}}`, id)))
	if got, ok := w.handler.Current(t.Context(), w.waiting()); !ok || got.Missing != "" || len(got.Fields) != 1 || got.Unread != 2 {
		t.Errorf("%t %+v", ok, got)
	}
}
