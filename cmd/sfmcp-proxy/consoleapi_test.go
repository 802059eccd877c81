package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/console/api"
	"sfmcp-proxy/authproxy/console/team"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// apiCaller is a program that shows a token; empty: it shows none.
type apiCaller struct {
	d      *companyDemo
	secret string
	id     string
}

// apiToken makes a token at the command line.
func (d *companyDemo) apiToken(role, name string) apiCaller {
	d.t.Helper()
	var made createdToken
	if err := json.Unmarshal([]byte(d.must("console", "token", "create", "--role", role, "--name", name, "--json")), &made); err != nil {
		d.t.Fatal(err)
	}
	return apiCaller{d, made.Token, made.ID}
}

// apiAnswer is what a program was answered.
type apiAnswer struct {
	Status int
	Header http.Header
	Body   string
}

// member is a member of the answer, by its path: "person.blocked".
func (a apiAnswer) member(path string) any {
	var value any
	if json.Unmarshal([]byte(a.Body), &value) != nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		switch in := value.(type) {
		case map[string]any:
			value = in[name]
		case []any:
			var at int
			if _, err := fmt.Sscan(name, &at); err != nil || at >= len(in) {
				return nil
			}
			value = in[at]
		default:
			return nil
		}
	}
	return value
}

// ask sends a request; headers are name and value in turn.
func (c apiCaller) ask(method, path string, body any, headers ...string) apiAnswer {
	c.d.t.Helper()
	var text []byte
	if raw, ok := body.(string); ok {
		text = []byte(raw)
	} else if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			c.d.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(c.d.t.Context(), method, c.d.PublicURL+path, bytes.NewReader(text))
	if err != nil {
		c.d.t.Fatal(err)
	}
	if len(text) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.secret != "" {
		r.Header.Set("Authorization", "Bearer "+c.secret)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		c.d.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.d.t.Fatal(err)
	}
	return apiAnswer{resp.StatusCode, resp.Header, string(answer)}
}

// examplePath is the path of a route with names that there are.
func examplePath(route api.Route) string {
	if route.Name == "previewEvidence" { // which has to be of something
		return route.Path + "?control=access"
	}
	return strings.NewReplacer("{org}", "acme", "{subject}", salesforcesim.RepID, "{server}", "sobject-all", "{tool}", "soqlQuery", "{entry}", "1",
		"{review}", "spring", "{connection}", "none", "{session}", "none", "{token}", "none").Replace(route.Path)
}

// reason is the body of most acts.
var reason = map[string]any{"reason": "drill"}

// The API: one started proxy, and one look after the other, each of which leaves what the next needs.
func TestConsoleAPI(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	c := d.lookAround()
	security, auditor := d.apiToken("security", "drill"), d.apiToken("auditor", "siem")
	for _, one := range []struct {
		name string
		look func(t *testing.T, d *companyDemo, c *mcpClient, security, auditor apiCaller)
	}{
		{"AD-02: every route with every role and none", apiRoles}, {"reads", apiReads}, {"bad requests", apiBadRequests}, {"AD-21: acts that come again", apiOnce},
		{"AD-22: stop switch", apiStop}, {"definitions", apiDefinitions}, {"access reviews", apiReviews}, {"cutting off", apiCutOff}, {"evidence", apiEvidence}, {"AD-20: tokens", apiTokens},
	} {
		t.Run(one.name, func(t *testing.T) {
			before := d.t
			d.t = t
			defer func() { d.t = before }()
			one.look(t, d, c, security, auditor)
		})
	}
}

