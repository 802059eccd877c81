package mcpforward

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/examples/salesforcesim"
)

func TestInitialize(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := &client{world: w, url: w.server.URL + "/mcp/sales"}
	_, c.token = w.token(salesforcesim.RepID, "chatgpt", "sales")
	for asked, want := range map[string]string{
		"2025-06-18": "2025-06-18", "2025-11-25": "2025-11-25", "2026-07-28": "2025-11-25", "": "2025-11-25",
		"2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26", // C2: their clients end a connection that has another version
		"2024-10-07": "2025-11-25", "2099-01-01": "2025-11-25",
	} {
		a := c.call("initialize", `{"protocolVersion":"`+asked+`","capabilities":{},"clientInfo":{"name":"x","version":"1"}}`)
		if a.status != http.StatusOK || a.Result.ProtocolVersion != want {
			t.Errorf("asked for %q: %d %s", asked, a.status, a.body)
		}
		if id := a.header.Get(sessionHeader); len(id) < 22 || strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
			t.Errorf("session id %q", id)
		}
		for _, part := range []string{`"tools":{}`, `"prompts":{}`, `"resources":{}`, `"name":"sfmcp-proxy"`, `"title":"Title of sales"`} {
			if !strings.Contains(a.body, part) {
				t.Errorf("initialize lacks %s: %s", part, a.body)
			}
		}
	}
	if a := c.call("initialize", `{}`); a.Error == nil || a.Error.Code != -32602 {
		t.Errorf("initialize without a version: %s", a.body)
	}
	if n := len(w.sim.Requests(salesforcesim.RequestFilter{Path: "/platform/mcp/"})); n != 0 {
		t.Errorf("initialize made %d requests to Salesforce", n)
	}
}

func TestIDsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	for _, id := range []string{`0`, `9007199254740993`, `-1`, `"a\u0062\/"`, `""`, `"1"`} {
		for _, method := range []string{"ping", "tools/list", "no/such"} {
			a := c.post(`{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `"}`)
			if string(a.ID) != id {
				t.Errorf("%s: id %s came back as %s", method, id, a.ID)
			}
		}
	}
}

func TestReadAndList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	c.call("tools/list", `{}`) // the first lists have entries of their own
	c.call("prompts/list", `{}`)
	before := len(w.entries(""))
	a := c.tool("soqlQuery", `{"q":"SELECT Id, Name FROM Account LIMIT 2"}`)
	if a.failed() || !strings.Contains(a.text(), `"totalSize":2.0`) || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("soqlQuery: %s", a.body)
	}
	if a.Result.Meta["salesforce/toolTags"] == nil {
		t.Errorf("Salesforce's _meta is gone: %s", a.body)
	}
	a = c.call("tools/list", `{}`)
	want := []string{"createSobjectRecord", "find", "getObjectSchema", "getRelatedRecords", "getUserInfo", "listRecentSobjectRecords",
		"soqlQuery", "updateRelatedRecord", "updateSobjectRecord"}
	if diff := cmp.Diff(want, names(a.Result.Tools, "name")); diff != "" {
		t.Errorf("listed tools (deletes are denied): %s", diff)
	}
	a = c.call("prompts/list", `{}`)
	if diff := cmp.Diff([]string{"accountReviewBriefing", "revenueReconciliationAnalysis"}, names(a.Result.Prompts, "name")); diff != "" {
		t.Errorf("listed prompts: %s", diff)
	}
	// Salesforce has no resources on this server and answers -32601.
	if a = c.call("resources/list", `{}`); a.Error != nil || a.Result.Resources == nil || len(a.Result.Resources) != 0 {
		t.Errorf("resources/list: %s", a.body)
	}
	if diff := cmp.Diff([]audit.Outcome{audit.Intent, audit.OK}, outcomes(w.entries("tool.call"))); diff != "" {
		t.Error(diff)
	}
	for _, e := range w.entries("")[before:] {
		if e.Outcome != audit.Intent && e.IntentSeq != e.Seq-1 {
			t.Errorf("entry %d answers intent %d", e.Seq, e.IntentSeq)
		}
	}
}

