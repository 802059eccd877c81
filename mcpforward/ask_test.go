package mcpforward

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/limit"
)

// events is an event stream that a client reads as it comes.
type events struct {
	c    *client
	body *http.Response
	scan *bufio.Scanner
}

// event is one message of it.
type event struct {
	ID     json.RawMessage
	Method string
	Params json.RawMessage
	Result *toolAnswer
	Error  *struct{ Message string }
	raw    string
}

// open sends a request whose answer is an event stream.
func (c *client) open(r *http.Request) *events {
	c.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		c.t.Fatalf("no stream: %s %v", resp.Status, resp.Header)
	}
	return &events{c: c, body: resp, scan: bufio.NewScanner(resp.Body)}
}

// next returns the next message, nil at the end of the stream.
func (e *events) next() *event {
	for e.scan.Scan() {
		if text, ok := strings.CutPrefix(e.scan.Text(), "data: "); ok {
			var m event
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				e.c.t.Fatalf("%v in %s", err, text)
			}
			m.raw = text
			return &m
		}
	}
	return nil
}

// capable is a client whose session declares the capabilities.
func (w *world) capable(server, capabilities string) *client {
	w.t.Helper()
	c := &client{world: w, url: w.server.URL + "/mcp/" + server}
	c.grant, c.token = w.token(salesforcesim.RepID, "chatgpt", server)
	a := c.call("initialize", `{"protocolVersion":"2025-11-25","capabilities":`+capabilities+`,"clientInfo":{"name":"x","version":"1"}}`)
	c.session = a.header.Get(sessionHeader)
	if c.session == "" {
		w.t.Fatalf("initialize: %s", a.body)
	}
	return c
}

// asks is a call of the tool that asks by the method.
func (c *client) asks(method, params string) *http.Request {
	c.ids++
	return c.request(strings.NewReader(fmt.Sprintf(
		`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"ask","arguments":{"method":%q,"params":%q}}}`, c.ids, method, params)))
}

const everything = `{"sampling":{},"elicitation":{},"roots":{}}`

// What a hosted server asks reaches the client that it works for, as it was asked, and
// the client's answer reaches the server.
func TestServerRequestsPass(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t, "sampling", "elicitation", "roots")
	c := w.capable("asking", everything)
	for method, params := range map[string]string{
		"elicitation/create":     `{"message":"Which one?","requestedSchema":{"type":"object","properties":{"n":{"type":"integer","default":42}}}}`,
		"sampling/createMessage": `{"messages":[],"maxTokens":100}`,
		"roots/list":             `{}`,
	} {
		stream := c.open(c.asks(method, params))
		asked := stream.next()
		if asked == nil || asked.Method != method || string(asked.Params) != params || len(asked.ID) < 20 {
			t.Fatalf("%s: asked %+v", method, asked)
		}
		answer := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"said":%q}}`, asked.ID, method)
		if a := c.post(answer); a.status != http.StatusAccepted || a.body != "" {
			t.Fatalf("%s: answering: %d %s", method, a.status, a.body)
		}
		if a := c.post(answer); a.status != http.StatusBadRequest {
			t.Errorf("%s: answering twice: %d", method, a.status)
		}
		result := stream.next()
		if result == nil || result.Result == nil || !strings.Contains(result.Result.Content[0].Text, `{"said":"`+method+`"}`) {
			t.Errorf("%s: result %+v", method, result)
		}
	}
	// An error of the client's passes as well, without what it adds to it.
	stream := c.open(c.asks("elicitation/create", `{}`))
	c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-1,"message":"User rejected","data":{"x":"CANARY"}}}`, stream.next().ID))
	if result := stream.next(); !strings.Contains(result.raw, "User rejected") || server.got("CANARY") {
		t.Errorf("an error: %s", result.raw)
	}
	if diff := cmp.Diff([]string{`{"roots":{"listChanged":false},"sampling":{},"elicitation":{}}`}, server.declaredTo()); diff != "" {
		t.Error(diff)
	}
	if got := len(w.entries("server.request")); got != 4 {
		t.Errorf("%d requests of the server are recorded", got)
	}
	if got := outcomes(w.entries("server.answer")); !cmp.Equal(got, []string{audit.OK, audit.OK, audit.OK, audit.OK}) {
		t.Errorf("recorded answers: %v", got)
	}
}

