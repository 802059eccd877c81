package salesforce_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/salesforce"
)

// loginHost is a client of a login host with this authorize endpoint.
func loginHost(t *testing.T, authorize http.HandlerFunc) *salesforce.Client {
	t.Helper()
	f := newFake(t)
	f.Config.Handler.(*http.ServeMux).HandleFunc("GET /services/oauth2/authorize", authorize)
	return f.client(t)
}

func redirectTo(location string) http.HandlerFunc { return status(302, "", "Location", location) }

// Every answer of an authorize endpoint that a person may have to understand.
func TestProbeAuthorize(t *testing.T) {
	t.Parallel()
	const next = "/setup/secur/RemoteAccessAuthorizationPage.apexp?source=x"
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		code   string // "" for none
		hint   string
	}{
		"approval page":            {redirectTo(next), "", ""},
		"login page":               {redirectTo("/?ec=302&startURL=%2Fsetup%2Fsecur%2FRemoteAccessAuthorizationPage.apexp"), "", ""},
		"identity provider":        {redirectTo("https://idp.example/saml"), "", ""},
		"page that goes on itself": {status(200, "<script>window.location.replace('"+next+"')</script>"), "", ""},
		"login form":               {status(200, `<form><input TYPE="password"></form>`), "", ""},

		"unknown app":         {status(400, "error=invalid_client_id&error_description=client%20identifier%20invalid"), "invalid_client_id", "disabled"},
		"unknown app, page":   {status(400, "<p>error=invalid_client_id</p><p>error_description=client identifier invalid</p>"), "invalid_client_id", "Consumer Key"},
		"unknown callback":    {status(400, "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration"), "redirect_uri_mismatch", "Callback URL"},
		"error page":          {redirectTo("/setup/secur/RemoteAccessErrorPage.apexp?error=invalid_client_id&error_description=x"), "invalid_client_id", "Consumer Key"},
		"error page unnamed":  {redirectTo("/setup/secur/RemoteAccessErrorPage.apexp"), "OAUTH_APPROVAL_ERROR_GENERIC", "Permitted Users"},
		"other org":           {status(400, "<p>error=invalid_request</p><p>error_description=request not supported on this domain</p>"), salesforce.WrongDomain, "Setup > My Domain"},
		"other host":          {redirectTo("https://other.my.salesforce.com/services/oauth2/authorize?client_id=x"), salesforce.WrongDomain, "Setup > My Domain"},
		"scope":               {redirectTo(redirectURI + "?error=invalid_scope&error_description=the+requested+scope+is+not+allowed&state=doctor"), "invalid_scope", "OAuth Scopes"},
		"no PKCE":             {redirectTo(redirectURI + "?error=invalid_request&error_description=missing+required+code+challenge"), "invalid_request", "PKCE"},
		"maintenance":         {status(503, "<h1>Down</h1>"), "unavailable", "status.salesforce.com"},
		"some other website":  {status(200, "<h1>Welcome</h1>"), salesforce.NoSignInPage, "login_url"},
		"no such path":        {status(404, "not found"), salesforce.NoSignInPage, "login_url"},
		"hostile error":       {status(400, "error=<script>&error_description=x"), salesforce.NoSignInPage, "login_url"},
		"cut connection":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "network", "login_url"},
		"redirect to nowhere": {redirectTo("%zz"), salesforce.NoSignInPage, "login_url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := loginHost(t, tc.answer).ProbeAuthorize(t.Context(), "acme", salesforce.AsConfigured)
			if tc.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := failureOf(t, err); e.Code != tc.code || !strings.Contains(e.Hint, tc.hint) {
				t.Errorf("%v, hint %q", e, e.Hint)
			}
		})
	}
}

// The probe sends what a browser would send, and without PKCE nothing else less.
func TestProbeAuthorizeVariants(t *testing.T) {
	t.Parallel()
	c := loginHost(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("client_id") != clientID || q.Get("redirect_uri") != redirectURI || q.Get("scope") != "mcp_api refresh_token" || r.Header.Get("Cookie") != "" {
			t.Errorf("asked %s", r.URL)
		}
		if q.Has("code_challenge") != q.Has("code_challenge_method") {
			t.Errorf("half a challenge: %s", r.URL)
		}
		if q.Has("code_challenge") {
			http.Redirect(w, r, "/setup/secur/RemoteAccessAuthorizationPage.apexp", http.StatusFound)
			return
		}
		http.Redirect(w, r, redirectURI+"?error=invalid_request&error_description=missing+required+code+challenge", http.StatusFound)
	})
	if err := c.ProbeAuthorize(t.Context(), "acme", salesforce.AsConfigured); err != nil {
		t.Error(err)
	}
	if e := failureOf(t, c.ProbeAuthorize(t.Context(), "acme", salesforce.WithoutChallenge)); e.Code != "invalid_request" {
		t.Error(e)
	}
	if e := failureOf(t, c.ProbeAuthorize(t.Context(), "nobody", salesforce.AsConfigured)); e.Code != "unknown_org" {
		t.Error(e)
	}
}

