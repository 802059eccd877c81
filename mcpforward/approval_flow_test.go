package mcpforward

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

func (c *client) create(arguments string) *answer {
	c.t.Helper()
	return c.tool("createSobjectRecord", arguments)
}

func TestAP01HeldApprovedForwardedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	held := c.create(createAccount)
	w.wantDenied("before approval", held)
	var meta struct {
		ID, State, URL string
		ExpiresAt      time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal(held.Result.Meta["sfmcp-proxy/approval"], &meta); err != nil {
		t.Fatal(err)
	}
	if meta.URL != w.server.URL+"/approvals/"+meta.ID || !strings.HasPrefix(meta.ID, "apr_") || meta.State != "pending" ||
		!strings.Contains(held.text(), meta.URL) || !strings.Contains(held.text(), "repeat exactly the same call") {
		t.Errorf("held: %s", held.body)
	}
	w.wantDenied("a repeat while pending", c.create(createAccount))
	if r := w.decide(true); r.ID != meta.ID || r.Tool != "createSobjectRecord" || r.Class != "create" || r.Server != "sales" || r.ClientID != "chatgpt" ||
		string(r.Arguments) != `{"body":{"Name":"Nimbus","NumberOfEmployees":7},"sobject-name":"Account"}` {
		t.Errorf("what the person saw: %+v", r)
	}
	done := c.create(createAccount)
	if done.failed() || w.accounts("Nimbus") != 1 {
		t.Fatalf("after approval: %s", done.body)
	}
	// FW-46, M-FW-48: repeats are answered from the record.
	for range 5 {
		again := c.create(createAccount)
		if again.failed() || !strings.Contains(again.text(), done.text()) || !strings.Contains(again.text(), "not made again") {
			t.Errorf("a repeat: %s", again.body)
		}
	}
	if got := w.forwarded(); len(got) != 1 || w.accounts("Nimbus") != 1 {
		t.Errorf("forwarded %v", got)
	}
	want := []audit.Outcome{audit.Held, audit.Held, audit.Intent, audit.OK, audit.Repeated, audit.Repeated, audit.Repeated, audit.Repeated, audit.Repeated}
	entries := w.entries("tool.call")
	if diff := cmp.Diff(want, outcomes(entries)); diff != "" {
		t.Error(diff)
	}
	for _, e := range entries {
		if e.Approval != meta.ID || e.DefinitionHash == "" || e.Decision != "confirm" || e.Client != "chatgpt" || e.Subject != salesforcesim.RepID {
			t.Errorf("recorded %+v", e)
		}
	}
	if r, _ := w.approvals.Get(t.Context(), meta.ID); r.State != approval.Spent || r.Outcome != approval.Done {
		t.Errorf("the request ended %s %s", r.State, r.Outcome)
	}
	w.wait(approvalLifetime)
	w.wantHeld("after the window", c.create(createAccount))
}

// wantHeld checks that a call waits for a person.
func (w *world) wantHeld(what string, a *answer) {
	w.t.Helper()
	if !a.failed() || !strings.Contains(a.text(), "/approvals/apr_") {
		w.t.Errorf("%s: not held: %s", what, a.body)
	}
}

func TestAP02OtherCallIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		other := c.Servers[0]
		other.Name = "other"
		c.Servers = append(c.Servers, other)
	})
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	approved := w.decide(true)
	w.wantHeld("other arguments", c.create(strings.Replace(createAccount, "7", "8", 1)))
	w.wantHeld("other tool", c.tool("updateSobjectRecord", `{"sobject-name":"Account","id":"001Hs0000000001IAA","body":{"Name":"Nimbus"}}`))
	w.wantHeld("other client", w.connect(salesforcesim.RepID, "claude", "sales").create(createAccount))
	w.wantHeld("other server", w.connect(salesforcesim.RepID, "chatgpt", "other").create(createAccount))
	w.wantHeld("other user (AP-05)", w.connect(salesforcesim.ManagerID, "chatgpt", "sales").create(createAccount))
	c.tool("createSobjectRecord", `{"sobject-name":"Account","body":{"Name":"Nimbus","NumberOfEmployees":7},"approval":"`+approved.ID+`"}`)
	if got := w.forwarded(); len(got) != 0 {
		t.Errorf("forwarded %v", got)
	}
	if r, _ := w.approvals.Get(t.Context(), approved.ID); r.State != approval.Approved {
		t.Errorf("the approval is %s", r.State)
	}
}

