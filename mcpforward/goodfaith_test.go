package mcpforward

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/limit"
)

// What clients send in good faith, written to some revision of the protocol.

// sent is the last request for a method that reached Salesforce.
func (w *world) sent(method string) string {
	w.t.Helper()
	all := w.sim.Requests(salesforcesim.RequestFilter{RPC: method})
	if len(all) == 0 {
		w.t.Fatalf("no %s reached Salesforce", method)
	}
	return all[len(all)-1].Body
}

// C6: null in an optional place counts as absent, in every method; C7: what a receiver does
// not know is ignored. Neither is forwarded.
func TestC6C7NullAndUnknownParams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	for _, more := range []string{
		`"arguments":null`, `"task":null`, `"_meta":null`, `"arguments":null,"task":null,"_meta":null`, `"_meta":{"progressToken":null}`,
		`"task":{"ttl":60000}`, `"taskId":"t1"`, `"limit":10`, `"x-vendor":{"a":[1,2]}`, `"toolKind":"x"`, `"approved":true`, `"uri":"y"`, `"cursor":"c"`,
	} {
		a := c.call("tools/call", `{"name":"getUserInfo",`+more+`}`)
		if a.Error != nil || a.Result == nil || a.Result.IsError {
			t.Errorf("tools/call with %s: %d %s", more, a.status, a.body)
			continue
		}
		if got := w.sent("tools/call"); !strings.HasSuffix(got, `"params":{"name":"getUserInfo","arguments":{}}}`) {
			t.Errorf("with %s Salesforce got %s", more, got)
		}
	}
	for _, params := range []string{`null`, `{"cursor":null}`, `{"limit":5}`, `{"cursor":null,"filter":"x","_meta":null}`} {
		if a := c.call("tools/list", params); a.Error != nil || a.Result == nil || len(a.Result.Tools) == 0 {
			t.Errorf("tools/list with %s: %d %s", params, a.status, a.body)
		}
		if got := w.sent("tools/list"); !strings.HasSuffix(got, `"params":{}}`) {
			t.Errorf("with %s Salesforce got %s", params, got)
		}
	}
	for _, try := range []struct{ method, params string }{
		{"ping", `null`}, {"ping", `{"x":1}`}, {"prompts/list", `null`}, {"resources/list", `{"cursor":null,"x":1}`},
		{"logging/setLevel", `{"level":"info","x":1}`}, {"resources/templates/list", `{"cursor":null}`},
	} {
		if a := c.call(try.method, try.params); a.Error != nil || a.status != http.StatusOK {
			t.Errorf("%s with %s: %d %s", try.method, try.params, a.status, a.body)
		}
	}
	fresh := &client{world: w, url: c.url, token: c.token}
	a := fresh.call("initialize", `{"protocolVersion":"2025-06-18","capabilities":{"sampling":null,"x":{}},"clientInfo":{"name":"x","version":"1","title":null},"_meta":null,"trace":true}`)
	if a.status != http.StatusOK || a.Error != nil {
		t.Errorf("initialize: %d %s", a.status, a.body)
	}
	// What is wanted and null is missing, and other types than the right one stay refused.
	for _, try := range []struct{ method, params string }{
		{"tools/call", `{"name":null}`}, {"tools/call", `{"name":"getUserInfo","arguments":[]}`}, {"tools/call", `{"name":"getUserInfo","arguments":""}`},
		{"tools/call", `{"name":"getUserInfo","arguments":0}`}, {"tools/list", `{"cursor":0}`}, {"resources/read", `{"uri":null}`}, {"logging/setLevel", `{"level":null}`},
	} {
		if a := c.call(try.method, try.params); a.Error == nil || a.Error.Code != -32602 {
			t.Errorf("%s with %s: %d %s", try.method, try.params, a.status, a.body)
		}
	}
}

