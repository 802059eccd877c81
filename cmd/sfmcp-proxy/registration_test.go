package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sfmcp-proxy/authproxy/clientdoc/clientdoctest"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/cmd/sfmcp-proxy/edge"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// startRegistering runs the demonstration's configuration with a registration section,
// as 'serve' would.
func startRegistering(t *testing.T, registration string) *demo {
	t.Helper()
	return startEdited(t, func(text string) string { return text + registration })
}

// startEdited runs the demonstration's configuration after an edit, as 'serve' would.
func startEdited(t *testing.T, edit func(string) string) *demo {
	t.Helper()
	d, _ := startOpen(t, edit)
	return d
}

// startOpen does so and gives the process too, for what cannot be done to one from outside.
func startOpen(t *testing.T, edit func(string) string) (*demo, *process) {
	t.Helper()
	d := &demo{t: t, dir: t.TempDir(), log: &lockedBuffer{}}
	public, listen, err := demonstration.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	private, adminListen, err := demonstration.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{"http://" + listen + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	file := filepath.Join(d.dir, defaultConfig)
	if err := demonstration.WriteConfig(file, demonstration.Addresses{
		PublicURL: "http://" + listen, Listen: listen, AdminListen: adminListen, SalesforceURL: sim.BaseURL(),
	}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(edit(string(text))), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(c.KeysFile); err != nil {
		t.Fatal(err)
	}
	d.Setup = setupOf(c, sim, file)
	p, err := openProcess(t.Context(), c, slog.New(edge.WithOrigin{Handler: slog.NewTextHandler(d.log, nil)}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.close() })
	serveOn(t, p, map[string]net.Listener{listen: public, adminListen: private})
	return d, p
}

// publisher publishes the documents of the clients that people use, under their own
// names but for the port.
type publisher struct {
	*clientdoctest.Site
	key *rsa.PrivateKey
}

func publishDocuments(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{Site: clientdoctest.Start(t, "chatgpt.com", "claude.ai", "vscode.dev")}
	var err error
	if p.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	for file, path := range map[string]string{
		"chatgpt": "/oauth/client.json", "codex": "/oauth/codex/client.json", "claude": "/oauth/mcp-oauth-client-metadata",
		"claude-code": "/oauth/claude-code-client-metadata", "vscode": "/oauth/client-metadata.json",
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", "authproxy", "clientdoc", "testdata", file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		body := string(text)
		for _, host := range []string{"chatgpt.com", "claude.ai", "vscode.dev"} {
			body = strings.ReplaceAll(body, "https://"+host+"/oauth/", p.URL(host, "/oauth/"))
		}
		p.Publish(path, body, "Cache-Control", "public, max-age=3600")
	}
	p.Publish("/oauth/jwks.json", fmt.Sprintf(`{"keys":[{"kty":"RSA","use":"sig","kid":"2026","alg":"RS256","n":%q,"e":"AQAB"}]}`,
		base64.RawURLEncoding.EncodeToString(p.key.N.Bytes())))
	return p
}

// registration is the section that accepts the publisher's clients.
func (p *publisher) registration(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, p.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`
trusted_ca_file: %s
registration:
  metadata_documents:
    allow_hosts: [chatgpt.com, claude.ai, vscode.dev]
    allow_addresses: [%s]
    resolver: %s
`, file, clientdoctest.AddressNetwork, p.Resolver)
}

// sign is what ChatGPT sends where private_key_jwt is advertised.
func (p *publisher) sign(t *testing.T, clientID, issuer string) url.Values {
	t.Helper()
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": clientID, "sub": clientID, "aud": issuer,
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text()})
	token.Header["kid"] = "2026"
	text, err := token.SignedString(p.key)
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {text}}
}

// walk is the whole flow of a client: consent, login, code, tokens, a session.
func (d *demo) walk(clientID, redirectURI string, extra func() url.Values) *mcpClient {
	d.t.Helper()
	c := d.redeem(clientID, redirectURI, d.MCPURLs["sobject-reads"], extra())
	c.initialize()
	return c
}

