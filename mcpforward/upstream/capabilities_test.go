package upstream

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

func TestDeclared(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		client        ClientCapabilities
		version, want string
	}{
		{ClientCapabilities{}, "2025-06-18", `{}`},
		{ClientCapabilities{LogLevel: "info"}, "2025-06-18", `{}`},
		{ClientCapabilities{UI: true}, "2025-06-18", `{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}`},
		{ClientCapabilities{Sampling: true, Roots: true}, "2025-06-18", `{"roots":{"listChanged":false},"sampling":{}}`},
		{ClientCapabilities{Sampling: true, SamplingTools: true}, "2025-11-25", `{"sampling":{"tools":{}}}`},
		{ClientCapabilities{Elicitation: true}, "2025-06-18", `{"elicitation":{}}`},
		{ClientCapabilities{ElicitationURL: true}, "2025-11-25", `{"elicitation":{"url":{}}}`},
		{ClientCapabilities{Elicitation: true, ElicitationURL: true}, "2025-11-25", `{"elicitation":{"url":{},"form":{}}}`},
	} {
		x := newFixture(t, nil)
		x.target.Client = tt.client
		m, err := x.ask(t, false)
		wants{}.check(t, m, err)
		want := `{"protocolVersion":"` + tt.version + `","capabilities":` + tt.want + `,"clientInfo":{"name":"sfmcp-proxy","version":"dev"}}`
		if diff := cmp.Diff(want, x.fake.of("initialize")[0].message.Params.String()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.client, diff)
		}
	}
}

// TestFW35DeclaredIsWhatPasses: a request of Salesforce's is shown to those who declared
// it, mode and tools included, and refused in the protocol's codes to others.
func TestFW35DeclaredIsWhatPasses(t *testing.T) {
	t.Parallel()
	const form, url = `{"mode":"form","message":"m"}`, `{"mode":"url","url":"https://evil.example"}`
	all := ClientCapabilities{Sampling: true, SamplingTools: true, Elicitation: true, ElicitationURL: true, Roots: true}
	for _, tt := range []struct {
		client         ClientCapabilities
		method, params string
		want           jsonrpc.Code // 0: passes
	}{
		{all, "roots/list", ``, 0},
		{all, "sampling/createMessage", `{"tools":[]}`, 0},
		{all, "elicitation/create", form, 0},
		{all, "elicitation/create", `{"message":"m"}`, 0},
		{all, "elicitation/create", url, 0},
		{all, "elicitation/create", `{"mode":"other"}`, jsonrpc.InvalidParams},
		{all, "elicitation/create", `{"mode":null}`, jsonrpc.InvalidParams},
		// A client that reads names in any case would take it for another mode, or for tools.
		{ClientCapabilities{Elicitation: true}, "elicitation/create", `{"Mode":"url","url":"https://evil.example"}`, jsonrpc.InvalidParams},
		{ClientCapabilities{Elicitation: true}, "elicitation/create", `{"mode":"form","MODE":"url","url":"https://evil.example"}`, jsonrpc.InvalidParams},
		{ClientCapabilities{Elicitation: true}, "elicitation/create", `{"message":"m","\uff4dode":"url"}`, jsonrpc.InvalidParams},
		{ClientCapabilities{Sampling: true}, "sampling/createMessage", `{"Tools":[]}`, jsonrpc.InvalidParams},
		{ClientCapabilities{Sampling: true}, "sampling/createMessage", `{"tool\u017f":[]}`, jsonrpc.InvalidParams},
		{ClientCapabilities{Sampling: true}, "sampling/createMessage", `{"toolChoice":{}}`, 0},
		{all, "tools/call", `{}`, jsonrpc.MethodNotFound},
		{all, "initialize", `{}`, jsonrpc.MethodNotFound},
		{all, "tasks/get", `{}`, jsonrpc.MethodNotFound},
		{ClientCapabilities{}, "roots/list", ``, jsonrpc.MethodNotFound},
		{ClientCapabilities{}, "sampling/createMessage", ``, jsonrpc.MethodNotFound},
		{ClientCapabilities{}, "elicitation/create", form, jsonrpc.MethodNotFound},
		{ClientCapabilities{}, "elicitation/create", url, jsonrpc.MethodNotFound},
		{ClientCapabilities{SamplingTools: true}, "sampling/createMessage", `{"tools":[]}`, jsonrpc.MethodNotFound},
		{ClientCapabilities{Sampling: true}, "sampling/createMessage", `{"tools":[]}`, jsonrpc.InvalidParams},
		{ClientCapabilities{Sampling: true}, "sampling/createMessage", `{}`, 0},
		{ClientCapabilities{Elicitation: true}, "elicitation/create", url, jsonrpc.InvalidParams},
		{ClientCapabilities{ElicitationURL: true}, "elicitation/create", form, jsonrpc.InvalidParams},
		{ClientCapabilities{ElicitationURL: true}, "elicitation/create", ``, jsonrpc.InvalidParams},
	} {
		got := jsonrpc.Code(0)
		if e := tt.client.refusal(&jsonrpc.Message{ID: []byte("1"), Method: tt.method, Params: []byte(tt.params)}); e != nil {
			got = e.Code
		}
		if got != tt.want {
			t.Errorf("%+v, %s %s: code %d, want %d", tt.client, tt.method, tt.params, got, tt.want)
		}
	}
}

