package mcpforward

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// wantMalformed checks HTTP 400 with a JSON-RPC error, and that nothing was forwarded.
func (c *client) wantMalformed(what, body string, codes ...int) {
	c.t.Helper()
	a := c.post(body)
	if a.status != http.StatusBadRequest || a.Error == nil || !slices.Contains(codes, a.Error.Code) || string(a.ID) != "null" {
		c.t.Errorf("%s: %d %s", what, a.status, a.body)
	}
	if n := c.reached(); n != 0 {
		c.t.Fatalf("%s: reached Salesforce", what)
	}
}

func TestFW01DuplicateMembers(t *testing.T) {
	t.Parallel()
	c := rep(newWorld(t, nil))
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"getUserInfo"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":{"name":"getUserInfo"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo"},"params":{"name":"deleteSobjectRecord"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","name":"deleteSobjectRecord"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","n\u0061me":"deleteSobjectRecord"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"soqlQuery","arguments":{"q":"SELECT Id FROM Account"},"arguments":{"q":"SELECT Id FROM User"}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"soqlQuery","arguments":{"q":"SELECT Id FROM User","q":"SELECT Id FROM Account"}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"createSobjectRecord","arguments":{"body":{"a":[{"b":1,"b":2}]}}}}`,
	} {
		c.wantMalformed(body, body, -32700, -32600)
	}
	entries := c.entries("request.refuse")
	if len(entries) != 8 || entries[0].Outcome != audit.Denied || !strings.HasPrefix(entries[0].Reason, "malformed: ") {
		t.Errorf("recorded %d: %+v", len(entries), entries)
	}
}

func TestFW02FW03LookalikeMembers(t *testing.T) {
	t.Parallel()
	c := rep(newWorld(t, nil))
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","PARAMS":{"name":"getUserInfo"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","Name":"deleteSobjectRecord"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","argumentſ":{}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","ｎame":"x"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","name\u0000":"deleteSobjectRecord"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","method\u0000":"ping","params":{"name":"getUserInfo"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","name ":"x"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","name\ufeff":"x"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","name\u200b":"x"}}`,
	} {
		c.wantMalformed(body, body, -32600)
	}
	if c.reached() != 0 {
		t.Errorf("%d requests reached Salesforce", c.reached())
	}
}

func TestFW06StructureBombs(t *testing.T) {
	t.Parallel()
	c := rep(newWorld(t, nil))
	call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo"}}`
	for what, body := range map[string]string{
		"depth":          `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}}}`,
		"invalid UTF-8":  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\xff\"}",
		"lone surrogate": `{"jsonrpc":"2.0","id":1,"method":"ping\ud800"}`,
		"BOM":            "\ufeff" + call,
		"UTF-16":         "{\x00\"\x00j\x00",
		"trailing":       call + `{}`,
		"NDJSON":         call + "\n" + call,
		"comment":        "/* */" + call,
		"empty":          "",
		"number":         "1",
	} {
		c.wantMalformed(what, body, -32700, -32600)
	}
	if a := c.post(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("above 1 MiB: %d", a.status)
	}
	var keys strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&keys, `"k%d":0,`, i)
	}
	if a := c.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nope","arguments":{` + strings.TrimSuffix(keys.String(), ",") + `}}}`); a.Error == nil {
		t.Errorf("many members: %d %.200s", a.status, a.body)
	}
	if a := c.post(call, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("Content-Encoding: %d", a.status)
	}
}

func TestFW07Batch(t *testing.T) {
	t.Parallel()
	c := rep(newWorld(t, nil))
	call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo"}}`
	for _, body := range []string{`[]`, `[` + call + `]`, `[` + call + `,` + call + `]`, " \n\t[" + call + `]`} {
		c.wantMalformed(body, body, -32600)
		for _, version := range []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
			if a := c.post(body, func(r *http.Request) { r.Header.Set(versionHeader, version) }); a.status != http.StatusBadRequest {
				t.Errorf("%s at %s: %d", body, version, a.status)
			}
		}
	}
}

// A request with members of the wrong type, or with input that nobody asked for, is refused;
// that it was made is recorded, as for one that is not even a message.
func TestFW01MalformedParamsAreRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	malformed := []struct{ method, params string }{
		{"tools/call", `{"name":"getUserInfo","inputResponses":{}}`}, {"tools/call", `{"name":["getUserInfo"]}`}, {"tools/call", `{"name":"getUserInfo","arguments":[]}`},
		{"tools/call", `{"name":"createSobjectRecord","arguments":{},"requestState":"approved"}`}, {"tools/list", `{"cursor":1}`},
		{"prompts/get", `{"name":{"x":"y"}}`}, {"resources/read", `{"uri":1}`}, {"completion/complete", `{"ref":[]}`},
	}
	for _, o := range malformed {
		if a := c.call(o.method, o.params); a.Error == nil || a.Error.Code != -32602 {
			t.Errorf("%s %s: %s", o.method, o.params, a.body)
		}
	}
	entries := w.entries("request.refuse")
	if len(entries) != len(malformed) || w.reached() != 0 {
		t.Fatalf("%d entries, %d requests reached Salesforce", len(entries), w.reached())
	}
	for i, e := range entries {
		if e.Object != malformed[i].method || e.Outcome != audit.Denied || !strings.HasPrefix(e.Reason, "malformed: ") {
			t.Errorf("recorded %+v", e)
		}
	}
}

