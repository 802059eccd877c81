package mcpforward

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/examples/salesforcesim"
)

// modern is a client of the stateless era: it opens no session.
func modern(w *world) *client {
	w.t.Helper()
	c := &client{world: w, url: w.server.URL + "/mcp/sales"}
	c.grant, c.token = w.token(salesforcesim.RepID, "chatgpt", "sales")
	return c
}

const describedMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"m","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

// ask makes a well-formed request of the stateless era; members is what params hold
// beside _meta.
func (c *client) ask(method, members string, change ...func(*http.Request)) *answer {
	c.t.Helper()
	params := `{` + describedMeta + `}`
	if members != "" {
		params = `{` + members + `,` + describedMeta + `}`
	}
	var named struct{ Name, URI string }
	if err := json.Unmarshal([]byte(params), &named); err != nil {
		c.t.Fatal(err)
	}
	return c.call(method, params, append([]func(*http.Request){func(r *http.Request) {
		r.Header.Set(versionHeader, statelessVersion)
		r.Header.Set("Mcp-Method", method)
		if name := named.Name + named.URI; name != "" {
			r.Header.Set("Mcp-Name", name)
		}
	}}, change...)...)
}

func TestStatelessEra(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := modern(w)

	var discovered struct {
		ResultType, CacheScope, Instructions string
		SupportedVersions                    []string
		Capabilities                         map[string]any
		TTLMs                                *int                                             `json:"ttlMs"`
		Meta                                 map[string]struct{ Name, Title, Version string } `json:"_meta"`
	}
	a := c.ask("server/discover", "")
	if err := json.Unmarshal([]byte(resultOf(t, a)), &discovered); err != nil {
		t.Fatal(err)
	}
	if discovered.ResultType != "complete" || discovered.CacheScope != "private" || discovered.TTLMs == nil || *discovered.TTLMs < 0 || discovered.Instructions == "" ||
		!cmp.Equal(discovered.SupportedVersions, []string{"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}) || discovered.Capabilities["tools"] == nil ||
		discovered.Meta["io.modelcontextprotocol/serverInfo"].Title != "Title of sales" {
		t.Errorf("server/discover: %s", a.body)
	}
	if a.header.Get(sessionHeader) != "" {
		t.Error("a session was opened for a client that wants none")
	}
	if n := w.reached(); n != 0 {
		t.Errorf("server/discover made %d requests to Salesforce", n)
	}

	a = c.ask("tools/list", "")
	for _, part := range []string{`"resultType":"complete"`, `"cacheScope":"private"`, `"ttlMs":`, `"io.modelcontextprotocol/serverInfo"`, `"readOnlyHint":true`} {
		if !strings.Contains(a.body, part) {
			t.Errorf("tools/list lacks %s: %.300s", part, a.body)
		}
	}
	if len(a.Result.Tools) != 9 {
		t.Errorf("tools/list: %d tools", len(a.Result.Tools))
	}
	a = c.ask("tools/call", `"name":"soqlQuery","arguments":{"q":"SELECT Name FROM Account LIMIT 2"}`)
	if a.failed() || !strings.Contains(a.text(), "Northwind") || !strings.Contains(a.body, `"resultType":"complete"`) || strings.Contains(a.body, "ttlMs") {
		t.Errorf("tools/call: %s", a.body)
	}
	// The session that a stateless client happens to name is ignored, not looked for.
	if a := c.ask("tools/list", "", func(r *http.Request) { r.Header.Set(sessionHeader, "x") }); a.status != http.StatusOK {
		t.Errorf("with a session id: %d %s", a.status, a.body)
	}
	// What describes the client is for us; Salesforce's server knows other versions.
	for _, r := range w.sim.Requests(salesforcesim.RequestFilter{Path: "/platform/mcp/"}) {
		if strings.Contains(r.Body, "2026-07-28") || strings.Contains(r.Body, "clientCapabilities") || r.Header.Get("Mcp-Method") != "" {
			t.Errorf("Salesforce was sent %v %s", r.Header, r.Body)
		}
	}
}

// A write of a stateless client is held, approved and spent as any other.
func TestStatelessWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := modern(w)
	create := `"name":"createSobjectRecord","arguments":` + createAccount
	if a := c.ask("tools/call", create); !a.failed() || !strings.Contains(a.text(), "/approvals/") {
		t.Fatalf("not held: %s", a.body)
	}
	w.decide(true)
	for range 2 {
		if a := c.ask("tools/call", create); a.failed() {
			t.Errorf("approved: %s", a.body)
		}
	}
	if n := w.accounts("Nimbus"); n != 1 {
		t.Errorf("%d accounts", n)
	}
}

func resultOf(t *testing.T, a *answer) string {
	t.Helper()
	var m struct{ Result json.RawMessage }
	if err := json.Unmarshal([]byte(a.body), &m); err != nil || a.status != http.StatusOK || m.Result == nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return string(m.Result)
}

// Headers repeat the body and have to agree with it; each way to differ has its code.
func TestStatelessRequestsMustAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := modern(w)
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) {
			if r.Header.Del(name); len(values) > 0 {
				r.Header[http.CanonicalHeaderKey(name)] = values
			}
		}
	}
	query := `"name":"soqlQuery","arguments":{"q":"SELECT Id FROM Account LIMIT 1"}`
	for name, tc := range map[string]struct {
		a      *answer
		status int
		code   int
	}{
		"no version header":           {c.ask("tools/list", "", set(versionHeader)), 400, -32020},
		"other version header":        {c.ask("tools/list", "", set(versionHeader, "2025-11-25")), 400, -32020},
		"two version headers":         {c.ask("tools/list", "", set(versionHeader, statelessVersion, statelessVersion)), 400, -32020},
		"no method header":            {c.ask("tools/list", "", set("Mcp-Method")), 400, -32020},
		"other method header":         {c.ask("tools/list", "", set("Mcp-Method", "tools/call")), 400, -32020},
		"method in other case":        {c.ask("tools/list", "", set("Mcp-Method", "Tools/List")), 400, -32020},
		"no name header":              {c.ask("tools/call", query, set("Mcp-Name")), 400, -32020},
		"other name header":           {c.ask("tools/call", query, set("Mcp-Name", "find")), 400, -32020},
		"name in other case":          {c.ask("tools/call", query, set("Mcp-Name", "SOQLQuery")), 400, -32020},
		"two name headers":            {c.ask("tools/call", query, set("Mcp-Name", "soqlQuery", "find")), 400, -32020},
		"bad Base64":                  {c.ask("tools/call", query, set("Mcp-Name", "=?base64?c29xbFF1ZXJ5!?=")), 400, -32020},
		"name encoded":                {c.ask("tools/call", query, set("Mcp-Name", "=?base64?c29xbFF1ZXJ5?=")), 200, 0},
		"no uri header":               {c.ask("resources/read", `"uri":"ui://x"`, set("Mcp-Name")), 400, -32020},
		"no name in the message":      {c.ask("tools/call", `"arguments":{}`, set("Mcp-Name", "soqlQuery")), 200, -32602},
		"unknown method":              {c.ask("tools/Call", ""), 404, -32601},
		"initialize":                  {c.ask("initialize", `"protocolVersion":"2026-07-28","capabilities":{}`), 404, -32601},
		"ping":                        {c.ask("ping", ""), 404, -32601},
		"logging/setLevel":            {c.ask("logging/setLevel", `"level":"info"`), 404, -32601},
		"unknown tool":                {c.ask("tools/call", `"name":"deleteSobjectRecord","arguments":{}`), 200, -32602},
		"input that nobody asked for": {c.ask("tools/call", query+`,"requestState":"x","inputResponses":{}`), 200, -32602},

		"no _meta":         {c.call("tools/list", `{}`, set(versionHeader, statelessVersion), set("Mcp-Method", "tools/list")), 400, -32602},
		"no capabilities":  {c.call("tools/list", `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`, set(versionHeader, statelessVersion), set("Mcp-Method", "tools/list")), 400, -32602},
		"version a number": {c.call("tools/list", `{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}`, set(versionHeader, statelessVersion)), 400, -32602},
		"bare discover":    {c.call("server/discover", `{}`), 400, -32602},
		"future version":   {c.call("server/discover", strings.ReplaceAll(`{`+describedMeta+`}`, "2026-07-28", "2099-01-01"), set(versionHeader, "2099-01-01")), 400, -32022},
		"unknown version":  {c.call("tools/list", `{}`, set(versionHeader, "2025-03-27")), 400, -32022},
		"no version":       {c.call("tools/list", `{}`, set(versionHeader, "x")), 400, -32022},
		"bad log level":    {c.call("tools/list", strings.Replace(`{`+describedMeta+`}`, `"_meta":{`, `"_meta":{"io.modelcontextprotocol/logLevel":"loud",`, 1), set(versionHeader, statelessVersion), set("Mcp-Method", "tools/list")), 400, -32602},
	} {
		code := 0
		if tc.a.Error != nil {
			code = tc.a.Error.Code
		}
		if tc.a.status != tc.status || code != tc.code || string(tc.a.ID) == "null" {
			t.Errorf("%s: %d %s", name, tc.a.status, tc.a.body)
		}
		if tc.code == -32022 && !strings.Contains(tc.a.body, `"data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"`) {
			t.Errorf("%s: the versions that are supported are not told: %s", name, tc.a.body)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		r := c.request(nil, func(r *http.Request) { r.Method = method }, set(versionHeader, statelessVersion))
		if a := c.send(r); a.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, a.status)
		}
	}
	if got := w.forwarded(); !cmp.Equal(got, []string{"soqlQuery"}) {
		t.Errorf("forwarded %v", got)
	}
}