// redeem signs a user in at sobject-reads and redeems the code. resource "": the client names
// none, neither here nor there.
func (d *demo) redeem(clientID, redirectURI, resource string, form url.Values) *mcpClient {
	d.t.Helper()
	c := &mcpClient{d: d, url: d.MCPURLs["sobject-reads"]}
	verifier := seal.Secret("")
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	if resource != "" {
		query.Set("resource", resource)
		form.Set("resource", resource)
	}
	location, err := salesforcesim.NewBrowser(nil, redirectURI).LogIn(d.t.Context(), d.PublicURL+"/oauth/authorize?"+query.Encode(), rep, d.password(rep))
	if err != nil {
		d.t.Fatal(err)
	}
	back, err := url.Parse(location)
	if err != nil || back.Query().Get("code") == "" || back.Query().Get("iss") != d.PublicURL {
		d.t.Fatalf("callback %s, %v", location, err)
	}
	for name, value := range map[string]string{"grant_type": "authorization_code", "code": back.Query().Get("code"), "redirect_uri": redirectURI,
		"client_id": clientID, "code_verifier": verifier} {
		form.Set(name, value)
	}
	c.token(form)
	return c
}

func (c *mcpClient) renew(clientID string, extra url.Values) {
	c.d.t.Helper()
	for name, value := range map[string]string{"grant_type": "refresh_token", "refresh_token": c.refresh, "client_id": clientID, "resource": c.url} {
		extra.Set(name, value)
	}
	c.token(extra)
}

// The clients that people use, with the documents that they publish, from the first
// page to a refresh while the documents' host is down.
func TestClientsWithDocuments(t *testing.T) {
	t.Parallel()
	p := publishDocuments(t)
	d := startRegistering(t, p.registration(t))
	nothing := func() url.Values { return url.Values{} }
	signed := func(id string) func() url.Values { return func() url.Values { return p.sign(t, id, d.PublicURL) } }
	chatgpt := p.URL("chatgpt.com", "/oauth/client.json")
	code := p.URL("claude.ai", "/oauth/claude-code-client-metadata")
	walks := []struct {
		name, id, redirectURI string
		extra                 func() url.Values
	}{
		{"ChatGPT", chatgpt, "https://chatgpt.com/connector_platform_oauth_redirect", signed(chatgpt)},
		{"Codex", p.URL("chatgpt.com", "/oauth/codex/client.json"), "http://127.0.0.1:49160/callback", nothing},
		{"Claude", p.URL("claude.ai", "/oauth/mcp-oauth-client-metadata"), "https://claude.ai/api/mcp/auth_callback", nothing},
		{"Claude Code", code, "http://localhost:49161/callback", nothing},
		{"VS Code", p.URL("vscode.dev", "/oauth/client-metadata.json"), "http://127.0.0.1:33418/", nothing},
		{"VS Code on the web", p.URL("vscode.dev", "/oauth/client-metadata.json"), "https://vscode.dev/redirect", nothing},
		{"VS Code, another port", p.URL("vscode.dev", "/oauth/client-metadata.json"), "http://127.0.0.1:50000/", nothing},
	}
	var clients []*mcpClient
	for _, w := range walks {
		c := d.walk(w.id, w.redirectURI, w.extra)
		c.renew(w.id, w.extra())
		c.listsAndReads(w.name)
		clients = append(clients, c)
	}
	p.Stop()
	d.change(`UPDATE registered_clients SET fresh_until = 1, keys_fresh_until = 1`)
	d.signed(db.RegisteredClients, db.ClientKeys)
	for i, w := range walks {
		clients[i].renew(w.id, w.extra())
		if r := clients[i].call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"}); r.Status != http.StatusOK {
			t.Errorf("%s, while the host is down: %d %s", w.name, r.Status, r.body)
		}
	}
	if out := d.must("client", "list", "--json"); strings.Count(out, "metadata document") != 5 || strings.Count(out, "user-defined") != 1 || !strings.Contains(out, "Visual Studio Code") {
		t.Error(out)
	}
	if out := d.must("client", "revoke", code); !strings.Contains(out, "1 connection ended") {
		t.Error(out)
	}
	if r, err := clients[3].post(t.Context(), "ping", nil, false); err != nil || r.Status != http.StatusUnauthorized {
		t.Errorf("after the revocation: %d %v", r.Status, err)
	}
}

