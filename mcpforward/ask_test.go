package mcpforward

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/limit"
)

const (
	opensAddresses = `{"elicitation":{"url":{}}}`
	readsDenials   = `{"elicitation":{"url":{}},"extensions":{"io.modelcontextprotocol/structured-authorization-denials":{}}}`
)

// createAs creates the account in the stateless era with these capabilities and, if not
// empty, these inputResponses.
func (c *client) createAs(capabilities, inputs string) *answer {
	c.t.Helper()
	params := `{"name":"createSobjectRecord","arguments":` + createAccount + `,`
	if inputs != "" {
		params += `"inputResponses":` + inputs + `,`
	}
	const none = `"io.modelcontextprotocol/clientCapabilities":{}`
	meta := strings.Replace(describedMeta, none, strings.TrimSuffix(none, "{}")+capabilities, 1)
	return c.call("tools/call", params+meta+`}`, func(r *http.Request) {
		r.Header.Set(versionHeader, statelessVersion)
		r.Header.Set("Mcp-Method", "tools/call")
		r.Header.Set("Mcp-Name", "createSobjectRecord")
	})
}

// asked is what a client of the stateless era is asked.
type asked struct {
	Result struct {
		ResultType    string
		InputRequests map[string]struct {
			Method string
			Params struct{ Mode, URL, Message string }
		}
		Content []any
		Meta    map[string]json.RawMessage `json:"_meta"`
	}
	Error *struct {
		Code int
		Data struct {
			Elicitations []struct{ Mode, ElicitationID, URL, Message string }
		}
	}
}

func readAsked(t *testing.T, a *answer) (q asked, id string) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &q); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	for id = range q.Result.InputRequests {
	}
	return q, id
}

// TestMFW42AskedToOpenThePage: a client that can open addresses is asked, makes the call again
// with its answer, and that answer never counts as the decision.
func TestMFW42AskedToOpenThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := modern(w)
	q, id := readAsked(t, c.createAs(readsDenials, ""))
	in := q.Result.InputRequests[id]
	if q.Result.ResultType != "input_required" || !strings.HasPrefix(id, "apr_") || in.Method != "elicitation/create" || in.Params.Mode != "url" ||
		in.Params.URL != w.server.URL+"/approvals/"+id || !strings.Contains(in.Params.Message, "createSobjectRecord") || len(q.Result.Content) != 0 {
		t.Fatalf("asked %+v", q)
	}
	want := `{"reason":"insufficient_authorization","remediation":"available","authorizationContextId":"` + id + `","remediationHints":[{"type":"url"}]}`
	if got := string(q.Result.Meta[metaDenial]); got != want {
		t.Errorf("the denial in members is %s", got)
	}
	for _, answered := range []string{`{"action":"accept"}`, `{"action":"decline"}`, `{"action":"cancel"}`, `{"action":"accept","content":{"decision":"approve"}}`, `null`, `"approve"`} {
		a := c.createAs(readsDenials, `{"`+id+`":`+answered+`,"other":{"action":"accept"}}`)
		q, _ := readAsked(t, a)
		if w.wantHeld("after "+answered, a); q.Result.ResultType != "complete" || !strings.Contains(string(q.Result.Meta[metaDenial]), `"undisclosed"`) {
			t.Errorf("after %s: %s", answered, a.body)
		}
	}
	if n := len(w.forwarded()); n != 0 {
		t.Fatalf("%d calls were forwarded", n)
	}
	w.decide(true)
	if a := c.createAs(readsDenials, `{"`+id+`":{"action":"decline"}}`); a.failed() || w.accounts("Nimbus") != 1 {
		t.Errorf("the repeat with its answer, approved: %s", a.body)
	}
}

// TestFW36AnswersOfOthers: input counts as asked for only where we asked: under a request of
// the same user and client at the same server, in the same era, for a call of a tool.
func TestFW36AnswersOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := modern(w)
	_, id := readAsked(t, c.createAs(opensAddresses, ""))
	other, manager := modern(w), modern(w)
	other.grant, other.token = w.token(salesforcesim.RepID, "claude", "sales")
	manager.grant, manager.token = w.token(salesforcesim.ManagerID, "chatgpt", "sales")
	for what, a := range map[string]*answer{
		"another client":        other.createAs(opensAddresses, `{"`+id+`":{"action":"accept"}}`),
		"another user":          manager.createAs(opensAddresses, `{"`+id+`":{"action":"accept"}}`),
		"no such request":       c.createAs(opensAddresses, `{"apr_x":{"action":"accept"}}`),
		"no id":                 c.createAs(opensAddresses, `{"approval":{"action":"accept"}}`),
		"not an object":         c.createAs(opensAddresses, `"`+id+`"`),
		"a session":             rep(w).call("tools/call", `{"name":"createSobjectRecord","arguments":`+createAccount+`,"inputResponses":{"`+id+`":{"action":"accept"}}}`),
		"another method":        c.ask("tools/list", `"inputResponses":{"`+id+`":{"action":"accept"}}`),
		"a state we do not use": c.ask("tools/call", `"name":"createSobjectRecord","arguments":`+createAccount+`,"requestState":"`+id+`"`),
	} {
		if a.Error == nil || a.Error.Code != -32602 || !strings.Contains(a.Error.Message, "no input was asked for") {
			t.Errorf("%s: %s", what, a.body)
		}
	}
	if n := len(w.forwarded()); n != 0 {
		t.Errorf("%d calls were forwarded", n)
	}
}

