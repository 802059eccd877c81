package authproxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	sim "sfmcp-proxy/examples/salesforcesim"
)

// loseLogin ends the rep's login at Salesforce and lets the proxy find out.
func (f *fixture) loseLogin(t *testing.T) {
	t.Helper()
	f.sim.RevokeGrants(sim.GrantFilter{Username: sim.RepUsername})
	f.clock.Add(31 * time.Minute) // the access token has expired
	f.Links.Token(t.Context(), "acme", sim.RepID)
	f.wantLogin(t, sim.RepID, "needs_reauth")
}

// A refresh while the login is over is refused so that the client asks for an
// authorization, and spends nothing, so that a client which does not is let in again
// once its user has signed in.
func TestRefreshWithoutLogin(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	had := f.tokens(t, f.codeForm(f.logIn(t, b).Get("code")))
	f.loseLogin(t)
	for range 3 {
		r := f.post(t, "/oauth/token", refreshForm(had.refresh))
		f.wantError(t, r, http.StatusBadRequest, "invalid_grant")
		if !strings.Contains(r.body, f.PublicURL+"/account") {
			t.Errorf("the way back in is not told: %s", r.body)
		}
	}
	f.wantAudited(t, "token.refresh", "denied", "login_lost")
	if n := f.count(t, `SELECT COUNT(*) FROM grants WHERE revoked_at = 0`); n != 1 {
		t.Errorf("%d connections", n)
	}

	f.clock.Add(3 * 24 * time.Hour) // the person is away; their browser session has ended
	if page := f.signInAt(t, b, "/signin?org=acme&return_to=/account"); page.URL != f.PublicURL+"/account" {
		t.Fatalf("the sign-in ends at %s", page.URL)
	}
	f.wantLogin(t, sim.RepID, "active")
	next := f.tokens(t, refreshForm(had.refresh))
	f.opens(t, next.access, true)
	if n := f.count(t, `SELECT COUNT(*) FROM grants`); n != 1 {
		t.Errorf("%d connections, want the one that was there", n)
	}
	if n := f.liveAtSalesforce(sim.RepUsername); n != 1 {
		t.Errorf("%d approvals live at Salesforce", n)
	}
}

// A connection that nobody comes back for ends: the client may have dropped its tokens.
func TestConnectionWithoutLoginEnds(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	had := f.tokens(t, f.codeForm(f.code(t)))
	f.loseLogin(t)
	f.wantError(t, f.post(t, "/oauth/token", refreshForm(had.refresh)), http.StatusBadRequest, "invalid_grant")
	f.tokens(t, f.codeForm(f.code(t))) // the client came back through an authorization
	for _, step := range []struct {
		after time.Duration
		live  int
	}{{6*24*time.Hour + 23*time.Hour, 2}, {2 * time.Hour, 1}} {
		f.clock.Add(step.after)
		if err := f.Grants.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := f.count(t, `SELECT COUNT(*) FROM grants WHERE revoked_at = 0`); n != step.live {
			t.Errorf("after another %s: %d connections, want %d", step.after, n, step.live)
		}
	}
}

// AS-24: a replay is one, login or not.
func TestAS24ReplayWithoutLogin(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	first := f.tokens(t, f.codeForm(f.code(t)))
	second := f.tokens(t, refreshForm(first.refresh))
	f.loseLogin(t)
	f.wantError(t, f.post(t, "/oauth/token", refreshForm(first.refresh)), http.StatusBadRequest, "invalid_grant")
	f.wantAudited(t, "grant.replay", "ok", "refresh token")
	f.opens(t, second.access, false)
}

// CL-04: signing in again is for the person who is signed in. As somebody else it
// changes nothing here and leaves nothing at Salesforce.
func TestCL04SignInAsSomebodyElse(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	f.tokens(t, f.codeForm(f.logInAs(t, f.browser(), sim.ManagerUsername, sim.ManagerPassword).Get("code")))
	f.logIn(t, b)
	before := f.session(t, b)
	// Salesforce is open as the manager: in the same browser, the rep having logged out there.
	other := f.browser(f.PublicURL + "/oauth/callback")
	if _, err := other.LogIn(t.Context(), f.PublicURL+"/signin", sim.ManagerUsername, sim.ManagerPassword); err != nil {
		t.Fatal(err)
	}
	page := f.signInWithSalesforceOf(t, b, other, "/signin?org=acme&return_to=/account")
	if page.Status != http.StatusForbidden || !strings.Contains(page.Body, "somebody else") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	if s := f.session(t, b); s == nil || s.Subject != before.Subject {
		t.Errorf("the browser is signed in as %+v", s)
	}
	f.wantAudited(t, "login.finish", "denied", "identity_mismatch")
	if left, err := f.Links.RevokePending(t.Context()); err != nil || left != 0 {
		t.Fatalf("%d revocations left, %v", left, err)
	}
	for username, want := range map[string]int{sim.RepUsername: 1, sim.ManagerUsername: 1} {
		if n := f.liveAtSalesforce(username); n != want {
			t.Errorf("%s has %d live approvals at Salesforce, want %d", username, n, want)
		}
	}
	f.wantLogin(t, sim.ManagerID, "active") // the login that the manager's own connection uses
}

// signInWithSalesforceOf begins a sign-in in b and answers Salesforce's part with the
// login that other has there.
func (f *fixture) signInWithSalesforceOf(t *testing.T, b, other *sim.Browser, path string) *sim.Page {
	t.Helper()
	r := f.send(t, "GET", path, "", "Cookie", cookieHeader(b, f.PublicURL))
	if r.status != http.StatusSeeOther {
		t.Fatalf("%d %s", r.status, r.body)
	}
	page, err := other.Get(t.Context(), r.header.Get("Location"))
	for err == nil && page.Location == "" {
		page, err = other.Choose(t.Context(), page, "decision", "allow")
	}
	if err != nil {
		t.Fatal(err)
	}
	cookies := []string{cookieHeader(b, f.PublicURL)}
	for _, c := range (&http.Response{Header: r.header}).Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	u, err := url.Parse(page.Location)
	if err != nil {
		t.Fatal(err)
	}
	back := f.send(t, "GET", u.RequestURI(), "", "Cookie", strings.Join(cookies, "; "))
	return &sim.Page{Status: back.status, Body: back.body}
}

func (f *fixture) liveAtSalesforce(username string) (n int) {
	for _, token := range f.sim.RefreshTokens(sim.GrantFilter{Username: username}) {
		if token.State == "live" {
			n++
		}
	}
	return n
}

// A link to a sign-in names its org, so that nobody is asked twice; a wrong one is told.
func TestSignInAtAnOrg(t *testing.T) {
	t.Parallel()
	f := start(t, change{beta: true})
	for org, want := range map[string]string{"acme": f.sim.LoginURL("acme"), "beta": f.beta.LoginURL("beta")} {
		r := f.send(t, "GET", "/signin?org="+org, "")
		if r.status != http.StatusSeeOther || !strings.HasPrefix(r.header.Get("Location"), want+"/services/oauth2/authorize?") {
			t.Errorf("%s: %d %s", org, r.status, r.header.Get("Location"))
		}
	}
	for _, org := range []string{"ACME", "other", "https://evil.example", "acme%00"} {
		if r := f.send(t, "GET", "/signin?org="+org, ""); r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
			t.Errorf("%q: %d", org, r.status)
		}
	}
}
