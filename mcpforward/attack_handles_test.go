package mcpforward

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// modernAt is a client of the stateless era at any server.
func (w *world) modernAt(subject, clientID, server string) *client {
	w.t.Helper()
	c := &client{world: w, url: w.server.URL + "/mcp/" + server}
	c.grant, c.token = w.token(subject, clientID, server)
	return c
}

// listens is subscriptions/listen with an id.
func (c *client) listens(id string) *http.Request {
	return c.request(strings.NewReader(`{"jsonrpc":"2.0","id":"`+id+`","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},`+describedMeta+`}}`),
		func(r *http.Request) {
			r.Header.Set(versionHeader, statelessVersion)
			r.Header.Set("Mcp-Method", "subscriptions/listen")
		})
}

// RS-11: nor in the stateless era, whose doors are the same.
func TestRS11WritesAtAReadingServerStateless(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.modernAt(salesforcesim.RepID, "chatgpt", "reads")
	for _, door := range []struct{ method, members string }{
		{"tools/call", `"name":"createSobjectRecord","arguments":` + createAccount},
		{"tools/call", `"name":"deleteSobjectRecord","arguments":{"sobject-name":"Account","id":"001xx0000000001AAA"}`},
		{"tools/call", `"name":"createSobjectRecord","arguments":` + createAccount + `,"task":{"ttl":1}`},
		{"tools/call", `"name":"soqlQuery","arguments":{"q":"SELECT Id FROM Account FOR VIEW"}`},
		{"prompts/get", `"name":"createSobjectRecord","arguments":{}`},
		{"resources/read", `"uri":"tool://createSobjectRecord"`},
		{"tasks/get", `"taskId":"1"`}, {"tasks/update", `"taskId":"1","inputResponses":{}`}, {"tasks/cancel", `"taskId":"1"`},
		{"completion/complete", `"ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"a","value":"b"}`},
	} {
		w.wantDenied(door.method+" "+door.members, c.ask(door.method, door.members))
	}
	// A read in the headers is no reason to let the write in the message pass.
	w.wantDenied("headers of a read", c.ask("tools/call", `"name":"createSobjectRecord","arguments":`+createAccount,
		func(r *http.Request) { r.Header.Set("Mcp-Name", "getUserInfo") }))
	if n := w.accounts("Nimbus"); n != 0 {
		t.Errorf("%d records were made", n)
	}
}

// RS-12: with the marks of the stateless era another's session is not entered either:
// whoever names it acts as themselves, and cannot end it or answer for it.
func TestRS12ForeignSessionStateless(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t, "elicitation")
	a := w.capable("asking", everything)
	stream := a.open(a.asks("elicitation/create", `{}`))
	asked := stream.next()
	b := w.modernAt(salesforcesim.ManagerID, "chatgpt", "asking")
	stolen := func(r *http.Request) {
		r.Header.Set(sessionHeader, a.session)
		r.Header.Set(versionHeader, statelessVersion)
		r.Header.Set("Last-Event-ID", "1")
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		r := b.request(nil, stolen)
		if r.Method = method; b.send(r).status != http.StatusMethodNotAllowed {
			t.Errorf("%s is served", method)
		}
	}
	for _, body := range []string{
		fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"STOLEN"}}`, asked.ID),
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
	} {
		if got := b.post(body, stolen); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	sales := w.modernAt(salesforcesim.ManagerID, "chatgpt", "sales")
	if got := sales.ask("tools/call", `"name":"getUserInfo","arguments":{}`, stolen); !strings.Contains(got.body, salesforcesim.ManagerUsername) {
		t.Errorf("acts for another: %s", got.body)
	}
	if got := a.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"own"}}`, asked.ID)); got.status != http.StatusAccepted {
		t.Errorf("the owner: %d %s", got.status, got.body)
	}
	if m := stream.next(); m == nil || !strings.Contains(m.raw, "own") || server.got("STOLEN") {
		t.Errorf("the owner's call: %+v", m)
	}
}