func TestFW09UnknownMethods(t *testing.T) {
	t.Parallel()
	c := rep(newWorld(t, nil))
	for _, method := range []string{
		"tools/Call", "tools/call\\n", "tools/call ", " tools/call", "rpc.discover", "logging/SetLevel", "completion/Complete", "tasks/list", "tasks/get",
		"resources/subscribe", "sampling/createMessage", "elicitation/create", "roots/list", "notifications/initialized", "notifications/cancelled", "x",
	} {
		a := c.post(`{"jsonrpc":"2.0","id":7,"method":"` + method + `","params":{"name":"getUserInfo"}}`)
		if a.status != http.StatusOK || a.Error == nil || a.Error.Code != -32601 || string(a.ID) != "7" {
			t.Errorf("%s: %d %s", method, a.status, a.body)
		}
	}
	c.wantMalformed("numeric method", `{"jsonrpc":"2.0","id":1,"method":1}`, -32600)
	for what, body := range map[string]string{
		"call as notification":     `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"getUserInfo"}}`,
		"unknown notification":     `{"jsonrpc":"2.0","method":"notifications/elicitation/complete"}`,
		"uncorrelated result":      `{"jsonrpc":"2.0","id":1,"result":{}}`,
		"uncorrelated error":       `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`,
		"elicitation answer (AP)":  `{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"approved":true}}}`,
		"initialize, notification": `{"jsonrpc":"2.0","method":"initialize","params":{"protocolVersion":"2025-06-18"}}`,
	} {
		if a := c.post(body); a.status != http.StatusBadRequest || a.Error == nil {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	for _, known := range []string{"notifications/initialized", "notifications/cancelled", "notifications/progress", "notifications/roots/list_changed"} {
		if a := c.post(`{"jsonrpc":"2.0","method":"` + known + `"}`); a.status != http.StatusAccepted || a.body != "" {
			t.Errorf("%s: %d %s", known, a.status, a.body)
		}
	}
	if n := c.reached(); n != 0 {
		t.Errorf("%d requests reached Salesforce", n)
	}
}

func TestFW10ContentTypes(t *testing.T) {
	t.Parallel()
	c := rep(newWorld(t, nil))
	for _, types := range [][]string{
		{"application/json; charset=utf-16"}, {"application/json; charset=utf-8; x=y"}, {"application/json-rpc"}, {"multipart/form-data; boundary=x"},
		{"application/json, text/plain"}, {"application/json", "application/json"}, {""}, {}, {"text/json"}, {"application/json;charset"},
	} {
		a := c.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, func(r *http.Request) { r.Header["Content-Type"] = types })
		if a.status != http.StatusUnsupportedMediaType {
			t.Errorf("%q: %d", types, a.status)
		}
	}
	for _, good := range []string{"application/json", "application/json; charset=utf-8", `Application/JSON; charset="UTF-8"`} {
		if a := c.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, func(r *http.Request) { r.Header.Set("Content-Type", good) }); a.status != http.StatusOK {
			t.Errorf("%s: %d", good, a.status)
		}
	}
}

// raw sends bytes as they are and returns the statuses that come back: it waits for as many
// as are expected, and a moment for more, or until the proxy closes the connection.
func (c *client) raw(request string, expected int) (statuses []string) {
	c.t.Helper()
	conn, err := net.Dial("tcp", c.server.Listener.Addr().String())
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		c.t.Fatal(err)
	}
	for answers := bufio.NewReader(conn); ; {
		wait := time.Minute
		if len(statuses) >= expected {
			wait = 300 * time.Millisecond
		}
		conn.SetReadDeadline(time.Now().Add(wait))
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return statuses
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			c.t.Errorf("reading the body of an answer: %v", err)
		}
		resp.Body.Close()
		statuses = append(statuses, strconv.Itoa(resp.StatusCode))
	}
}

