package main

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim"
)

// expireLogins lets the access tokens of all logins expire.
func (d *demo) expireLogins() {
	d.t.Helper()
	d.change(`UPDATE links SET access_expires_at = 1`)
}

var signInAgain = regexp.MustCompile(`href="(/signin\?[^"]+)">Sign in to Salesforce again`)

// repair does what a page offers for a login that is over, and returns where it ends.
func (d *demo) repair(b *salesforcesim.Browser, page *salesforcesim.Page, username string) *salesforcesim.Page {
	d.t.Helper()
	link := signInAgain.FindStringSubmatch(page.Body)
	if link == nil {
		d.t.Fatalf("no way back on %s:\n%s", page.URL, page.Body)
	}
	next, err := b.Get(d.t.Context(), d.PublicURL+html.UnescapeString(link[1]))
	for range 3 {
		switch {
		case err != nil:
			d.t.Fatal(err)
		case !strings.HasPrefix(next.URL, d.SalesforceURL):
			return next
		case next.Forms[0].Fields.Has("password"):
			next, err = b.Submit(d.t.Context(), next, next.Forms[0], url.Values{"username": {username}, "password": {d.password(username)}})
		default:
			next, err = b.Choose(d.t.Context(), next, "decision", "allow")
		}
	}
	return next
}

// user is one line of 'user show --json'.
func (d *demo) user(username string) (row struct {
	Salesforce, Username string
	Connections          int
	LoginEnded           string `json:"login_ended"`
	LoginWhy             string `json:"login_why"`
	LoginClass           string `json:"login_class"`
	LoginFix             string `json:"login_fix"`
}) {
	d.t.Helper()
	out := d.must("user", "show", username, "--json")
	if at := strings.Index(out, "{"); at > 0 { // behind what is logged of a key that is missing
		out = out[at:]
	}
	first, _, _ := strings.Cut(out, "\n")
	if err := json.Unmarshal([]byte(first), &row); err != nil {
		d.t.Fatal(err)
	}
	return row
}