// Every route of the table, with each role, with a cookie of somebody who holds it, as an
// assistant, and as nobody.
func apiRoles(t *testing.T, d *companyDemo, c *mcpClient, security, auditor apiCaller) {
	browser := d.member(companysim.DefaultUsers()[1]) // holds the role security, by cookie alone
	d.must("review", "start", "--since", "1d", "--name", "spring")
	for _, route := range api.Routes() {
		path := examplePath(route)
		for _, other := range []struct {
			who   string
			token string
		}{{"nobody", ""}, {"an assistant", c.access}, {"a token of nobody", "sft_" + strings.Repeat("A", 43)}} {
			if a := (apiCaller{d: d, secret: other.token}).ask(route.Method, path, nil); a.Status != http.StatusUnauthorized || a.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s, %s %s: status %d %s", other.who, route.Method, path, a.Status, a.Body)
			}
		}
		if page := d.look(browser, path); page.Status < 400 || strings.Contains(page.Body, `"items"`) {
			t.Errorf("by cookie, %s: status %d", path, page.Status)
		}
		for _, caller := range []struct {
			role string
			apiCaller
		}{{"security", security}, {"auditor", auditor}} {
			if route.Method != http.MethodGet && slices.Contains(route.Roles, caller.role) {
				continue // acts are done below
			}
			a := caller.ask(route.Method, path, nil)
			if may := slices.Contains(route.Roles, caller.role); may != (a.Status == http.StatusOK) || !may && a.Status != http.StatusForbidden {
				t.Errorf("%s, %s %s: status %d %s", caller.role, route.Method, path, a.Status, a.Body)
			}
		}
	}
	if got := strings.TrimSpace(d.must("stop", "status")); got != "off" || d.isBlocked(rep) {
		t.Errorf("something was done: the switch stands at %s", got)
	}
}

// What is read is what there is.
func apiReads(t *testing.T, d *companyDemo, c *mcpClient, _, auditor apiCaller) {
	for _, tt := range []struct{ path, member, want string }{
		{"/overview", "stop", "off"}, {"/overview", "waiting", "1"},
		{"/people?name=" + rep, "items.0.subject", salesforcesim.RepID}, {"/people?standing=blocked", "items.0", "<nil>"},
		{"/people/acme/" + salesforcesim.RepID, "waiting.0.tool", "createSobjectRecord"}, {"/people/acme/" + salesforcesim.RepID, "salesforce_login.state", "active"},
		{"/connections?client=" + url.QueryEscape(d.ClientID), "count", "1"}, {"/clients", "items.0.kind", "configured"},
		{"/approvals", "items.0.tool", "createSobjectRecord"}, {"/tools?server=sobject-all&state=accepted", "items.0.state", "accepted"},
		{"/tools/sobject-all/soqlQuery", "definitions.0.definition.name", "soqlQuery"}, {"/policy?server=sobject-all", "servers.0.server", "sobject-all"},
		{"/audit?tool=deleteSobjectRecord", "items.0.outcome", "denied"}, {"/denials", "people.0.subject", salesforcesim.RepID}, {"/insights", "groups.0.waiting", "1"},
		{"/sessions", "items.0.roles.0", "security"}, {"/tokens", "items.0.name", "siem"},
	} {
		if a := auditor.ask(http.MethodGet, "/console/api/v1"+tt.path, nil); a.Status != http.StatusOK || fmt.Sprint(a.member(tt.member)) != tt.want {
			t.Errorf("%s: status %d, %s is %v\n%s", tt.path, a.Status, tt.member, a.member(tt.member), a.Body)
		}
	}
	if a := auditor.ask(http.MethodGet, "/console/api/v1/settings", nil); !strings.Contains(a.Body, "public_url") || strings.Contains(a.Body, companysim.ClientSecret) {
		t.Errorf("settings: %s", a.Body)
	}
	// Lists have no arguments; whoever opens an entry with some is on record.
	list := auditor.ask(http.MethodGet, "/console/api/v1/audit?tool=deleteSobjectRecord", nil)
	if strings.Contains(list.Body, "sobject-name") {
		t.Errorf("arguments in a list: %s", list.Body)
	}
	one := auditor.ask(http.MethodGet, fmt.Sprintf("/console/api/v1/audit/%v", list.member("items.0.seq")), nil)
	if !strings.Contains(one.Body, "sobject-name") {
		t.Errorf("one entry: %s", one.Body)
	}
	if log := d.must("audit", "list", "--action", "log.read", "--json"); !strings.Contains(log, "apitoken siem:"+auditor.id) {
		t.Errorf("who read it: %s", log)
	}
	// Pages of a list have everything once.
	seen, cursor := map[string]bool{}, ""
	for {
		a := auditor.ask(http.MethodGet, "/console/api/v1/audit?limit=7"+cursor, nil)
		items, _ := a.member("items").([]any)
		for _, item := range items {
			seq := fmt.Sprint(item.(map[string]any)["seq"])
			if seen[seq] {
				t.Errorf("entry %s twice", seq)
			}
			seen[seq] = true
		}
		next, ok := a.member("next").(string)
		if !ok || a.Status != http.StatusOK {
			break
		}
		cursor = "&cursor=" + next
	}
	if !seen["1"] || !seen["2"] || len(seen) < 10 {
		t.Errorf("%d entries were seen", len(seen))
	}
	// So have calls that wait, the oldest first.
	c.call("createSobjectRecord", account("Waits, too"))
	one = auditor.ask(http.MethodGet, "/console/api/v1/approvals?limit=1", nil)
	next, _ := one.member("next").(string)
	two := auditor.ask(http.MethodGet, "/console/api/v1/approvals?limit=1&cursor="+next, nil)
	if one.member("items.0.approval") == two.member("items.0.approval") || two.member("next") != nil || fmt.Sprint(one.member("items.0.created")) > fmt.Sprint(two.member("items.0.created")) {
		t.Errorf("calls that wait, one at a time: %s and %s", one.Body, two.Body)
	}
	if a := auditor.ask(http.MethodGet, "/console/api/v1/approvals?cursor=eHkgeg", nil); a.Status != http.StatusBadRequest {
		t.Errorf("a cursor of nothing: %d %s", a.Status, a.Body)
	}
	trial := map[string]any{"server": "sobject-all", "user": rep, "tool": "deleteSobjectRecord"}
	if a := auditor.ask(http.MethodPost, "/console/api/v1/policy/try", trial); a.member("effect") != "deny" {
		t.Errorf("a call that is tried: %d %s", a.Status, a.Body)
	}
	c.call("soqlQuery", map[string]any{"q": "SELECT Name FROM Account LIMIT 1"})
}