func TestDeclaredLogLevel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		asked, sent string
		want        bool
	}{
		{"", "emergency", false}, {"info", "info", true}, {"info", "debug", false}, {"info", "warning", true},
		{"debug", "", false}, {"debug", "Info", false}, {"emergency", "alert", false},
	} {
		m := jsonrpc.Request(nil, "notifications/message", []byte(`{"level":"`+tt.sent+`","data":{}}`))
		if got := (ClientCapabilities{LogLevel: tt.asked}).wants(m); got != tt.want {
			t.Errorf("%q wants %q: %v", tt.asked, tt.sent, got)
		}
	}
	x := newFixture(t, nil)
	x.target.Client.LogLevel = "loud"
	if m, err := x.ask(t, true); err == nil || len(x.fake.seen) != 0 {
		t.Errorf("a call with an unknown level was made: %v, %v", m, err)
	}
}

// TestLogLevelIsSet: on each session, also one that heals another, and only where the
// server has logs. A server that refuses serves calls all the same.
func TestLogLevelIsSet(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]func(http.ResponseWriter, *jsonrpc.Message){
		"taken":   func(w http.ResponseWriter, m *jsonrpc.Message) { answer(w, m.ID, `{}`) },
		"refused": func(w http.ResponseWriter, _ *jsonrpc.Message) { w.WriteHeader(http.StatusInternalServerError) },
		"empty":   func(http.ResponseWriter, *jsonrpc.Message) {},
	} {
		x := newFixture(t, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
			if m.Method == "logging/setLevel" {
				respond(w, m)
			}
			return m.Method == "logging/setLevel"
		})
		for range 2 {
			m, err := x.ask(t, false)
			wants{}.check(t, m, err)
		}
		if n := x.fake.count("logging/setLevel"); n != 0 {
			t.Errorf("%s: a level was set that nobody wants", name)
		}
		x.target.Client.LogLevel = "warning"
		m, err := x.ask(t, false)
		wants{}.check(t, m, err)
		x.fake.kill()
		m, err = x.ask(t, false)
		wants{}.check(t, m, err)
		set := x.fake.of("logging/setLevel")
		if len(set) != 2 || set[0].message.Params.String() != `{"level":"warning"}` ||
			set[0].header.Get("Mcp-Session-Id") != "session-2" || set[1].header.Get("Mcp-Session-Id") != "session-3" {
			t.Errorf("%s: levels set: %v", name, set)
		}
	}
}

func TestNoLogLevelWithoutLogging(t *testing.T) {
	t.Parallel()
	x := newFixture(t, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "initialize" {
			answer(w, m.ID, `{"protocolVersion":"2025-06-18"}`)
		}
		return m.Method != "tools/list"
	})
	x.target.Client.LogLevel = "info"
	got, err := x.Capabilities(t.Context(), x.target)
	if err != nil || string(got) != `{}` || x.fake.count("logging/setLevel") != 0 {
		t.Errorf("capabilities %s, %v; %d levels set", got, err, x.fake.count("logging/setLevel"))
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	x := newFixture(t, nil)
	for range 2 {
		got, err := x.Capabilities(t.Context(), x.target)
		if err != nil || string(got) != `{"tools":{},"logging":{}}` {
			t.Errorf("capabilities %s, %v", got, err)
		}
	}
	if n := x.fake.count("initialize"); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	x.target.URL += "/other"
	x.fake.on = onMethod("initialize", status(403, ""))
	_, err := x.Capabilities(t.Context(), x.target)
	wants{Forbidden, false}.check(t, nil, err)
}

// TestSessionsAreNotShared: between different users, servers or declarations, whatever
// they differ in.
func TestSessionsAreNotShared(t *testing.T) {
	t.Parallel()
	x := newFixture(t, nil)
	plain, n := x.target, 0
	for _, change := range []func(*Target){
		func(*Target) {}, func(t *Target) { t.Org = "other" }, func(t *Target) { t.Subject = "005B" }, func(t *Target) { t.URL += "/x" },
		func(t *Target) { t.Client.UI = true }, func(t *Target) { t.Client.Sampling = true }, func(t *Target) { t.Client.SamplingTools = true },
		func(t *Target) { t.Client.Elicitation = true }, func(t *Target) { t.Client.ElicitationURL = true },
		func(t *Target) { t.Client.Roots = true }, func(t *Target) { t.Client.LogLevel = "info" }, func(t *Target) { t.Client.LogLevel = "error" },
	} {
		x.target = plain
		change(&x.target)
		n++
		for range 2 {
			m, err := x.ask(t, false)
			wants{}.check(t, m, err)
		}
		if got := x.fake.count("initialize"); got != n {
			t.Errorf("%d sessions, want %d after %+v", got, n, x.target.Client)
		}
	}
	if used := x.fake.sessionsOf("tools/call"); len(used) != n {
		t.Errorf("%d sessions in use, want %d: %s", len(used), n, strings.Join(used, " "))
	}
}