// FT-17: whatever Salesforce ends a login for, the first definite answer is the last
// question; the client is challenged, the user is told on their pages, the security team
// by the command line, with the setting to change; and a sign-in repairs it for the
// connection that was there.
func TestFaultFT17LostLoginIsToldAndRepaired(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	b := d.browser()
	c := d.authorize(b, "sobject-reads", rep)
	c.initialize()
	for _, tc := range []struct {
		name         string
		lose         func()
		class, why   string
		fix, account string
	}{
		{"revoked by an administrator", func() { d.control("POST", "/grants/revoke", map[string]any{}, nil) },
			"dead", "invalid_grant (expired access/refresh token)", "Refresh Token Policy", "expired access/refresh token"},
		{"frozen", func() { d.control("POST", "/users/"+rep+"/freeze", nil, nil) },
			"dead", "inactive_user (user is inactive)", "Setup > Users", "user is inactive"},
		{"address", func() { d.control("PUT", "/faults", map[string]any{"ip_restricted": true}, nil) },
			"dead", "invalid_grant (ip restricted)", "IP Relaxation", "ip restricted"},
		{"permission set taken", func() {
			d.control("PUT", "/faults", map[string]any{"token_refusal": "invalid_grant: user hasn't approved this consumer"}, nil)
		}, "dead", "invalid_grant (user hasn't approved this consumer)", "Permitted Users", "approved this consumer"},
		{"app blocked", func() { d.control("PUT", "/faults", map[string]any{"token_refusal": "OAUTH_APP_BLOCKED"}, nil) },
			"dead", "OAUTH_APP_BLOCKED", "Setup > OAuth Usage", "OAUTH_APP_BLOCKED"},
		{"another user's token", func() { d.control("PUT", "/faults", map[string]any{"hostile_token": "other_user"}, nil) },
			"refused", "wrong_subject", "another user's token", "not accepted here"},
		{"wider scopes", func() { d.control("PUT", "/faults", map[string]any{"hostile_token": "wider_scope"}, nil) },
			"refused", "wider_scope", "OAuth Scopes", "not accepted here"},
		{"JWT switched off", func() { d.control("PUT", "/faults", map[string]any{"opaque_tokens": true}, nil) },
			"refused", "opaque_token", "JSON Web Token", "not accepted here"},
		{"answer lost", func() { d.control("PUT", "/faults", map[string]any{"token_replies_lost": -1}, nil) },
			"lost", "network", "signs in again", "lost on the way"},
	} {
		tc.lose()
		d.expireLogins()
		d.control("DELETE", "/requests", nil, nil)
		for range 3 {
			r := c.call("getUserInfo", map[string]any{})
			if r.Status != http.StatusUnauthorized || !strings.Contains(r.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
				t.Errorf("%s: %d %s", tc.name, r.Status, r.body)
			}
		}
		asked := len(d.recorded("path=/services/oauth2/token"))
		if want := map[string]int{"lost": 2}[tc.class]; asked != max(want, 1) {
			t.Errorf("%s: Salesforce was asked %d times", tc.name, asked)
		}
		row := d.user(rep)
		if row.Salesforce != "needs_reauth" || row.LoginEnded == "" || row.LoginClass != tc.class || !strings.Contains(row.LoginWhy, tc.why) ||
			!strings.Contains(row.LoginFix, tc.fix) || row.Connections != 1 {
			t.Errorf("%s: the security team sees %+v", tc.name, row)
		}
		if out := d.must("user", "list"); !strings.Contains(out, rep) || !strings.Contains(out, "Salesforce login ended ") || !strings.Contains(out, tc.fix) {
			t.Errorf("%s: in words\n%s", tc.name, out)
		}
		page, err := b.Get(t.Context(), d.PublicURL+"/account")
		if err != nil || !strings.Contains(page.Body, html.EscapeString(tc.account)) || !strings.Contains(page.Body, "> ended on ") {
			t.Errorf("%s: the person sees %v\n%s", tc.name, err, page.Body)
		}

		d.control("PUT", "/faults", map[string]any{}, nil)
		d.control("POST", "/users/"+rep+"/unfreeze", nil, nil)
		if end := d.repair(b, page, rep); end.URL != d.PublicURL+"/account" || strings.Contains(end.Body, "> ended on ") {
			t.Errorf("%s: the repair ends at %s\n%s", tc.name, end.URL, end.Body)
		}
		if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError {
			t.Errorf("%s: after the repair: %d %s", tc.name, r.Status, r.body)
		}
		if row := d.user(rep); row.Salesforce != "active" || row.LoginClass != "" || row.LoginEnded != "" || row.Connections != 1 {
			t.Errorf("%s: after the repair the security team sees %+v", tc.name, row)
		}
	}
	// One login, one approval at Salesforce. (An answer that was lost took a refresh
	// token with it that nobody here ever saw; Salesforce ends such in time.)
	if live := d.refreshTokens()["live"]; live > 2 {
		t.Errorf("%d live refresh tokens at Salesforce", live)
	}
}

// A client that people use, when the login is lost: once its user has signed in again it
// goes on with what it has stored; without that, it asks for a sign-in by itself and goes on.
func TestInspectorWithLostLogin(t *testing.T) {
	rounds.Thorough(t)
	t.Parallel()
	nodePackages(t)
	d := startDemo(t)
	i := &inspector{d: d, url: d.MCPURLs["sobject-reads"], home: t.TempDir()}
	connect := func() {
		t.Helper()
		p := i.start("--method", "tools/call", "--tool-name", "getUserInfo")
		p.signIn(d, rep)
		if r, status := i.end(p); status != inspectorDone || !strings.Contains(r.text(), rep) {
			t.Fatalf("status %d\n%s", status, r.body)
		}
	}
	lose := func() {
		t.Helper()
		d.control("POST", "/grants/revoke", map[string]any{}, nil)
		d.expireLogins()
	}
	stored := func() (reply, int) { t.Helper(); return i.call("getUserInfo", map[string]any{}) }
	connect()

	lose()
	if r, status := stored(); status != inspectorAuthRequired {
		t.Errorf("with a lost login: status %d\n%s", status, r.body)
	}
	connect()

	lose()
	// LogIn looks for a client's callback, to which a sign-in from our own pages does not lead.
	if location, err := d.browser().LogIn(t.Context(), d.PublicURL+"/signin?org=acme", rep, d.password(rep)); err == nil {
		t.Errorf("the sign-in ended at a client: %s", location)
	}
	if r, status := stored(); status != inspectorDone || !strings.Contains(r.text(), rep) {
		t.Errorf("after its user signed in: status %d\n%s", status, r.body)
	}
}
