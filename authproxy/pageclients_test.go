package authproxy

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/client"
)

// C1: a client that is a web page registers, redeems and revokes from its own origin. The
// answers are open to every origin, and never with credentials (AS-52).
func TestC1AS52ScriptsReachTheEndpointsOfClients(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	for _, origin := range []string{"https://web.example", "http://localhost:6274", "app://obsidian.md", "tauri://localhost", "vscode-file://vscode-app", "chrome-extension://abc", "null"} {
		for _, path := range []string{"/oauth/token", "/oauth/revoke", "/oauth/register"} {
			preflight := f.send(t, "OPTIONS", path, "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,mcp-protocol-version,authorization")
			h := preflight.header
			if preflight.status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "*" ||
				!strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") || h.Get("Access-Control-Allow-Headers") != "*, Authorization" {
				t.Errorf("%s OPTIONS %s: %d %v", origin, path, preflight.status, h)
			}
			for _, body := range []string{"", "grant_type=refresh_token&refresh_token=sfr_x&client_id=chatgpt"} { // errors can be read, too
				r := f.send(t, "POST", path, body, "Origin", origin, "Content-Type", formType)
				if r.status < 400 || r.header.Get("Access-Control-Allow-Origin") != "*" {
					t.Errorf("%s POST %s: %d %v", origin, path, r.status, r.header)
				}
				if r.header.Get("Access-Control-Allow-Credentials")+h.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s %s: credentials are allowed", origin, path)
				}
			}
		}
	}
	made := f.send(t, "POST", "/oauth/register", plainRegistration, "Content-Type", "application/json", "Origin", "https://web.example")
	if made.status != http.StatusCreated || made.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("registration: %d %v", made.status, made.header)
	}
	got := f.tokens(t, f.codeForm(f.code(t)))
	r := f.send(t, "POST", "/oauth/token", refreshForm(got.refresh).Encode(), "Content-Type", formType, "Origin", "https://web.example")
	if r.status != http.StatusOK || r.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("refresh: %d %v", r.status, r.header)
	}
	for _, path := range []string{"/oauth/token", "/oauth/revoke"} { // the rest of the methods is as it was
		if r := f.send(t, "GET", path, "", "Origin", "https://web.example"); r.status != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", path, r.status)
		}
	}
}

// C4: what authorize leaves out of the scope, a refresh leaves out alike, and the answer
// says so.
func TestC4RefreshRepeatsTheScopeOfTheAuthorization(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for asked, granted := range map[string]string{
		"openid offline_access":    "mcp offline_access",
		"openid profile email":     "mcp",
		"mcp_api refresh_token":    "mcp",
		"mcp offline_access":       "mcp offline_access",
		"offline_access":           "mcp offline_access",
		"mcp":                      "mcp",
		"mcp  mcp https://x.test/": "mcp",
	} {
		first := f.tokens(t, f.codeForm(f.code(t, "scope", asked)))
		again := f.tokens(t, refreshForm(first.refresh, "scope", asked))
		bare := f.tokens(t, refreshForm(again.refresh))
		if first.scope != granted || again.scope != granted || bare.scope != granted {
			t.Errorf("%q: %q, then %q and %q, want %q", asked, first.scope, again.scope, bare.scope, granted)
		}
		if less := f.tokens(t, refreshForm(bare.refresh, "scope", "mcp")); less.scope != "mcp" {
			t.Errorf("%q: less was asked for, and %q given", asked, less.scope)
		}
	}
	// What was not granted stays refused.
	got := f.tokens(t, f.codeForm(f.code(t, "scope", "mcp openid")))
	f.wantError(t, f.post(t, "/oauth/token", refreshForm(got.refresh, "scope", "openid offline_access")), 400, "invalid_scope")
}

// C9: a slash at the end, and the port that the scheme implies, mean the same endpoint.
func TestC9ResourceInOtherSpellings(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	got := f.tokens(t, f.codeForm(f.code(t, "resource", f.Access.Resource("sales")+"/"), "resource", f.Access.Resource("sales")+"/"))
	got = f.tokens(t, refreshForm(got.refresh, "resource", f.Access.Resource("sales")))
	f.tokens(t, refreshForm(got.refresh, "resource", f.Access.Resource("sales")+"/"))
	for _, path := range []string{"/.well-known/oauth-protected-resource/mcp/sales", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		plain, slash := f.send(t, "GET", path, ""), f.send(t, "GET", path+"/", "")
		if plain.status != 200 || slash.status != 200 || slash.body != plain.body {
			t.Errorf("%s/: %d %s, without the slash %d", path, slash.status, slash.body, plain.status)
		}
		for _, other := range []string{"//", "/.", "/x", "%2F"} {
			if r := f.send(t, "GET", path+other, ""); r.status != 404 {
				t.Errorf("%s%s: %d", path, other, r.status)
			}
		}
	}
}

