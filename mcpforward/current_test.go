package mcpforward

import (
	"fmt"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// waiting is the one call that waits, as the page gets it.
func (w *world) waiting() *approval.Request {
	w.t.Helper()
	all, err := w.approvals.List(w.t.Context(), approval.Filter{State: approval.Pending})
	if err != nil || len(all) != 1 {
		w.t.Fatalf("%d wait, %v", len(all), err)
	}
	a, err := w.approvals.Get(w.t.Context(), all[0].ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// someAccount is an account that the representative sees.
func (w *world) someAccount() (id, name string) {
	w.t.Helper()
	for _, r := range w.sim.Records("acme", "Account") {
		if r["OwnerId"] == salesforcesim.RepID {
			return fmt.Sprint(r["Id"]), fmt.Sprint(r["Name"])
		}
	}
	w.t.Fatal("the representative owns no account")
	return "", ""
}

func TestCurrentOfUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	id, name := w.someAccount()
	c.tool("updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Name":"`+name+`","Phone":"+49 1 1.0","NumberOfEmployees":12345678901234567}}`)
	got, ok := w.handler.Current(t.Context(), w.waiting())
	if !ok || got.Missing != "" || len(got.Records) != 1 || got.Records[0].Name != name || len(got.Fields) != 3 {
		t.Fatalf("%v %+v", ok, got)
	}
	for _, f := range got.Fields {
		switch f.Name {
		case "Name":
			if string(f.Now) != string(f.Then) || string(f.Now) != `"`+name+`"` {
				t.Errorf("Name: %s, %s", f.Now, f.Then)
			}
		case "NumberOfEmployees":
			if string(f.Then) != "12345678901234567" || f.Now == nil {
				t.Errorf("NumberOfEmployees: %s, %s", f.Now, f.Then)
			}
		}
	}
	entries := w.entries("approval.preview")
	if got := outcomes(entries); len(got) != 2 || got[0] != audit.Intent || got[1] != audit.OK || entries[0].Approval != w.waiting().ID || entries[0].Subject != salesforcesim.RepID {
		t.Errorf("recorded %+v", entries)
	}
}

func TestCurrentOfDeleteAndCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "all", Rules: []policy.Rule{{Classes: []policy.Class{policy.Read}, Effect: policy.Allow}, {Effect: policy.Confirm}}}
	})
	c := rep(w)
	id, name := w.someAccount()
	c.tool("deleteSobjectRecord", `{"sobject-name":"Account","id":"`+id+`"}`)
	if got, ok := w.handler.Current(t.Context(), w.waiting()); !ok || len(got.Records) != 1 || got.Records[0].Name != name || got.Fields != nil {
		t.Errorf("delete: %v %+v", ok, got)
	}
	w.decide(false)
	c.create(`{"sobject-name":"Account","body":{"Name":"` + name + `"}}`)
	if got, ok := w.handler.Current(t.Context(), w.waiting()); !ok || len(got.Records) == 0 || got.Records[0].Name != name {
		t.Errorf("create: %v %+v", ok, got)
	}
	w.decide(false)
	c.create(`{"sobject-name":"Account","body":{"Name":"nobody is called this"}}`)
	if got, ok := w.handler.Current(t.Context(), w.waiting()); !ok || got.Missing != "" || len(got.Records) != 0 {
		t.Errorf("create of a new name: %v %+v", ok, got)
	}
	if got := outcomes(w.entries("approval.preview")); len(got) != 6 {
		t.Errorf("recorded %v", got)
	}
}

// What the rules hide from the assistant is not read for the page either.
func TestCurrentKeepsMasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "masks", Rules: []policy.Rule{
			{Classes: []policy.Class{policy.Read}, Effect: policy.Allow, Mask: []string{"Account.Phone"}},
			{Classes: []policy.Class{policy.Update}, Effect: policy.Confirm}}}
	})
	c := rep(w)
	id, name := w.someAccount()
	if a := c.tool("updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Phone":"1","Industry":"Energy"}}`); len(w.forwarded()) != 0 {
		t.Fatalf("not held: %s", a.body)
	}
	got, ok := w.handler.Current(t.Context(), w.waiting())
	if !ok || got.Missing != "" || len(got.Fields) != 2 || got.Records[0].Name != name {
		t.Fatalf("%v %+v", ok, got)
	}
	for _, f := range got.Fields {
		if hidden := f.Name == "Phone"; f.Hidden != hidden || hidden != (f.Now == nil) {
			t.Errorf("%+v", f)
		}
	}
	if sent := w.sent("tools/call"); strings.Contains(sent, "Phone") || !strings.Contains(sent, "Industry") {
		t.Errorf("asked for %s", sent)
	}
	if got := outcomes(w.entries("approval.preview")); len(got) != 2 {
		t.Errorf("recorded %v", got)
	}
}

// Where nothing may or can be read the page learns why, and nothing is sent.
func TestCurrentNotRead(t *testing.T) {
	t.Parallel()
	confirmAll := func(rules ...policy.Rule) func(*setup) {
		return func(c *setup) {
			c.Servers[0].Policy = &policy.Policy{Name: "few", Rules: append(rules, policy.Rule{Classes: []policy.Class{policy.Update}, Effect: policy.Confirm})}
		}
	}
	for name, c := range map[string]struct {
		change func(*setup)
		then   func(*world, *approval.Request)
		want   string
		asks   int
	}{
		"no rule lets reads pass": {change: confirmAll(), want: currentPolicy},
		"reads need a person":     {change: confirmAll(policy.Rule{Classes: []policy.Class{policy.Read}, Effect: policy.Confirm}), want: currentPolicy},
		"stopped": {then: func(w *world, _ *approval.Request) {
			if err := w.handler.Access.SetStop(w.t.Context(), access.StopAll, "root"); err != nil {
				w.t.Fatal(err)
			}
		}, want: currentStopped},
		"the tool was changed": {then: func(w *world, _ *approval.Request) { // FW-20
			w.switches(func(f *salesforcesim.Switches) { f.Drift = "describe" })
			w.connect(salesforcesim.ManagerID, "chatgpt", "sales").lists()
		}, want: currentDefinition},
		"the connection ended": {then: func(_ *world, a *approval.Request) { a.GrantID = "gone" }, want: currentEnded},
		"another server":       {then: func(_ *world, a *approval.Request) { a.Server = "custom" }, want: currentNoServer},
		"no such server":       {then: func(_ *world, a *approval.Request) { a.Server = "gone" }, want: currentNoServer},
		"another org":          {then: func(_ *world, a *approval.Request) { a.Org = "other" }, want: currentNoServer},
		"no such record": {then: func(_ *world, a *approval.Request) {
			a.Arguments = []byte(`{"sobject-name":"Account","id":"001000000000000AAA","body":{"Phone":"1"}}`)
		}, want: currentNone, asks: 1},
		"no such field": {then: func(_ *world, a *approval.Request) {
			a.Arguments = []byte(strings.Replace(string(a.Arguments), "Phone", "Nope__c", 1))
		}, want: currentRefused, asks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.change)
			id, _ := w.someAccount()
			rep(w).tool("updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Phone":"1"}}`)
			a := w.waiting()
			if c.then != nil {
				c.then(w, a)
			}
			got, ok := w.handler.Current(t.Context(), a)
			if !ok || got.Missing != c.want || got.Fields != nil || got.Records != nil || len(w.forwarded()) != c.asks {
				t.Errorf("%v %+v, sent %v", ok, got, w.forwarded())
			}
			if got := outcomes(w.entries("approval.preview")); len(got) != 2*c.asks {
				t.Errorf("recorded %v", got)
			}
		})
	}
}
