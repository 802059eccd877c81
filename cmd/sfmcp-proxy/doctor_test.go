package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/cmd/sfmcp-proxy/doctor"
	"sfmcp-proxy/examples/salesforcesim"
)

// findings runs doctor --json.
func (d *demo) findings() (out []doctor.Finding, status int) {
	d.t.Helper()
	text, status := d.command("doctor", "--json")
	return parseFindings(d.t, text), status
}

func parseFindings(t *testing.T, text string) (out []doctor.Finding) {
	t.Helper()
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "{") {
			continue // the number of failed checks
		}
		var f doctor.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		t.Fatalf("no findings: %s", text)
	}
	return out
}

// expected is one finding that has to be among others; a server of "" is the org's.
type expected struct {
	org, server, check string
	status             doctor.Grade
	fix                []string // what its fix contains
}

func (e expected) in(all []doctor.Finding) bool {
	for _, f := range all {
		if f.Org == e.org && f.Server == e.server && f.Check == e.check && f.Status == e.status {
			for _, words := range e.fix {
				if !strings.Contains(f.Fix, words) {
					return false
				}
			}
			return true
		}
	}
	return false
}

func showFindings(all []doctor.Finding) string {
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintf(&b, "%s %s/%s %s: %s | %s\n", f.Status, f.Org, f.Server, f.Check, f.Found, f.Fix)
	}
	return b.String()
}

// The demonstration is healthy: before a sign-in nothing fails, after it all is well;
// and the use of a login is recorded, without a token in what is printed.
func TestDoctorHealthy(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	before, status := d.findings()
	if status != exitDone || !(expected{"acme", "", "tokens", doctor.Warn, []string{"sign in once"}}).in(before) ||
		!(expected{"acme", "sobject-all", "active", doctor.Warn, []string{"sign in once"}}).in(before) {
		t.Errorf("before a sign-in: status %d\n%s", status, showFindings(before))
	}
	d.connect("sobject-all", rep)
	after, status := d.findings()
	if status != exitDone {
		t.Errorf("status %d", status)
	}
	checks := map[string]int{}
	for _, f := range after {
		checks[f.Check]++
		if f.Status != doctor.Good || f.Fix != "" || f.Found == "" {
			t.Errorf("%+v", f)
		}
	}
	for check, n := range map[string]int{"host": 1, "clock": 1, "keys": 1, "client_id": 1, "callback": 1, "domain": 1, "scopes": 1, "pkce": 1,
		"tokens": 1, "gateway": 4, "active": 4, "query": 3} {
		if checks[check] != n {
			t.Errorf("%s: %d findings, want %d", check, checks[check], n)
		}
	}
	out := d.must("doctor")
	if n := strings.Count(out, "ok    org acme") + strings.Count(out, "ok    company sign-in: "); n != len(after) || strings.Count(out, "\n") != n || checks["company_sign_in"] != 1 {
		t.Errorf("for people:\n%s", out)
	}
	if strings.Contains(out, "eyJ") || strings.Contains(out, "5Aep") {
		t.Errorf("a token is printed:\n%s", out)
	}
	if log := d.must("audit", "list"); strings.Count(log, "doctor.list") != 2*2*4 {
		t.Errorf("use of the login is not recorded:\n%s", log)
	}
}

// doctorCase is a way in which Salesforce is not as it should be: the check that fails,
// and the Setup page and setting, or the key, that its fix names.
type doctorCase struct {
	name   string
	faults map[string]any
	want   expected
}

const appSettings = "Setup > External Client App Manager > (the app) > Settings > OAuth Settings"

