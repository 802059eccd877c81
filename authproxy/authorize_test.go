package authproxy

import (
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
)

// wantRedirect checks an error redirect: to the client's URI, with error, state and iss
// once each, and no code.
func (f *fixture) wantRedirect(t *testing.T, r reply, code string) {
	t.Helper()
	location := r.header.Get("Location")
	q := r.location(t).Query()
	if r.status != http.StatusFound || !strings.HasPrefix(location, testRedirect+"?") || r.body != "" {
		t.Fatalf("got %d %q, want a redirect to the client", r.status, location)
	}
	if q.Get("error") != code || q.Get("iss") != f.PublicURL || q.Get("state") != "s-1" || q.Has("code") || len(q["iss"]) != 1 || len(q["state"]) != 1 {
		t.Errorf("got %v, want %s with state and iss", q, code)
	}
	if n := f.count(t, `SELECT COUNT(*) FROM authorization_requests`); n != 0 {
		t.Errorf("%d requests were opened", n)
	}
}

func TestAS01NoChallenge(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath("code_challenge", "", "code_challenge_method", ""), ""), "invalid_request")
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath("code_challenge", ""), ""), "invalid_request")
}

func TestAS02ChallengeMethod(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, method := range []string{"plain", "", "s256", "S256 ", "S512"} {
		f.wantRedirect(t, f.send(t, "GET", f.authorizePath("code_challenge_method", method), ""), "invalid_request")
	}
}

func TestAS03Challenge(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	good := challengeOf(testVerifier)
	for _, challenge := range []string{good[:42], good + "A", strings.Repeat("A", 129), good[:42] + "=", good + "=", strings.Repeat("+", 43), good[:42] + "\n", good[:42] + "\u00e9"} {
		f.wantRedirect(t, f.send(t, "GET", f.authorizePath("code_challenge", challenge), ""), "invalid_request")
	}
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath()+"&code_challenge=", ""), "invalid_request")
	f.wantRedirect(t, f.send(t, "GET", strings.Replace(f.authorizePath(), "code_challenge="+good, "code_challenge=", 1), ""), "invalid_request")
	r := f.post(t, "/oauth/token", f.codeForm(f.code(t), "code_verifier", ""))
	f.wantError(t, r, 400, "invalid_grant", "invalid_request")
}

func TestAS11Resource(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	good := f.Access.Resource("sales")
	for _, resource := range []string{
		"", "https://other.example/mcp/sales", good + "//", good + "#f", good + "?x", strings.ToUpper(good), "/mcp/sales", "mcp/sales", "javascript:alert(1)",
		f.PublicURL, f.PublicURL + "/mcp", f.PublicURL + "/mcp/unknown", good + "-evil", f.PublicURL + "/mcp/../mcp/sales", f.PublicURL + "/mcp/%73ales",
		strings.Replace(good, "http:", "https:", 1), strings.Replace(good, "127.0.0.1", "127.0.0.1:1", 1), strings.Replace(good, "/mcp", "1/mcp", 1), "https://acme.my.salesforce.com",
	} {
		f.wantRedirect(t, f.send(t, "GET", f.authorizePath("resource", resource), ""), "invalid_target")
	}
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath()+strings.Repeat("&resource="+url.QueryEscape(good), 20), ""), "invalid_target")
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath()+"&resource="+url.QueryEscape(f.Access.Resource("all")), ""), "invalid_target")
}

func TestResourceMayBeAbsentWithOneServer(t *testing.T) {
	t.Parallel()
	f := start(t, change{access: func(c *access.Config) { c.Servers = c.Servers[:1] }})
	got := f.tokens(t, f.codeForm(f.code(t, "resource", "", "scope", ""), "resource", ""))
	f.opens(t, got.access, true)
}

