package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// connected is a client of somebody else's, signed in at an endpoint.
type connected interface {
	list() reply
	call(tool string, arguments any) reply
}

// errand is what everybody wants of the proxy: see the tools, read, and write what a
// person approved, once. The client is at sobject-all; company names what it creates.
func (d *demo) errand(c connected, company string) {
	t := d.t
	t.Helper()
	tools := c.list().tools()
	if !slices.Contains(tools, "soqlQuery") || !slices.Contains(tools, "createSobjectRecord") || slices.Contains(tools, "deleteSobjectRecord") {
		t.Errorf("listed %v", tools)
	}
	read := c.call("soqlQuery", map[string]any{"q": "SELECT Id, Name FROM Account LIMIT 5"})
	if read.Error != nil || read.Result.IsError || !strings.Contains(read.text(), `"totalSize"`) {
		t.Errorf("reading: %s", read.body)
	}
	held := c.call("createSobjectRecord", account(company))
	link := d.approvalURL(held)
	if n := d.named("Account", company); n != 0 {
		t.Fatalf("%d records before anybody approved", n)
	}
	d.decide(d.browser(), link, rep, "approve")
	for range 2 { // the second is answered from the record
		if done := c.call("createSobjectRecord", account(company)); done.Error != nil || done.Result.IsError || !strings.Contains(done.text(), `"success":true`) {
			t.Errorf("the approved call: %s", done.body)
		}
	}
	if n := d.named("Account", company); n != 1 {
		t.Errorf("%d records after the approved call and its repeat", n)
	}
	for _, tool := range []string{"noSuchTool", "deleteSobjectRecord"} {
		if r := c.call(tool, map[string]any{"sobject-name": "Account", "id": "001xx0000000001AAA"}); r.Error == nil || !strings.Contains(r.Error.Message, tool) {
			t.Errorf("calling %s: %s", tool, r.body)
		}
	}
}

// refused is an error as a client tells it.
func refused(code int, message string) (r reply) {
	r.Error = &struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{code, message}
	r.body = message
	return r
}

// in is the demonstration as a subtest looks at it.
func (d *demo) in(t *testing.T) *demo {
	own := *d
	own.t = t
	return &own
}

// typeScript is testdata/client.mjs while it runs.
type typeScript struct {
	*nodeProcess
	version string // that it negotiated
}

// startTypeScript connects it with a package's modules, in the folder of packages.
func startTypeScript(t *testing.T, era, url, token string, modules ...string) *typeScript {
	t.Helper()
	args := []string{era, url, token}
	for _, m := range modules {
		args = append(args, filepath.Join(nodePackages(t), "@modelcontextprotocol", filepath.FromSlash(m)))
	}
	c := &typeScript{nodeProcess: startNode(t, t.TempDir(), nil, filepath.Join("testdata", "client.mjs"), args...)}
	var first struct{ Version string }
	if !c.out.Scan() || json.Unmarshal(c.out.Bytes(), &first) != nil {
		c.wait()
		t.Fatalf("it did not connect: %q\n%s", c.out.Text(), c.err)
	}
	c.version = first.Version
	return c
}

func (c *typeScript) ask(line any) (r reply) {
	c.t.Helper()
	text, err := json.Marshal(line)
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(string(text))
	if !c.out.Scan() {
		c.t.Fatalf("no answer to %s\n%s", text, c.err)
	}
	r.body = c.out.Text()
	if err := json.Unmarshal(c.out.Bytes(), &r); err != nil {
		c.t.Fatalf("%v in %s", err, r.body)
	}
	return r
}

func (c *typeScript) list() reply { return c.ask(map[string]any{"list": true}) }

func (c *typeScript) call(tool string, arguments any) reply {
	return c.ask(map[string]any{"call": map[string]any{"name": tool, "arguments": arguments}})
}

var (
	oldPackage = []string{"sdk/dist/esm/client/index.js", "sdk/dist/esm/client/streamableHttp.js"}
	newPackage = []string{"client/dist/index.mjs"}
)

func TestTypeScriptClients(t *testing.T) {
	t.Parallel()
	nodePackages(t)
	d := startDemo(t)
	for name, c := range map[string]struct {
		era     string
		modules []string
		want    string // the negotiated version
	}{
		"the old package":            {"legacy", oldPackage, "2025-11-25"},
		"the new package, sessions":  {"legacy", newPackage, "2025-11-25"},
		"the new package, its guess": {"auto", newPackage, "2026-07-28"},
		"the new package, stateless": {"2026-07-28", newPackage, "2026-07-28"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := d.in(t)
			token := d.authorize(d.browser(), "sobject-all", rep).access
			client := startTypeScript(t, c.era, d.MCPURLs["sobject-all"], token, c.modules...)
			if client.version != c.want {
				t.Errorf("it speaks %s", client.version)
			}
			d.errand(client, name)
		})
	}
}