// C14: a tool that Salesforce has just begun to list, or lists otherwise, is asked about as
// it is, at the first call after a person has accepted that: it is not unknown, and nobody
// approves it twice.
func TestC14ToolsThatChangeBetweenListings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[2].Policy = &policy.Policy{Name: "confirm", Rules: []policy.Rule{{Effect: policy.Confirm}}}
	})
	c := w.connect(salesforcesim.RepID, "chatgpt", "custom")
	create := func(name string) *answer {
		return c.tool("createAccountWithOpportunity", `{"inputs":[{"accountName":"`+name+`","opportunityName":"Deal","closeDate":"2027-01-31"}]}`)
	}
	drift := func(to string) { w.switches(func(s *salesforcesim.Switches) { s.Drift = to }) }
	drift("remove")
	if a := create("Listed Ltd"); a.Error == nil || a.Error.Message != "Unknown tool: createAccountWithOpportunity" {
		t.Fatalf("a tool that is not listed: %s", a.body)
	}
	drift("") // brought back
	w.wantQuarantined("a tool that is listed again", create("Listed Ltd"))
	w.acceptAll("custom")
	w.wantHeld("a tool that is listed again", create("Listed Ltd"))
	w.decide(true)
	if a := create("Listed Ltd"); a.failed() || w.accounts("Listed Ltd") != 1 {
		t.Fatalf("approved: %s", a.body)
	}
	drift("describe")
	w.wantQuarantined("a tool that changed", create("Changed Ltd"))
	w.acceptAll("custom")
	w.wantHeld("a tool that changed before anybody was asked", create("Changed Ltd"))
	w.decide(true)
	if a := create("Changed Ltd"); a.failed() || w.accounts("Changed Ltd") != 1 {
		t.Errorf("approved once: %s", a.body)
	}
}

// C15: a session that is used does not end, and what goes first was unused longest.
func TestC15SessionsLiveWhileTheyAreUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	now := time.Now()
	s := newSessionStore(w.db, func() time.Time { return now })
	open := func() string {
		t.Helper()
		id, err := s.open(t.Context(), "grt_1", session{version: newestVersion})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	wantUse := func(id string, want error) {
		t.Helper()
		if _, err := s.find(t.Context(), id, "grt_1"); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	used, unused := open(), open()
	for range 30 { // a month of use, once a day
		now = now.Add(sessionLifetime - time.Second)
		wantUse(used, nil)
	}
	wantUse(unused, errNoSession)
	now = now.Add(sessionLifetime)
	wantUse(used, errNoSession)

	used = open()
	var first string
	for i := range sessionsPerGrant {
		now = now.Add(2 * prolongAfter)
		wantUse(used, nil)
		if id := open(); i == 0 {
			first = id
		}
	}
	wantUse(used, nil)
	wantUse(first, errNoSession)
}

// C1: pages of the origins that are listed may call, ask first without a token, and read the
// challenge; all others are refused as before.
func TestC1AllowedOrigins(t *testing.T) {
	t.Parallel()
	allowed := []string{"https://app.example", "http://localhost:6274", "app://obsidian.md", "null", "tauri://localhost", "vscode-file://vscode-app", "chrome-extension://abcdef"}
	w := newWorld(t, func(c *setup) { c.AllowedOrigins = allowed })
	c := rep(w)
	ask := func(method, origin string, change ...func(*http.Request)) *answer {
		t.Helper()
		return c.send(c.request(nil, append(change, func(r *http.Request) {
			r.Method = method
			r.Header.Set("Origin", origin)
		})...))
	}
	preflight := func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,mcp-protocol-version,mcp-session-id")
	}
	for _, origin := range allowed {
		a := ask(http.MethodOptions, origin, preflight)
		if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Allow-Headers") != "*, Authorization" ||
			!strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "DELETE") || a.header.Get("Vary") != "Origin" {
			t.Errorf("preflight of %s: %d %v", origin, a.status, a.header)
		}
		a = c.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, func(r *http.Request) { r.Header.Set("Origin", origin) })
		if a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", origin, a.status, a.header)
		}
		a = c.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, func(r *http.Request) { r.Header.Set("Origin", origin); r.Header.Del("Authorization") })
		if exposed := a.header.Get("Access-Control-Expose-Headers"); a.status != http.StatusUnauthorized || a.header.Get("Access-Control-Allow-Origin") != origin ||
			!strings.Contains(exposed, "WWW-Authenticate") || !strings.Contains(exposed, "Mcp-Session-Id") {
			t.Errorf("the challenge for %s: %d %v", origin, a.status, a.header)
		}
	}
	for _, origin := range []string{"https://evil.example", "http://app.example", "https://app.example:444", "https://app.example.evil", "https://APP.example", "app://other", "file://", ""} {
		for _, method := range []string{http.MethodOptions, http.MethodPost, http.MethodGet} {
			if a := ask(method, origin, preflight); a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s of %q: %d %v", method, origin, a.status, a.header)
			}
		}
	}
	for what, change := range map[string]func(*http.Request){
		"no question":      func(r *http.Request) { r.Header.Del("Access-Control-Request-Method") },
		"two origins":      func(r *http.Request) { r.Header.Add("Origin", "https://evil.example") },
		"without any page": func(r *http.Request) { r.Header.Del("Origin") },
	} {
		r := c.request(nil, preflight, func(r *http.Request) { r.Method = http.MethodOptions; r.Header.Set("Origin", allowed[0]) }, change)
		if a := c.send(r); a.status == http.StatusNoContent {
			t.Errorf("%s: %d %v", what, a.status, a.header)
		}
	}
}

