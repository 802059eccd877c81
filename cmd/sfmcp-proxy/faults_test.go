package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"strings"
	"sync"
	"testing"
	"time"
)

// What a client is told of a call that Salesforce fails on.
const (
	toldDone   = `"success":true`
	toldUnsure = "it is not known whether it was carried out"
	toldNot    = "The call was not carried out."
	toldFailed = "REQUEST_LIMIT_EXCEEDED"
)

// switchCase is one way in which Salesforce fails once, right after a write was
// approved, and then while a record is read.
type switchCase struct {
	name   string
	faults map[string]any
	strike func(*demo) // besides the switches
	told   string      // of the write
	made   int         // records after the write
	again  int         // records after the same call was made once more, without the fault
	reads  bool        // a read succeeds nevertheless
}

// webPage is an error page after the record was made. Something between us and Salesforce
// may send one with any status, also those by which Salesforce refuses a token or a
// session.
func webPage(status int, reads bool) switchCase {
	return switchCase{fmt.Sprint("page ", status), map[string]any{"html_errors": 1, "html_status": status}, nil, toldUnsure, 1, 1, reads}
}

// blocked is a page by which something on the way refuses the call.
func blocked(status int) switchCase {
	return switchCase{fmt.Sprint("blocked ", status), map[string]any{"html_errors": 1, "html_status": status, "before_effect": true}, nil, toldNot, 0, 1, false}
}

func expireSessions(d *demo) { d.control("POST", "/sessions/expire", nil, nil) }

// Before an approved write the tool is listed anew; what fails then is healed, or found
// before anything was sent.
var switchCases = []switchCase{
	{"session lost, 400", map[string]any{"session_death": "400"}, expireSessions, toldDone, 1, 1, true},
	{"session lost, 404", map[string]any{"session_death": "404"}, expireSessions, toldDone, 1, 1, true},
	{"session lost, is_error", map[string]any{"session_death": "is_error"}, expireSessions, toldDone, 1, 1, true},
	{"session not initialized", map[string]any{"not_initialized": 1}, nil, toldDone, 1, 1, true},
	{"session lost, slow to open", map[string]any{"session_death": "400", "initialize_delay": "500ms", "duplicate_session_headers": true}, expireSessions, toldDone, 1, 1, true},

	{"truncated stream", map[string]any{"truncated_streams": 1}, nil, toldUnsure, 1, 1, true},
	{"truncated stream, before", map[string]any{"truncated_streams": 1, "before_effect": true}, nil, toldUnsure, 0, 0, true},
	{"dropped connection", map[string]any{"dropped_connections": 1}, nil, toldUnsure, 1, 1, true},
	{"dropped connection, before", map[string]any{"dropped_connections": 1, "before_effect": true}, nil, toldUnsure, 0, 0, true},
	{"empty answer", map[string]any{"empty_answers": 1}, nil, toldUnsure, 1, 1, true},
	{"empty answer, before", map[string]any{"empty_answers": 1, "before_effect": true}, nil, toldUnsure, 0, 0, true},
	{"unexpected error", map[string]any{"unexpected_errors": 1}, nil, toldUnsure, 0, 0, true},
	{"answer of another id", map[string]any{"wrong_answer_ids": 1}, nil, toldUnsure, 1, 1, false},
	{"answer of another id, streamed", map[string]any{"wrong_answer_ids": 1, "framing": "sse"}, nil, toldUnsure, 1, 1, true},
	{"malformed answer", map[string]any{"malformed_tool": "createSobjectRecord"}, nil, toldUnsure, 0, 0, true},
	{"redirected", map[string]any{"redirect_to": "http://127.0.0.1:1/"}, nil, toldNot, 0, 1, false},
	{"every write cut off", map[string]any{"truncated_streams": -1}, nil, toldUnsure, 1, 1, false},

	webPage(502, true), webPage(503, true), webPage(500, true), webPage(504, true), webPage(200, false), webPage(202, true), webPage(400, true), webPage(401, true), webPage(404, true),
	blocked(403), blocked(405), blocked(406), blocked(413), blocked(429),

	{"limit, 403", map[string]any{"daily_limit_reached": true, "limit_signal": "403"}, nil, toldNot, 0, 1, false},
	{"limit, 429", map[string]any{"daily_limit_reached": true, "limit_signal": "429"}, nil, toldNot, 0, 1, false},
	{"limit, is_error", map[string]any{"daily_limit_reached": true}, nil, toldFailed, 0, 0, false},
	{"down", map[string]any{"down": true}, nil, toldNot, 0, 1, false},
	{"streamed after comments, with a request of Salesforce's", map[string]any{"framing": "keepalive", "server_request": "elicitation/create"}, nil, toldDone, 1, 1, true},
}