// Headers that say something else than the message are a trick on whoever reads only them.
func TestHeaderMismatchIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := modern(w)
	c.ask("tools/call", `"name":"createSobjectRecord","arguments":{}`, func(r *http.Request) { r.Header.Set("Mcp-Name", "getUserInfo") })
	got := w.entries("request.refuse")
	if len(got) != 1 || got[0].Outcome != "denied" || !strings.Contains(got[0].Reason, "Mcp-Name") || w.reached() != 0 {
		t.Errorf("recorded %+v", got)
	}
}

// Both eras are served at one address, at the same time, to one client.
func TestBothErasAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	for range 3 {
		if a := c.call("tools/list", `{}`); a.failed() || strings.Contains(a.body, "resultType") {
			t.Errorf("with a session: %s", a.body)
		}
		if a := c.ask("tools/list", ""); a.failed() || !strings.Contains(a.body, "resultType") {
			t.Errorf("without one: %s", a.body)
		}
	}
}

func TestHeaderValue(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"soqlQuery": "soqlQuery", "a b\tc": "a b\tc", "=?base64?SGVsbG8sIOS4lueVjA==?=": "Hello, 世界", "=?base64?IHBhZGRlZCA=?=": " padded ",
		"=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=": "=?base64?literal?=", "=?BASE64?eA==?=": "=?BASE64?eA==?=", "=?base64?x": "=?base64?x", "=?base64??=": "",
	} {
		if got, ok := headerValue(in); !ok || got != want {
			t.Errorf("headerValue(%q) = %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "é", "a\x00", "a\r\nb", "=?base64?%?=", "=?base64?eA?=", "=?base64?eB==?=", "=?base64?/w==?=", "=?base64?e\nA==?="} {
		if got, ok := headerValue(in); ok {
			t.Errorf("headerValue(%q) = %q", in, got)
		}
	}
}

// A header that is accepted stands for one text, and no encoding of another is accepted
// for it.
func FuzzHeaderValue(f *testing.F) {
	for _, s := range []string{"x", "=?base64?eA==?=", "=?base64??=", "=?base64?eB==?=", "é", "=?base64?=?base64?"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, ok := headerValue(s)
		if !ok {
			return
		}
		if strings.ContainsAny(s, "\r\n\x00") {
			t.Errorf("%q was accepted", s)
		}
		if again, ok := headerValue(encodedHeader(text)); !ok || again != text {
			t.Errorf("%q stands for %q, which encodes to %q", s, text, encodedHeader(text))
		}
	})
}