// What is wrong is told with what to do about it, and nothing of the kind is done.
func apiBadRequests(t *testing.T, _ *companyDemo, _ *mcpClient, security, _ apiCaller) {
	person := "/people/acme/" + salesforcesim.RepID
	for _, tt := range []struct {
		method, path string
		body         any
		headers      []string
		status       int
		want         string
	}{
		{http.MethodGet, "/nothing", nil, nil, 404, "openapi.json"},
		{http.MethodDelete, "/people", nil, nil, 405, "Use GET or HEAD"},
		{http.MethodOptions, "/people", nil, []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET"}, 405, "Use GET"},
		{http.MethodGet, "/people?limit=0", nil, nil, 400, "between 1 and 200"}, {http.MethodGet, "/people?limit=1&limit=2", nil, nil, 400, "more than once"},
		{http.MethodGet, "/people?nmae=x", nil, nil, 400, "Use name, standing, limit, cursor"}, {http.MethodGet, "/people?cursor=%21", nil, nil, 400, "next"},
		{http.MethodGet, "/overview?access_token=x", nil, nil, 400, "Authorization header"}, {http.MethodGet, "/audit?since=yesterweek", nil, nil, 400, "is no time"},
		{http.MethodGet, "/audit?action=tool.cal", nil, nil, 400, "action: no entry has the action"}, {http.MethodGet, "/audit?tool=soqlquery", nil, nil, 400, `tool: there is no tool \"soqlquery\", did you mean \"soqlQuery\"?`},
		{http.MethodGet, "/audit?since=2026-03-02&until=2026-03-01", nil, nil, 400, "since: it is not before until"}, {http.MethodGet, "/evidence?since=2026-03-02&until=2026-03-01", nil, nil, 400, "since: it is not before until"},
		{http.MethodGet, "/audit?server=none", nil, nil, 400, "server: "}, {http.MethodGet, "/audit?client=none", nil, nil, 400, "client: "}, {http.MethodGet, "/audit?rule=none", nil, nil, 400, "rule: "}, {http.MethodGet, "/audit?approval=none", nil, nil, 400, "approval: "},
		{http.MethodGet, "/connections?client=none", nil, nil, 400, "client: "}, {http.MethodGet, "/connections?server=none", nil, nil, 400, "server: "}, {http.MethodGet, "/tools?server=none", nil, nil, 400, "server: "}, {http.MethodGet, "/policy?server=none", nil, nil, 400, "server: "},
		{http.MethodGet, "/audit?outcome=fine", nil, nil, 400, "denied"}, {http.MethodGet, "/audit?cursor=eA", nil, nil, 400, "next"},
		{http.MethodGet, "/people?name=a%00b", nil, nil, 400, "control character"}, {http.MethodGet, "/people/acme/nobody", nil, nil, 404, "list"},
		{http.MethodGet, "/people/acme/%ff%2f", nil, nil, 404, "list"},
		{http.MethodGet, "/audit/0", nil, nil, 404, "list"}, {http.MethodGet, "/overview", "{}", nil, 400, "no body"},
		{http.MethodPost, person + "/block", nil, []string{"Content-Type", "application/json"}, 400, "openapi.json"}, {http.MethodPost, person + "/block", "reason=x", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "application/json"},
		{http.MethodPost, person + "/block", `{"reason":"a","reason":"b"}`, nil, 400, "duplicate"}, {http.MethodPost, person + "/block", `{"reason":"a","force":true}`, nil, 400, "force"},
		{http.MethodPost, person + "/block", `{"reason":"  "}`, nil, 400, "white space"}, {http.MethodPost, person + "/block", `{"Reason":"a"}`, nil, 400, "Reason"},
		{http.MethodPost, person + "/block", `{"reason":"` + strings.Repeat("x", 201) + `"}`, nil, 400, "200"}, {http.MethodPost, person + "/block", `{"reason":1}`, nil, 400, "reason"},
		{http.MethodPost, person + "/block", `{"reason":"` + strings.Repeat("x", 200<<10) + `"}`, nil, 413, "64 KiB"},
		{http.MethodPost, person + "/block", reason, []string{"Idempotency-Key", "a b"}, 400, "UUID"},
		{http.MethodPost, person + "/unblock", reason, nil, 409, "not blocked"},
		{http.MethodPost, "/connections/end", reason, nil, 400, "lacks count"}, {http.MethodPost, "/connections/end", map[string]any{"reason": "x", "count": 1}, nil, 409, "with a person"},
		{http.MethodPost, "/connections/end", map[string]any{"reason": "x", "count": 7, "server": "sobject-all"}, nil, 409, "1 connections fit"},
		{http.MethodPost, "/policy/try", map[string]any{"server": "none", "user": rep, "tool": "x"}, nil, 400, "Choose a server"},
		{http.MethodPut, "/stop", map[string]any{"reason": "x", "position": "off"}, nil, 428, "If-Match"}, {http.MethodPut, "/stop", map[string]any{"reason": "x", "position": "half"}, []string{"If-Match", "*"}, 400, "off or writes or all"},
		{http.MethodPut, "/stop", map[string]any{"reason": "x", "position": "off"}, []string{"If-Match", "{}"}, 400, "quotation marks"},
	} {
		a := security.ask(tt.method, "/console/api/v1"+tt.path, tt.body, tt.headers...)
		if a.Status != tt.status || !strings.Contains(a.Body, tt.want) || a.Header.Get("Content-Type") != "application/problem+json" || tt.method != http.MethodHead && fmt.Sprint(a.member("fix")) == "" {
			t.Errorf("%s %s %.60v: status %d, wanted %d with %q: %s", tt.method, tt.path, tt.body, a.Status, tt.status, tt.want, a.Body)
		}
		for name := range a.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s is answered with %s", tt.path, name)
			}
		}
	}
	if security.d.isBlocked(rep) {
		t.Error("somebody was blocked")
	}
}