// FT-22 to FT-26, FW-46: whatever Salesforce does, an approved write has one effect at
// most, what is told of it is true, and repeating it does not do it twice.
func TestSwitches(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startDemo(t)
	c, b := d.connect("sobject-all", rep), d.browser()
	for _, f := range switchCases {
		name := "Fault " + f.name
		d.decide(b, d.approvalURL(c.call("createSobjectRecord", account(name))), rep, "approve")
		before := d.lastRequest()
		d.strike(f)
		r := c.call("createSobjectRecord", account(name))
		d.control("PUT", "/faults", map[string]any{}, nil)
		if r.Status != http.StatusOK || !strings.Contains(r.text(), f.told) || r.Result.IsError == (f.told == toldDone) {
			t.Errorf("%s: told %d %s", f.name, r.Status, r.body)
		}
		if n := d.named("Account", name); n != f.made {
			t.Errorf("%s: %d records, want %d", f.name, n, f.made)
		}
		if n := len(d.recorded(fmt.Sprintf("tool=createSobjectRecord&after=%d", before))); n > 1 {
			t.Errorf("%s: the write reached Salesforce %d times", f.name, n)
		}
		if r := c.call("createSobjectRecord", account(name)); r.Status != http.StatusOK || strings.Contains(r.text(), "/approvals/apr_") {
			t.Errorf("%s: repeated: %d %s", f.name, r.Status, r.body)
		}
		if n := d.named("Account", name); n != f.again {
			t.Errorf("%s: %d records after a repeat, want %d", f.name, n, f.again)
		}
		d.strike(f)
		read := c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"})
		d.control("PUT", "/faults", map[string]any{}, nil)
		if read.Status != http.StatusOK || read.Result.IsError == f.reads {
			t.Errorf("%s: a read: %d %s", f.name, read.Status, read.body)
		}
	}
	d.accounted("createSobjectRecord")
}

// accounted checks that every call of a tool that reached Salesforce was recorded
// before, and how each of them ended (D11).
func (d *demo) accounted(tool string) {
	d.t.Helper()
	if out := d.must("audit", "verify"); !strings.Contains(out, "all sound") {
		d.t.Error(out)
	}
	lines := d.must("audit", "list", "--action", "tool.call", "--tool", tool, "--limit", "100000", "--json")
	intents, ends := strings.Count(lines, `"outcome":"intent"`), strings.Count(lines, `"intent":`)
	if sent := len(d.recorded("tool=" + tool)); intents < sent || intents != ends {
		d.t.Errorf("%d calls reached Salesforce; recorded are %d intents and %d ends", sent, intents, ends)
	}
}

func (d *demo) strike(f switchCase) {
	d.t.Helper()
	if f.strike != nil {
		f.strike(d)
	}
	if f.faults != nil {
		d.control("PUT", "/faults", f.faults, nil)
	}
}

// lastRequest is the number of the last request that reached Salesforce.
func (d *demo) lastRequest() int {
	d.t.Helper()
	all := d.recorded("")
	if len(all) == 0 {
		return 0
	}
	n, _ := all[len(all)-1]["sequence"].(float64)
	return int(n)
}

// FT-21, FW-45: a client that gives up does not undo a write, and hears of it when it
// asks again.
// An operator sees which server's circuit is open, and that it answers again.
func TestCircuitIsShown(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-reads", rep)
	shown := func(server string) string { return metricOf(d, fmt.Sprintf("sfmcp_circuit_open{server=%q}", server)) }
	if got := shown("sobject-reads"); got != "0" {
		t.Errorf("at first: %q", got)
	}
	d.control("PUT", "/faults", map[string]any{"html_errors": -1, "html_status": 503}, nil)
	for range 10 {
		c.call("getUserInfo", map[string]any{})
	}
	if got, other := shown("sobject-reads"), shown("sobject-all"); got != "1" || other != "0" {
		t.Errorf("after ten faults: %q, another server %q", got, other)
	}
	d.control("PUT", "/faults", map[string]any{}, nil)
	eventually(t, plenty, "the circuit is closed after an answer", func() bool {
		c.call("getUserInfo", map[string]any{})
		return shown("sobject-reads") == "0"
	})
}

