package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// status sends one GET with headers and returns what came.
func status(t *testing.T, method, address string, header http.Header) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
		if name == "Host" {
			req.Host = values[0]
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// AS-30: nothing but an access token of ours opens an endpoint, and an access token
// opens nothing else.
func TestAS30TokenConfusion(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	b := d.browser()
	c := d.authorize(b, "sobject-all", rep)
	c.initialize()
	link := d.approvalURL(c.call("createSobjectRecord", account("Confusion Ltd")))
	bearers := map[string]string{
		"refresh token": c.refresh, "approval id": link[strings.LastIndexByte(link, '/')+1:], "MCP session id": c.session,
		"client id": d.ClientID, "access token with another prefix": "sfr_" + strings.TrimPrefix(c.access, "sfa_"),
	}
	for _, cookie := range b.Cookies(d.PublicURL) {
		bearers["cookie "+cookie.Name] = cookie.Value
	}
	for _, r := range d.recorded("raw=1") {
		if token, ok := strings.CutPrefix(flat(r["raw_authorization"]), "Bearer "); ok {
			bearers["Salesforce access token"] = token
		}
	}
	if bearers["Salesforce access token"] == "" {
		t.Fatal("the recorder shows no Salesforce token")
	}
	before := len(d.recorded("path=/platform/mcp"))
	for name, bearer := range bearers {
		other := *c
		other.access = bearer
		if r := other.send("tools/list", map[string]any{}); r.Status != http.StatusUnauthorized {
			t.Errorf("%s as bearer: %d %s", name, r.Status, r.body)
		}
	}
	if after := len(d.recorded("path=/platform/mcp")); after != before {
		t.Errorf("%d requests reached Salesforce", after-before)
	}
	for name, credential := range map[string]url.Values{
		"access token as refresh token": {"grant_type": {"refresh_token"}, "refresh_token": {c.access}, "client_id": {d.ClientID}},
		"access token as code": {"grant_type": {"authorization_code"}, "code": {c.access}, "client_id": {d.ClientID},
			"redirect_uri": {testCallback}, "code_verifier": {strings.Repeat("a", 43)}},
	} {
		resp, err := http.PostForm(d.PublicURL+"/oauth/token", credential)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	code, _, _ := status(t, "GET", link, http.Header{"Authorization": {"Bearer " + c.access}})
	if code != http.StatusUnauthorized && code != http.StatusForbidden {
		t.Errorf("access token on the approval page: %d", code)
	}
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK {
		t.Errorf("the right token after all that: %d", r.Status)
	}
}

// RS-16, AD-16: what only the private listener answers does not answer on the public
// one, by no spelling, and the other way round.
func TestRS16AD16ListenersAreSeparate(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c, err := config.Load(d.ConfigFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	private := "http://" + c.AdminListen
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/mcp/sobject-all": 404,
		"/oauth/authorize": 404, "/account": 404, "/": 404, "/debug/pprof/": 404} {
		if got, _, _ := status(t, "GET", private+path, nil); got != want {
			t.Errorf("private %s: %d, want %d", path, got, want)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/debug/pprof/", "/debug/vars", "/%68ealthz", "/mcp/..%2fmetrics",
		"//metrics", "/metrics/", "/./metrics", "/healthz/../mcp/sobject-all", "/mcp", "/mcp/", "/MCP/sobject-all", "/oauth/register"} {
		got, header, body := status(t, "GET", d.PublicURL+path, http.Header{"User-Agent": {"kube-probe/1.30"}, "X-Original-Url": {"/mcp/sobject-all"},
			"X-Forwarded-Host": {c.AdminListen}, "X-Forwarded-For": {"127.0.0.1"}, "Forwarded": {"for=127.0.0.1;host=" + c.AdminListen}})
		if got != http.StatusNotFound || header.Get("Location") != "" || strings.Contains(body, "go_goroutines") {
			t.Errorf("public %s: %d", path, got)
		}
	}
	// A page with a slash behind its address is that page; nothing else is found by another spelling.
	for path, want := range map[string]string{"/account/": "/account", "/approvals/?x=1": "/approvals?x=1", "/connect/sobject-all/": "/connect/sobject-all", "/console/": "/console",
		"/console/people/acme/005xx000001Sv6AAAS/": "/console/people/acme/005xx000001Sv6AAAS", "/account//": "", "//account/": "", "/oauth/callback/?code=x": "", "/oauth/authorize/": "",
		"/console/nothing/": "", "/account/%2e%2e/": "", "/assets/": "", "/Account/": ""} {
		if got, header, _ := status(t, "GET", d.PublicURL+path, nil); header.Get("Location") != want || (got == http.StatusPermanentRedirect) != (want != "") {
			t.Errorf("%s: %d, to %q, want %q", path, got, header.Get("Location"), want)
		}
		if got, header, _ := status(t, "POST", d.PublicURL+path, nil); got == http.StatusPermanentRedirect {
			t.Errorf("POST %s: %d, to %q", path, got, header.Get("Location"))
		}
	}
	// A name that no server has answers like one that exists, before there is a token.
	unknown, _, _ := status(t, "POST", d.PublicURL+"/mcp/no-such-server", nil)
	known, _, _ := status(t, "POST", d.PublicURL+"/mcp/sobject-all", nil)
	if unknown != known || known != http.StatusUnauthorized {
		t.Errorf("unknown server %d, known %d", unknown, known)
	}
}

// UI-01: a person who has consented once, and is signed in everywhere, is asked again.
func TestUI01ConsentIsAskedEveryTime(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	b := d.browser()
	d.authorize(b, "sobject-reads", rep)
	before := len(d.recorded("path=/services/oauth2/authorize"))
	page, err := b.Get(t.Context(), d.authorizeURL("sobject-all"))
	if err != nil {
		t.Fatal(err)
	}
	asks := func(f salesforcesim.Form) bool { return len(f.Buttons["decision"]) == 2 }
	if page.Status != http.StatusOK || len(page.Forms) == 0 || !asks(page.Forms[len(page.Forms)-1]) {
		t.Errorf("no consent is asked: %d %s", page.Status, page.Body)
	}
	if after := len(d.recorded("path=/services/oauth2/authorize")); after != before {
		t.Error("Salesforce was asked before the person was")
	}
}