func TestAP03CanonicalArguments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	w.decide(true)
	for _, other := range []string{
		`{"sobject-name":"Account","body":{"Name":"Nimbus","NumberOfEmployees":"7"}}`,
		`{"sobject-name":"Account","body":{"Name":"Nimbus","NumberOfEmployees":7.0}}`,
		`{"sobject-name":"Account","body":{"Name":"Nimbus","NumberOfEmployees":7,"Phone":null}}`,
		`{"sobject-name":"account","body":{"Name":"Nimbus","NumberOfEmployees":7}}`,
	} {
		w.wantHeld(other, c.create(other))
	}
	if got := w.forwarded(); len(got) != 0 {
		t.Fatalf("forwarded %v", got)
	}
	same := ` { "body" : { "NumberOfEmployees" : 7 , "Name" : "N\u0069mbus" } , "sobject-n\u0061me" : "Account" } `
	if a := c.create(same); a.failed() || w.accounts("Nimbus") != 1 {
		t.Errorf("the same in other spelling: %s", a.body)
	}
}

func TestDeniedByPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	w.decide(false)
	for range 2 {
		a := c.create(createAccount)
		w.wantDenied("after the denial", a)
		if !strings.Contains(a.text(), "person denied") {
			t.Errorf("what is told: %s", a.body)
		}
	}
	w.wait(approvalLifetime)
	w.wantHeld("after the cool-down", c.create(createAccount))
}

func TestAP11Expired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	w.decide(true)
	w.wait(approvalLifetime)
	w.wantHeld("after expiry", c.create(createAccount))
	if got := w.forwarded(); len(got) != 0 {
		t.Errorf("forwarded %v", got)
	}
}

// What an approval rests on changes after it was given.
func TestAP12ChangedAfterApproval(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *world, *client){
		"tool denied now": func(_ *testing.T, w *world, _ *client) {
			w.handler.Access.Server("sales").Policy = readOnly()
		},
		"policy changed": func(_ *testing.T, w *world, _ *client) {
			p := confirmWrites()
			p.Rules = append(p.Rules, policy.Rule{Effect: policy.Deny, Classes: []policy.Class{policy.Delete}})
			w.handler.Access.Server("sales").Policy = p
		},
		"stop writes": func(t *testing.T, w *world, _ *client) {
			if err := w.handler.Access.SetStop(t.Context(), access.StopWrites, "test"); err != nil {
				t.Fatal(err)
			}
		},
		"user blocked": func(t *testing.T, w *world, _ *client) {
			if _, err := w.grants.BlockUser(t.Context(), "acme", salesforcesim.RepID, "test"); err != nil {
				t.Fatal(err)
			}
		},
		"client revoked": func(t *testing.T, w *world, _ *client) {
			if _, err := w.grants.RevokeClient(t.Context(), "chatgpt", "test"); err != nil {
				t.Fatal(err)
			}
		},
		"approval void": func(t *testing.T, w *world, c *client) {
			if _, err := w.approvals.Void(t.Context(), approval.VoidFilter{GrantID: c.grant}, "test"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			c := rep(w)
			w.wantHeld("first", c.create(createAccount))
			w.decide(true)
			change(t, w, c)
			w.wantDenied(name, c.create(createAccount))
		})
	}
}

// The tool's definition changes after the approval, or the tool goes away.
func TestAP12DefinitionChangedAfterApproval(t *testing.T) {
	t.Parallel()
	for _, drift := range []string{"describe", "remove", "rename"} {
		t.Run(drift, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *setup) {
				c.Servers[2].Policy = &policy.Policy{Name: "confirm", Rules: []policy.Rule{{Effect: policy.Confirm}}}
			})
			c := w.connect(salesforcesim.RepID, "chatgpt", "custom")
			create := func() *answer { return c.tool("createAccountWithOpportunity", `{"inputs":[{"accountName":"Nimbus"}]}`) }
			w.wantHeld("first", create())
			w.decide(true)
			w.switches(func(f *salesforcesim.Switches) { f.Drift = drift })
			a := create()
			w.wantDenied(drift, a)
			if drift == "describe" {
				w.wantQuarantined("the new definition", a)
				w.acceptAll("custom")
				w.wantHeld("the new definition, once it is accepted", create())
			} else if a.Error == nil || a.Error.Message != "Unknown tool: createAccountWithOpportunity" {
				t.Errorf("what is told: %s", a.body)
			}
		})
	}
}

