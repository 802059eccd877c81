package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	rep     = "rep@acme.example"
	manager = "manager@acme.example"
)

// The main job: sign in, read, be stopped, have a write approved, be cut off.
func TestMainJob(t *testing.T) {
	t.Parallel()
	mainJob(t, startDemo(t))
}

func mainJob(t *testing.T, d *demo) {
	c := d.connect("sobject-all", rep)

	tools := c.send("tools/list", map[string]any{}).tools()
	want := []string{"createSobjectRecord", "find", "getObjectSchema", "getRelatedRecords", "getUserInfo",
		"listRecentSobjectRecords", "soqlQuery", "updateRelatedRecord", "updateSobjectRecord"}
	if !slices.Equal(tools, want) {
		t.Errorf("listed %v, want %v", tools, want)
	}
	read := c.call("soqlQuery", map[string]any{"q": "SELECT Id, Name FROM Account LIMIT 5"})
	if read.Result.IsError || !strings.Contains(read.text(), `"totalSize"`) {
		t.Errorf("reading: %s", read.body)
	}
	for _, tool := range []string{"deleteSobjectRecord", "noSuchTool"} {
		r := c.call(tool, map[string]any{"sobject-name": "Account", "id": "001xx0000000001AAA"})
		if r.Error == nil || r.Error.Code != -32602 || r.Error.Message != "Unknown tool: "+tool {
			t.Errorf("%s: %s", tool, r.body)
		}
	}

	held := c.call("createSobjectRecord", account("Persistent Systems Ltd"))
	link := d.approvalURL(held)
	if n := d.named("Account", "Persistent Systems Ltd"); n != 0 {
		t.Fatalf("%d records before anybody approved", n)
	}
	d.decide(d.browser(), link, rep, "approve")
	if n := d.named("Account", "Persistent Systems Ltd"); n != 0 {
		t.Fatalf("%d records by the click alone: the proxy must not execute", n)
	}
	done := c.call("createSobjectRecord", account("Persistent Systems Ltd"))
	if done.Result.IsError || !strings.Contains(done.text(), `"success":true`) {
		t.Errorf("the approved retry: %s", done.body)
	}
	again := c.call("createSobjectRecord", account("Persistent Systems Ltd"))
	if n := d.named("Account", "Persistent Systems Ltd"); n != 1 {
		t.Errorf("%d records after a second retry (%s)", n, again.body)
	}

	out := d.must("user", "revoke", rep)
	if !strings.Contains(out, "1 connection ended") {
		t.Errorf("revoke says %q", out)
	}
	// The first call that begins after it: the cut-off does not take any time.
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusUnauthorized {
		t.Errorf("after revoke: %d %s", r.Status, r.body)
	}
	eventually(t, plenty, "Salesforce revokes the refresh token", func() bool { return d.refreshTokens()["live"] == 0 })
	if out := d.must("audit", "verify"); !strings.Contains(out, "all sound") {
		t.Errorf("audit verify: %s", out)
	}
}