// TestMFW42OnlyWhoCanOpenIsAsked: by what this request declares, and only for a decision of
// the requester's own.
func TestMFW42OnlyWhoCanOpenIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := modern(w)
	for _, capabilities := range []string{`{}`, `{"elicitation":{}}`, `{"elicitation":{"form":{}}}`, `{"elicitation":{"url":null}}`} {
		a := c.createAs(capabilities, "")
		if q, _ := readAsked(t, a); len(q.Result.InputRequests) != 0 || len(q.Result.Meta[metaDenial]) != 0 {
			t.Errorf("%s is asked: %s", capabilities, a.body)
		}
		w.wantHeld(capabilities, a)
	}
	denied := `{"extensions":{"io.modelcontextprotocol/structured-authorization-denials":{}}}`
	if a := c.createAs(denied, ""); !strings.Contains(a.body, `"remediation":"undisclosed"`) {
		t.Errorf("pending: %s", a.body)
	}
	w.decide(false)
	if a := c.createAs(denied, ""); !strings.Contains(a.body, `"remediation":"unavailable"`) {
		t.Errorf("denied: %s", a.body)
	}
}

// TestMFW45ErrorOfSessions: a session of 2025-11-25 is asked by −32042, older ones are told.
func TestMFW45ErrorOfSessions(t *testing.T) {
	t.Parallel()
	for version, code := range map[string]int{"2025-11-25": -32042, "2025-06-18": 0} {
		w := newWorld(t, nil)
		c := modern(w)
		c.session = c.call("initialize", `{"protocolVersion":"`+version+`","capabilities":`+opensAddresses+`,"clientInfo":{"name":"x","version":"1"}}`).header.Get(sessionHeader)
		a := c.create(createAccount)
		q, _ := readAsked(t, a)
		if code == 0 {
			w.wantHeld(version, a)
			continue
		}
		if q.Error == nil || q.Error.Code != code || len(q.Error.Data.Elicitations) != 1 {
			t.Fatalf("%s: %s", version, a.body)
		}
		e := q.Error.Data.Elicitations[0]
		if e.Mode != "url" || e.URL != w.server.URL+"/approvals/"+e.ElicitationID || e.Message == "" {
			t.Errorf("%s: %+v", version, e)
		}
		w.decide(true)
		if a := c.create(createAccount); a.failed() || w.accounts("Nimbus") != 1 {
			t.Errorf("the repeat: %s", a.body)
		}
	}
}

// TestApprovalWait: the first answer waits for a quick decision, and for no more.
func TestApprovalWait(t *testing.T) {
	t.Parallel()
	for _, approve := range []bool{true, false} {
		w := newWorld(t, func(c *setup) { c.ApprovalWait = time.Minute })
		c := rep(w)
		decided := make(chan *approval.Request, 1)
		go func() {
			for { // until the call waits
				all, err := w.approvals.List(t.Context(), approval.Filter{State: approval.Pending})
				if err != nil {
					return
				}
				if len(all) == 1 {
					decided <- w.decide(approve)
					return
				}
			}
		}()
		a := c.create(createAccount)
		<-decided
		if approve && (a.failed() || w.accounts("Nimbus") != 1) || !approve && (!a.failed() || !strings.Contains(a.text(), "person denied") || w.accounts("Nimbus") != 0) {
			t.Errorf("decided %t meanwhile: %s", approve, a.body)
		}
	}
	w := newWorld(t, func(c *setup) { c.ApprovalWait = time.Millisecond })
	w.wantHeld("nobody decides", rep(w).create(createAccount))
}

// TestApprovalWaitEndsWithAccess: whoever is cut off while a call is held back gets a challenge.
func TestApprovalWaitEndsWithAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.ApprovalWait = time.Minute })
	c := rep(w)
	go func() {
		for {
			all, err := w.approvals.List(t.Context(), approval.Filter{State: approval.Pending})
			if err != nil {
				return
			}
			if len(all) == 1 {
				break
			}
		}
		if _, err := w.grants.RevokeGrant(t.Context(), c.grant, "test"); err != nil {
			t.Error(err)
		}
		w.handler.Recheck(t.Context())
	}()
	if a := c.create(createAccount); a.status != http.StatusUnauthorized {
		t.Errorf("cut off while it was held back: %d %s", a.status, a.body)
	}
	if n := len(w.forwarded()); n != 0 {
		t.Errorf("%d calls were forwarded", n)
	}
}

// TestWaitsAreBounded: of one user four calls are held back at a time.
func TestWaitsAreBounded(t *testing.T) {
	t.Parallel()
	var w waits
	userA, userB := limit.User{Org: "acme", Subject: "a"}, limit.User{Org: "acme", Subject: "b"}
	var leaves []func()
	for i := range 4 {
		leave, ok := w.enter(userA)
		if !ok {
			t.Fatalf("the %dth is refused", i+1)
		}
		leaves = append(leaves, leave)
	}
	if _, ok := w.enter(userA); ok {
		t.Error("one more is held back")
	}
	if _, ok := w.enter(userB); !ok {
		t.Error("another user's is not")
	}
	leaves[0]()
	if _, ok := w.enter(userA); !ok {
		t.Error("the place that became free is not given")
	}
}