func TestAnswerDelay(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	d.decide(d.browser(), d.approvalURL(c.call("createSobjectRecord", account("Late Ltd"))), rep, "approve")
	d.control("PUT", "/faults", map[string]any{"answers_held": true}, nil)
	for _, call := range []map[string]any{
		{"name": "createSobjectRecord", "arguments": account("Late Ltd")},
		{"name": "getUserInfo", "arguments": map[string]any{}},
	} {
		ctx, leave := context.WithCancel(t.Context())
		gone, before := make(chan error), d.lastRequest()
		go func() {
			_, err := c.post(ctx, "tools/call", call, false)
			gone <- err
		}()
		eventually(t, plenty, "the call is at Salesforce", func() bool {
			return len(d.recorded(fmt.Sprintf("tool=%s&after=%d", call["name"], before))) == 1
		})
		leave()
		if err := <-gone; err == nil {
			t.Error("answered although answers are held")
		}
	}
	d.control("PUT", "/faults", map[string]any{}, nil)
	eventually(t, plenty, "the write's outcome is recorded", func() bool {
		return strings.Contains(d.must("audit", "list", "--action", "tool.call", "--tool", "createSobjectRecord", "--json"), `"outcome":"ok"`)
	})
	r := c.call("createSobjectRecord", account("Late Ltd"))
	if r.Result.IsError || !strings.Contains(r.text(), "It was not made again") {
		t.Errorf("asked again: %s", r.body)
	}
	if n := d.named("Account", "Late Ltd"); n != 1 {
		t.Errorf("%d records", n)
	}
}

// AP-21: a lost Salesforce login does not burn an approval, and the client is sent to
// connect again.
func TestLoginLostBeforeApprovedCall(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	d.decide(d.browser(), d.approvalURL(c.call("createSobjectRecord", account("Patient Ltd"))), rep, "approve")
	d.control("POST", "/grants/revoke", map[string]any{}, nil)
	r := c.call("createSobjectRecord", account("Patient Ltd"))
	if r.Status != http.StatusUnauthorized || !strings.Contains(r.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("with the login lost: %d %s", r.Status, r.body)
	}
	c = d.connect("sobject-all", rep)
	if r := c.call("createSobjectRecord", account("Patient Ltd")); r.Result.IsError || !strings.Contains(r.text(), toldDone) {
		t.Errorf("after another login: %d %s", r.Status, r.body)
	}
	c.call("createSobjectRecord", account("Patient Ltd"))
	if n := d.named("Account", "Patient Ltd"); n != 1 {
		t.Errorf("%d records", n)
	}
}

// refuseToken makes Salesforce answer 401 to the token that the proxy uses.
func refuseToken(d *demo) {
	d.t.Helper()
	calls := d.recorded("raw=1&path=/platform/mcp")
	bearer, _ := calls[len(calls)-1]["raw_authorization"].(string)
	resp, err := http.PostForm(d.SalesforceURL+"/services/oauth2/revoke", url.Values{"token": {strings.TrimPrefix(bearer, "Bearer ")}})
	if err != nil {
		d.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		d.t.Fatalf("revoking the access token at Salesforce: %d", resp.StatusCode)
	}
}

// A token that Salesforce refuses although it has not expired is renewed once, and the
// call is made with the new one: Salesforce refused before acting.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	for _, f := range []switchCase{
		{name: rep, strike: refuseToken},
		{name: manager, faults: map[string]any{"session_death": "404"}, strike: func(d *demo) { refuseToken(d); expireSessions(d) }},
	} {
		c := d.connect("sobject-all", f.name)
		d.decide(d.browser(), d.approvalURL(c.call("createSobjectRecord", account("Renewed "+f.name))), f.name, "approve")
		d.strike(f)
		if r := c.call("createSobjectRecord", account("Renewed "+f.name)); r.Result.IsError || !strings.Contains(r.text(), toldDone) {
			t.Errorf("%s: %d %s", f.name, r.Status, r.body)
		}
		if n := d.named("Account", "Renewed "+f.name); n != 1 {
			t.Errorf("%s: %d records", f.name, n)
		}
	}
}