var doctorCases = []doctorCase{
	{"down", map[string]any{"down": true}, expected{"acme", "", "host", doctor.Fail, []string{"status.salesforce.com"}}},
	{"down, gateway", map[string]any{"down": true}, expected{"acme", "sobject-all", "gateway", doctor.Fail, []string{"status.salesforce.com"}}},
	{"keys down", map[string]any{"keys_down": true}, expected{"acme", "", "keys", doctor.Fail, []string{"jwks_url", "Setup > My Domain"}}},
	{"app not propagated", map[string]any{"app_not_propagated": true},
		expected{"acme", "", "client_id", doctor.Fail, []string{"client_id", appSettings + " > Consumer Key", "30 minutes"}}},
	{"app disabled", map[string]any{"app_disabled": true},
		expected{"acme", "", "client_id", doctor.Fail, []string{"must not be disabled", "Setup > External Client App Manager"}}},
	{"app disabled, tokens refused", map[string]any{"app_disabled": true},
		expected{"acme", "sobject-all", "active", doctor.Fail, []string{"JSON Web Token", "app enabled", "upstream"}}},
	{"callback not propagated", map[string]any{"callback_not_propagated": true},
		expected{"acme", "", "callback", doctor.Fail, []string{appSettings + " > Callback URL", "/oauth/callback", "10 minutes"}}},
	{"gateway redirects", map[string]any{"redirect_to": "https://elsewhere.example/"}, expected{"acme", "acme-ops", "gateway", doctor.Fail, []string{"upstream"}}},
	{"html errors", map[string]any{"html_errors": -1, "method": "*"}, expected{"acme", "sobject-reads", "active", doctor.Fail, []string{"web filter"}}},
	{"html errors, 403", map[string]any{"html_errors": -1, "method": "*", "html_status": 403},
		expected{"acme", "sobject-reads", "active", doctor.Warn, []string{"Permission Set"}}},
	{"truncated streams", map[string]any{"truncated_streams": -1, "method": "*"}, expected{"acme", "sobject-reads", "active", doctor.Fail, []string{"web filter"}}},
	{"API access control", map[string]any{"api_access_control": true}, expected{"acme", "sobject-all", "query", doctor.Fail, []string{"Setup > API Access Control", "External Client App"}}},
	{"limit of the day", map[string]any{"daily_limit_reached": true}, expected{"acme", "sobject-all", "query", doctor.Warn, []string{"Setup > Company Information", "API Requests"}}},
	{"limit of the day, 403", map[string]any{"daily_limit_reached": true, "limit_signal": "403"}, expected{"acme", "sobject-all", "query", doctor.Warn, []string{"API Requests"}}},
	{"documented parameters", map[string]any{"dialect": "docs"}, expected{"acme", "sobject-all", "query", doctor.Good, nil}},
	{"limit", map[string]any{"html_errors": -1, "method": "*", "html_status": 429}, expected{"acme", "sobject-reads", "active", doctor.Warn, []string{"API Requests"}}},
}

// Each misconfiguration of the simulator is found, with the Setup page and the setting.
func TestDoctorSwitches(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	for _, c := range doctorCases {
		d.control("PUT", "/faults", c.faults, nil)
		got, status := d.findings()
		d.control("PUT", "/faults", map[string]any{}, nil)
		if wantStatus := map[doctor.Grade]int{doctor.Fail: exitFailed, doctor.Warn: exitDone, doctor.Good: exitDone}[c.want.status]; status != wantStatus || !c.want.in(got) {
			t.Errorf("%s: status %d, want %d and %+v among\n%s", c.name, status, wantStatus, c.want, showFindings(got))
		}
	}
	if got, status := d.findings(); status != exitDone {
		t.Errorf("with all switches off again: %d\n%s", status, showFindings(got))
	}
}