// Nobody is asked where the configuration, the client or its era does not provide for
// it; the hosted server is told at once and ends its call.
func TestServerRequestsAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		passed       []string
		capabilities string
		change       func(*http.Request)
	}{
		"not configured":        {nil, everything, nil},
		"another configured":    {[]string{"roots"}, everything, nil},
		"not declared":          {[]string{"elicitation"}, `{}`, nil},
		"only by URL declared":  {[]string{"elicitation"}, `{"elicitation":{"url":{}}}`, nil},
		"a client of JSON only": {[]string{"elicitation"}, everything, func(r *http.Request) { r.Header.Set("Accept", "application/json") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, server := withAsking(t, tc.passed...)
			c := w.capable("asking", tc.capabilities)
			r := c.asks("elicitation/create", `{"message":"CANARY"}`)
			if tc.change != nil {
				tc.change(r)
			}
			a := c.send(r)
			if a.failed() || !strings.Contains(a.text(), "-32601") || strings.Contains(a.body, `"method"`) {
				t.Errorf("%d %s", a.status, a.body)
			}
			if !server.got(`"code":-32601`) {
				t.Error("the server was not told")
			}
			if len(w.entries("server.request")) != 0 {
				t.Error("a request is recorded that was not passed")
			}
		})
	}
	t.Run("stateless", func(t *testing.T) {
		t.Parallel()
		w, _ := withAsking(t, "elicitation")
		c := modern(w)
		c.grant, c.token = w.token(salesforcesim.RepID, "chatgpt", "asking")
		c.url = w.server.URL + "/mcp/asking"
		a := c.ask("tools/call", `"name":"ask","arguments":{"method":"elicitation/create"}`)
		if a.failed() || !strings.Contains(a.text(), "-32601") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// A question is answered by the session that was asked, and by no other: not of
// another user, another client of the same user, or another session of the same client.
func TestFW35AnswersOfOthers(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t, "elicitation")
	asked := w.capable("asking", everything)
	stream := asked.open(asked.asks("elicitation/create", `{}`))
	id := stream.next().ID
	answer := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"STOLEN"}}`, id)

	other := *asked
	other.session = ""
	other.session = other.call("initialize", `{"protocolVersion":"2025-11-25","capabilities":`+everything+`}`).header.Get(sessionHeader)
	user := w.connect(salesforcesim.ManagerID, "chatgpt", "asking")
	elsewhere := w.connect(salesforcesim.RepID, "claude", "asking")
	for name, c := range map[string]*client{"another session": &other, "another user": user, "another client": elsewhere} {
		if a := c.post(answer); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for _, guess := range []string{`1`, `"1"`, `""`, `"` + strings.ToLower(strings.Trim(string(id), `"`)) + `"`} {
		if a := asked.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"STOLEN"}}`, guess)); a.status != http.StatusBadRequest {
			t.Errorf("id %s: %d", guess, a.status)
		}
	}
	if a := asked.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"own"}}`, id)); a.status != http.StatusAccepted {
		t.Errorf("its own: %d %s", a.status, a.body)
	}
	if result := stream.next(); !strings.Contains(result.raw, "own") || server.got("STOLEN") {
		t.Errorf("result %s", result.raw)
	}
	// With its call the question is over.
	if a := asked.post(answer); a.status != http.StatusBadRequest {
		t.Errorf("after the call: %d", a.status)
	}
}

// Log messages come to who asked for them, with the call that they belong to.
func TestLogMessages(t *testing.T) {
	t.Parallel()
	w, _ := withAsking(t)
	quiet, loud := w.capable("asking", `{}`), w.capable("asking", `{}`)
	if a := loud.call("logging/setLevel", `{"level":"info"}`); a.status != http.StatusOK || !strings.Contains(a.body, `"result":{}`) {
		t.Fatalf("logging/setLevel: %s", a.body)
	}
	if a := loud.call("logging/setLevel", `{"level":"loud"}`); a.Error == nil || a.Error.Code != -32602 {
		t.Errorf("a level that there is not: %s", a.body)
	}
	if a := loud.tool("log", `{}`); len(a.messages) != 2 || !strings.Contains(a.messages[0], "wanted info") {
		t.Errorf("loud: %s", a.body)
	}
	if a := quiet.tool("log", `{}`); strings.Contains(a.body, "notifications/message") {
		t.Errorf("quiet: %s", a.body)
	}
}

