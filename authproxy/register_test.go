package authproxy

import (
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
)

func startDynamic(t *testing.T) *fixture {
	t.Helper()
	return start(t, change{clients: func(_ *fixture, c *client.Config) { c.Dynamic = true }})
}

func (f *fixture) registration(t *testing.T, body string) reply {
	t.Helper()
	return f.send(t, "POST", "/oauth/register", body, "Content-Type", "application/json")
}

// registered registers a client and returns its id.
func (f *fixture) registered(t *testing.T, body string) string {
	t.Helper()
	r := f.registration(t, body)
	if r.status != http.StatusCreated {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return r.json(t)["client_id"].(string)
}

const plainRegistration = `{"redirect_uris":["` + testRedirect + `"],"client_name":"Cursor"}`

func TestDynamicRegistration(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	m := f.send(t, "GET", "/.well-known/oauth-authorization-server", "").json(t)
	if m["registration_endpoint"] != f.PublicURL+"/oauth/register" || m["client_id_metadata_document_supported"] != nil || !cmp.Equal(m["token_endpoint_auth_methods_supported"], []any{"none"}) {
		t.Errorf("metadata: %v", m)
	}
	r := f.registration(t, `{"client_name":"Cursor","redirect_uris":["http://127.0.0.1/callback","`+testRedirect+`"],"token_endpoint_auth_method":"client_secret_basic",
		"grant_types":["authorization_code","refresh_token","x"],"response_types":["code"],"scope":"mcp x","application_type":"native","unknown":{"a":1}}`)
	got := r.json(t)
	id, _ := got["client_id"].(string)
	want := map[string]any{
		"client_id": id, "client_id_issued_at": float64(f.clock.Now().Unix()), "client_name": "Cursor", "redirect_uris": []any{"http://127.0.0.1/callback", testRedirect},
		"token_endpoint_auth_method": "none", "grant_types": []any{"authorization_code", "refresh_token"}, "response_types": []any{"code"}, "application_type": "native",
	}
	if diff := cmp.Diff(want, got); diff != "" || r.status != http.StatusCreated || r.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(id, "dyn_") {
		t.Errorf("%d %v %s", r.status, r.header, diff)
	}
	first := f.tokens(t, f.codeForm(f.code(t, "client_id", id), "client_id", id))
	second := f.tokens(t, refreshForm(first.refresh, "client_id", id))
	f.opens(t, second.access, true)
	for name, pairs := range map[string][]string{"another client": {"client_id", "chatgpt"}, "unknown": {"client_id", id + "x"}} {
		if r := f.post(t, "/oauth/token", refreshForm(second.refresh, pairs...)); r.status == http.StatusOK {
			t.Errorf("%s refreshes", name)
		}
	}
	clients, err := f.Clients.All(t.Context())
	if err != nil || len(clients) != 3 {
		t.Fatalf("%v, %v", clients, err)
	}
	if _, err := f.Cutoff.RevokeClient(t.Context(), id, Act{By: actor.Operator("admin", ""), Why: "x"}); err != nil {
		t.Fatal(err)
	}
	f.opens(t, second.access, false)
	if _, err := f.Clients.Current(t.Context(), id); !errors.Is(err, client.ErrUnknown) {
		t.Errorf("after the revocation: %v", err)
	}
}

func TestAS15AS16RegisterRedirects(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	for _, uri := range []string{
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", ` javascript:alert(1)`, `\u0001javascript:alert(1)`, `java\tscript:alert(1)`, "data:text/html,x", "vbscript:x", "file:///etc/passwd",
		"blob:https://c.example/1", "http://client.example/cb", "https://u@client.example/cb", f.PublicURL + "/account", "",
		"https://client.example/cb?code=1", "https://client.example/cb?state=", "https://client.example/cb?iss=x", "https://client.example/cb?error=x", "https://client.example/cb#f",
	} {
		for _, list := range []string{`["` + uri + `"]`, `["` + testRedirect + `","` + uri + `"]`} {
			f.wantError(t, f.registration(t, `{"redirect_uris":`+list+`}`), http.StatusBadRequest, invalidRedirectURI)
		}
	}
	if n := f.count(t, `SELECT COUNT(*) FROM registered_clients`); n != 0 {
		t.Errorf("%d clients are stored", n)
	}
}

func TestAS35RegistrationShapes(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	for name, body := range map[string]string{
		"1 MB name":        `{"redirect_uris":["` + testRedirect + `"],"client_name":"` + strings.Repeat("x", 1<<20) + `"}`,
		"101 characters":   `{"redirect_uris":["` + testRedirect + `"],"client_name":"` + strings.Repeat("\u00fc", 101) + `"}`,
		"depth 10000":      strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000),
		"deep member":      `{"redirect_uris":["` + testRedirect + `"],"x":` + strings.Repeat(`[`, 8000),
		"1000 redirects":   `{"redirect_uris":["` + testRedirect + `"` + strings.Repeat(`,"`+testRedirect+`"`, 999) + `]}`,
		"30 redirects":     `{"redirect_uris":["` + testRedirect + `"` + strings.Repeat(`,"`+testRedirect+`"`, 29) + `]}`,
		"name twice":       `{"redirect_uris":["` + testRedirect + `"],"redirect_uris":["https://evil.example/"]}`,
		"name in capitals": `{"redirect_uris":["` + testRedirect + `"],"Redirect_URIs":["https://evil.example/"]}`,
		"wants to sign":    `{"redirect_uris":["` + testRedirect + `"],"token_endpoint_auth_method":"private_key_jwt"}`,
		"no redirects":     `{"client_name":"C"}`, "nothing": "", "null": "null", "text": `"x"`, "list": "[]", "trailing": plainRegistration + "{}",
	} {
		r := f.registration(t, body)
		if r.status != http.StatusBadRequest {
			t.Errorf("%s:", name)
		}
		f.wantError(t, r, http.StatusBadRequest, invalidClientMetadata, invalidRedirectURI)
	}
	for name, r := range map[string]reply{
		"form": f.send(t, "POST", "/oauth/register", "redirect_uris=x", "Content-Type", formType),
		"gzip": f.send(t, "POST", "/oauth/register", plainRegistration, "Content-Type", "application/json", "Content-Encoding", "gzip"),
		"GET":  f.send(t, "GET", "/oauth/register", ""),
	} {
		if r.status < 400 || r.status == http.StatusNotFound {
			t.Errorf("%s: %d", name, r.status)
		}
	}
	if n := f.count(t, `SELECT COUNT(*) FROM registered_clients`); n != 0 {
		t.Errorf("%d clients are stored", n)
	}
}