// A server that is off is named as Setup names it, on the page that lists it.
func TestDoctorInactiveServer(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	for hosted, want := range map[string]expected{
		"platform/sobject-reads": {"acme", "sobject-reads", "active", doctor.Fail, []string{"Setup > MCP Servers: activate platform/sobject-reads", "two minutes"}},
		"custom/AcmeOps":         {"acme", "acme-ops", "active", doctor.Fail, []string{"Setup > Integration > Salesforce MCP Servers: activate custom/AcmeOps"}},
	} {
		for _, inactive405 := range []bool{false, true} {
			d.control("PUT", "/faults", map[string]any{"inactive_server_405": inactive405}, nil)
			d.control("POST", "/servers/"+hosted+"/deactivate?org=acme", nil, nil)
			got, status := d.findings()
			if status != exitFailed || !want.in(got) || !(expected{"acme", "sobject-all", "active", doctor.Good, nil}).in(got) {
				t.Errorf("%s off: status %d\n%s", hosted, status, showFindings(got))
			}
		}
		d.control("POST", "/servers/"+hosted+"/activate?org=acme&at_once=yes", nil, nil)
	}
	out, _ := d.command("doctor")
	if strings.Contains(out, "FAIL") {
		t.Errorf("with all servers active again:\n%s", out)
	}
	d.control("POST", "/servers/platform/sobject-all/deactivate?org=acme", nil, nil)
	out, _ = d.command("doctor")
	if !strings.Contains(out, "FAIL  org acme, server sobject-all: platform/sobject-all is not active\n      Setup > MCP Servers: activate") ||
		!strings.HasSuffix(out, "sfmcp-proxy: 1 check failed\n") {
		t.Errorf("for people:\n%s", out)
	}
}

// With JWT access tokens off nobody can sign in, and nothing of it is stored; the last
// sign-in tells. A sign-in that works makes it good.
func TestDoctorOpaqueTokens(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	for _, c := range []struct {
		name   string
		faults map[string]any
		want   expected
	}{
		{"opaque tokens", map[string]any{"opaque_tokens": true},
			expected{"acme", "", "tokens", doctor.Fail, []string{appSettings + " > Security", "JSON Web Token", "sign in once"}}},
		{"wrong issuer", map[string]any{"hostile_token": "wrong_iss"}, expected{"acme", "", "tokens", doctor.Fail, []string{"issuer", "Setup > My Domain"}}},
		{"another scope", map[string]any{"hostile_token": "missing_scope"},
			expected{"acme", "", "tokens", doctor.Fail, []string{appSettings + " > OAuth Scopes", "configured scopes"}}},
		{"other org", map[string]any{"hostile_token": "other_org"}, expected{"acme", "", "tokens", doctor.Fail, []string{"org_id", "Setup > Company Information"}}},
		{"clock", map[string]any{"hostile_token": "not_yet_valid"}, expected{"acme", "", "tokens", doctor.Fail, []string{"clock"}}},
		{"wider scopes", map[string]any{"hostile_token": "wider_scope"},
			expected{"acme", "", "tokens", doctor.Fail, []string{appSettings + " > OAuth Scopes", "configured scopes"}}},
		{"fresh app", map[string]any{"invalid_verifier": 1}, expected{"acme", "", "tokens", doctor.Warn, []string{"30 minutes", appSettings + " > Security"}}},
		{"another secret", map[string]any{"token_refusal": "invalid_client: invalid client credentials"},
			expected{"acme", "", "tokens", doctor.Fail, []string{"client_secret_file", appSettings + " > Consumer Key and Secret"}}},
		{"another host", map[string]any{"token_refusal": "invalid_grant: request not supported on this domain"},
			expected{"acme", "", "tokens", doctor.Fail, []string{"login_url", "Setup > My Domain"}}},
		{"no code flow", map[string]any{"token_refusal": "unsupported_grant_type: grant type not supported"},
			expected{"acme", "", "tokens", doctor.Fail, []string{appSettings + " > Flow Enablement"}}},
		{"not permitted", map[string]any{"token_refusal": "invalid_grant: user hasn't approved this consumer"},
			expected{"acme", "", "tokens", doctor.Warn, []string{"OAuth Policies > Permitted Users", "permission set"}}},
		{"frozen user", map[string]any{"token_refusal": "inactive_user: user is inactive"}, expected{"acme", "", "tokens", doctor.Warn, []string{"Setup > Users"}}},
		{"app blocked", map[string]any{"token_refusal": "OAUTH_APP_BLOCKED"}, expected{"acme", "", "tokens", doctor.Warn, []string{"Setup > OAuth Usage"}}},
		{"login host redirects", map[string]any{"redirect_to": "https://elsewhere.example/"}, expected{"acme", "", "tokens", doctor.Fail, []string{"login_url", "Setup > My Domain"}}},
		{"token endpoint down", map[string]any{"token_errors": 1}, expected{"acme", "", "tokens", doctor.Warn, nil}},
	} {
		d.control("PUT", "/faults", c.faults, nil)
		d.failSignIn()
		got, status := d.findings()
		d.control("PUT", "/faults", map[string]any{}, nil)
		if wantStatus := map[doctor.Grade]int{doctor.Fail: exitFailed, doctor.Warn: exitDone}[c.want.status]; status != wantStatus || !c.want.in(got) {
			t.Errorf("%s: status %d, want %+v among\n%s", c.name, status, c.want, showFindings(got))
		}
	}
	d.connect("sobject-all", rep)
	if got, status := d.findings(); status != exitDone || !(expected{"acme", "", "tokens", doctor.Good, nil}).in(got) {
		t.Errorf("after a good sign-in: %d\n%s", status, showFindings(got))
	}
}