// Order and spacing do not matter to an approval; a value or a type does.
func TestAP03ApprovalCoversExactlyTheCall(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	create := func(body string) reply {
		return c.call("createSobjectRecord", json.RawMessage(body))
	}
	first := create(`{"sobject-name":"Account","body":{"Name":"Exact Ltd","NumberOfEmployees":7}}`)
	b := d.browser()
	d.decide(b, d.approvalURL(first), rep, "approve")
	for _, other := range []string{
		`{"sobject-name":"Account","body":{"Name":"Exact Ltd","NumberOfEmployees":"7"}}`,
		`{"sobject-name":"Account","body":{"Name":"Exact Ltd","NumberOfEmployees":7.0}}`,
		`{"sobject-name":"Account","body":{"Name":"exact Ltd","NumberOfEmployees":7}}`,
		`{"sobject-name":"Account","body":{"Name":"Exact Ltd","NumberOfEmployees":7,"Phone":null}}`,
	} {
		if link := d.approvalURL(create(other)); link == d.approvalURL(first) {
			t.Errorf("%s met the approval of another call", other)
		}
	}
	done := create(`{ "body": {"NumberOfEmployees":7, "Name":"Ex\u0061ct Ltd"}, "sobject-name":"Account" }`)
	if done.Result.IsError {
		t.Errorf("the same call in another order: %s", done.body)
	}
	if n := d.named("Account", "Exact Ltd"); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestDeniedApprovalIsFinal(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	d.decide(d.browser(), d.approvalURL(c.call("createSobjectRecord", account("No Ltd"))), rep, "deny")
	r := c.call("createSobjectRecord", account("No Ltd"))
	if !r.Result.IsError || strings.Contains(r.text(), "/approvals/") && d.named("Account", "No Ltd") > 0 {
		t.Errorf("after the denial: %s", r.body)
	}
	if n := d.named("Account", "No Ltd"); n != 0 {
		t.Errorf("%d records", n)
	}
}

// AP-05: a colleague neither sees nor decides another's request.
func TestAP05ColleagueSeesNothing(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	link := d.approvalURL(c.call("createSobjectRecord", account("Mine Ltd")))
	b := d.browser()
	d.authorize(b, "sobject-reads", manager) // also signs the browser in
	page, err := b.Get(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	if page.Status != http.StatusNotFound || strings.Contains(page.Body, "Mine Ltd") {
		t.Errorf("status %d", page.Status)
	}
}

// A token opens one endpoint.
func TestAS12TokenOfAnotherEndpoint(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-reads", rep)
	for _, path := range []string{"/mcp/sobject-all", "/mcp/sobject-reads-evil", "/mcp/SOBJECT-READS", "/mcp/sobject%2Dreads",
		"/mcp/sobject-reads/../sobject-all", "/mcp/sobject-all/", "/mcp/sobject-reads//", "//mcp/sobject-reads", "/mcp/sobject-reads;x"} {
		other := *c
		other.url = d.PublicURL + path
		r := other.send("tools/list", map[string]any{})
		if r.Status != http.StatusUnauthorized && r.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, r.Status, r.body)
		}
	}
}

// Fifty calls that meet an expired Salesforce token cause one refresh there.
func TestParallelCallsAtExpiryRefreshOnce(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-reads", rep)
	d.change(`UPDATE links SET access_expires_at = 1`)
	d.control("DELETE", "/requests", nil, nil)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			mine := *c
			mine.id = 1000 + i
			r, err := mine.post(t.Context(), "tools/call", map[string]any{"name": "getUserInfo", "arguments": map[string]any{}}, false)
			if err != nil || r.Status != http.StatusOK || r.Result.IsError {
				t.Errorf("call %d: %d %s %v", i, r.Status, r.body, err)
			}
		})
	}
	wg.Wait()
	if n := len(d.recorded("path=/services/oauth2/token")); n != 1 {
		t.Errorf("%d requests to the token endpoint", n)
	}
}

