package mcpforward

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/examples/salesforcesim"
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
	if got := outcomes(w.entries("server.answer")); !cmp.Equal(got, []audit.Outcome{audit.OK, audit.OK, audit.OK, audit.OK}) {
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

// A request is answered by the session that was asked, and by no other: not of
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
	// With its call the request is over.
	if a := asked.post(answer); a.status != http.StatusBadRequest {
		t.Errorf("after the call: %d", a.status)
	}
}

// FW-36: a request that the hosted server has withdrawn takes no answer.
func TestFW36WithdrawnRequest(t *testing.T) {
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
