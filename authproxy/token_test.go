package authproxy

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/seal"
	sim "sfmcp-proxy/examples/salesforcesim"
)

func TestAS04VerifierAtTokenEndpoint(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	bad := []string{"a" + testVerifier[1:], testVerifier[:42], strings.Repeat("a", 129), challengeOf(testVerifier), testVerifier[:43] + "%", testVerifier + "=",
		testVerifier + " ", testVerifier[:45] + "\u00e9", testVerifier[:45] + "\x00", strings.ToUpper(testVerifier)}
	try := func(code, verifier string) {
		t.Helper()
		form := f.codeForm(code)
		form.Set("code_verifier", verifier)
		f.wantError(t, f.post(t, "/oauth/token", form), 400, "invalid_grant", "invalid_request")
	}
	for _, verifier := range append(bad, "") { // each of them, and the code is still good
		code := f.code(t)
		try(code, verifier)
		f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "code_verifier", "")), 400, "invalid_grant", "invalid_request")
		f.tokens(t, f.codeForm(code))
	}
	code := f.code(t)
	for _, verifier := range bad[:5] {
		try(code, verifier)
	}
	try(code, testVerifier) // five failures ended it
	f.wantAudited(t, "token.issue", "denied", "invalid_grant")
}

func TestAS05CodeReplay(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	code := f.code(t)
	got := f.tokens(t, f.codeForm(code))
	f.opens(t, got.access, true)
	f.clock.Add(time.Second)
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code)), 400, "invalid_grant")
	f.opens(t, got.access, false)
	f.wantError(t, f.post(t, "/oauth/token", refreshForm(got.refresh)), 400, "invalid_grant")
	f.wantAudited(t, "grant.replay", "ok", "code presented again")
	if s, err := f.Links.Status(t.Context(), "acme", sim.RepID); err != nil || s.State != "revoked" {
		t.Errorf("the login at Salesforce is %v (%v), want revoked", s.State, err)
	}
}

func TestAS06CodeOfAnotherClient(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	code := f.code(t)
	for range 6 {
		f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "client_id", "inspector")), 400, "invalid_grant")
	}
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "client_id", "inspector", "client_secret", "x")), 401, "invalid_client")
	f.opens(t, f.tokens(t, f.codeForm(code)).access, true)
}

func TestAS08AS09Redemption(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	code := f.code(t)
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "redirect_uri", "https://client.example/other")), 400, "invalid_grant")
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "redirect_uri", "")), 400, "invalid_grant")
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm("")), 400, "invalid_request")
	f.clock.Add(time.Minute)
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code)), 400, "invalid_grant")
}

func TestAS10ResourceAtRedemption(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	code := f.code(t)
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "resource", f.Access.Resource("all"))), 400, "invalid_target")
	both := f.codeForm(code)
	both.Add("resource", f.Access.Resource("all"))
	f.wantError(t, f.post(t, "/oauth/token", both), 400, "invalid_target")
	got := f.tokens(t, f.codeForm(code, "resource", ""))
	f.opens(t, got.access, true)
	if _, err := f.Grants.Authenticate(t.Context(), got.access, "all"); err == nil {
		t.Error("the token opens another server")
	}
}

func TestAS19RepeatedTokenParameters(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	code := f.code(t)
	for _, name := range []string{"grant_type", "client_id", "code", "redirect_uri", "code_verifier", "unknown"} {
		form := f.codeForm(code)
		form[name] = []string{form.Get(name), form.Get(name)}
		f.wantError(t, f.post(t, "/oauth/token", form), 400, "invalid_request")
	}
	f.wantError(t, f.post(t, "/oauth/token?code="+code, f.codeForm(code)), 400, "invalid_request")
	f.wantError(t, f.post(t, "/oauth/token?", f.codeForm(code)), 400, "invalid_request")
	f.tokens(t, f.codeForm(code))
}