func TestStreamOfNotifications(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t)
	c := w.capable("asking", `{}`)
	stream := c.open(c.request(nil, get))
	server.changes <- "notifications/tools/list_changed"
	if m := stream.next(); m == nil || m.Method != "notifications/tools/list_changed" {
		t.Fatalf("got %+v", m)
	}
	// Access that ends takes the stream along.
	if _, err := w.grants.RevokeGrant(t.Context(), c.grant, "test"); err != nil {
		t.Fatal(err)
	}
	w.handler.Recheck(t.Context())
	if m := stream.next(); m != nil {
		t.Errorf("after revocation: %s", m.raw)
	}

	// Salesforce offers none, and a client without a session gets none.
	sales := rep(w)
	if a := sales.send(sales.request(nil, get)); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST, DELETE" {
		t.Errorf("at Salesforce: %d %s", a.status, a.body)
	}
	sales.session = "x"
	if a := sales.send(sales.request(nil, get)); a.status != http.StatusNotFound {
		t.Errorf("no session: %d", a.status)
	}
	if len(w.entries("stream.open")) != 2 {
		t.Error("streams are not recorded")
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t)
	c := modern(w)
	c.grant, c.token = w.token(salesforcesim.RepID, "chatgpt", "asking")
	c.url = w.server.URL + "/mcp/asking"
	listen := func(c *client, filter string) *http.Request {
		return c.request(strings.NewReader(`{"jsonrpc":"2.0","id":"sub-1","method":"subscriptions/listen","params":{"notifications":`+filter+`,`+describedMeta+`}}`),
			func(r *http.Request) {
				r.Header.Set(versionHeader, statelessVersion)
				r.Header.Set("Mcp-Method", "subscriptions/listen")
			})
	}
	const marked = `"_meta":{"io.modelcontextprotocol/subscriptionId":"sub-1"}`
	stream := c.open(listen(c, `{"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":["test://x"]}`))
	if m := stream.next(); m == nil || m.Method != "notifications/subscriptions/acknowledged" ||
		string(m.Params) != `{"notifications":{"toolsListChanged":true},`+marked+`}` {
		t.Fatalf("acknowledged: %+v", m)
	}
	server.changes <- "notifications/prompts/list_changed" // not asked for
	server.changes <- "notifications/tools/list_changed"
	if m := stream.next(); m == nil || m.Method != "notifications/tools/list_changed" || !strings.Contains(string(m.Params), marked) {
		t.Errorf("notification: %+v", m)
	}
	// At Salesforce nothing will come, and that is acknowledged.
	sales := modern(w)
	empty := sales.open(listen(sales, `{"toolsListChanged":true}`))
	if m := empty.next(); m == nil || !strings.HasPrefix(string(m.Params), `{"notifications":{},`) {
		t.Errorf("at Salesforce: %+v", m)
	}
	// A proxy that shuts down ends the stream in good order.
	w.handler.Drain()
	for _, s := range []*events{stream, empty} {
		if m := s.next(); m == nil || string(m.ID) != `"sub-1"` || !strings.Contains(m.raw, `"resultType":"complete"`) || !strings.Contains(m.raw, `"io.modelcontextprotocol/subscriptionId":"sub-1"`) {
			t.Errorf("at the end: %+v", m)
		}
		if m := s.next(); m != nil {
			t.Errorf("after the end: %+v", m)
		}
	}
}

// One user cannot hold more streams than the bound.
func TestAV04StreamsAreBounded(t *testing.T) {
	t.Parallel()
	w, _ := withAsking(t)
	c := w.capable("asking", `{}`)
	for range limit.StreamsPerUser {
		c.open(c.request(nil, get))
	}
	if a := c.send(c.request(nil, get)); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("one more: %d %s", a.status, a.body)
	}
}

// A client hears that it is waited for while its call waits for its turn, and while the
// tool that needs an approval is looked up, not only once the call is sent.
func TestKeepAliveBeforeTheCallIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Limits.ConcurrentCalls = 1 })
	w.handler.quiet = 50 * time.Millisecond
	c := rep(w)
	waited := func(what string, a *answer) {
		t.Helper()
		if !strings.HasPrefix(a.body, ": wait\n\n") || a.Result == nil {
			t.Errorf("%s: %s", what, a.body)
		}
	}
	w.faults(func(f *salesforcesim.Switches) { f.InitializeDelay = salesforcesim.Duration(500 * time.Millisecond) })
	held := c.create(createAccount)
	w.wantHeld("a write", held)
	waited("while the tool was looked up", held)

	w.faults(func(f *salesforcesim.Switches) { f.AnswerDelay = salesforcesim.Duration(500 * time.Millisecond) })
	slow := make(chan *answer, 1)
	go func() { d := *c; slow <- d.tool("getUserInfo", `{}`) }()
	waitFor(t, func() bool { return len(w.forwarded()) == 1 })
	w.faults(func(f *salesforcesim.Switches) { f.AnswerDelay = 0 })
	waited("while it waited for its turn", c.tool("getUserInfo", `{}`))
	<-slow
}

// FW-36: a question that the hosted server has withdrawn takes no answer.
func TestFW36WithdrawnQuestion(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t, "elicitation")
	c := w.capable("asking", everything)
	c.ids++
	stream := c.open(c.request(strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"withdraw","arguments":{},"_meta":{"progressToken":1}}}`)))
	asked := stream.next()
	if m := stream.next(); m == nil || m.Method != "notifications/progress" {
		t.Fatalf("got %+v", m)
	}
	a := c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, asked.ID))
	if a.status != http.StatusBadRequest || server.got("accept") {
		t.Errorf("%d %s", a.status, a.body)
	}
	c.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	if m := stream.next(); m == nil || !strings.Contains(m.raw, "cancelled") {
		t.Errorf("at the end: %+v", m)
	}
}
