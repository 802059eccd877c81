package mcpforward

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/preview"
)

// verifying holds writes of the first server, which are verified, and lets everything pass at another
// server in front of the same hosted one.
func verifying(mask ...string) func(*setup) {
	return func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "verify", Rules: []policy.Rule{
			{Classes: []policy.Class{policy.Read}, Effect: policy.Allow, Mask: mask},
			{Classes: []policy.Class{policy.Create, policy.Update, policy.Delete}, Effect: policy.Confirm, Verify: true}}}
		open := c.Servers[0]
		open.Name, open.Policy = "open", allowAll()
		c.Servers = append(c.Servers, open)
	}
}

// made has a call held, approved and made, and returns its request.
func (w *world) made(c *client, tool, arguments string) *approval.Request {
	w.t.Helper()
	c.tool(tool, arguments)
	r := w.decide(true)
	if a := c.tool(tool, arguments); a.failed() {
		w.t.Fatalf("not made: %s", a.body)
	}
	r, err := w.approvals.Get(w.t.Context(), r.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// elsewhere is another program that changes the record.
func (w *world) elsewhere(tool, arguments string) {
	w.t.Helper()
	if a := w.connect(salesforcesim.RepID, "claude", "open").tool(tool, arguments); a.failed() {
		w.t.Fatalf("elsewhere: %s", a.body)
	}
}

func (w *world) account(id string) map[string]any {
	for _, r := range w.sim.Records("acme", "Account") {
		if r["Id"] == id {
			return r
		}
	}
	return nil
}

// A write whose rule says verify is read before and after, and what it came to is recorded with
// the approval and in the log.
func TestVerifyUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, verifying())
	c := rep(w)
	id, _ := w.someAccount()
	before := w.account(id)
	r := w.made(c, "updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Phone":"+49 1","NumberOfEmployees":12.0,"Industry":""}}`)
	if r.Check == nil || r.Check.Verification != approval.Intended || r.Check.Images == nil || r.Check.Images.Partial || len(r.Check.Images.Fields) != 3 {
		t.Fatalf("%+v", r.Check)
	}
	for _, f := range r.Check.Images.Fields {
		if f.Name == "Phone" && (string(f.After) != `"+49 1"` || string(f.Before) != fmt.Sprintf("%q", before["Phone"])) {
			t.Errorf("%+v", f)
		}
	}
	if got := w.forwarded(); len(got) != 3 || got[0] != "soqlQuery" || got[1] != "updateSobjectRecord" || got[2] != "soqlQuery" {
		t.Errorf("sent %v", got)
	}
	entries := w.entries("approval.verify")
	if len(entries) != 2 || entries[1].Outcome != audit.OK || entries[1].Reason != "as intended" || entries[1].Approval != r.ID || entries[1].Subject != salesforcesim.RepID {
		t.Errorf("recorded %+v", entries)
	}
}

// What triggers and flows made of it is said by field. A trigger is played by a write between the
// call and the reading: here the record differs because another call was made in its place.
func TestVerifyDiffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, verifying())
	id, _ := w.someAccount()
	a := w.made(rep(w), "updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Phone":"1"}}`)
	w.elsewhere("updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Phone":"2"}}`)
	v := &verification{call: &call{approval: a, tool: a.Tool, arguments: a.Arguments, decision: policy.Decision{Class: policy.Update}}, images: a.Check.Images}
	record := map[string]any{"Phone": w.account(id)["Phone"]}
	verdict, said := v.compare(questionOf(a), recordOf(record), nil)
	if verdict != approval.Differs || said != `differs: Phone is "2"` {
		t.Errorf("%s, %s", verdict, said)
	}
	if verdict, said = v.compare(questionOf(a), nil, nil); verdict != approval.Differs || said != "differs: there is no such record" {
		t.Errorf("%s, %s", verdict, said)
	}
	if verdict, said = v.compare(questionOf(a), nil, []string{"Phone"}); verdict != approval.Differs {
		t.Errorf("%s, %s", verdict, said)
	}
}

// A record that cannot be read keeps nothing from being made, and is said to be unread.
func TestVerifyUnread(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "no reads", Rules: []policy.Rule{{Effect: policy.Confirm, Verify: true}}}
	})
	id, _ := w.someAccount()
	r := w.made(rep(w), "updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Phone":"1"}}`)
	if r.Outcome != approval.Done || r.Check == nil || r.Check.Verification != approval.Unread || w.account(id)["Phone"] != "1" {
		t.Errorf("%+v", r.Check)
	}
	if got := w.forwarded(); len(got) != 1 {
		t.Errorf("sent %v", got)
	}
	if _, _, err := w.handler.Undo(t.Context(), r); !errors.Is(err, approval.ErrUndo) || !strings.Contains(err.Error(), "before") {
		t.Errorf("undo: %v", err)
	}
}

func TestVerifyCreateAndDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, verifying())
	c := rep(w)
	made := w.made(c, "createSobjectRecord", createAccount)
	if made.Check == nil || made.Check.Verification != approval.Intended || made.Check.Images.ID == "" || made.Check.Images.Modified == "" {
		t.Fatalf("%+v", made.Check)
	}
	gone := w.made(c, "deleteSobjectRecord", `{"sobject-name":"Account","id":"`+made.Check.Images.ID+`"}`)
	if gone.Check == nil || gone.Check.Verification != approval.Intended {
		t.Errorf("%+v", gone.Check)
	}
	if _, _, err := w.handler.Undo(t.Context(), gone); !errors.Is(err, approval.ErrUndo) {
		t.Errorf("undo of a delete: %v", err)
	}
}

// Undo of an update is the update back, of a create the delete: a call that is held, decided and
// spent like any other. Nothing is sent before.
func TestUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, verifying())
	c := rep(w)
	id, _ := w.someAccount()
	phone := w.account(id)["Phone"]
	updated := w.made(c, "updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Phone":"<1>"}}`)
	made := w.made(c, "createSobjectRecord", createAccount)
	for _, r := range []*approval.Request{updated, made} {
		b, class, err := w.handler.Undo(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		undo, err := w.approvals.Undo(t.Context(), r.ID, b, class, approval.SalesforceHuman("acme", salesforcesim.RepID))
		if err != nil || undo.State != approval.Pending || undo.UndoOf != r.ID {
			t.Fatalf("%+v, %v", undo, err)
		}
		if _, err := w.approvals.Undo(t.Context(), r.ID, b, class, "x"); !errors.Is(err, approval.ErrUndo) {
			t.Errorf("a second one: %v", err)
		}
		before := c.tool(r.Tool, string(r.Arguments)) // the client's repeat learns of it
		if !strings.Contains(before.text(), "asks to undo") || !strings.Contains(before.text(), undo.Tool) {
			t.Errorf("the client is told %s", before.text())
		}
		w.wantHeld("while it waits", c.tool(undo.Tool, string(b.Arguments)))
		w.decide(true)
		if a := c.tool(undo.Tool, string(b.Arguments)); a.failed() {
			t.Fatalf("not undone: %s", a.body)
		}
		if now, err := w.approvals.Get(t.Context(), undo.ID); err != nil || now.State != approval.Spent || now.Outcome != approval.Done {
			t.Errorf("%+v, %v", now, err)
		}
	}
	if got := w.account(id)["Phone"]; got != phone {
		t.Errorf("Phone is %v, and was %v", got, phone)
	}
	if n := w.accounts("Nimbus"); n != 0 {
		t.Errorf("%d records are there", n)
	}
}

// Undo is refused where the record moved on, where not all of it was known, and where the rules
// want no person or no such call.
func TestUndoIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mask  []string
		tool  string
		then  func(w *world, r *approval.Request)
		wants string
	}{
		"the field was changed": {tool: "updateSobjectRecord", then: func(w *world, r *approval.Request) {
			w.elsewhere("updateSobjectRecord", `{"sobject-name":"Account","id":"`+r.Check.Images.ID+`","body":{"Phone":"2"}}`)
		}, wants: "the record was changed since: Phone"},
		"a made record was changed elsewhere": {tool: "createSobjectRecord", then: func(w *world, r *approval.Request) {
			w.sim.SetClockSkew(60e9)
			w.elsewhere("updateSobjectRecord", `{"sobject-name":"Account","id":"`+r.Check.Images.ID+`","body":{"Industry":"Energy"}}`)
		}, wants: "the record was changed since"},
		"it was deleted": {tool: "createSobjectRecord", then: func(w *world, r *approval.Request) {
			w.elsewhere("deleteSobjectRecord", `{"sobject-name":"Account","id":"`+r.Check.Images.ID+`"}`)
		}, wants: "not there any more"},
		"a field is hidden": {tool: "updateSobjectRecord", mask: []string{"Account.Phone"}, wants: "not all values of before are known"},
		"stopped": {tool: "updateSobjectRecord", then: func(w *world, _ *approval.Request) {
			if err := w.handler.Access.SetStop(w.t.Context(), access.StopAll, "root"); err != nil {
				w.t.Fatal(err)
			}
		}, wants: "stopped"},
		"no rule for it": {tool: "updateSobjectRecord", then: func(w *world, _ *approval.Request) {
			w.handler.Access.Server("sales").Policy = readOnly()
		}, wants: "do not let the assistant make that call"},
		"nobody is asked": {tool: "updateSobjectRecord", then: func(w *world, _ *approval.Request) {
			w.handler.Access.Server("sales").Policy = allowAll()
		}, wants: "have the assistant call updateSobjectRecord with exactly these arguments"},
		"nothing was verified": {tool: "updateSobjectRecord", then: func(_ *world, r *approval.Request) { r.Check = nil }, wants: "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, verifying(c.mask...))
			id, _ := w.someAccount()
			arguments := `{"sobject-name":"Account","id":"` + id + `","body":{"Phone":"1","Industry":"Energy"}}`
			if c.tool == "createSobjectRecord" {
				arguments = createAccount
			}
			r := w.made(rep(w), c.tool, arguments)
			if c.then != nil {
				c.then(w, r)
			}
			if _, _, err := w.handler.Undo(t.Context(), r); !errors.Is(err, approval.ErrUndo) || !strings.Contains(err.Error(), c.wants) {
				t.Errorf("%v, want %s", err, c.wants)
			}
		})
	}
}

// The query for a call whose answer was lost names the record, or what the user made since.
func TestLostQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	c.create(createAccount)
	w.decide(true)
	w.switches(func(s *salesforcesim.Switches) { s.DroppedConnections = 1 })
	c.create(createAccount)
	all, err := w.approvals.List(t.Context(), approval.Filter{State: approval.Spent})
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	r, err := w.approvals.Get(t.Context(), all[0].ID)
	if err != nil || r.Outcome != approval.Unknown {
		t.Fatalf("%+v, %v", r, err)
	}
	query := w.handler.LostQuery(r)
	if !strings.HasPrefix(query, "SELECT Id, CreatedDate, Name FROM Account WHERE CreatedById = '"+salesforcesim.RepID+"' AND CreatedDate >= 20") {
		t.Errorf("%s", query)
	}
	if a := c.tool("soqlQuery", fmt.Sprintf(`{"q":%q}`, query)); a.failed() || !strings.Contains(a.text(), "Nimbus") {
		t.Errorf("it finds nothing: %s", a.body)
	}
	other := *r
	other.Server = "custom"
	if q := w.handler.LostQuery(&other); q != "" {
		t.Errorf("of another server: %s", q)
	}
}

func questionOf(a *approval.Request) preview.Question {
	q, _, _ := preview.RecordOf(a.Tool, a.Arguments, "")
	return q
}

func recordOf(values map[string]any) preview.Record {
	r := preview.Record{}
	for name, value := range values {
		text, _ := json.Marshal(value)
		r[strings.ToLower(name)] = text
	}
	return r
}