// Hints are explicit and ours, whatever Salesforce says (FW-21).
func TestFW21LyingAnnotations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.switches(func(f *salesforcesim.Switches) { f.Annotations = "lying" })
	c := rep(w)
	type hints struct{ readOnly, destructive, idempotent, openWorld any }
	got := map[string]hints{}
	for _, tool := range c.call("tools/list", `{}`).Result.Tools {
		a, _ := tool["annotations"].(map[string]any)
		got[tool["name"].(string)] = hints{a["readOnlyHint"], a["destructiveHint"], a["idempotentHint"], a["openWorldHint"]}
	}
	for name, want := range map[string]hints{
		"soqlQuery":           {true, false, true, false},
		"createSobjectRecord": {false, false, false, false},
		"updateSobjectRecord": {false, true, true, false},
	} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
	if a := c.tool("createSobjectRecord", createAccount); !strings.Contains(a.text(), "approval") || len(w.forwarded()) > 0 {
		t.Errorf("a write that is called read-only: %s", a.body)
	}
}

// FW-21: nor in other spellings, which a client that reads names in any case would take instead.
func TestFW21LyingAnnotationsInOtherSpellings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	lie := map[string]any{"readOnlyHint": true, "destructiveHint": false}
	w.redefine(salesforcesim.DefinitionChange{Name: "createSobjectRecord", Merge: map[string]any{
		"Annotations": lie, "ANNOTATIONS": lie, "\uff41nnotations": lie, "Name": "getUserInfo", "inputschema": map[string]any{"type": "object"}, "vendor": "stays",
	}})
	c := rep(w)
	for _, tool := range c.call("tools/list", `{}`).Result.Tools {
		if tool["name"] != "createSobjectRecord" {
			continue
		}
		for member := range tool {
			if !slices.Contains([]string{"name", "title", "description", "inputSchema", "outputSchema", "annotations", "_meta", "vendor"}, member) {
				t.Errorf("the client gets %s: %v", member, tool[member])
			}
		}
		if tool["vendor"] != "stays" {
			t.Error("what nobody reads otherwise is gone")
		}
		return
	}
	t.Error("the tool is not listed")
}

func TestPromptsAndResources(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, custom := rep(w), w.connect(salesforcesim.RepID, "chatgpt", "custom")
	listed := c.call("prompts/list", `{}`)
	arguments := map[string]string{}
	for _, p := range listed.Result.Prompts {
		list, _ := p["arguments"].([]any)
		var parts []string
		for _, a := range list {
			parts = append(parts, `"`+a.(map[string]any)["name"].(string)+`":"001Hs0000000001IAA"`)
		}
		arguments[p["name"].(string)] = "{" + strings.Join(parts, ",") + "}"
	}
	if a := c.call("prompts/get", `{"name":"accountReviewBriefing","arguments":`+arguments["accountReviewBriefing"]+`}`); a.Error != nil {
		t.Errorf("an allowed prompt: %s", a.body)
	}
	// FW-29: prompts and resources are judged like tools.
	if a := c.call("prompts/get", `{"name":"revenueReconciliationAnalysis","arguments":{}}`); a.Error == nil || !strings.Contains(a.text(), "person") {
		t.Errorf("FW-29: a prompt that needs a person: %s", a.body)
	}
	reads := w.connect(salesforcesim.RepID, "chatgpt", "reads")
	if a := reads.call("prompts/get", `{"name":"flowBackedPrompt"}`); a.Error == nil || a.Error.Message != "Unknown prompt: flowBackedPrompt" {
		t.Errorf("FW-29: a denied prompt: %s", a.body)
	}
	if a := reads.call("resources/read", `{"uri":"file:///etc/passwd"}`); a.Error == nil || a.Error.Code != -32602 || !strings.HasPrefix(a.Error.Message, "Unknown resource: ") {
		t.Errorf("FW-29: a denied resource: %s", a.body)
	}
	if got := len(w.sim.Requests(salesforcesim.RequestFilter{RPC: "prompts/get"})); got != 1 {
		t.Errorf("%d prompts were asked for", got)
	}
	list := custom.call("resources/list", `{}`)
	if list.Error != nil || len(list.Result.Resources) == 0 {
		t.Fatalf("resources/list: %s", list.body)
	}
	uri := list.Result.Resources[0]["uri"].(string)
	if a := custom.call("resources/read", `{"uri":"`+uri+`"}`); a.Error != nil || !strings.Contains(a.body, uri) {
		t.Errorf("resources/read: %.300s", a.body)
	}
	if diff := cmp.Diff([]audit.Outcome{audit.Denied, audit.Intent, audit.OK}, outcomes(w.entries("resource.read"))); diff != "" {
		t.Error(diff)
	}
}

func TestProgressIsRelayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.switches(func(f *salesforcesim.Switches) {
		f.Framing, f.ProgressNotifications, f.ServerRequest = "sse", 3, "sampling/createMessage"
	})
	c := rep(w)
	params := `{"name":"getUserInfo","arguments":{},"_meta":{"progressToken":"mine"}}`
	a := c.call("tools/call", params)
	if a.header.Get("Content-Type") != "text/event-stream" || a.header.Get("X-Accel-Buffering") != "no" || len(a.messages) != 4 {
		t.Fatalf("%v %q", a.header, a.messages)
	}
	for _, m := range a.messages[:3] {
		if !strings.Contains(m, "notifications/progress") || !strings.Contains(m, `"progressToken":"mine"`) {
			t.Errorf("event %s", m)
		}
	}
	if a.failed() || string(a.ID) != "1" {
		t.Errorf("response %s", a.body)
	}
	onlyJSON := func(r *http.Request) { r.Header.Set("Accept", "application/json") }
	if a := c.call("tools/call", params, onlyJSON); a.header.Get("Content-Type") != "application/json" || a.failed() {
		t.Errorf("a client that takes JSON only: %v %s", a.header, a.body)
	}
	onlyStream := func(r *http.Request) { r.Header.Set("Accept", "text/event-stream") }
	if a := c.call("ping", `{}`, onlyStream); a.header.Get("Content-Type") != "text/event-stream" || len(a.messages) != 1 {
		t.Errorf("a client that takes event streams only: %v %s", a.header, a.body)
	}
	if a := c.call("ping", `{}`, func(r *http.Request) { r.Header.Set("Accept", "text/html") }); a.status != http.StatusNotAcceptable {
		t.Errorf("a client that takes neither: %d", a.status)
	}
}

// What clients put into _meta about their user does not reach Salesforce.
func TestMetaIsFiltered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	c.call("tools/call", `{"name":"getUserInfo","_meta":{"openai/userLocation":{"city":"CANARY"},"salesforce/x":1,"progressToken":0,"io.modelcontextprotocol/ui":{"x":"kept"},"io.modelcontextprotocol/related-task":{"taskId":"CANARY"},"other":"CANARY"}}`)
	got := w.sim.Requests(salesforcesim.RequestFilter{Tool: "getUserInfo"})
	if len(got) != 1 || strings.Contains(got[0].Body, "CANARY") || !strings.Contains(got[0].Body, `"salesforce/x":1`) ||
		!strings.Contains(got[0].Body, "kept") || !strings.Contains(got[0].Body, `"arguments":{}`) {
		t.Errorf("sent %+v", got)
	}
}

func TestStopModes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	stop := func(s access.Stop) {
		if err := w.handler.Access.SetStop(t.Context(), s, "test"); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *answer { return c.tool("getUserInfo", `{}`) }
	write := func() *answer { return c.tool("createSobjectRecord", createAccount) }
	stop(access.StopWrites)
	if a := write(); !a.failed() || a.text() != textStopWrites {
		t.Errorf("stop writes, write: %s", a.body)
	}
	if a := read(); a.failed() {
		t.Errorf("stop writes, read: %s", a.body)
	}
	stop(access.StopAll)
	before := w.reached()
	if a := read(); !a.failed() || a.text() != textStopAll {
		t.Errorf("stop all, read: %s", a.body)
	}
	if a := c.call("tools/list", `{}`); a.Error == nil || a.Error.Message != textStopAll {
		t.Errorf("stop all, list: %s", a.body)
	}
	if a := c.call("ping", `{}`); a.Error != nil {
		t.Errorf("stop all, ping: %s", a.body)
	}
	c.initialize()
	if after := w.reached(); after != before {
		t.Errorf("stopped, and %d requests reached Salesforce", after-before)
	}
	stop(access.StopOff)
	if a := read(); a.failed() {
		t.Errorf("stop off: %s", a.body)
	}
}