// failSignIn walks a sign-in to its end, whatever that is.
func (d *demo) failSignIn() {
	d.t.Helper()
	query := url.Values{"response_type": {"code"}, "client_id": {d.ClientID}, "redirect_uri": {testCallback}, "state": {"s"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}, "resource": {d.MCPURLs["sobject-all"]}}
	location, err := d.browser().LogIn(d.t.Context(), d.PublicURL+"/oauth/authorize?"+query.Encode(), rep, d.password(rep))
	if err == nil && !strings.Contains(location, "error=") {
		d.t.Errorf("the sign-in succeeded")
	}
}

// When the only login is lost at its renewal, that is what is said.
func TestDoctorLostLogin(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.authorize(d.browser(), "sobject-all", rep)
	d.control("PUT", "/faults", map[string]any{"ip_restricted": true}, nil)
	d.change(`UPDATE links SET access_expires_at = 1`) // time passes
	got, _ := d.findings()
	if !(expected{"acme", "", "tokens", doctor.Warn, []string{"IP Relaxation", "Setup > Network Access"}}).in(got) {
		t.Errorf("found\n%s", showFindings(got))
	}
}

// Rotation of refresh tokens is off until a refresh shows that it is on.
func TestDoctorRotation(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	for _, c := range []struct {
		off  bool
		want expected
	}{
		{true, expected{"acme", "", "rotation", doctor.Warn, []string{appSettings + " > Security", "Refresh Token Rotation"}}},
		{false, expected{"acme", "", "rotation", doctor.Good, nil}},
	} {
		d.control("PUT", "/faults", map[string]any{"no_rotation": c.off}, nil)
		d.expireLogins()
		if got, status := d.findings(); status != exitDone || !c.want.in(got) {
			t.Errorf("switched off: %t: status %d, want %+v among\n%s", c.off, status, c.want, showFindings(got))
		}
	}
}