// The same request under the same key is done once, and answered twice the same.
func apiOnce(t *testing.T, d *companyDemo, _ *mcpClient, security, _ apiCaller) {
	path := "/console/api/v1/people/acme/" + salesforcesim.ManagerID
	d.authorize(d.browser(), "sobject-all", manager)
	blocks := func() int { return strings.Count(d.must("audit", "list", "--action", "user.block", "--json"), "\n") }
	// A reason in which nothing can be seen is refused before anything ends: the block below finds the connection.
	if a := security.ask(http.MethodPost, path+"/revoke", map[string]any{"reason": "\u200b"}); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "reason") {
		t.Errorf("an invisible reason: %d %s", a.Status, a.Body)
	}
	first := security.ask(http.MethodPost, path+"/block", reason, "Idempotency-Key", `"k1"`)
	again := security.ask(http.MethodPost, path+"/block", reason, "Idempotency-Key", "k1")
	if first.Status != http.StatusOK || first.member("connections") != 1. || again.Body != first.Body || again.Header.Get("Idempotent-Replayed") != "true" || blocks() != 1 {
		t.Errorf("first %d %s, again %d %s, blocked %d times", first.Status, first.Body, again.Status, again.Body, blocks())
	}
	for _, other := range []apiAnswer{
		security.ask(http.MethodPost, path+"/block", map[string]any{"reason": "another"}, "Idempotency-Key", "k1"),
		security.ask(http.MethodPost, path+"/revoke", reason, "Idempotency-Key", "k1"),
	} {
		if other.Status != http.StatusUnprocessableEntity || !strings.Contains(other.Body, "another key") {
			t.Errorf("another request: %d %s", other.Status, other.Body)
		}
	}
	if a := security.ask(http.MethodPost, path+"/unblock", reason, "Idempotency-Key", "k2"); a.Status != http.StatusOK {
		t.Errorf("unblocking: %d %s", a.Status, a.Body)
	}
	// What was refused is refused the same, also when it would be done by now.
	refused := security.ask(http.MethodPost, path+"/unblock", reason, "Idempotency-Key", "k3")
	security.ask(http.MethodPost, path+"/block", reason)
	if again := security.ask(http.MethodPost, path+"/unblock", reason, "Idempotency-Key", "k3"); refused.Status != http.StatusConflict || again.Status != http.StatusConflict || again.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("refused %d, again %d %s", refused.Status, again.Status, again.Body)
	}
	security.ask(http.MethodPost, path+"/unblock", reason)
}