// stateless is the Inspector's command line where it insists on that protocol, with
// what it keeps of an earlier sign-in.
type stateless struct{ *inspector }

func (i stateless) run(args ...string) reply {
	i.d.t.Helper()
	r, status := i.end(i.start(append([]string{"--protocol-era", "modern", "--stored-auth-only"}, args...)...))
	if status != inspectorDone && len(r.Result.Content) == 0 {
		return refused(0, r.body)
	}
	return r
}

func (i stateless) list() reply { return i.run("--method", "tools/list") }

func (i stateless) call(tool string, arguments any) reply {
	text, err := json.Marshal(arguments)
	if err != nil {
		i.d.t.Fatal(err)
	}
	return i.run("--method", "tools/call", "--tool-name", tool, "--tool-args-json", string(text))
}

// TestInspectorCLI is the same over sessions.
func TestInspectorStateless(t *testing.T) {
	rounds.Thorough(t)
	t.Parallel()
	nodePackages(t)
	d := startDemo(t)
	i := &inspector{d: d, url: d.MCPURLs["sobject-all"], home: t.TempDir()}
	// In this era it does not say which port it listens on if it may choose.
	p := i.start("--protocol-era", "modern", "--method", "tools/list", "--callback-url", "http://127.0.0.1:"+callbackPort(t)+"/oauth/callback")
	p.signIn(d, rep)
	if r, status := i.end(p); status != inspectorDone {
		t.Fatalf("signing in: status %d\n%s", status, r.body)
	}
	d.errand(stateless{i}, "Inspected Ltd")
}

// remote is mcp-remote, spoken to over its standard input.
type remote struct {
	*nodeProcess
	id int
}

// startRemote runs it in front of an endpoint.
func startRemote(t *testing.T, endpoint string, args ...string) *remote {
	t.Helper()
	home := t.TempDir()
	return &remote{nodeProcess: startNode(t, home, []string{"MCP_REMOTE_CONFIG_DIR=" + filepath.Join(home, "remote")},
		filepath.Join(nodePackages(t), "mcp-remote", "dist", "proxy.js"),
		append([]string{endpoint, callbackPort(t), "--transport", "http-only", "--allow-http", "--host", "127.0.0.1"}, args...)...)}
}

func (r *remote) post(method string, params any) {
	r.t.Helper()
	r.id++
	text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": r.id, "method": method, "params": params})
	if err != nil {
		r.t.Fatal(err)
	}
	r.send(string(text))
}

func (r *remote) request(method string, params any) reply {
	r.t.Helper()
	r.post(method, params)
	return r.answer(r.id)
}

func (r *remote) list() reply { return r.request("tools/list", map[string]any{}) }

func (r *remote) call(tool string, arguments any) reply {
	return r.request("tools/call", map[string]any{"name": tool, "arguments": arguments})
}

// handshake opens the session between it and whoever started it, which has nothing to
// do with the protocol that it speaks to the proxy. Before it answers it may want what
// happens meanwhile.
func (r *remote) handshake(meanwhile func()) {
	r.t.Helper()
	r.post("initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{},
		"clientInfo": map[string]any{"name": "stdio", "version": "1"}})
	meanwhile()
	first := r.answer(r.id)
	if first.Error != nil || !strings.Contains(first.body, `"protocolVersion":"2025-11-25"`) {
		r.t.Fatalf("initialize: %s", first.body)
	}
	r.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// TestMCPRemote signs in and speaks over a session.
func TestMCPRemoteStateless(t *testing.T) {
	rounds.Thorough(t)
	t.Parallel()
	nodePackages(t)
	d := startDemo(t)
	token := d.authorize(d.browser(), "sobject-all", rep).access
	versions := watchCalls(t, d.MCPURLs["sobject-all"])
	r := startRemote(t, versions.url, "--protocol", "auto", "--header", "Authorization: Bearer "+token)
	r.handshake(func() {})
	d.errand(r, "Remote Ltd")
	versions.want("2026-07-28")
}

// goSDK is a session of the Go SDK's client.
type goSDK struct {
	t *testing.T
	*mcp.ClientSession
}

func (s goSDK) reply(result any, err error) (r reply) {
	s.t.Helper()
	if wire := (*jsonrpc.Error)(nil); errors.As(err, &wire) {
		return refused(int(wire.Code), wire.Message)
	}
	text, err := json.Marshal(map[string]any{"result": result})
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(text)).Decode(&r)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	r.body = string(text)
	return r
}

func (s goSDK) list() reply { return s.reply(s.ListTools(s.t.Context(), nil)) }

func (s goSDK) call(tool string, arguments any) reply {
	return s.reply(s.CallTool(s.t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments}))
}