func TestAS13RedirectURI(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, uri := range []string{
		"", "https://client.example/cb/", "https://client.example/cb?x=1", "https://client.example/cb#f", "https://client.example:443/cb", "HTTPS://client.example/cb",
		"https://client.example.evil/cb", "https://client.example@evil/cb", "https://evil/?https://client.example/cb", "https://client.example/cb/../x",
		"https://client.example/cb%2f..", `https://client.example\cb`, "https://client.example/c\tb", "https://client.example/cb\r\nSet-Cookie: a=b",
		"https://client.example/c\nb", "https://client.example/c\rb", "https://cli\u0435nt.example/cb", "https://xn--clint-5of.example/cb", "https://xn--client.example/cb", "https://[::1%25client.example]/cb", "javascript:alert(1)", f.PublicURL + "/oauth/callback",
	} {
		r := f.send(t, "GET", f.authorizePath("redirect_uri", uri), "")
		if r.status != http.StatusBadRequest || r.header.Get("Location") != "" || strings.Contains(r.body, "evil") {
			t.Errorf("%q: %d, Location %q", uri, r.status, r.header.Get("Location"))
		}
	}
	f.wantAudited(t, "authorization.open", "denied", "redirect_mismatch")
	if asked := f.audited(t, "authorization.open"); !slices.ContainsFunc(asked, func(e audit.Entry) bool { return e.Object == "https://client.example/cb??Set-Cookie:?a=b" }) {
		t.Errorf("the audit log does not say which addresses were asked for: %+v", asked)
	}
	for _, id := range []string{"", "unknown", "CHATGPT", "chatgpt ", "https://evil.example/client.json"} {
		if r := f.send(t, "GET", f.authorizePath("client_id", id), ""); r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
			t.Errorf("client %q: %d, Location %q", id, r.status, r.header.Get("Location"))
		}
	}
	if n := f.count(t, `SELECT COUNT(*) FROM authorization_requests`); n != 0 {
		t.Errorf("%d requests were opened", n)
	}
}

func TestAS14LoopbackRedirect(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	redirect := "http://127.0.0.1:49152/callback"
	q := f.logIn(t, f.browser(), "client_id", "inspector", "redirect_uri", redirect)
	f.tokens(t, f.codeForm(q.Get("code"), "client_id", "inspector", "redirect_uri", redirect))
	for _, host := range []string{"localhost", "127.1", "0x7f.1", "2130706433", "127.0.0.1.evil", "127.0.0.1@evil", "[::ffff:127.0.0.1]", "[::1]"} {
		r := f.send(t, "GET", f.authorizePath("client_id", "inspector", "redirect_uri", "http://"+host+":49152/callback"), "")
		if r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
			t.Errorf("%s: %d, Location %q", host, r.status, r.header.Get("Location"))
		}
	}
	if r := f.send(t, "GET", f.authorizePath("client_id", "inspector", "redirect_uri", f.PublicURL+"/callback"), ""); r.status != http.StatusBadRequest {
		t.Errorf("the proxy itself: %d", r.status)
	}
}

func TestAS17State(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, state := range []string{strings.Repeat("s", 8000), `"><script>alert(1)</script>`, "%0d%0aSet-Cookie: a=b", "a&b=c#d?e", "~!@$^*()_+`{}|[]\\:';,./", "  x  "} {
		q := f.logIn(t, f.browser(), "state", state)
		if q.Get("state") != state || len(q["state"]) != 1 || q.Get("code") == "" {
			t.Errorf("state %.40q came back as %.40q", state, q.Get("state"))
		}
	}
	for _, state := range []string{"a\r\nSet-Cookie: a=b", "a\x00b", "\u00e9", "a\xffb"} {
		r := f.send(t, "GET", f.authorizePath("state", state), "")
		if q := r.location(t).Query(); q.Get("error") != "invalid_request" || q.Get("state") != state || r.header.Get("Set-Cookie") != "" {
			t.Errorf("state %q: %v %v", state, q, r.header)
		}
	}
	if r := f.send(t, "GET", f.authorizePath("state", strings.Repeat("s", 20_000)), ""); r.status != http.StatusBadRequest {
		t.Errorf("20 KB of state: %d", r.status)
	}
}

func TestAS19RepeatedParameters(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, name := range []string{"response_type", "code_challenge", "code_challenge_method", "scope", "unknown"} {
		f.wantRedirect(t, f.send(t, "GET", f.authorizePath(name, "code")+"&"+name+"=code", ""), "invalid_request")
	}
	for _, pair := range []string{"client_id=chatgpt", "redirect_uri=" + url.QueryEscape(testRedirect), "redirect_uri=https://evil.example"} {
		if r := f.send(t, "GET", f.authorizePath()+"&"+pair, ""); r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
			t.Errorf("%s twice: %d %q", pair, r.status, r.header.Get("Location"))
		}
	}
	r := f.send(t, "GET", f.authorizePath()+"&state=other", "")
	if q := r.location(t).Query(); q.Get("error") != "invalid_request" || q.Has("state") {
		t.Errorf("state twice: %v", q)
	}
	for _, broken := range []string{"&a=%zz", "&a;b=c", strings.Repeat("&a", 200)} {
		if r := f.send(t, "GET", f.authorizePath()+broken, ""); r.status != http.StatusBadRequest {
			t.Errorf("%.10q: %d", broken, r.status)
		}
	}
}