// FW-37: there are no tasks to get at, and a subscription's name gives nothing to others.
func TestFW37HandlesOfOthers(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t)
	owner := w.modernAt(salesforcesim.RepID, "chatgpt", "asking")
	stream := owner.open(owner.listens("sub-1"))
	if m := stream.next(); m == nil || m.Method != "notifications/subscriptions/acknowledged" {
		t.Fatalf("got %+v", m)
	}
	before := len(server.declaredTo())
	for what, c := range map[string]*client{
		"other user": w.connect(salesforcesim.ManagerID, "chatgpt", "asking"), "other client": w.connect(salesforcesim.RepID, "claude", "asking"),
	} {
		stateless := *c
		stateless.session = ""
		for _, method := range []string{"tasks/list", "tasks/get", "tasks/result", "tasks/update", "tasks/cancel"} {
			if a := c.call(method, `{"taskId":"sub-1"}`); a.Error == nil || a.Error.Code != -32601 {
				t.Errorf("%s: %s: %d %s", what, method, a.status, a.body)
			}
			if a := stateless.ask(method, `"taskId":"sub-1"`); a.status != http.StatusNotFound || a.Error == nil || a.Error.Code != -32601 {
				t.Errorf("%s: stateless %s: %d %s", what, method, a.status, a.body)
			}
		}
		c.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"sub-1"}}`)
		if a := c.call("resources/unsubscribe", `{"uri":"sub-1"}`); a.Error == nil || a.Error.Code != -32601 {
			t.Errorf("%s: resources/unsubscribe: %s", what, a.body)
		}
	}
	if got := len(server.declaredTo()); got != before {
		t.Errorf("%d sessions were opened with the hosted server", got-before)
	}
	server.changes <- "notifications/tools/list_changed"
	if m := stream.next(); m == nil || m.Method != "notifications/tools/list_changed" {
		t.Errorf("the owner's stream: %+v", m)
	}
}

// FW-39: of the headers of a hosted server none comes back, whatever its answer is.
func TestFW39HeadersAreNotRelayed(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t)
	hostile := map[string]string{
		"Set-Cookie": "sid=CANARY", "Location": "https://evil.example/CANARY", "Server": "CANARY", "Access-Control-Allow-Origin": "*",
		"Access-Control-Allow-Credentials": "true", "Strict-Transport-Security": "max-age=0", "Www-Authenticate": `Bearer resource_metadata="https://evil.example/CANARY"`,
		"Cache-Control": "public, max-age=99", "X-Sfdc-Request-Id": "CANARY", "Keep-Alive": "timeout=99", "Trailer": "X-Canary", "Upgrade": "CANARY", "Refresh": "0;url=https://evil.example",
		"Link": "<https://evil.example>", "Proxy-Authenticate": "Basic", "Mcp-Protocol-Version": "CANARY", "Retry-After": "99",
	}
	status := 0
	server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for name, value := range hostile {
			rw.Header().Set(name, value)
		}
		if body := r.Header.Get("Mcp-Session-Id"); status != 0 && body != "" {
			rw.Header().Set("Content-Type", "text/plain")
			rw.WriteHeader(status)
			fmt.Fprint(rw, "CANARY")
			return
		}
		server.ServeHTTP(rw, r)
	})
	allowed := []string{"Allow", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Date", "X-Accel-Buffering", "X-Content-Type-Options"}
	c := w.capable("asking", `{}`)
	check := func(what string, a *answer) {
		t.Helper()
		for _, name := range slices.Sorted(maps.Keys(a.header)) {
			mine := name == "Www-Authenticate" && a.status == http.StatusUnauthorized // the proxy's own challenge
			if value := a.header.Get(name); strings.Contains(value, "CANARY") || !mine && !slices.Contains(allowed, name) || name == "Cache-Control" && value != "no-store" {
				t.Errorf("%s: header %s: %s", what, name, value)
			}
		}
		if strings.Contains(a.body, "CANARY") {
			t.Errorf("%s: %s", what, a.body)
		}
	}
	check("a list", c.call("tools/list", `{}`))
	check("an event stream", c.tool("log", `{}`))
	for _, status = range []int{201, 302, 307, 400, 401, 403, 404, 418, 429, 500, 503} {
		check(fmt.Sprint("a write, ", status), c.tool("log", `{}`))
		check(fmt.Sprint("a list, ", status), c.call("tools/list", `{}`))
		check(fmt.Sprint("GET, ", status), c.send(c.request(nil, get)))
	}
}

// FW-41: no argument and no header of a client becomes a header at Salesforce, so that
// there is nothing to split; what the arguments hold arrives as it is.
func TestFW41NothingIsMirrored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Servers[0].Policy = allowAll() })
	c := modern(w)
	for _, evil := range []string{"x\r\nX-Evil: 1\r\n\r\nPOST / HTTP/1.1", "x\nX-Evil: 1", "x\x00", "日本\u2028", "x\u0085X-Evil: 1"} {
		quoted, _ := json.Marshal(evil)
		w.sim.ForgetRequests(salesforcesim.RequestFilter{})
		a := c.ask("tools/call", `"name":"createSobjectRecord","arguments":{"sobject-name":"Account","body":{"Name":`+string(quoted)+`}}`, func(r *http.Request) {
			r.Header.Set("Mcp-Param-Name", encodedHeader(evil))
			r.Header.Set("Mcp-Param-Region", "CANARY")
		})
		if a.status != http.StatusOK {
			t.Errorf("%q: %d %s", evil, a.status, a.body)
		}
		calls := w.sim.Requests(salesforcesim.RequestFilter{RPC: "tools/call"})
		if len(calls) != 1 {
			t.Fatalf("%q: %d calls", evil, len(calls))
		}
		names := slices.Sorted(maps.Keys(calls[0].Header))
		if want := []string{"Accept", "Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "Mcp-Protocol-Version", "Mcp-Session-Id", "User-Agent"}; !cmp.Equal(names, want) {
			t.Errorf("%q: headers %v", evil, names)
		}
		var sent struct {
			Params struct {
				Arguments struct{ Body struct{ Name string } }
			}
		}
		if err := json.Unmarshal([]byte(calls[0].Body), &sent); err != nil || sent.Params.Arguments.Body.Name != evil {
			t.Errorf("sent %q, %v", sent.Params.Arguments.Body.Name, err)
		}
		// In the place of a name it is refused, and a header that does not agree, too.
		for what, a := range map[string]*answer{
			"name":   c.ask("tools/call", `"name":`+string(quoted)+`,"arguments":{}`, func(r *http.Request) { r.Header.Set("Mcp-Name", encodedHeader(evil)) }),
			"header": c.ask("tools/call", `"name":"find","arguments":{}`, func(r *http.Request) { r.Header.Set("Mcp-Name", encodedHeader("find"+evil)) }),
		} {
			if a.Error == nil {
				t.Errorf("%s %q: %s", what, evil, a.body)
			}
		}
	}
	if got := w.forwarded(); len(got) != 1 {
		t.Errorf("forwarded %v", got)
	}
	// Nor is a client told to mirror, however the mark is written.
	tool, err := jsonrpc.ParseObject([]byte(`{"name":"x","inputSchema":{"type":"object","properties":{"q":{"x-mcp-\u0068eader":"Q"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	annotate(&tool, allowAll().Annotations(policy.Principal{}, "x"))
	if schema, _ := tool.Get("inputSchema"); string(schema) != `{"type":"object","properties":{"q":{}}}` {
		t.Errorf("schema %s", schema)
	}
}

// FW-46: a client that gave a write up re-issues it, under the same id and under new ones,
// in either era. It is sent once for its approval, and each repeat is told so.
func TestFW46RepeatsAfterATimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Servers[0].Timeout = 2 * time.Second }) // enough to reach Salesforce
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	w.decide(true)
	w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
	params := `"name":"createSobjectRecord","arguments":` + createAccount
	if a := c.post(`{"jsonrpc":"2.0","id":"same","method":"tools/call","params":{` + params + `}}`); !a.failed() || !strings.Contains(a.text(), "not known") {
		t.Errorf("the first: %s", a.body)
	}
	stateless := *c
	stateless.session = ""
	for range 5 {
		for what, a := range map[string]*answer{
			"the same id": c.post(`{"jsonrpc":"2.0","id":"same","method":"tools/call","params":{` + params + `}}`),
			"a new id":    c.call("tools/call", `{`+params+`}`),
			"stateless":   stateless.ask("tools/call", params),
		} {
			if a.status != http.StatusOK || !a.failed() || !strings.Contains(a.text(), "not sent again") {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
	}
	if got := w.forwarded(); len(got) != 1 || w.accounts("Nimbus") != 1 {
		t.Errorf("forwarded %v, %d records", got, w.accounts("Nimbus"))
	}
	repeated := 0
	for _, o := range outcomes(w.entries("tool.call")) {
		if o == audit.Repeated {
			repeated++
		}
	}
	if repeated != 15 {
		t.Errorf("%d repeats are recorded", repeated)
	}
}

// What a completion is asked for can hold customers' data like any other argument.
func TestCompletionIsRecordedWithItsArguments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.connect(salesforcesim.RepID, "chatgpt", "custom")
	c.call("completion/complete", `{"ref":{"type":"ref/prompt","name":"accountReviewBriefing"},"argument":{"name":"account","value":"Nimb"}}`)
	const want = `{"argument":{"name":"account","value":"Nimb"},"ref":{"name":"accountReviewBriefing","type":"ref/prompt"}}`
	if got := w.entries("completion.complete"); len(got) != 2 || string(got[0].Arguments) != want || got[0].ArgumentsDigest == "" || got[1].ArgumentsDigest == "" {
		t.Errorf("recorded %+v", got)
	}
}