// S6 (RFC 9700 4.11.2): nobody is sent on to an address that a stranger registered before a
// person has agreed to anything, whatever is wrong with the request.
func TestS6ErrorsOfSelfRegisteredClientsAreAPage(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	evil := "https://client.example/landing?x=1"
	id := f.registered(t, `{"client_name":"Salesforce <support>","redirect_uris":["`+evil+`"]}`)
	for what, pairs := range map[string][]string{
		"resource":      {"resource", "https://other.example/mcp"},
		"no challenge":  {"code_challenge", ""},
		"plain":         {"code_challenge_method", "plain"},
		"response type": {"response_type", "token"},
		"response mode": {"response_mode", "fragment"},
		"state":         {"state", "\x01"},
		"request":       {"request", "e30."},
	} {
		r := f.send(t, "GET", f.authorizePath(append([]string{"client_id", id, "redirect_uri", evil}, pairs...)...), "")
		body := html.UnescapeString(r.body)
		if r.status != http.StatusBadRequest || r.header.Get("Location") != "" || !strings.Contains(body, "Nobody has verified this program") {
			t.Errorf("%s: %d to %q: %s", what, r.status, r.header.Get("Location"), body)
		}
		// The person can go back, and the program learns what was wrong (RFC 6749 4.1.2.1).
		_, link, _ := strings.Cut(body, `href="`+evil+"&")
		link, _, _ = strings.Cut(link, `"`)
		if q, err := url.ParseQuery(link); err != nil || q.Get("error") == "" || q.Get("iss") != f.PublicURL {
			t.Errorf("%s: the link back has %q", what, link)
		}
		if strings.Contains(r.body, "<support>") {
			t.Errorf("%s: the name is not escaped", what)
		}
	}
	// What the configuration names is trusted, and its program told at once.
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath("resource", "https://other.example/mcp"), ""), "invalid_target")
	// Once a person has decided, the answer goes where it belongs.
	b := f.browser()
	page := f.openConsent(t, b, "client_id", id, "redirect_uri", evil)
	if next := f.decide(t, b, page, "deny"); !strings.HasPrefix(next.Location, evil+"&error=access_denied") {
		t.Errorf("after Deny: %d %q", next.Status, next.Location)
	}
}

// C10: a page about a registration that is not known says what to do in the program.
func TestC10UnknownRegistrationLeadsOn(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	r := f.send(t, "GET", f.authorizePath("client_id", "dyn_forgotten"), "")
	for _, want := range []string{"remove this server and add it again", ".mcp-auth", "Clear authentication"} {
		if r.status != http.StatusBadRequest || !strings.Contains(r.body, want) {
			t.Errorf("%d, the page lacks %q: %s", r.status, want, r.body)
		}
	}
}

// C11: a client that is for one server names no resource, as programs before RFC 8707 do
// not, and reaches no other.
func TestC11ClientForOneServer(t *testing.T) {
	t.Parallel()
	f := start(t, change{clients: func(_ *fixture, c *client.Config) { c.Clients[0].Server = "sales" }})
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath("resource", f.Access.Resource("all")), ""), "invalid_target")
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath("client_id", "inspector", "resource", ""), ""), "invalid_target") // for all: as before
	got := f.tokens(t, f.codeForm(f.code(t, "resource", ""), "resource", ""))
	f.opens(t, got.access, true)
	f.tokens(t, refreshForm(got.refresh))
	f.tokens(t, f.codeForm(f.code(t))) // naming it is as good
}

// C3: of several redirect URIs, those with a program's own scheme that are not listed are left
// out; the listed one is registered, compared exactly, and shown whole to the person.
func TestC3PrivateUseRedirects(t *testing.T) {
	t.Parallel()
	const cursor, mobile = "cursor://anysphere.cursor-mcp/oauth/callback", "com.example.app:/oauth"
	three := func(own string) string {
		return `{"client_name":"Cursor","redirect_uris":["https://www.cursor.com/agents/mcp/oauth/callback","` + own + `","http://localhost:8787/callback"]}`
	}
	f := startDynamic(t)
	r := f.registration(t, three(cursor))
	if got := r.json(t)["redirect_uris"]; r.status != http.StatusCreated || fmt.Sprint(got) != "[https://www.cursor.com/agents/mcp/oauth/callback http://localhost:8787/callback]" {
		t.Errorf("not listed: %d %s", r.status, r.body)
	}
	f.wantError(t, f.registration(t, `{"redirect_uris":["`+cursor+`"]}`), http.StatusBadRequest, invalidRedirectURI)

	f = start(t, change{clients: func(_ *fixture, c *client.Config) { c.Dynamic, c.PrivateUseURIs = true, []string{cursor, mobile} }})
	for _, own := range []string{cursor, mobile} {
		id := f.registered(t, three(own))
		b := f.browser()
		page := f.openConsent(t, b, "client_id", id, "redirect_uri", own)
		if !strings.Contains(page.Body, own) || !strings.Contains(page.Body, "Any program on it could pretend") {
			t.Errorf("the page does not say where %s leads: %s", own, page.Body)
		}
		deny := answerTo(page, "deny").Encode()
		answer := f.send(t, "POST", "/oauth/consent", deny, "Content-Type", formType, "Cookie", cookieHeader(b, f.Access.PublicURL()))
		if !strings.HasPrefix(answer.header.Get("Location"), own+"?error=access_denied") {
			t.Errorf("after Deny: %d %q", answer.status, answer.header.Get("Location"))
		}
		for _, other := range []string{own + "/", own + "?x=1", strings.ToUpper(own), strings.Replace(own, "oauth", "oauth2", 1)} {
			if r := f.send(t, "GET", f.authorizePath("client_id", id, "redirect_uri", other), ""); r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
				t.Errorf("%s for %s: %d %q", other, own, r.status, r.header.Get("Location"))
			}
		}
	}
	// vscode:// is not listed, and others never are a program's own.
	for _, uri := range []string{"vscode://vscode.example/cb", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://client.example/cb", "ftp://client.example/cb", "mailto:a@b.example"} {
		f.wantError(t, f.registration(t, `{"redirect_uris":["`+uri+`"]}`), http.StatusBadRequest, invalidRedirectURI)
	}
}