// Many repeats at the same time: one is forwarded, whatever the others are told.
func TestAP16ParallelRepeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	w.decide(true)
	w.switches(func(f *salesforcesim.Switches) { f.AnswerDelay = salesforcesim.Duration(200 * time.Millisecond) })
	var wg sync.WaitGroup
	var done atomic.Int32
	for i := range 20 {
		d := *c
		d.ids = 100 * i
		wg.Go(func() {
			a := d.create(createAccount)
			if a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
			if !a.failed() {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if got := w.forwarded(); len(got) != 1 || w.accounts("Nimbus") != 1 || done.Load() == 0 {
		t.Errorf("forwarded %v, %d records, %d told done", got, w.accounts("Nimbus"), done.Load())
	}
	intents := 0
	for _, e := range w.entries("tool.call") {
		switch e.Outcome {
		case audit.Intent:
			intents++
		case audit.OK, audit.Denied:
			intents--
		}
	}
	if intents != 0 {
		t.Errorf("%d intents have no outcome", intents)
	}
}

// An approval is not burned for a Salesforce login that is gone; after the user has
// signed in again it is good.
func TestAP21LoginLostAfterApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	approved := w.decide(true)
	if err := w.links.Revoke(t.Context(), "acme", salesforcesim.RepID, "test"); err != nil {
		t.Fatal(err)
	}
	w.sim.ForgetRequests(salesforcesim.RequestFilter{})
	wantChallenge(t, w, "login lost", c.create(createAccount), "sales", "invalid_token")
	if r, _ := w.approvals.Get(t.Context(), approved.ID); r.State != approval.Approved {
		t.Errorf("the approval is %s", r.State)
	}
	w.signIn(salesforcesim.RepUsername, salesforcesim.RepPassword)
	if a := c.create(createAccount); a.failed() || w.accounts("Nimbus") != 1 {
		t.Errorf("after signing in: %s", a.body)
	}
}

func TestTooManyPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	var first, last *answer
	for i := range 11 {
		last = c.create(strings.Replace(createAccount, "Nimbus", strings.Repeat("N", i+1), 1))
		if first == nil {
			first = last
		}
	}
	oldest := regexp.MustCompile(`/approvals/apr_[a-z0-9]+`).FindString(first.text())
	if !last.failed() || !strings.Contains(last.text(), "too many calls of this connection") || oldest == "" || !strings.Contains(last.text(), oldest) {
		t.Errorf("the eleventh: %s, the oldest is %s", last.body, oldest)
	}
}

// A rule that wants two approvers is not satisfied with one.
func TestQuorumIsNotWeakened(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "two", Rules: []policy.Rule{{Effect: policy.Confirm, Approvers: "role:approver", Quorum: 2}}}
	})
	c := rep(w)
	a := c.create(createAccount)
	w.wantHeld("a call for two approvers", a)
	if !strings.Contains(a.text(), "2 people with the role approver") {
		t.Errorf("what is told: %s", a.body)
	}
	if r := w.decide(true); r.State != approval.Pending {
		t.Errorf("with one approver it is %s", r.State)
	}
	a = c.create(createAccount)
	w.wantHeld("approved by one", a)
	if !strings.Contains(a.text(), "a person with the role approver; others have agreed already") || len(w.forwarded()) != 0 {
		t.Errorf("what is told: %s", a.body)
	}
	w.decide(true)
	if a := c.create(createAccount); a.failed() || w.accounts("Nimbus") != 1 {
		t.Errorf("approved by both: %s", a.body)
	}
}

// The answer of a call that failed is kept like any other.
func TestRepeatOfAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	bad := `{"sobject-name":"Account","body":{"NoSuchField__c":1}}`
	w.wantHeld("first", c.create(bad))
	approved := w.decide(true)
	first := c.create(bad)
	if !first.failed() || len(w.forwarded()) != 1 {
		t.Fatalf("a create that fails: %s", first.body)
	}
	if r, _ := w.approvals.Get(t.Context(), approved.ID); r.State != approval.Spent || r.Outcome != approval.Failed {
		t.Errorf("the request ended %s %s", r.State, r.Outcome)
	}
	again := c.create(bad)
	if !again.failed() || !strings.Contains(again.text(), first.text()) || len(w.forwarded()) != 1 {
		t.Errorf("repeated: %s", again.body)
	}
}