func TestAS22ResponseTypeAndMode(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, kind := range []string{"token", "id_token", "code token", "none", "CODE"} {
		f.wantRedirect(t, f.send(t, "GET", f.authorizePath("response_type", kind), ""), "unsupported_response_type")
	}
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath("response_type", ""), ""), "invalid_request")
	for _, mode := range []string{"form_post", "fragment", "web_message", "QUERY"} {
		f.wantRedirect(t, f.send(t, "GET", f.authorizePath("response_mode", mode), ""), "invalid_request")
	}
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath("request", "e30.e30."), ""), "request_not_supported")
	f.wantRedirect(t, f.send(t, "GET", f.authorizePath("request_uri", "https://evil.example/r"), ""), "request_uri_not_supported")
}

// MCP: scheme and host of a resource may be in capitals.
func TestResourceInCapitals(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	capitals := strings.Replace(f.Access.Resource("sales"), "http:", "HTTP:", 1)
	got := f.tokens(t, f.codeForm(f.code(t, "resource", capitals), "resource", capitals))
	f.opens(t, got.access, true)
	again := f.tokens(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.refresh}, "client_id": {"chatgpt"}, "resource": {capitals}})
	f.opens(t, again.access, true)
}

func TestAuthorizationResponse(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	q := f.logIn(t, f.browser(), "redirect_uri", "https://client.example/q?a=1", "scope", "openid mcp offline_access mcp:admin", "prompt", "consent", "id_token_hint", "x")
	if q.Get("a") != "1" || q.Get("iss") != f.PublicURL || q.Get("state") != "s-1" || !strings.HasPrefix(q.Get("code"), "sfc_") {
		t.Errorf("authorization response: %v", q)
	}
	for name, values := range q {
		if len(values) != 1 {
			t.Errorf("%s occurs %d times", name, len(values))
		}
	}
	r := f.post(t, "/oauth/token", f.codeForm(q.Get("code"), "redirect_uri", "https://client.example/q?a=1"))
	m := r.json(t)
	if r.status != 200 || m["scope"] != "mcp offline_access" || m["token_type"] != "Bearer" || m["expires_in"] != 900.0 ||
		r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("token answer: %d %v %v", r.status, r.header, m)
	}
	f.wantAudited(t, "login.finish", "ok", "")
	f.wantAudited(t, "grant.create", "ok", "")
	f.wantAudited(t, "token.issue", "ok", "")
	if e := f.audited(t, "grant.create")[0]; e.Username != "rep@acme.example" || e.Client != "chatgpt" || e.Server != "sales" || e.Grant == "" {
		t.Errorf("audit entry: %+v", e)
	}
}

func FuzzAuthorizeQuery(f *testing.F) {
	for _, seed := range []string{
		"", "client_id=chatgpt", "client_id=chatgpt&redirect_uri=https%3A%2F%2Fclient.example%2Fcb", "client_id=chatgpt&client_id=chatgpt",
		"response_type=code&client_id=chatgpt&redirect_uri=https%3A%2F%2Fclient.example%2Fcb&state=%0d%0a&code_challenge=x&code_challenge_method=plain",
		"client_id=chatgpt&redirect_uri=https%3A%2F%2Fclient.example%2Fcb&resource=https%3A%2F%2Fproxy.example%2Fmcp%2Fsales&response_type=code&code_challenge_method=S256&code_challenge=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&scope=mcp",
		"%zz", "a;b", "resource=&resource=x&client_id=%00",
	} {
		f.Add(seed)
	}
	d, err := db.Open(f.Context(), db.Config{URL: "sqlite:" + filepath.Join(f.TempDir(), "proxy.db")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { d.Close() })
	control, err := access.New(access.Config{DB: d, Grants: &grant.Store{}, PublicURL: "https://proxy.example", Orgs: []access.Org{{Name: "acme"}}, Servers: servers()})
	if err != nil {
		f.Fatal(err)
	}
	s := &Server{Config: Config{Access: control}}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := query(&http.Request{URL: &url.URL{RawQuery: text}})
		if err != nil {
			return
		}
		req, refused := s.authorizationRequest(q, "")
		if refused != nil {
			if refused.code == "" || strings.ContainsFunc(refused.description, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
				t.Fatalf("refusal %+v", refused)
			}
			return
		}
		if !isChallenge(req.CodeChallenge) || req.Resource != "https://proxy.example/mcp/"+req.Server || q.Get("response_type") != "code" ||
			q.Get("code_challenge_method") != "S256" || req.State != q.Get("state") || req.Scope != "mcp" && req.Scope != "mcp offline_access" {
			t.Fatalf("accepted %+v", req)
		}
		for name, values := range q {
			if len(values) != 1 {
				t.Fatalf("accepted with %s %d times", name, len(values))
			}
		}
	})
}

func TestConsentNamesTheServersOwnText(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	body := html.UnescapeString(f.send(t, "GET", f.authorizePath(), "").body)
	for _, want := range []string{"Accounts & contacts", "Read records that you can see", "Create records", "Delete records"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