func TestCutOffCommands(t *testing.T) {
	t.Parallel()
	alive := func(c *mcpClient) bool { return c.call("getUserInfo", map[string]any{}).Status == http.StatusOK }
	t.Run("grant revoke", func(t *testing.T) {
		t.Parallel()
		d := startDemo(t)
		reads, all := d.connect("sobject-reads", rep), d.connect("sobject-all", rep)
		var grant struct{ ID, Server string }
		for line := range strings.Lines(d.must("grant", "list", "--json")) {
			if err := json.Unmarshal([]byte(line), &grant); err != nil {
				t.Fatal(err)
			}
			if grant.Server == "sobject-reads" {
				break
			}
		}
		d.must("grant", "revoke", grant.ID)
		if alive(reads) || !alive(all) {
			t.Error("the wrong connection ended")
		}
		if d.refreshTokens()["live"] == 0 {
			t.Error("the login that another connection needs was revoked")
		}
		if _, status := d.command("grant", "revoke", grant.ID); status != exitFailed {
			t.Errorf("a second revoke: status %d", status)
		}
	})
	t.Run("client revoke", func(t *testing.T) {
		t.Parallel()
		d := startDemo(t)
		a, b := d.connect("sobject-reads", rep), d.connect("sobject-reads", manager)
		if out := d.must("client", "revoke", d.ClientID); !strings.Contains(out, "2 connections") {
			t.Errorf("says %q", out)
		}
		if alive(a) || alive(b) {
			t.Error("a connection lives on")
		}
	})
	t.Run("user block", func(t *testing.T) {
		t.Parallel()
		d := startDemo(t)
		c, other := d.connect("sobject-reads", rep), d.connect("sobject-reads", manager)
		d.must("user", "block", rep)
		if alive(c) || !alive(other) {
			t.Error("the wrong user is out")
		}
		location, err := d.browser().LogIn(t.Context(), d.authorizeURL("sobject-reads"), rep, d.password(rep))
		if err == nil && !strings.Contains(location, "error=access_denied") {
			t.Errorf("the blocked user came back: %s", location)
		}
		if n := d.refreshTokens()["live"]; n != 1 {
			eventually(t, plenty, "only the other user's refresh token lives", func() bool { return d.refreshTokens()["live"] == 1 })
		}
		d.must("user", "unblock", rep)
		if !alive(d.connect("sobject-reads", rep)) {
			t.Error("unblocked, but not let in")
		}
	})
	t.Run("stop", func(t *testing.T) {
		t.Parallel()
		d := startDemo(t)
		c := d.connect("sobject-all", rep)
		held := c.call("createSobjectRecord", account("Stopped Ltd"))
		d.decide(d.browser(), d.approvalURL(held), rep, "approve")
		d.must("stop", "writes")
		if r := c.call("createSobjectRecord", account("Stopped Ltd")); !r.Result.IsError || d.named("Account", "Stopped Ltd") != 0 {
			t.Errorf("a write while writes are stopped: %s", r.body)
		}
		if r := c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"}); r.Result.IsError {
			t.Errorf("a read while writes are stopped: %s", r.body)
		}
		d.must("stop", "all")
		if r := c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"}); !r.Result.IsError && r.Error == nil {
			t.Errorf("a read while everything is stopped: %s", r.body)
		}
		d.must("stop", "off")
		if r := c.call("createSobjectRecord", account("Stopped Ltd")); r.Result.IsError || d.named("Account", "Stopped Ltd") != 1 {
			t.Errorf("the approval did not outlive the stop: %s", r.body)
		}
	})
}

// When the login at Salesforce is gone, the client is led back in and does not go
// round in circles: 401, then invalid_grant, then a new authorization that works.
func TestLostLoginLeadsBackIn(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-reads", rep)
	d.control("POST", "/grants/revoke", map[string]any{}, nil) // an administrator, at Salesforce
	d.change(`UPDATE links SET access_expires_at = 1`)
	r := c.call("getUserInfo", map[string]any{})
	if r.Status != http.StatusUnauthorized || !strings.Contains(r.Header.Get("Www-Authenticate"), `error="invalid_token"`) {
		t.Errorf("with a lost login: %d %s", r.Status, r.body)
	}
	resp, err := http.PostForm(d.PublicURL+"/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {d.ClientID}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "invalid_grant") {
		t.Errorf("refreshing: %d %s", resp.StatusCode, body)
	}
	if r := d.connect("sobject-reads", rep).call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError {
		t.Errorf("after a new authorization: %d %s", r.Status, r.body)
	}
}

