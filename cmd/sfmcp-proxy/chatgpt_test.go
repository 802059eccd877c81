package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// chatGPT sends messages as captures show ChatGPT to send them.
type chatGPT struct {
	*client
	version string // of its MCP-Protocol-Version header
}

func (g *chatGPT) say(method, body string) (status int, header http.Header, answer string) {
	g.d.t.Helper()
	req, err := http.NewRequestWithContext(g.d.t.Context(), http.MethodPost, g.url, strings.NewReader(body))
	if err != nil {
		g.d.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "User-Agent": "openai-mcp/1.0.0",
		"Authorization": "Bearer " + g.access, "Mcp-Protocol-Version": g.version, "Mcp-Method": method, "Mcp-Session-Id": g.session,
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
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.d.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// ChatGPT begins with the stateless protocol; older ones begin with initialize, which
// works beside it. What it tells about its user is nothing for Salesforce.
func TestChatGPTOpening(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	g := &chatGPT{client: d.authorize(d.browser(), "sobject-all", rep), version: "2026-07-28"}
	const private = `"openai/userLocation":{"city":"canary-city","latitude":"1.5"},"openai/subject":"canary-subject","openai/session":"canary-session",` +
		`"openai/organization":"canary-org","openai/userAgent":"canary-agent","openai/locale":"canary-locale"`

	status, _, answer := g.say("server/discover", `{"jsonrpc":"2.0","id":"openai-mcp-discover","method":"server/discover","params":{"_meta":{`+
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"openai-mcp","version":"1.0.0"},`+
		`"io.modelcontextprotocol/clientCapabilities":{},`+private+`}}}`)
	if status != http.StatusOK || !strings.HasPrefix(answer, `{"jsonrpc":"2.0","id":"openai-mcp-discover","result":{"supportedVersions":["2026-07-28",`) {
		t.Fatalf("server/discover: %d %s", status, answer)
	}

	g.version = ""
	status, header, answer := g.say("initialize", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",`+
		`"capabilities":{"experimental":{"openai/visibility":{"enabled":true}},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}},`+
		`"clientInfo":{"name":"openai-mcp","version":"1.0.0"},"_meta":{`+private+`}}}`)
	g.session = header.Get("Mcp-Session-Id")
	if status != http.StatusOK || g.session == "" || !strings.HasPrefix(answer, `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"`) {
		t.Fatalf("initialize: %d %s", status, answer)
	}
	g.version = "2025-11-25"
	if status, _, answer = g.say("", `{"jsonrpc":"2.0","method":"notifications/initialized"}`); status != http.StatusAccepted || answer != "" {
		t.Errorf("notifications/initialized: %d %s", status, answer)
	}
	status, _, answer = g.say("tools/list", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{`+private+`}}}`)
	if status != http.StatusOK || !strings.Contains(answer, `"soqlQuery"`) || strings.Contains(answer, "deleteSobjectRecord") {
		t.Errorf("tools/list: %d %s", status, answer)
	}
	status, _, answer = g.say("tools/call", `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"soqlQuery",`+
		`"arguments":{"q":"SELECT Id FROM Account LIMIT 1"},"_meta":{"progressToken":0,`+private+`}}}`)
	if status != http.StatusOK || !strings.HasPrefix(answer, `{"jsonrpc":"2.0","id":2,"result":`) || strings.Contains(answer, `"isError":true`) {
		t.Errorf("tools/call: %d %s", status, answer)
	}

	calls := d.recorded("tool=soqlQuery")
	if len(calls) != 1 {
		t.Fatalf("%d calls reached Salesforce", len(calls))
	}
	for _, r := range d.recorded("path=/platform/mcp") {
		if text := strings.ToLower(fmt.Sprint(r)); strings.Contains(text, "canary") || strings.Contains(text, "openai") || strings.Contains(text, strings.ToLower(g.session)) {
			t.Errorf("%v was told: %s", r["rpc"], text)
		}
	}
	for _, line := range []string{d.log.String(), d.must("audit", "list", "--json")} {
		if strings.Contains(line, "canary") {
			t.Errorf("kept: %s", line)
		}
	}
}