func TestProbeHost(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		date  string
		ahead time.Duration // ± a second
		dated bool
	}{
		"agrees":  {"Wed, 30 Sep 2026 12:00:00 GMT", 0, true},
		"ahead":   {"Wed, 30 Sep 2026 12:05:00 GMT", 5 * time.Minute, true},
		"behind":  {"Wed, 30 Sep 2026 11:59:15 GMT", -45 * time.Second, true},
		"no date": {"yesterday", 0, false},
	} {
		f := newFake(t)
		f.Config.Handler.(*http.ServeMux).HandleFunc("GET /.well-known/openid-configuration", status(404, "", "Date", tc.date))
		ahead, dated, err := f.client(t).ProbeHost(t.Context(), "acme")
		if err != nil || dated != tc.dated || (ahead-tc.ahead).Abs() > time.Second {
			t.Errorf("%s: %v %v %v", name, ahead, dated, err)
		}
	}
	gone := salesforce.Org{Name: "acme", LoginURL: "http://127.0.0.1:1", OrgID: orgID, ClientID: clientID, InsecureHTTP: true} // a port that the system gives to no test
	c := newFake(t).client(t, gone)
	if _, _, err := c.ProbeHost(t.Context(), "acme"); failureOf(t, err).Code != "network" || !strings.Contains(failureOf(t, err).Hint, "login_url") {
		t.Errorf("gone: %v", err)
	}
}

func TestProbeKeys(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		keys   http.HandlerFunc
		usable int
		code   string
	}{
		"two":         {serveKeys(jwkOf("k1", signingKey), jwkOf("k2", otherKey)), 2, ""},
		"one of two":  {serveKeys(jwkOf("k1", signingKey), map[string]any{"kty": "EC", "kid": "k2"}), 1, ""},
		"none":        {serveKeys(), 0, "no_keys"},
		"same key id": {serveKeys(jwkOf("k1", signingKey), jwkOf("k1", otherKey)), 0, "no_keys"},
		"page":        {status(200, "<h1>Welcome</h1>"), 0, "malformed_answer"},
		"down":        {status(503, ""), 0, "unavailable"},
		"elsewhere":   {redirectTo("https://elsewhere.example/keys"), 0, "redirected"},
	} {
		f := newFake(t)
		f.set(func() { f.keys = tc.keys })
		usable, address, err := f.client(t).ProbeKeys(t.Context(), "acme")
		if usable != tc.usable || address != f.URL+"/id/keys" || (err == nil) != (tc.code == "") {
			t.Errorf("%s: %d at %s, %v", name, usable, address, err)
		}
		if err != nil && (failureOf(t, err).Code != tc.code || !strings.Contains(failureOf(t, err).Hint, "jwks_url")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProbeGateway(t *testing.T) {
	t.Parallel()
	c := newFake(t).client(t)
	for code, want := range map[int]string{401: "", 200: "no_gateway", 404: "no_gateway", 405: "no_gateway", 302: "redirected", 307: "redirected", 502: "unavailable"} {
		gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.Header.Get("Authorization") != "" {
				t.Errorf("asked with %s %v", r.Method, r.Header)
			}
			w.WriteHeader(code)
		}))
		err := c.ProbeGateway(t.Context(), gateway.URL+"/platform/mcp/v1/platform/sobject-all")
		gateway.Close()
		if (err == nil) != (want == "") || err != nil && (failureOf(t, err).Code != want || failureOf(t, err).Hint == "") {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// What is recorded of an error, by its case, tells the kind and the setting again.
func TestCaseOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		code string
		kind salesforce.Kind
		hint string
	}{
		"opaque_token":                 {"opaque_token", salesforce.Refused, "JSON Web Token"},
		"invalid_grant: ip restricted": {"invalid_grant", salesforce.Dead, "IP Relaxation"},
		"invalid_grant":                {"invalid_grant", salesforce.Dead, "signs in again"},
		"not_readable":                 {"not_readable", salesforce.Dead, "keys_file"},
		"invalid_client":               {"invalid_client", salesforce.Misconfigured, "client_secret_file"},
		"unavailable":                  {"unavailable", salesforce.Transient, ""},
		"keys_unavailable":             {"keys_unavailable", salesforce.Transient, "jwks_url"},
		"network":                      {"network", salesforce.Transient, "login_url"},
		(&salesforce.Error{Kind: salesforce.Refused, Code: "wrong_org"}).Case():                {"wrong_org", salesforce.Refused, "org_id"},
		salesforce.ErrorFor("redirect_uri_mismatch", "must match").Case():                      {"redirect_uri_mismatch", salesforce.Misconfigured, "Callback URL"},
		salesforce.ErrorFor("invalid_grant", "Login rate exceeded for this user").Case():       {"invalid_grant", salesforce.Transient, "Login History"},
		salesforce.NewError(salesforce.NotReadable, "the stored refresh token is none").Case(): {"not_readable", salesforce.Dead, "keys_file"},
		"written_by_a_later_version": {"written_by_a_later_version", salesforce.Misconfigured, ""},
	} {
		if e := salesforce.CaseOf(name); e.Code != want.code || e.Kind != want.kind || !strings.Contains(e.Hint, want.hint) || e.Lost || (want.hint == "") != (e.Hint == "") && name != "unavailable" {
			t.Errorf("%q: %v, hint %q", name, e, e.Hint)
		}
	}
}

// Every code by which a token is refused has its place, so that what is recorded of a
// sign-in is not taken for an error of Salesforce's.
func TestCaseOfKnowsRefusals(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"opaque_token", "malformed_token", "wrong_algorithm", "wrong_header", "wrong_token_type", "unknown_key",
		"ambiguous_key", "bad_signature", "wrong_org", "wrong_issuer", "wrong_audience", "wrong_client", "wider_scope", "missing_scope",
		"wrong_subject", "wrong_time", "expired", "not_yet_valid", "no_refresh_token"} {
		if e := salesforce.CaseOf(code); e.Kind != salesforce.Refused || e.Code != code || e.Hint == "" {
			t.Errorf("%s: %v", code, e)
		}
		if e := salesforce.NewError(code, "x"); e.Kind != salesforce.Refused || e.Case() != code || e.Hint == "" {
			t.Errorf("%s: %v", code, e)
		}
	}
}