func TestAS23GrantTypes(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	code := f.code(t)
	for _, kind := range []string{"password", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange",
		"urn:ietf:params:oauth:grant-type:device_code", "implicit", "Authorization_Code", "authorization_code "} {
		f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "grant_type", kind)), 400, "unsupported_grant_type")
	}
	empty := f.codeForm(code)
	empty.Set("grant_type", "")
	f.wantError(t, f.post(t, "/oauth/token", empty), 400, "unsupported_grant_type")
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "grant_type", "")), 400, "invalid_request")
	f.tokens(t, f.codeForm(code))
}

func TestAS24RefreshReuse(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	first := f.tokens(t, f.codeForm(f.code(t)))
	second := f.tokens(t, refreshForm(first.refresh))
	f.clock.Add(2 * time.Minute)
	f.wantError(t, f.post(t, "/oauth/token", refreshForm(first.refresh)), 400, "invalid_grant")
	f.opens(t, first.access, false)
	f.opens(t, second.access, false)
	f.wantError(t, f.post(t, "/oauth/token", refreshForm(second.refresh)), 400, "invalid_grant")
	f.wantAudited(t, "grant.replay", "ok", "refresh token presented again")
}

func TestAS25ParallelRefreshDoesNotFork(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	first := f.tokens(t, f.codeForm(f.code(t)))
	var mu sync.Mutex
	var wg sync.WaitGroup
	successors := map[string]bool{}
	for range 10 {
		wg.Go(func() {
			got := f.tokens(t, refreshForm(first.refresh))
			mu.Lock()
			defer mu.Unlock()
			successors[got.refresh] = true
		})
	}
	wg.Wait()
	if len(successors) != 1 {
		t.Errorf("%d successors, want 1", len(successors))
	}
}

func TestAS26RefreshMisuse(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	got := f.tokens(t, f.codeForm(f.code(t)))
	f.wantError(t, f.post(t, "/oauth/token", refreshForm(got.refresh, "client_id", "inspector")), 400, "invalid_grant")
	f.wantError(t, f.post(t, "/oauth/token", refreshForm(got.refresh, "resource", f.Access.Resource("all"))), 400, "invalid_target")
	f.wantError(t, f.post(t, "/oauth/token", refreshForm(got.refresh, "scope", "mcp offline_access")), 400, "invalid_scope")
	f.wantError(t, f.post(t, "/oauth/token", refreshForm("")), 400, "invalid_request")
	f.wantAudited(t, "token.refresh", "denied", "invalid_scope")
	f.tokens(t, refreshForm(got.refresh, "resource", f.Access.Resource("sales"), "scope", "mcp"))
}

func TestAS29AS30WrongTokens(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	code := f.code(t)
	got := f.tokens(t, f.codeForm(code))
	for _, token := range []string{
		got.refresh[:len(got.refresh)-1], got.refresh + "A", got.refresh + "=", got.refresh + "\x00", " " + got.refresh, strings.ToUpper(got.refresh), "sfr_",
		got.access, code, "eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
	} {
		f.wantError(t, f.post(t, "/oauth/token", refreshForm(token)), 400, "invalid_grant")
	}
	f.tokens(t, refreshForm(got.refresh))
}