// Settings that the simulator is not switched to but set up with: an org each.
func TestDoctorOrgs(t *testing.T) {
	t.Parallel()
	const callback = "https://mcp.example.com/oauth/callback"
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{callback},
		Orgs: []salesforcesim.Org{{Name: "acme", ID: salesforcesim.OrgID}, {Name: "other", ID: "00Dxx0000001gPGEAY"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<h1>Welcome</h1>") }))
	t.Cleanup(web.Close)

	type org struct {
		name, login, client, more string
		want                      expected
	}
	orgs := []org{
		{"late", behind(t, sim.BaseURL(), dated(-45*time.Second)), salesforcesim.PublicClientID, "", expected{"late", "", "clock", doctor.Warn, []string{"time server"}}},
		{"later", behind(t, sim.BaseURL(), dated(-5*time.Minute)), salesforcesim.PublicClientID, "", expected{"later", "", "clock", doctor.Fail, []string{"time server"}}},
		{"early", behind(t, sim.BaseURL(), dated(5*time.Minute)), salesforcesim.PublicClientID, "", expected{"early", "", "clock", doctor.Fail, []string{"NTP"}}},
		{"undated", behind(t, sim.BaseURL(), func(r *http.Response) { r.Header.Set("Date", "soon") }), salesforcesim.PublicClientID, "", expected{"undated", "", "clock", doctor.Warn, nil}},
		{"nopkce", behind(t, sim.BaseURL(), withoutPKCE), salesforcesim.PublicClientID, "", expected{"nopkce", "", "pkce", doctor.Warn, []string{appSettings + " > Security", "Require Proof Key"}}},
		{"unknown", sim.BaseURL(), "3MVG9unknown", "", expected{"unknown", "", "client_id", doctor.Fail, []string{appSettings + " > Consumer Key", "login_url"}}},
		{"wrongdomain", behind(t, sim.LoginURL("other"), func(*http.Response) {}), salesforcesim.PublicClientID, "", expected{"wrongdomain", "", "domain", doctor.Fail, []string{"login_url", "Setup > My Domain"}}},
		{"scopes", sim.BaseURL(), salesforcesim.PublicClientID, "scopes: [mcp_api, refresh_token, sfap_api]", expected{"scopes", "", "scopes", doctor.Fail, []string{appSettings + " > OAuth Scopes"}}},
		{"jwks", sim.BaseURL(), salesforcesim.PublicClientID, "jwks_url: " + web.URL + "/id/keys", expected{"jwks", "", "keys", doctor.Fail, []string{"jwks_url"}}},
		{"website", web.URL, salesforcesim.PublicClientID, "", expected{"website", "", "authorize", doctor.Fail, []string{"login_url"}}},
		{"gone", "http://" + nobodyListens, salesforcesim.PublicClientID, "", expected{"gone", "", "host", doctor.Fail, []string{"login_url", "firewall"}}},
		{"untrusted", untrusted.URL, salesforcesim.PublicClientID, "", expected{"untrusted", "", "host", doctor.Fail, []string{"trusted_ca_file"}}},
		{"nowhere", "https://nowhere.invalid", salesforcesim.PublicClientID, "", expected{"nowhere", "", "host", doctor.Fail, []string{"login_url", "DNS"}}},
	}
	var text strings.Builder
	text.WriteString("public_url: https://mcp.example.com\ndatabase: sqlite:proxy.db\nkeys_file: keys\nsalesforce:\n  orgs:\n")
	for i, o := range orgs {
		fmt.Fprintf(&text, "    - name: %s\n      login_url: %s\n      org_id: 00Dxx00000%05d\n      client_id: %s\n      insecure_http: %t\n      %s\n",
			o.name, o.login, i, o.client, strings.HasPrefix(o.login, "http:"), o.more)
	}
	fmt.Fprintf(&text, "servers:\n  - {name: odd, title: Odd, org: website, upstream: %q, policy: p, groups: [\"*\"]}\n", web.URL+"/platform/mcp/v1/platform/sobject-all")
	text.WriteString("policies:\n  - {name: p, mode: enforce, rules: [{effect: allow, classes: [read]}]}\n")
	text.WriteString("clients:\n  - {id: c, name: C, redirect_uris: [\"https://client.example/callback\"]}\n")
	file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &demo{Setup: demonstration.Setup{ConfigFile: file}, t: t}
	d.must("key", "generate")
	got, status := d.findings()
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	for _, o := range orgs {
		if !o.want.in(got) {
			t.Errorf("%+v is missing", o.want)
		}
	}
	for _, also := range []expected{
		{"website", "odd", "gateway", doctor.Fail, []string{"upstream"}},
		{"scopes", "", "callback", doctor.Good, nil},
		{"late", "", "pkce", doctor.Good, nil},
	} {
		if !also.in(got) {
			t.Errorf("%+v is missing", also)
		}
	}
	if t.Failed() {
		t.Log("\n" + showFindings(got))
	}
}

// behind is the simulator as it looks through a server that changes its answers.
func behind(t *testing.T, address string, change func(*http.Response)) string {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error { change(r); return nil },
	})
	t.Cleanup(front.Close)
	return front.URL
}

func dated(ahead time.Duration) func(*http.Response) {
	return func(r *http.Response) { r.Header.Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat)) }
}

// withoutPKCE is an app that does not require PKCE.
func withoutPKCE(r *http.Response) {
	if location := r.Header.Get("Location"); strings.Contains(location, "code+challenge") {
		r.Header.Set("Location", "/setup/secur/RemoteAccessAuthorizationPage.apexp")
	}
}