// C8: who is told that the host is another learns which came and which is expected, and so
// does the log, once.
func TestC8WrongHostIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	begun, passed := time.Now(), atomic.Int64{}
	w.handler.Now = func() time.Time { return begun.Add(time.Duration(passed.Load())) }
	warnings := func() int { return strings.Count(w.logs.String(), "names another host") }
	for range 3 {
		a := c.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, func(r *http.Request) { r.Host = "backend:8080" })
		if a.status != http.StatusMisdirectedRequest || !strings.Contains(a.body, "backend:8080") || !strings.Contains(a.body, w.handler.host) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	a := c.post(`{}`, func(r *http.Request) { r.Host = strings.Repeat("x", 4000) })
	if a.status != http.StatusMisdirectedRequest || len(a.body) > 500 {
		t.Errorf("%d, %d bytes", a.status, len(a.body))
	}
	for _, later := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {9 * time.Minute, 1}, {10 * time.Minute, 2}} {
		passed.Store(int64(later.after))
		c.post(`{}`, func(r *http.Request) { r.Host = "backend:8080" })
		if n := warnings(); n != later.want {
			t.Errorf("%d warnings after %v, want %d", n, later.after, later.want)
		}
	}
}

// C12: who opens the endpoint in a browser gets a page that leads on; status and challenge
// are a program's.
func TestC12EndpointInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	get := func(change ...func(*http.Request)) *answer {
		return c.send(c.request(nil, append([]func(*http.Request){func(r *http.Request) {
			r.Method = http.MethodGet
			r.Header.Del("Authorization")
			r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
		}}, change...)...))
	}
	for what, a := range map[string]*answer{
		"plain": get(), "navigation": get(func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "navigate") }),
		"bad token": get(func(r *http.Request) { r.Header.Set("Authorization", "Bearer sfa_x") }),
	} {
		if a.status != http.StatusUnauthorized || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, `href="/connect/sales"`) ||
			!strings.Contains(a.header.Get("WWW-Authenticate"), "/.well-known/oauth-protected-resource/mcp/sales") || a.header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %v %s", what, a.status, a.header, a.body)
		}
	}
	for what, a := range map[string]*answer{
		"fetch":       get(func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors") }),
		"a client":    get(func(r *http.Request) { r.Header.Set("Accept", "text/event-stream") }),
		"a POST":      get(func(r *http.Request) { r.Method = http.MethodPost }),
		"any accepts": get(func(r *http.Request) { r.Header.Set("Accept", "*/*") }),
	} {
		if a.status != http.StatusUnauthorized || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v", what, a.status, a.header)
		}
	}
}

