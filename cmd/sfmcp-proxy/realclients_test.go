package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Clients of the versions that people have, from their own makers, each through sign-in,
// list and call: what they do in good faith has to be served.

// aFlow is what a client's script says on its way.
type aFlow struct {
	Visit string // where a person goes; the script is told where they came back to
	Open  string // the same, but the client listens for that by itself

	Version, Text string
	Tools         []string
}

// flow reads what a script says until its end, and signs in where it asks for that.
func (p *nodeProcess) flow(d *demo) (got aFlow) {
	p.t.Helper()
	for p.out.Scan() {
		var line aFlow
		if err := json.Unmarshal(p.out.Bytes(), &line); err != nil {
			p.t.Fatalf("%v in %q\n%s", err, p.out.Text(), p.err)
		}
		switch {
		case line.Visit != "":
			got.Visit = line.Visit
			location, err := d.browser().LogIn(p.t.Context(), line.Visit, rep, d.password(rep))
			if err != nil {
				p.t.Fatal(err)
			}
			p.send(location)
		case line.Open != "":
			if err := d.finish(line.Open, rep); err != nil {
				p.t.Fatalf("%v\n%s", err, p.err)
			}
		case line.Version != "":
			got.Version = line.Version
		case line.Tools != nil:
			got.Tools = line.Tools
		default:
			got.Text = line.Text
		}
	}
	if status := p.wait(); status != 0 {
		p.t.Fatalf("status %d after %+v\n%s", status, got, p.err)
	}
	return got
}

func (got aFlow) want(t *testing.T, version string) {
	t.Helper()
	if got.Version != version || !slices.Contains(got.Tools, "soqlQuery") || !strings.Contains(got.Text, `"totalSize"`) {
		t.Errorf("version %q, want %q; tools %v; text %.200s", got.Version, version, got.Tools, got.Text)
	}
}

// C2: the TypeScript package of 2025-03-26 closes the connection when it is answered a
// version that it does not know, and asks for no resource (C11).
func TestC2C11TypeScriptSDKs(t *testing.T) {
	t.Parallel()
	packages := nodePackages(t)
	for name, tt := range map[string]struct{ folder, version string }{
		"1.11.4": {"sdk-1.11", "unknown"}, // it keeps to itself what was negotiated
		"1.20.2": {"sdk-1.20", "2025-06-18"},
		"1.32.2": {"@modelcontextprotocol/sdk", "2025-11-25"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startEdited(t, func(text string) string {
				return strings.Replace(text, "    name: Demo client\n", "    name: Demo client\n    server: sobject-reads\n", 1)
			})
			p := startNode(t, t.TempDir(), nil, filepath.Join("testdata", "sdkflow.mjs"),
				d.MCPURLs["sobject-reads"], d.ClientID, testCallback, filepath.Join(packages, tt.folder))
			p.flow(d).want(t, tt.version)
		})
	}
}

// pythonFor is the interpreter that has a package of .ci/python-clients.
func pythonFor(t *testing.T, name string) string {
	t.Helper()
	python, err := filepath.Abs(filepath.Join("../../.ci/cache/python", name, "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	_, missing := os.Stat(python)
	need(t, "python", missing == nil, "run .ci/python-clients")
	return python
}

// C2: the Python package of May 2025 asks for 2024-11-05.
func TestC2PythonSDK(t *testing.T) {
	t.Parallel()
	python := pythonFor(t, "mcp")
	d := startDemo(t)
	c := d.authorize(d.browser(), "sobject-reads", rep)
	p := startClient(t, t.TempDir(), nil, python, filepath.Join("testdata", "mcpflow.py"), c.url, c.access)
	p.flow(d).want(t, "2024-11-05")
}

func TestFastMCP(t *testing.T) {
	t.Parallel()
	python := pythonFor(t, "fastmcp")
	d := startDemo(t)
	p := startClient(t, t.TempDir(), nil, python, filepath.Join("testdata", "fastmcpflow.py"), d.MCPURLs["sobject-reads"], d.ClientID)
	p.flow(d).want(t, "")
}

// C9: Codex, told the endpoint with a slash at its end, said "logged in" and then failed.
func TestC9Codex(t *testing.T) {
	t.Parallel()
	script := filepath.Join(nodePackages(t), "@openai", "codex", "bin", "codex.js")
	for name, end := range map[string]string{"plain": "", "final slash": "/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDemo(t)
			home := t.TempDir()
			configuration := fmt.Sprintf("mcp_oauth_credentials_store = \"file\"\n[mcp_servers.sales]\nurl = %q\n[mcp_servers.sales.oauth]\nclient_id = %q\ncallback_url = \"http://127.0.0.1/callback\"\n",
				d.MCPURLs["sobject-reads"]+end, d.ClientID)
			file := filepath.Join(home, ".codex", "config.toml")
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(configuration), 0o600)); err != nil {
				t.Fatal(err)
			}
			c := codex{startNode(t, home, nil, script, "app-server")}
			c.ask(1, "initialize", `{"clientInfo":{"name":"test","version":"1"}}`, nil)
			c.send(`{"jsonrpc":"2.0","method":"initialized"}`)
			var login struct{ AuthorizationURL string }
			c.ask(2, "mcpServer/oauth/login", `{"name":"sales"}`, &login)
			if err := d.finish(login.AuthorizationURL, rep); err != nil {
				t.Fatal(err)
			}
			c.await("mcpServer/oauthLogin/completed")
			var list struct {
				Data []struct{ Tools map[string]any }
			}
			c.ask(3, "mcpServerStatus/list", `{"serverName":"sales"}`, &list)
			if len(list.Data) != 1 || list.Data[0].Tools["soqlQuery"] == nil {
				t.Errorf("listed %+v", list)
			}
			var started struct{ Thread struct{ ID string } }
			c.ask(4, "thread/start", `{}`, &started)
			var result json.RawMessage
			c.ask(5, "mcpServer/tool/call", fmt.Sprintf(`{"threadId":%q,"server":"sales","tool":"soqlQuery","arguments":{"q":"SELECT Id, Name FROM Account LIMIT 2"}}`, started.Thread.ID), &result)
			if !strings.Contains(string(result), `\"totalSize\"`) {
				t.Errorf("called: %s", result)
			}
		})
	}
}

// codex is its server for the programs that embed it, which says what a person would see.
type codex struct{ *nodeProcess }

// ask makes one request and reads its result; notifications before it are passed over.
func (c codex) ask(id int, method, params string, into any) {
	c.t.Helper()
	c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params))
	var answer struct{ Result json.RawMessage }
	if err := json.Unmarshal([]byte(c.answer(id).body), &answer); err != nil || answer.Result == nil {
		c.t.Fatalf("%s: %v\n%s", method, err, c.err)
	}
	if into != nil {
		if err := json.Unmarshal(answer.Result, into); err != nil {
			c.t.Fatalf("%s: %v in %s", method, err, answer.Result)
		}
	}
}

// await passes over everything up to a notification.
func (c codex) await(method string) {
	c.t.Helper()
	for c.out.Scan() {
		var message struct{ Method string }
		if err := json.Unmarshal(c.out.Bytes(), &message); err == nil && message.Method == method {
			return
		}
	}
	c.t.Fatalf("%s did not come\n%s", method, c.err)
}