// authorizeURL is a correct authorization request whose code nobody redeems.
func (d *demo) authorizeURL(server string) string {
	return fmt.Sprintf("%s/oauth/authorize?response_type=code&client_id=%s&redirect_uri=%s&code_challenge=%s&code_challenge_method=S256&state=x&resource=%s",
		d.PublicURL, d.ClientID, testCallback, strings.Repeat("A", 43), d.MCPURLs[server])
}

// Every forward has an intent before it and an outcome after; every decision is there.
func TestAU13AuditTellsTheStory(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"})
	c.call("deleteSobjectRecord", map[string]any{"sobject-name": "Account", "id": "001xx0000000001AAA"})
	held := c.call("createSobjectRecord", account("Story Ltd"))
	d.decide(d.browser(), d.approvalURL(held), rep, "approve")
	c.call("createSobjectRecord", account("Story Ltd"))
	d.must("user", "revoke", rep)

	type entry struct {
		Action, Outcome, Tool, Subject, Client, Source              string
		Org, Username, Grant, Server, Class, Decision, Rule, Status string
		Approval                                                    string
		RequestID                                                   string `json:"request_id"`
		Definition                                                  string `json:"definition_hash"`
		Digest                                                      string `json:"arguments_digest"`
		Answer                                                      string `json:"answer_digest"`
		Policy                                                      string `json:"policy_version"`
		Duration                                                    *int64 `json:"duration_ms"`
		Seq, Intent                                                 int64
		Arguments                                                   json.RawMessage
	}
	atSalesforce := map[string]bool{} // "ID method" of what came with one of our request ids
	for _, r := range d.recorded("path=/platform/mcp/") {
		header, _ := r["header"].(map[string]any)
		if ids, _ := header["X-Request-Id"].([]any); len(ids) == 1 {
			atSalesforce[fmt.Sprint(ids[0], " ", r["rpc"])] = true
		}
	}
	var story []string
	intents := map[int64]bool{}
	for line := range strings.Lines(d.must("audit", "export")) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Action == "tool.call" {
			story = append(story, e.Tool+" "+e.Outcome)
			if e.Subject == "" || e.Client != d.ClientID || e.Source == "" || e.RequestID == "" || e.Org == "" || e.Username != rep || e.Grant == "" || e.Server != "sobject-all" {
				t.Errorf("who or where is missing: %s", line)
			}
			if e.Outcome == "ok" && !atSalesforce[e.RequestID+" tools/call"] {
				t.Errorf("Salesforce did not get the id of the request: %s; %v", line, atSalesforce)
			}
			if e.Class == "" || e.Decision == "" || e.Rule == "" || e.Policy == "" || e.Digest == "" || (len(e.Arguments) == 0) != (e.Outcome == "ok") {
				t.Errorf("what was asked for, or by what it was decided, is missing: %s", line)
			}
			if e.Outcome == "ok" && (e.Definition == "" || e.Status == "" || e.Answer == "" || e.Duration == nil) {
				t.Errorf("what was called, or what Salesforce answered, is missing: %s", line)
			}
			if e.Tool == "createSobjectRecord" && e.Approval == "" {
				t.Errorf("the approval is missing: %s", line)
			}
			if e.Outcome == "intent" {
				intents[e.Seq] = true
			} else if e.Intent != 0 && !intents[e.Intent] {
				t.Errorf("an outcome before its intent: %s", line)
			}
		} else {
			story = append(story, e.Action)
		}
	}
	for _, want := range []string{"soqlQuery intent", "soqlQuery ok", "deleteSobjectRecord denied", "createSobjectRecord held",
		"approval.decide", "createSobjectRecord intent", "createSobjectRecord ok", "user.revoke", "grant.create"} {
		if !slices.Contains(story, want) {
			t.Errorf("%q is missing in %q", want, story)
		}
	}
	if out := d.printed("audit", "list", "--user", rep, "--action", "tool.call", "--tool", "soqlQuery", "--json"); strings.Count(out, "\n") != 2 {
		t.Errorf("filtered list:\n%s", out)
	}
}