// S2: what no person can read is not held, and nothing is stored of it.
func TestS2UnreadableCallsAreNotHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[2].Policy = &policy.Policy{Name: "confirm", Rules: []policy.Rule{{Effect: policy.Confirm}}}
	})
	c := w.connect(salesforcesim.RepID, "chatgpt", "custom")
	a := c.tool("createAccountWithOpportunity", `{"inputs":[`+strings.Repeat("0,", 300_000)+`0]}`)
	if !a.failed() || !strings.Contains(a.text(), "more than a person can read") {
		t.Errorf("%d %.300s", a.status, a.body)
	}
	waiting, err := w.handler.Approvals.List(t.Context(), approval.Filter{})
	if err != nil || len(waiting) != 0 || len(w.forwarded()) != 0 {
		t.Errorf("%d requests are stored, %v; forwarded %v", len(waiting), err, w.forwarded())
	}
	if entries := w.entries("tool.call"); len(entries) != 1 || len(entries[0].Arguments) > 20<<10 {
		t.Errorf("%d entries", len(entries))
	}
}

// S11: of one user's stalled uploads so many are read at a time; the rest wait outside, and
// others go on.
func TestS11StalledUploadsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, other := rep(w), w.connect(salesforcesim.ManagerID, "chatgpt", "sales")
	allowance := w.handler.allowances.Of(limit.User{Org: "acme", Subject: salesforcesim.RepID})
	most := 2 * w.handler.Limits.ConcurrentCalls
	for range 4 * most {
		conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /mcp/sales HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nMcp-Session-Id: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: 1000000\r\n\r\n{", w.handler.host, c.token, c.session)
	}
	for deadline := time.Now().Add(time.Minute); allowance.Bodies() < most && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if a := other.call("ping", `{}`); a.status != http.StatusOK {
		t.Errorf("another user: %d %s", a.status, a.body)
	}
	if n := allowance.Bodies(); n != most {
		t.Errorf("%d bodies are read at a time, want %d", n, most)
	}
}

// C7, FW-36: an answer to a question that nobody asked is refused whatever it holds (also null:
// the conformance suite has it), by one rule for every method of both eras, and nothing is sent.
// It is no member that is not known.
func TestC7FW36InputThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	old, stateless := rep(w), modern(w)
	for _, input := range []string{`"inputResponses":{}`, `"inputResponses":null`, `"inputResponses":{"a":{"action":"accept"}}`, `"requestState":null`, `"requestState":"x"`,
		`"requestState":"x","inputResponses":{}`} {
		both := map[string]string{
			"tools/call": `"name":"getUserInfo",`, "tools/list": ``, "prompts/list": ``, "resources/list": ``, "resources/templates/list": ``,
			"prompts/get": `"name":"accountReviewBriefing",`, "resources/read": `"uri":"ui://x",`,
			"completion/complete": `"ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"a","value":"b"},`,
		}
		sessions := map[string]string{"ping": ``, "logging/setLevel": `"level":"info",`, "initialize": `"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"},`}
		newer := map[string]string{"server/discover": ``, "subscriptions/listen": `"notifications":{"toolsListChanged":true},`}
		for _, try := range []struct {
			methods map[string]string
			ask     func(method, params string) *answer
		}{
			{both, func(m, p string) *answer { return old.call(m, `{`+p+`}`) }}, {sessions, func(m, p string) *answer { return old.call(m, `{`+p+`}`) }},
			{both, func(m, p string) *answer { return stateless.ask(m, p) }}, {newer, func(m, p string) *answer { return stateless.ask(m, p) }},
		} {
			for method, params := range try.methods {
				if a := try.ask(method, params+input); a.Error == nil || a.Error.Code != -32602 || !strings.Contains(a.Error.Message, "no input was asked for") {
					t.Errorf("%s with %s: %d %s", method, input, a.status, a.body)
				}
			}
		}
		if a := old.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x",` + input + `}}`); a.status != http.StatusAccepted {
			t.Errorf("a notification with %s: %d %s", input, a.status, a.body)
		}
	}
	if n := w.reached(); n != 0 {
		t.Errorf("%d requests reached Salesforce", n)
	}
}