// listsAndReads has the client list the tools and call one.
func (c *mcpClient) listsAndReads(name string) {
	c.d.t.Helper()
	if r := c.send("tools/list", map[string]any{}); !slices.Contains(r.tools(), "soqlQuery") {
		c.d.t.Errorf("%s lists %s", name, r.body)
	}
	if r := c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"}); r.Result.IsError || r.Error != nil {
		c.d.t.Errorf("%s: %s", name, r.body)
	}
}

// Clients that have no document: what each sends, from the first page to a call. Cursor
// registers itself with a redirect URI of its own scheme; Copilot Studio speaks 2025-03-26 and
// says no version after initialize; n8n names no resource, so it is for one server.
func TestClientShapes(t *testing.T) {
	t.Parallel()
	const cursor = "cursor://anysphere.cursor-mcp/oauth/callback"
	d := startEdited(t, func(text string) string {
		return strings.Replace(text, "\nclients:\n", `
clients:
  - {id: copilot, name: Copilot Studio, redirect_uris: ["https://global.consent.azure-apim.net/redirect/acme"]}
  - {id: n8n, name: n8n, server: sobject-reads, redirect_uris: ["https://n8n.acme.example/rest/oauth2-credential/callback"]}
`, 1) + "\nregistration: {dynamic: {enabled: true, private_use_uris: [\"" + cursor + "\"]}}\n"
	})
	response, err := http.Post(d.PublicURL+"/oauth/register", "application/json", strings.NewReader(
		`{"client_name":"Cursor","redirect_uris":["`+cursor+`"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var registered struct {
		ID string `json:"client_id"`
	}
	if err := json.NewDecoder(response.Body).Decode(&registered); err != nil || registered.ID == "" {
		t.Fatalf("registration: %d, %v", response.StatusCode, err)
	}
	reads := d.MCPURLs["sobject-reads"]
	for _, shape := range []struct {
		name, id, redirectURI, resource, version string
		headerless                               bool
	}{
		{"Cursor", registered.ID, cursor, reads, "2025-06-18", false},
		{"Copilot Studio", "copilot", "https://global.consent.azure-apim.net/redirect/acme", reads, "2025-03-26", true},
		{"Copilot Studio, older", "copilot", "https://global.consent.azure-apim.net/redirect/acme", reads, "2024-11-05", true},
		{"n8n", "n8n", "https://n8n.acme.example/rest/oauth2-credential/callback", "", "2025-06-18", false},
	} {
		t.Run(shape.name, func(t *testing.T) {
			c := d.in(t).redeem(shape.id, shape.redirectURI, shape.resource, url.Values{})
			c.version, c.headerless = shape.version, shape.headerless
			c.initialize()
			c.listsAndReads(shape.name)
			renewal := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {shape.id}}
			if shape.resource != "" {
				renewal.Set("resource", shape.resource)
			}
			c.token(renewal)
			c.listsAndReads(shape.name + ", after a refresh")
		})
	}
}

// mcp-remote knows nothing but the endpoint's URL: it finds the registration endpoint
// and registers itself.
func TestMCPRemoteRegistersItself(t *testing.T) {
	rounds.Thorough(t)
	t.Parallel()
	packages := nodePackages(t)
	d := startRegistering(t, "\nregistration: {dynamic: {enabled: true}}\n")
	home := t.TempDir()
	p := startNode(t, home, []string{"MCP_REMOTE_CONFIG_DIR=" + filepath.Join(home, "remote")},
		filepath.Join(packages, "mcp-remote", "dist", "proxy.js"), d.MCPURLs["sobject-reads"], callbackPort(t), "--transport", "http-only", "--allow-http", "--host", "127.0.0.1")
	p.send(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"stdio","version":"1"}}}`)
	p.signIn(d, rep)
	if r := p.answer(1); r.Error != nil {
		t.Fatalf("initialize: %s", r.body)
	}
	p.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	p.send(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"soqlQuery","arguments":{"q":"SELECT Id, Name FROM Account LIMIT 5"}}}`)
	if r := p.answer(2); r.Error != nil || r.Result.IsError || !strings.Contains(r.text(), `"totalSize"`) {
		t.Errorf("reading: %s", r.body)
	}
	var id string
	for line := range strings.Lines(d.must("client", "list", "--json")) {
		var row struct{ ID, Kind string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if row.Kind == "dynamic" {
			id = row.ID
		}
	}
	if out := d.must("client", "revoke", id); !strings.Contains(out, "1 connection ended") {
		t.Error(out)
	}
	if out := d.must("client", "list", "--json"); strings.Contains(out, "dynamic") {
		t.Error(out)
	}
}

// MCP Inspector, without a client of the configuration: by a document, and by
// registering itself.
func TestInspectorRegistersItself(t *testing.T) {
	rounds.Thorough(t)
	t.Parallel()
	nodePackages(t)
	p := publishDocuments(t)
	const path = "/oauth/inspector.json"
	id := p.URL("claude.ai", path)
	p.Publish(path, fmt.Sprintf(`{"client_id":%q,"client_name":"Inspector","redirect_uris":["http://127.0.0.1/oauth/callback"]}`, id))
	d := startRegistering(t, p.registration(t)+"  dynamic: {enabled: true}\n")
	for kind, identity := range map[string][]string{"metadata document": {"--client-metadata-url", id}, "dynamic": {}} {
		i := &inspector{d: d, url: d.MCPURLs["sobject-reads"], home: t.TempDir(), identity: identity}
		run := i.start("--method", "tools/list")
		run.signIn(d, rep)
		if list, status := i.end(run); status != inspectorDone || !slices.Contains(list.tools(), "soqlQuery") {
			t.Errorf("%s: status %d\n%s", kind, status, list.body)
		}
		if r, status := i.call("getUserInfo", map[string]any{}); status != inspectorDone {
			t.Errorf("%s, again: status %d\n%s", kind, status, r.body)
		}
		if out := d.must("client", "list", "--json"); strings.Count(out, kind) != 1 {
			t.Errorf("%s:\n%s", kind, out)
		}
	}
}

func TestAS35RegistrationFlood(t *testing.T) {
	t.Parallel()
	p, _ := configured(t, twoOrgs+"\nregistration: {dynamic: {enabled: true}}\n")
	now := time.Now()
	p.edge.Now = func() time.Time { return now } // in which nothing is earned back
	h := p.publicHandler()
	register := func(source string) int {
		r := httptest.NewRequest("POST", "/oauth/register", strings.NewReader(`{"redirect_uris":["https://client.example/cb"]}`))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = source
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusTooManyRequests && (w.Header().Get("Retry-After") == "" || !json.Valid(w.Body.Bytes())) {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
		return w.Code
	}
	var statuses []int
	for range 200 {
		statuses = append(statuses, register("192.0.2.1:1000"))
	}
	if n := slices.Index(statuses, http.StatusTooManyRequests); n != edge.RegistrationBurst {
		t.Errorf("the first refusal is number %d", n)
	}
	if status := register("192.0.2.2:1000"); status != http.StatusCreated {
		t.Errorf("another address: %d", status)
	}
	var n int
	if err := p.current.Load().db.Reads.QueryRow(`SELECT COUNT(*) FROM registered_clients`).Scan(&n); err != nil || n > edge.RegistrationBurst+5 {
		t.Errorf("%d clients, %v", n, err)
	}
}

// One address cannot make the proxy ask a document's host at will, nor keep others out.
func TestAS44DocumentFlood(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	p := publishDocuments(t)
	d := startRegistering(t, p.registration(t))
	query := url.Values{"response_type": {"code"}, "redirect_uri": {testCallback}}
	const all = edge.SignInBurst + 100
	let, begun := 0, time.Now()
	for i := range all {
		query.Set("client_id", p.URL(fmt.Sprintf("host%d.example", i), "/c"))
		resp, err := http.Get(d.PublicURL + "/oauth/authorize?" + query.Encode())
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusTooManyRequests {
			let++
		}
	}
	// Some are let in again while it lasts, so any of them may be, also the last.
	if most := edge.SignInBurst + 1 + int(time.Since(begun).Seconds()*edge.SignInsPerSecond); let > most || p.Hits("/c") != 0 {
		t.Errorf("%d of %d were let in, at most %d may be; the site was asked %d times", let, all, most, p.Hits("/c"))
	}
}