// Nobody sets the kill switch over a position that they have not seen.
func apiStop(t *testing.T, d *companyDemo, _ *mcpClient, security, auditor apiCaller) {
	const path = "/console/api/v1/stop"
	seen := auditor.ask(http.MethodGet, path, nil).Header.Get("ETag")
	if a := auditor.ask(http.MethodGet, path, nil, "If-None-Match", seen); a.Status != http.StatusNotModified {
		t.Errorf("not modified: %d", a.Status)
	}
	to := func(position string) map[string]any { return map[string]any{"position": position, "reason": "drill"} }
	stopped := security.ask(http.MethodPut, path, to("writes"), "If-Match", seen)
	if stopped.Status != http.StatusOK || stopped.member("holds") != "writes" || strings.TrimSpace(d.must("stop", "status")) != "writes" {
		t.Errorf("stopping: %d %s", stopped.Status, stopped.Body)
	}
	late := security.ask(http.MethodPut, path, to("off"), "If-Match", seen)
	if late.Status != http.StatusPreconditionFailed || late.member("current.position") != "writes" || late.Header.Get("ETag") != stopped.Header.Get("ETag") {
		t.Errorf("too late: %d %s", late.Status, late.Body)
	}
	d.must("stop", "all")
	if a := security.ask(http.MethodPut, path, to("off"), "If-Match", stopped.Header.Get("ETag")); a.Status != http.StatusPreconditionFailed || strings.TrimSpace(d.must("stop", "status")) != "all" {
		t.Errorf("set by somebody else: %d %s", a.Status, a.Body)
	}
	if a := security.ask(http.MethodPut, path, to("off"), "If-Match", "*"); a.Status != http.StatusOK || a.member("position") != "off" {
		t.Errorf("whatever it is: %d %s", a.Status, a.Body)
	}
	if log := d.must("audit", "list", "--action", "stop.set", "--json"); !strings.Contains(log, "apitoken drill:"+security.id) || !strings.Contains(log, "drill") {
		t.Errorf("the log: %s", log)
	}
}