// FW-12: of every way in which two parsers could see different requests, one is seen or
// none. A way is refused with exactly these answers and reaches nobody; a connection that is
// closed without a word would look the same as one that the proxy never read. What follows a
// body in chunks on the same connection is the edge's to drop (TestFW12OtherProtocols…).
func TestFW12Smuggling(t *testing.T) {
	t.Parallel()
	c := rep(newWorld(t, nil))
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","arguments":{}}}`
	head := func(more string) string {
		return "POST /mcp/sales HTTP/1.1\r\nHost: " + c.server.Listener.Addr().String() + "\r\nAuthorization: Bearer " + c.token +
			"\r\nMcp-Session-Id: " + c.session + "\r\nContent-Type: application/json\r\n" + more + "\r\n"
	}
	whole := head(fmt.Sprintf("Content-Length: %d\r\n", len(body))) + body
	chunk := func(extension string) string {
		return head("Transfer-Encoding: chunked\r\n") + fmt.Sprintf("%x%s\r\n", len(body), extension) + body + "\r\n0\r\n\r\n"
	}
	for what, try := range map[string]struct {
		request string
		want    string // the statuses, in order
		reaches int    // calls that reach Salesforce
	}{
		"as it should be":      {whole, "200", 1},
		"in chunks":            {chunk(""), "200", 1},
		"one after another":    {whole + whole, "200 200", 2},
		"CL and TE":            {head(fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", len(body))) + "0\r\n\r\n" + body, "400", 0},
		"TE and CL":            {head("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n") + fmt.Sprintf("%x\r\n", len(body)) + body + "\r\n0\r\n\r\n", "200", 1}, // the length is not looked at (RFC 9112 6.3)
		"obfuscated TE":        {head("Transfer-Encoding: xchunked\r\n") + body, "501", 0},
		"TE with a space":      {head("Transfer-Encoding : chunked\r\n") + body, "400", 0},
		"two TE":               {head("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n") + body, "501", 0},
		"TE of several":        {head("Transfer-Encoding: gzip, chunked\r\n") + body, "501", 0},
		"folded TE":            {strings.Replace(chunk(""), "Encoding: ", "Encoding:\r\n ", 1), "200", 1}, // one line, as of old (RFC 9112 5.2)
		"duplicate CL":         {head(fmt.Sprintf("Content-Length: 5\r\nContent-Length: %d\r\n", len(body))) + body, "400", 0},
		"CL with a sign":       {head(fmt.Sprintf("Content-Length: +%d\r\n", len(body))) + body, "400", 0},
		"CL in a list":         {head(fmt.Sprintf("Content-Length: %d, 5\r\n", len(body))) + body, "400", 0},
		"short CL":             {head("Content-Length: 5\r\n") + body, "400", 0},
		"bare LF in chunk":     {chunk(";a\nb"), "400", 0},
		"chunk of no size":     {head("Transfer-Encoding: chunked\r\n") + "\r\n" + body + "\r\n0\r\n\r\n", "400", 0},
		"chunk size of a sign": {head("Transfer-Encoding: chunked\r\n") + fmt.Sprintf("+%x\r\n", len(body)) + body + "\r\n0\r\n\r\n", "400", 0},
		"two hosts":            {strings.Replace(whole, "Host:", "Host: evil.example\r\nHost:", 1), "400", 0},
		"h2c upgrade":          {head("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: 0\r\n"), "400", 0},
		"HTTP/2 in the clear":  {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "404", 0},
	} {
		c.sim.ForgetRequests(salesforcesim.RequestFilter{})
		if got := strings.Join(c.raw(try.request, len(strings.Fields(try.want))), " "); got != try.want {
			t.Errorf("%s: answers %q, want %q", what, got, try.want)
		}
		if got := c.forwarded(); len(got) != try.reaches {
			t.Errorf("%s: reached Salesforce %d times, want %d", what, len(got), try.reaches)
		}
	}
}

func TestFW13FW14Headers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	a := c.tool("getUserInfo", `{}`, func(r *http.Request) {
		for i := range 50 {
			r.Header.Set(fmt.Sprintf("X-Random-%d", i), "CANARY")
		}
		for _, name := range []string{"Cookie", "Proxy-Authorization", "X-Api-Key", "Te", "Traceparent", "X-Request-Id", "Forwarded", "Mcp-Name"} {
			r.Header.Set(name, "CANARY")
		}
		r.Header["Connection"] = []string{"", "close, Authorization, X-Request-Id, Content-Type, Mcp-Session-Id"}
	})
	if a.failed() {
		t.Fatalf("%s", a.body)
	}
	allowed := []string{"Accept", "Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "Mcp-Protocol-Version", "Mcp-Session-Id", "User-Agent"}
	for _, r := range w.sim.Requests(salesforcesim.RequestFilter{Path: "/platform/mcp/"}) {
		for name, values := range r.Header {
			if !slices.Contains(allowed, name) || len(values) != 1 || strings.Contains(values[0], "CANARY") {
				t.Errorf("header %s: %q reached Salesforce", name, values)
			}
		}
		if strings.Contains(r.RawAuthorization, c.token) || !strings.HasPrefix(r.RawAuthorization, "Bearer ") {
			t.Errorf("Authorization at Salesforce: %s", r.RawAuthorization)
		}
		if r.RPC == "tools/call" && (r.Header.Get(sessionHeader) == "" || r.Header.Get(sessionHeader) == c.session) {
			t.Errorf("session at Salesforce: %q", r.Header.Get(sessionHeader))
		}
	}
	// Nothing of Salesforce's headers comes back (FW-39).
	for name := range a.header {
		if !slices.Contains([]string{"Cache-Control", "Connection", "Content-Length", "Content-Type", "Date", "X-Content-Type-Options"}, name) {
			t.Errorf("header %s of the answer", name)
		}
	}
}

func TestFW15PathAndQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	if a := c.tool("getUserInfo", `{}`, func(r *http.Request) {
		r.URL.RawQuery = "_HttpMethod=DELETE&path=/../x&" + strings.Repeat("a=b&", 5000)
	}); a.failed() {
		t.Errorf("a query string: %d %s", a.status, a.body)
	}
	for _, r := range w.sim.Requests(salesforcesim.RequestFilter{Path: "/platform/mcp/"}) {
		if r.Path != "/platform/mcp/v1/platform/sobject-all" || r.Query != "" || "http://"+r.Host != w.sim.BaseURL() {
			t.Errorf("sent to %s%s?%s", r.Host, r.Path, r.Query)
		}
	}
	n := w.reached()
	for _, line := range []string{"GET http://evil.example/ HTTP/1.1", "POST http://evil.example/mcp/sales HTTP/1.1", "POST /mcp/sales/../../services/data HTTP/1.1"} {
		request := line + "\r\nHost: " + c.server.Listener.Addr().String() + "\r\nAuthorization: Bearer " + c.token + "\r\nContent-Length: 0\r\n\r\n"
		if got := c.raw(request, 1); len(got) != 1 || got[0][0] != '4' {
			t.Errorf("%s: %v", line, got)
		}
	}
	if w.reached() != n {
		t.Error("a path of the client's reached Salesforce")
	}
}

func TestFW16DeniedByArguments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	a := c.tool("soqlQuery", `{"q":"SELECT Id, Username FROM User LIMIT 1"}`)
	w.wantDenied("a denied object", a)
	if a.Error != nil || !a.Result.IsError || a.text() == "" || strings.Contains(a.text(), "rule 3") || strings.Contains(a.text(), "Profile") {
		t.Errorf("what is told: %s", a.body)
	}
	for _, arguments := range []string{`{"q":1}`, `{}`, `{"q":"garbage"}`, `{"q":null}`} {
		w.wantDenied(arguments, c.tool("soqlQuery", arguments))
	}
	for _, params := range []string{`{"name":"soqlQuery","arguments":[]}`, `{"name":"soqlQuery","arguments":7}`, `{"name":"soqlQuery","arguments":"x"}`, `{"name":1}`, `{"name":""}`, `{}`, `{"name":null}`} {
		if a := c.call("tools/call", params); a.Error == nil || a.Error.Code != -32602 {
			t.Errorf("%s: %s", params, a.body)
		}
	}
	if got := w.forwarded(); len(got) != 0 {
		t.Errorf("forwarded %v", got)
	}
}