// encodedHeader is the encoding of the specification, with Base64 always.
func encodedHeader(text string) string {
	b, _ := json.Marshal([]byte(text))
	return fmt.Sprintf("=?base64?%s?=", strings.Trim(string(b), `"`))
}

// Arguments must not be repeated in headers, where every log on the way would see them.
func TestArgumentsAreNotMirrored(t *testing.T) {
	t.Parallel()
	const schema = `{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"x-mcp-header":{"type":"string"},
		"deep":{"type":"object","properties":{"id":{"type":"integer","x-mcp-header":"Id"}}},"anything":true}}`
	const want = `{"type":"object","properties":{"region":{"type":"string"},"x-mcp-header":{"type":"string"},"deep":{"type":"object","properties":{"id":{"type":"integer"}}},"anything":true}}`
	if got := string(withoutHeaderMarks([]byte(schema))); got != want {
		t.Errorf("got %s", got)
	}
}

// An error keeps its code and data when an event stream has begun before it.
func TestErrorInAStreamKeepsItsCode(t *testing.T) {
	t.Parallel()
	w, _ := withAsking(t)
	c := modern(w)
	c.grant, c.token = w.token(salesforcesim.RepID, "chatgpt", "asking")
	c.url = w.server.URL + "/mcp/asking"
	a := c.ask("tools/call", `"name":"lack","arguments":{}`, func(r *http.Request) {
		body := strings.Replace(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"lack","arguments":{},`+describedMeta+`}}`,
			`"_meta":{`, `"_meta":{"progressToken":1,`, 1)
		*r = *c.request(strings.NewReader(body), func(again *http.Request) { again.Header = r.Header })
	})
	if len(a.messages) != 2 || a.Error == nil || a.Error.Code != int(missingCapability) || !strings.Contains(a.body, `"data":{"requiredCapabilities":{"elicitation":{}}}`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A hosted server without resources or prompts is one that has none: its capabilities say
// that there may be some, so the method is not unknown.
func TestServerWithoutResourcesHasNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Servers[1].Policy = allowAll() })
	c := w.connect(salesforcesim.RepID, "chatgpt", "reads")
	for method, params := range map[string]string{"resources/read": `{"uri":"ui://widget/x"}`, "prompts/get": `{"name":"accountReviewBriefing"}`} {
		a := c.call(method, params)
		if a.Error == nil || a.Error.Code != -32602 || !strings.HasPrefix(a.Error.Message, "Unknown ") {
			t.Errorf("%s: %s", method, a.body)
		}
	}
	if n := len(w.entries("resource.read")); n != 2 {
		t.Errorf("%d entries", n)
	}
}