// A decision is about exactly one definition, as it was seen.
func apiDefinitions(t *testing.T, d *companyDemo, _ *mcpClient, security, _ apiCaller) {
	const path = "/console/api/v1/tools/sobject-all/soqlQuery"
	seen := security.ask(http.MethodGet, path, nil)
	digest, tag := fmt.Sprint(seen.member("definitions.0.digest")), seen.Header.Get("ETag")
	if got := fmt.Sprint(seen.member("definitions.0.classes.0"), " ", seen.member("definitions.0.classes.1")); got != "read side_effect" {
		t.Errorf("classes: %s", got)
	}
	decide := func(digest, decision, tag string) apiAnswer {
		return security.ask(http.MethodPut, path+"/decision", map[string]any{"digest": digest, "decision": decision}, "If-Match", tag)
	}
	if a := decide(strings.Repeat("0", 64), "reject", tag); a.Status != http.StatusConflict {
		t.Errorf("another digest: %d %s", a.Status, a.Body)
	}
	rejected := decide(digest, "reject", tag)
	if rejected.Status != http.StatusOK || rejected.member("definitions.0.state") != "rejected" {
		t.Errorf("rejecting: %d %s", rejected.Status, rejected.Body)
	}
	if a := decide(digest, "accept", tag); a.Status != http.StatusPreconditionFailed || a.member("current.definitions.0.state") != "rejected" {
		t.Errorf("as it was: %d %s", a.Status, a.Body)
	}
	if a := decide(digest, "accept", rejected.Header.Get("ETag")); a.Status != http.StatusOK || a.member("definitions.0.state") != "accepted" {
		t.Errorf("accepting: %d %s", a.Status, a.Body)
	}
	if log := d.must("audit", "list", "--action", "definition.", "--json"); strings.Count(log, "apitoken drill:") < 2 {
		t.Errorf("the log: %s", log)
	}
}