func TestFW18EmptyPolicy(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*policy.Policy{
		"no rules":       {Name: "empty"},
		"empty tools":    {Name: "empty", Rules: []policy.Rule{{Effect: policy.Allow, Tools: []string{}}}},
		"unknown effect": {Name: "odd", Rules: []policy.Rule{{Effect: "permit"}}},
		"no effect":      {Name: "odd", Rules: []policy.Rule{{}}},
		"deny first":     {Name: "deny", Rules: []policy.Rule{{Effect: policy.Deny, Tools: []string{"*"}}, {Effect: policy.Allow}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *setup) { c.Servers[0].Policy = p })
			c := rep(w)
			w.wantDenied("call", c.tool("getUserInfo", `{}`))
			if a := c.call("tools/list", `{}`); a.Error != nil || len(a.Result.Tools) != 0 {
				t.Errorf("listed: %s", a.body)
			}
		})
	}
}

func TestFW40Verbs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodOptions, http.MethodTrace, "BREW"} {
		r := c.request(nil)
		r.Method = method
		if a := c.send(r); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST, GET, DELETE" {
			t.Errorf("%s: %d, Allow %q", method, a.status, a.header.Get("Allow"))
		}
	}
	if n := w.reached(); n != 0 {
		t.Errorf("%d requests reached Salesforce", n)
	}
}