func TestAS32NoClientAuthentication(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	code := f.code(t)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("chatgpt:secret"))
	r := f.post(t, "/oauth/token", f.codeForm(code), "Authorization", basic)
	f.wantError(t, r, 401, "invalid_client")
	if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Basic ") {
		t.Error("no Basic challenge")
	}
	for what, header := range map[string]string{
		"no base64": "Basic %%%", "no colon": "Basic " + base64.StdEncoding.EncodeToString([]byte("chatgpt")), "another client": "Basic " + base64.StdEncoding.EncodeToString([]byte("inspector:")),
		"empty secret": "Basic " + base64.StdEncoding.EncodeToString([]byte("chatgpt:")), "empty": "Basic ", "bearer": "Bearer " + code, "no scheme": "chatgpt:secret",
	} {
		r := f.post(t, "/oauth/token", f.codeForm(code), "Authorization", header)
		if r.status != http.StatusUnauthorized || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: %d, WWW-Authenticate %q", what, r.status, r.header.Get("WWW-Authenticate"))
		}
	}
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "client_secret", "secret"), "Authorization", basic), 401, "invalid_client") // both
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "client_id", "inspector"), "Authorization", basic), 401, "invalid_client")
	for _, pairs := range [][]string{{"client_secret", "x"}, {"client_assertion", "x"}, {"client_id", "unknown"}} {
		f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, pairs...)), 401, "invalid_client")
		f.wantError(t, f.post(t, "/oauth/revoke", with(url.Values{"token": {"x"}, "client_id": {"chatgpt"}}, pairs...)), 401, "invalid_client")
	}
	f.wantError(t, f.post(t, "/oauth/token", f.codeForm(code, "client_id", "")), 400, "invalid_request")
	f.tokens(t, f.codeForm(code)) // nothing above spent it
}

func TestAS47Revocation(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	got := f.tokens(t, f.codeForm(f.code(t)))
	ok := func(form url.Values) {
		t.Helper()
		if r := f.post(t, "/oauth/revoke", form); r.status != 200 || r.body != "" || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("revoke: %d %q", r.status, r.body)
		}
	}
	ok(url.Values{"token": {got.refresh}, "client_id": {"inspector"}})
	ok(url.Values{"token": {"sfr_unknown"}, "client_id": {"chatgpt"}})
	f.opens(t, got.access, true)
	f.wantError(t, f.post(t, "/oauth/revoke", url.Values{"client_id": {"chatgpt"}}), 400, "invalid_request")
	if r := f.send(t, "GET", "/oauth/revoke?token="+got.refresh, ""); r.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", r.status)
	}
	ok(url.Values{"token": {got.access}, "client_id": {"chatgpt"}, "token_type_hint": {"refresh_token"}})
	f.opens(t, got.access, false)
	next := f.tokens(t, refreshForm(got.refresh))
	f.opens(t, next.access, true)

	_, replica := f.without(t, client.Client{ID: "chatgpt", Name: "ChatGPT", RedirectURIs: []string{testRedirect}})
	if _, err := replica.Authenticate(t.Context(), next.access, "sales"); err != nil {
		t.Errorf("another process: %v", err)
	}
	ok(url.Values{"token": {next.refresh}, "client_id": {"chatgpt"}, "token_type_hint": {"access_token"}})
	f.opens(t, next.access, false)
	if _, err := replica.Authenticate(t.Context(), next.access, "sales"); !errors.Is(err, grant.ErrInvalidToken) {
		t.Errorf("another process: %v", err)
	}
	f.wantError(t, f.post(t, "/oauth/token", refreshForm(next.refresh)), 400, "invalid_grant")
	ok(url.Values{"token": {next.refresh}, "client_id": {"chatgpt"}})
	f.wantAudited(t, "token.revoke", "ok", "")
	f.wantAudited(t, "grant.revoke", "ok", "revoked by the client")
	if n, err := f.Links.RevokePending(t.Context()); err != nil || n != 0 {
		t.Errorf("%d revocations left (%v)", n, err)
	}
	for _, token := range f.sim.RefreshTokens(sim.GrantFilter{Username: sim.RepUsername}) {
		if token.State == "live" {
			t.Errorf("Salesforce still has a live refresh token: %+v", token)
		}
	}
}