// An incident by a program: what ends, ends for the next call, in the token's name.
func apiCutOff(t *testing.T, d *companyDemo, c *mcpClient, security, _ apiCaller) {
	selected := map[string]any{"client": d.ClientID, "person": rep, "count": 1, "reason": "client compromised"}
	if a := security.ask(http.MethodPost, "/console/api/v1/connections/end", selected); a.Status != http.StatusOK || a.member("connections") != 1. {
		t.Errorf("ending: %d %s", a.Status, a.Body)
	}
	if r := c.send("tools/list", nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the next call: status %d", r.Status)
	}
	other := d.authorize(d.browser(), "sobject-all", rep)
	connection := security.ask(http.MethodGet, "/console/api/v1/connections?person="+rep, nil).member("items.0.id")
	if a := security.ask(http.MethodPost, fmt.Sprintf("/console/api/v1/connections/%v/end", connection), reason); a.Status != http.StatusOK {
		t.Errorf("ending one: %d %s", a.Status, a.Body)
	}
	if r := other.send("tools/list", nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the next call: status %d", r.Status)
	}
	d.authorize(d.browser(), "sobject-all", rep)
	if a := security.ask(http.MethodPost, "/console/api/v1/clients/revoke", map[string]any{"client": d.ClientID, "reason": "gone"}); a.member("connections") != 1. {
		t.Errorf("a client: %d %s", a.Status, a.Body)
	}
	ofClient := map[string]any{"client": d.ClientID, "reason": "drill"}
	for _, act := range []struct {
		path   string
		status int
	}{{"block", 200}, {"unblock", 200}, {"unblock", 409}} {
		if a := security.ask(http.MethodPost, "/console/api/v1/clients/"+act.path, ofClient); a.Status != act.status {
			t.Errorf("%s: %d %s", act.path, a.Status, a.Body)
		}
	}
	contained := security.ask(http.MethodPost, "/console/api/v1/incident/contain", map[string]any{"org": "acme", "subject": salesforcesim.RepID, "reason": "drill"})
	if contained.Status != http.StatusOK || contained.member("steps.0.step") != "refused" || !d.isBlocked(rep) {
		t.Errorf("containing: %d %s", contained.Status, contained.Body)
	}
	if a := security.ask(http.MethodPost, "/console/api/v1/incident/contain", map[string]any{"org": "acme", "client": d.ClientID, "reason": "drill"}); a.Status != http.StatusBadRequest {
		t.Errorf("containing both: %d %s", a.Status, a.Body)
	}
	session := security.ask(http.MethodGet, "/console/api/v1/sessions", nil).member("items.0.id")
	if a := security.ask(http.MethodPost, fmt.Sprintf("/console/api/v1/sessions/%v/end", session), reason); a.Status != http.StatusOK {
		t.Errorf("a session: %d %s", a.Status, a.Body)
	}
	for _, action := range []string{"grant.revoke", "client.revoke", "session.end"} {
		if log := d.must("audit", "list", "--action", action, "--json"); !strings.Contains(log, "apitoken drill:") {
			t.Errorf("%s: %s", action, log)
		}
	}
}