// However many come, the table is bounded; those that nobody uses make room.
func TestAS35RegistrationsAreBounded(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	used := f.registered(t, plainRegistration)
	have := f.tokens(t, f.codeForm(f.code(t, "client_id", used), "client_id", used))
	_, err := f.db.Writes.Exec(fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
		INSERT INTO registered_clients (id, kind, metadata, created_at, read_at, fresh_until)
		SELECT 'dyn_' || i, 'dynamic', '{}', %[1]d, %[1]d, 0 FROM n`, f.clock.Now().UnixMilli()))
	if err != nil {
		t.Fatal(err)
	}
	f.registered(t, plainRegistration) // nobody is locked out: the oldest of a crowd gives way, but never one in use
	if n := f.count(t, `SELECT COUNT(*) FROM registered_clients`); n != 10_000 {
		t.Errorf("%d clients", n)
	}
	f.clock.Add(24 * time.Hour)
	f.registered(t, plainRegistration)
	if n := f.count(t, `SELECT COUNT(*) FROM registered_clients`); n != 10_000 {
		t.Errorf("%d clients after a day", n)
	}
	have = f.tokens(t, refreshForm(have.refresh, "client_id", used))
	f.clock.Add(29 * 24 * time.Hour)
	f.sweep(t)
	if n := f.count(t, `SELECT COUNT(*) FROM registered_clients`); n != 2 { // the used one, and the one of the second day
		t.Errorf("%d clients after a month", n)
	}
	f.tokens(t, refreshForm(have.refresh, "client_id", used))
	if entries := f.audited(t, "client.register"); len(entries) != 3 {
		t.Errorf("%d entries", len(entries))
	}
}

func TestAS36RegistrationSwitchedOff(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	id := f.registered(t, plainRegistration)
	have := f.tokens(t, f.codeForm(f.code(t, "client_id", id), "client_id", id))
	known, s := f.without(t)
	if _, err := known.Current(t.Context(), id); !errors.Is(err, client.ErrUnknown) {
		t.Errorf("the client: %v", err)
	}
	if _, err := s.Authenticate(t.Context(), have.access, "sales"); !errors.Is(err, grant.ErrInvalidToken) {
		t.Errorf("its token: %v", err)
	}
	if _, err := s.Rotate(t.Context(), grant.Rotation{RefreshToken: have.refresh, ClientID: id}); !errors.Is(err, grant.ErrInvalidGrant) {
		t.Errorf("its refresh token: %v", err)
	}
	if clients, err := known.All(t.Context()); err != nil || len(clients) != 0 {
		t.Errorf("listed: %v, %v", clients, err)
	}
	_, kept := f.without(t, client.Client{ID: id, Name: "Cursor", RedirectURIs: []string{testRedirect}})
	if _, err := kept.Authenticate(t.Context(), have.access, "sales"); err != nil {
		t.Errorf("a client that the administrator kept: %v", err)
	}
}

// No address that a registration names is ever connected to, whoever makes the connection
// and by whatever protocol: what is counted are connections, not requests that were
// understood.
func TestAS37RegistrationFetchesNothing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var connections atomic.Int32
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			conn.Close()
		}
	}()
	f := startDynamic(t)
	for _, scheme := range []string{"https", "http"} {
		u := scheme + "://" + listener.Addr().String() + "/x"
		id := f.registered(t, strings.ReplaceAll(`{"redirect_uris":["`+testRedirect+`"],"client_name":"C","jwks_uri":"U","logo_uri":"U","client_uri":"U","tos_uri":"U","policy_uri":"U",
			"sector_identifier_uri":"U","request_uris":["U","http://169.254.169.254/"],"initiate_login_uri":"U","backchannel_logout_uri":"U","frontchannel_logout_uri":"U",
			"backchannel_client_notification_endpoint":"U","software_statement":"eyJhbGciOiJub25lIn0.e30."}`, "U", u))
		page := f.openConsent(t, f.browser(), "client_id", id)
		f.tokens(t, f.codeForm(f.code(t, "client_id", id), "client_id", id))
		if strings.Contains(page.Body, u) {
			t.Error("an address that nobody looked at is shown")
		}
	}
	listener.Close()
	<-closed
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestAS45SpoofedNames(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	for name, want := range map[string]string{
		"ChatGPT":                 "ChatGPT",
		`Ch\u0430tGPT`:            "mixes alphabets that look alike", // a Cyrillic letter
		`ChatGPT\u202e`:           "⟨U&#43;202E⟩",
		`Chat\u200bGPT`:           "⟨U&#43;200B⟩",
		`ChatGPT \u2705 verified`: "✅",
		`<b>ChatGPT</b>`:          "&lt;b&gt;ChatGPT",
		``:                        "Unnamed client",
	} {
		id := f.registered(t, `{"redirect_uris":["`+testRedirect+`"],"client_name":"`+name+`"}`)
		body := f.openConsent(t, f.browser(), "client_id", id).Body
		for _, want := range []string{want, "Unverified: nobody has checked", "<code>client.example</code>", "(unverified)"} {
			if !strings.Contains(body, want) {
				t.Errorf("%q: the page lacks %q", name, want)
			}
		}
		if strings.ContainsAny(html.UnescapeString(body), "\u202e\u200b") {
			t.Errorf("%q: shown as it is", name)
		}
	}
}
