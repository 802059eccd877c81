package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// chatGPT sends messages as captures show ChatGPT to send them: testdata/chatgpt has
// what it says over a session and without one, a message a line. What it tells about
// its user is marked "canary".
type chatGPT struct {
	*mcpClient
	version string // of its MCP-Protocol-Version header
}

// script reads the messages of a fixture.
func script(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "chatgpt", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// say sends a message, with the headers that repeat it.
func (g *chatGPT) say(message string) (r reply) {
	g.d.t.Helper()
	var said struct {
		Method string
		Params struct{ Name string }
	}
	if err := json.Unmarshal([]byte(message), &said); err != nil {
		g.d.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(g.d.t.Context(), http.MethodPost, g.url, strings.NewReader(message))
	if err != nil {
		g.d.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "User-Agent": "openai-mcp/1.0.0",
		"Authorization": "Bearer " + g.access, "Mcp-Protocol-Version": g.version, "Mcp-Session-Id": g.session,
		"Mcp-Method": said.Method, "Mcp-Name": said.Params.Name,
		"X-OpenAI-Session": "canary-session", "X-OpenAI-Subject": "canary-subject", "Traceparent": "00-canary-trace-01", "Cookie": "canary=cookie",
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r.Status, r.Header, r.body = resp.StatusCode, resp.Header, string(body)
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &r)
	}
	if err != nil {
		g.d.t.Fatalf("%s: %v in %q", said.Method, err, body)
	}
	return r
}

// chat says the last four messages of a script: it lists, reads, is held, and repeats
// what was held under another id once a person approved it.
func (g *chatGPT) chat(messages []string) {
	t := g.d.t
	t.Helper()
	list := g.say(messages[0])
	if tools := list.tools(); list.Status != http.StatusOK || !slices.Contains(tools, "soqlQuery") || slices.Contains(tools, "deleteSobjectRecord") {
		t.Errorf("tools/list: %d %s", list.Status, list.body)
	}
	// Without the hints it takes a tool for one that writes.
	for _, tool := range list.Result.Tools {
		for _, hint := range []string{"readOnlyHint", "destructiveHint", "openWorldHint"} {
			if _, ok := tool.Annotations[hint]; !ok {
				t.Errorf("%s has no %s", tool.Name, hint)
			}
		}
	}
	read := g.say(messages[1])
	if read.Status != http.StatusOK || read.Error != nil || read.Result.IsError || !strings.HasPrefix(read.body, `{"jsonrpc":"2.0","id":2,"result":`) {
		t.Errorf("reading: %d %s", read.Status, read.body)
	}
	held := g.say(messages[2])
	link := g.d.approvalURL(held)
	if n := g.d.named("Account", "Chatted Ltd"); held.Status != http.StatusOK || n != 0 {
		t.Fatalf("status %d, %d records before anybody approved", held.Status, n)
	}
	g.d.decide(g.d.browser(), link, rep, "approve")
	done := g.say(messages[3])
	if n := g.d.named("Account", "Chatted Ltd"); done.Status != http.StatusOK || done.Result.IsError || n != 1 {
		t.Errorf("the approved call: status %d, %d records: %s", done.Status, n, done.body)
	}
}

// keptPrivate checks that what ChatGPT told about its user, and its session with us,
// were neither passed on nor kept.
func (g *chatGPT) keptPrivate() {
	t := g.d.t
	t.Helper()
	if calls := g.d.recorded("tool=soqlQuery"); len(calls) != 2 { // its own, and that of the approval page
		t.Fatalf("%d calls reached Salesforce", len(calls))
	}
	for _, r := range g.d.recorded("path=/platform/mcp") {
		text := strings.ToLower(fmt.Sprint(r))
		if strings.Contains(text, "canary") || strings.Contains(text, "openai") || g.session != "" && strings.Contains(text, strings.ToLower(g.session)) {
			t.Errorf("%v was told: %s", r["rpc"], text)
		}
	}
	for _, line := range []string{g.d.log.String(), g.d.must("audit", "list", "--json")} {
		if strings.Contains(line, "canary") {
			t.Errorf("kept: %s", line)
		}
	}
}

// ChatGPT begins without a session, by asking what is spoken here.
func TestChatGPTOpening(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	g := &chatGPT{mcpClient: d.authorize(d.browser(), "sobject-all", rep), version: "2026-07-28"}
	messages := script(t, "stateless.jsonl")
	r := g.say(messages[0])
	var found struct {
		ID     string
		Result struct {
			ResultType        string
			SupportedVersions []string
			CacheScope        string
			TTLMs             *int `json:"ttlMs"`
			Capabilities      map[string]any
			Meta              map[string]struct{ Name, Version string } `json:"_meta"`
		}
	}
	if err := json.Unmarshal([]byte(r.body), &found); err != nil {
		t.Fatal(err)
	}
	// Answered with 200 but without its version, it would try again for ever.
	if r.Status != http.StatusOK || found.ID != "openai-mcp-discover" || !slices.Contains(found.Result.SupportedVersions, g.version) {
		t.Fatalf("server/discover: %d %s", r.Status, r.body)
	}
	if found.Result.ResultType != "complete" || found.Result.CacheScope != "private" || found.Result.TTLMs == nil || *found.Result.TTLMs < 0 ||
		found.Result.Capabilities["tools"] == nil || found.Result.Meta["io.modelcontextprotocol/serverInfo"].Version == "" {
		t.Errorf("server/discover: %s", r.body)
	}
	if r.Header.Get("Mcp-Session-Id") != "" {
		t.Error("a session was opened for a client that has none")
	}
	g.chat(messages[1:])
	g.keptPrivate()
}

// An opening in a version that is not spoken is answered with 400, upon which ChatGPT
// opens a session instead.
func TestChatGPTFallsBack(t *testing.T) {
	t.Parallel()
	const future = "2099-01-01"
	d := startDemo(t)
	g := &chatGPT{mcpClient: d.authorize(d.browser(), "sobject-all", rep), version: future}
	r := g.say(strings.ReplaceAll(script(t, "stateless.jsonl")[0], "2026-07-28", future))
	if r.Status != http.StatusBadRequest || r.Error == nil || !strings.HasPrefix(r.body, `{"jsonrpc":"2.0","id":"openai-mcp-discover","error":`) {
		t.Fatalf("server/discover: %d %s", r.Status, r.body)
	}

	messages := script(t, "session.jsonl")
	g.version = ""
	r = g.say(messages[0])
	g.session = r.Header.Get("Mcp-Session-Id")
	if r.Status != http.StatusOK || g.session == "" || !strings.HasPrefix(r.body, `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"`) {
		t.Fatalf("initialize: %d %s", r.Status, r.body)
	}
	g.version = "2025-11-25"
	if r = g.say(messages[1]); r.Status != http.StatusAccepted || r.body != "" {
		t.Errorf("notifications/initialized: %d %s", r.Status, r.body)
	}
	g.chat(messages[2:])
	g.keptPrivate()
}