// AP-02: a person approves the arguments of a call. What a client may say beside them
// does not go to Salesforce with it.
func TestAP02NothingRidesOnAnApproval(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	d.decide(d.browser(), d.approvalURL(c.call("createSobjectRecord", account("Rider Ltd"))), rep, "approve")
	r := c.send("tools/call", map[string]any{"name": "createSobjectRecord", "arguments": account("Rider Ltd"), "_meta": map[string]any{
		"salesforce/canary": 1, "io.modelcontextprotocol/canary": 1, "canary": 1, "progressToken": "p"}})
	calls := d.recorded("tool=createSobjectRecord")
	if r.Result.IsError || len(calls) != 1 {
		t.Fatalf("%d calls: %s", len(calls), r.body)
	}
	if body, _ := calls[0]["body"].(string); strings.Contains(body, "canary") || !strings.Contains(body, "progressToken") {
		t.Errorf("sent: %s", body)
	}
}

// SR-RS-5, FW-35: users whose calls run side by side, under the same ids, get their own
// answers, however Salesforce frames, spoils and delays them.
func TestAnswersStayWithTheirUsers(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	clients := map[string]*mcpClient{rep: d.connect("sobject-all", rep), manager: d.connect("sobject-all", manager)}
	d.control("PUT", "/faults", map[string]any{"framing": "random", "answer_delay": "5ms", "progress_notifications": 2, "session_death": "404",
		"wrong_answer_ids": 20, "truncated_streams": 20, "dropped_connections": 20, "empty_answers": 20}, nil)
	var group sync.WaitGroup
	for username, c := range clients {
		other := manager
		if username == manager {
			other = rep
		}
		for range 40 {
			group.Go(func() {
				own := *c // so that all have the same id
				r := own.call("getUserInfo", map[string]any{})
				if strings.Contains(r.body, other) || !r.Result.IsError && !strings.Contains(r.text(), username) {
					t.Errorf("%s was answered %s", username, r.body)
				}
			})
		}
	}
	expireSessions(d)
	group.Wait()
	d.control("PUT", "/faults", map[string]any{}, nil)
	for username, c := range clients {
		// After so many failures the server's circuit may be open for a moment.
		eventually(t, plenty, username+" is answered afterwards", func() bool {
			r := c.call("getUserInfo", map[string]any{})
			return !r.Result.IsError && strings.Contains(r.text(), username)
		})
	}
}

// busy counts the goroutines that run code of this project. Connections kept open for the
// next call do not: how many there are depends on how the machine was loaded, and they end
// by themselves.
func busy() int {
	stacks := make([]byte, 16<<20)
	n := 0
	for _, stack := range bytes.Split(stacks[:runtime.Stack(stacks, true)], []byte("\n\n")) {
		if bytes.Contains(stack, []byte("\nsfmcp-proxy/")) {
			n++
		}
	}
	return n
}

// FT-21: calls that clients give up leave nothing running.
func TestCancelledCallsLeaveNothingBehind(t *testing.T) {
	d := startDemo(t) // not parallel: it counts goroutines of the whole process
	c := d.connect("sobject-all", rep)
	burst := func() {
		var group sync.WaitGroup
		for i := range rounds.Sized(t, 80, 250) {
			group.Go(func() {
				own := *c
				own.id = 1000 + i
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(20+i)*time.Millisecond)
				defer cancel()
				if r, err := own.post(ctx, "tools/call", map[string]any{"name": "getUserInfo", "arguments": map[string]any{}}, false); err == nil && !r.Result.IsError {
					t.Errorf("answered: %s", r.body)
				}
			})
		}
		group.Wait()
	}
	before := busy()
	d.control("PUT", "/faults", map[string]any{"answer_delay": "1h"}, nil)
	burst()
	d.control("PATCH", "/faults", map[string]any{"framing": "keepalive"}, nil)
	burst()
	// By themselves they would end with the time of a call, a minute.
	eventually(t, 45*time.Second, "as few goroutines as before", func() bool { return busy() <= before })
	d.control("PUT", "/faults", map[string]any{}, nil)
	if r := c.call("getUserInfo", map[string]any{}); r.Result.IsError {
		t.Errorf("afterwards: %s", r.body)
	}
}