func TestAS51TokenTransport(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	form := f.codeForm("sfc_x").Encode()
	for _, tt := range []struct {
		name, method, kind, body string
		status                   int
	}{
		{"GET", "GET", "", "", 405}, {"HEAD", "HEAD", "", "", 405}, {"PUT", "PUT", formType, form, 405},
		{"JSON", "POST", "application/json", `{"grant_type":"authorization_code"}`, 415}, {"no type", "POST", "", form, 415},
		{"multipart", "POST", "multipart/form-data; boundary=x", form, 415}, {"text", "POST", "text/plain; " + formType, form, 415},
		{"two megabytes", "POST", formType, "a=" + strings.Repeat("b", 2<<20), 413},
		{"ten thousand parameters", "POST", formType, strings.Repeat("a&", 10_000), 400}, {"broken escape", "POST", formType, "a=%zz", 400},
		{"semicolon", "POST", formType, "a=b;c=d", 400}, {"empty", "POST", formType, "", 400},
	} {
		var headers []string
		if tt.kind != "" {
			headers = []string{"Content-Type", tt.kind}
		}
		r := f.send(t, tt.method, "/oauth/token", tt.body, headers...)
		if r.status != tt.status || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q, want %d", tt.name, r.status, r.header.Get("Cache-Control"), tt.status)
		}
	}
	r := f.send(t, "POST", "/oauth/token", form, "Content-Type", formType, "Content-Encoding", "gzip")
	if r.status != 415 {
		t.Errorf("Content-Encoding: %d", r.status)
	}
}

func TestTokenEndpointHidesFailures(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	code := f.code(t)
	f.db.Close()
	r := f.post(t, "/oauth/token", f.codeForm(code))
	f.wantError(t, r, 500, "server_error")
	for _, word := range []string{"sql", "database", "closed", "goroutine"} {
		if strings.Contains(strings.ToLower(r.body), word) {
			t.Errorf("the answer tells of %q: %s", word, r.body)
		}
	}
}

// AU-14: refusals of unknown clients do not fill the audit log; it says how many it left out.
func TestAU14RefusalsAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	const tries = 300
	for range tries {
		f.wantError(t, f.post(t, "/oauth/token", refreshForm(seal.Secret("sfr_"))), 400, "invalid_grant")
		f.send(t, "GET", f.authorizePath("redirect_uri", "https://evil.example/"), "")
	}
	if n := len(f.audited(t, "token.refresh")) + len(f.audited(t, "authorization.open")); n > 100 {
		t.Errorf("%d entries for %d refusals", n, 2*tries)
	}
	_, callback := f.atCallback(t)
	for range tries { // whoever began a sign-in knows its state, and can repeat it
		if r := f.callbackWith(t, f.browser(), callback.Query()); r.status != http.StatusForbidden {
			t.Fatalf("another browser's callback: %d", r.status)
		}
	}
	if n := len(f.audited(t, "login.finish")); n > 50 {
		t.Errorf("%d entries for %d callbacks", n, tries)
	}
	f.clock.Add(time.Hour)
	f.post(t, "/oauth/token", refreshForm(seal.Secret("sfr_")))
	f.wantAudited(t, "token.refresh", "denied", "not recorded")
}

// D15: a client that refreshes in a loop is told to wait, with a token that stays good; AV-05:
// one whose token is dead is told that it is, before, during and after.
func TestD15AV05RefreshLoop(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	have := f.tokens(t, f.codeForm(f.code(t)))
	dead := refreshForm("sfr_" + strings.Repeat("A", 43))
	var limited reply
	refreshed := 0
	f.wantError(t, f.post(t, "/oauth/token", dead), 400, "invalid_grant")
	for range 600 {
		if limited = f.post(t, "/oauth/token", refreshForm(have.refresh)); limited.status != 200 {
			break
		}
		have.refresh, refreshed = limited.json(t)["refresh_token"].(string), refreshed+1
	}
	f.wantError(t, limited, 429, "temporarily_unavailable")
	if refreshed != 499 || limited.header.Get("Retry-After") != "60" {
		t.Errorf("%d refreshes, then %v", refreshed, limited.header)
	}
	f.wantError(t, f.post(t, "/oauth/token", dead), 400, "invalid_grant")
	f.clock.Add(15 * time.Minute)
	f.tokens(t, refreshForm(have.refresh))
	f.wantAudited(t, "token.refresh", "denied", "too_often")
}