// A token is nobody's any more once it is revoked, and no token makes another.
func apiTokens(t *testing.T, d *companyDemo, _ *mcpClient, security, auditor apiCaller) {
	if a := auditor.ask(http.MethodGet, "/console/api/openapi.json", nil); a.Status != http.StatusOK || a.member("openapi") != "3.1.0" {
		t.Errorf("the description, by token: %d", a.Status)
	}
	if page := d.look(d.member(companysim.DefaultUsers()[2]), "/console/api/openapi.json"); page.Status != http.StatusOK || !strings.Contains(page.Body, `"openapi": "3.1.0"`) {
		t.Errorf("the description, signed in: %d %s", page.Status, page.Body)
	}
	if page := d.look(d.member(companysim.DefaultUsers()[0]), "/console/api/openapi.json"); page.Status != http.StatusForbidden || strings.Contains(page.Body, "3.1.0") {
		t.Errorf("the description, for an approver: %d", page.Status)
	}
	for _, route := range api.Routes() {
		if strings.HasSuffix(route.Path, "/tokens") && route.Method != http.MethodGet {
			t.Errorf("%s %s makes tokens", route.Method, route.Path)
		}
	}
	if a := security.ask(http.MethodPost, "/console/api/v1/tokens/"+auditor.id+"/revoke", reason); a.Status != http.StatusOK {
		t.Errorf("revoking: %d %s", a.Status, a.Body)
	}
	if a := auditor.ask(http.MethodGet, "/console/api/v1/overview", nil); a.Status != http.StatusUnauthorized {
		t.Errorf("revoked: %d %s", a.Status, a.Body)
	}
	d.must("console", "token", "revoke", security.id)
	if a := security.ask(http.MethodGet, "/console/api/v1/overview", nil); a.Status != http.StatusUnauthorized {
		t.Errorf("revoked: %d %s", a.Status, a.Body)
	}
	if list := d.must("console", "token", "list"); strings.Count(list, "revoked") != 2 || strings.Contains(list, security.secret[4:]) {
		t.Errorf("the list: %s", list)
	}
	log := d.must("audit", "list", "--action", "apitoken.", "--json")
	for _, want := range []string{`"apitoken.create"`, `"apitoken.revoke"`, "named siem"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
	if strings.Contains(log, security.secret) || strings.Contains(d.log.String(), security.secret) {
		t.Error("the token stands in a log")
	}
}

// reviewsOnly: a review asks people for a judgement about each line.
const reviewsOnly = "a person looks at each line and answers for it; programs begin a review and read it"

// apiReviews: a program begins the review of a quarter once, reads it, and sees what people decided.
func apiReviews(t *testing.T, d *companyDemo, _ *mcpClient, security, auditor apiCaller) {
	const path = "/console/api/v1/reviews"
	quarter := map[string]any{"reason": "it is that time", "server": "sobject-all"}
	begun := security.ask(http.MethodPost, path+"/start", quarter)
	name, ok := begun.member("id").(string)
	if begun.Status != http.StatusOK || !ok || !strings.HasSuffix(name, ".sobject-all") || begun.member("open") != begun.member("items") {
		t.Fatalf("%d %s", begun.Status, begun.Body)
	}
	for what, a := range map[string]apiAnswer{
		"a second time": security.ask(http.MethodPost, path+"/start", quarter), "by an auditor": auditor.ask(http.MethodPost, path+"/start", quarter),
		"no quarter":          security.ask(http.MethodPost, path+"/start", map[string]any{"reason": "x", "quarter": "2026-Q9"}),
		"a server of nothing": security.ask(http.MethodPost, path+"/start", map[string]any{"reason": "x", "server": "none"}),
		"a review of nothing": auditor.ask(http.MethodGet, path+"/none", nil),
	} {
		if a.Status < 400 || a.Status >= 500 {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	d.must("review", "decide", "keep", "--review", name, "--user", rep, "--server", "sobject-all", "--reason", "sells there")
	if a := auditor.ask(http.MethodGet, path+"/"+name, nil); !strings.Contains(a.Body, `"decision":"keep"`) || !strings.Contains(a.Body, "sells there") || !strings.Contains(a.Body, rep) {
		t.Errorf("its items: %d %s", a.Status, a.Body)
	}
	if a := auditor.ask(http.MethodGet, path, nil); a.member("items.0.id") != name || a.member("items.0.open") != begun.member("items").(float64)-1 {
		t.Errorf("the list: %d %s", a.Status, a.Body)
	}
}

// pageOnly are the acts and reads of pages that programs lack, with the reason.
var pageOnly = map[string]string{
	"/console/events":                                           "tells browsers that a page has changed; programs ask again",
	"/console/incident":                                         "says what a person or a program has, as the routes of people and clients do",
	"/console/reviews/{review}/idle":                            reviewsOnly,
	"/console/reviews/{review}/{server}/{org}/{subject}":        reviewsOnly,
	"/console/reviews/{review}/{server}/{org}/{subject}/decide": reviewsOnly,
	"/console/incident/evidence":                                "a file of all entries; programs search the log, and open entries one by one, each on record",
}

// What the pages do, programs can do: each route of the pages has one of the API.
func TestPagesAndAPIAreInStep(t *testing.T) {
	t.Parallel()
	byAPI := map[string]bool{}
	for _, route := range api.Routes() {
		byAPI[strings.Replace(route.Path, "/console/api/v1", "/console", 1)] = true
	}
	same := map[string]string{ // where the address differs
		"/console": "/console/overview", "/console/tools/{server}/{tool}/decide": "/console/tools/{server}/{tool}/decision", "/console/sessions/end": "/console/sessions/{session}/end",
	}
	for _, route := range team.Routes() {
		path := route.Path
		if other := same[path]; other != "" {
			path = other
		}
		if byAPI[path] == (pageOnly[route.Path] != "") {
			t.Errorf("%s %s: the API has it %t, the reason why not is %q: expected one of the two", route.Method, route.Path, byAPI[path], pageOnly[route.Path])
		}
	}
}