// D15: sessions that are opened and closed in a loop count against the limits of the user,
// so that nobody makes every process read anew without end whom it lets in.
func TestD15SessionsOpenedAndClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Limits, c.Now = Limits{CallsPerMinute: 12}, standingStill() })
	c, other := rep(w), w.connect(salesforcesim.ManagerID, "chatgpt", "sales")
	epoch := func() (n int) {
		if err := w.db.Reads.QueryRow(`SELECT value FROM epochs WHERE name = 'access'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	closing := func(c *client) *answer {
		r := c.request(nil)
		r.Method = http.MethodDelete
		return c.send(r)
	}
	kept := *c
	kept.initialize()
	before := epoch()
	for range 12 {
		closing(c)
		a := c.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
		if id := a.header.Get(sessionHeader); id != "" {
			c.session = id
		} else if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
			t.Fatalf("%d %v %s", a.status, a.header, a.body)
		}
	}
	if rises := epoch() - before; rises != 5 { // of twelve, two opened sessions before
		t.Errorf("the access epoch rose %d times", rises)
	}
	if a := closing(&kept); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("closing one more: %d %s", a.status, a.body)
	}
	if a := kept.call("ping", `{}`); a.status != http.StatusOK {
		t.Errorf("a session that was not closed: %d", a.status)
	}
	if a := other.tool("getUserInfo", `{}`); a.failed() {
		t.Errorf("another user pays for it: %s", a.body)
	}
}

// standingStill is a clock under which no call is earned back, however slow the machine is.
func standingStill() func() time.Time {
	now := time.Now()
	return func() time.Time { return now }
}

func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Limits, c.Now = Limits{CallsPerMinute: 6}, standingStill() })
	c := rep(w) // one of six: initialize
	other := w.connect(salesforcesim.ManagerID, "chatgpt", "sales")
	var held []int
	for i := range 6 {
		if a := c.tool("getUserInfo", `{}`); a.failed() {
			held = append(held, i)
			if a.text() != textLimit {
				t.Errorf("over the limit: %s", a.body)
			}
		}
	}
	if !slices.Equal(held, []int{5}) {
		t.Errorf("refused calls: %v", held)
	}
	if a := c.call("tools/list", `{}`); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("a list over the limit: %d %s", a.status, a.body)
	}
	if a := other.tool("getUserInfo", `{}`); a.failed() {
		t.Errorf("another user pays for it (AV-04): %s", a.body)
	}
}

// A burst waits for its turn; not more than the limit is ever under way.
func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Limits = Limits{ConcurrentCalls: 2} })
	c := rep(w)
	w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
	answers := make(chan *answer)
	for i := range 3 {
		d := *c
		d.ids = 100 * i
		go func() { answers <- d.tool("getUserInfo", `{}`) }()
	}
	waitFor(t, func() bool { return len(w.forwarded()) == 2 })
	time.Sleep(100 * time.Millisecond) // the third would be there by now
	if n := len(w.forwarded()); n != 2 {
		t.Errorf("%d calls are under way", n)
	}
	w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
	for range 3 {
		if a := <-answers; a.failed() {
			t.Errorf("a call of the burst: %s", a.body)
		}
	}
}

func TestCloseSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	r := c.request(nil)
	r.Method = http.MethodDelete
	if a := c.send(r); a.status != http.StatusNoContent || a.body != "" {
		t.Errorf("DELETE: %d %s", a.status, a.body)
	}
	if a := c.call("ping", `{}`); a.status != http.StatusNotFound {
		t.Errorf("after DELETE: %d", a.status)
	}
	c.initialize()
	if a := c.call("ping", `{}`); a.status != http.StatusOK {
		t.Errorf("a new session: %d", a.status)
	}
	if _, err := w.db.Writes.ExecContext(t.Context(), `UPDATE mcp_sessions SET expires_at = 1`); err != nil {
		t.Fatal(err)
	}
	if a := c.call("ping", `{}`); a.status != http.StatusNotFound {
		t.Errorf("an expired session: %d", a.status)
	}
	if err := w.handler.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range sessionsPerGrant + 5 {
		c.session = ""
		c.initialize()
	}
	var n int
	if err := w.db.Reads.QueryRowContext(t.Context(), `SELECT count(*) FROM mcp_sessions`).Scan(&n); err != nil || n != sessionsPerGrant {
		t.Errorf("%d sessions are kept, %v", n, err)
	}
	if a := c.call("ping", `{}`); a.status != http.StatusOK {
		t.Errorf("the newest session: %d", a.status)
	}
}
