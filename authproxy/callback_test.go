package authproxy

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/salesforce"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// atCallback walks an authorization up to the redirect back from Salesforce, and does
// not follow that.
func (f *fixture) atCallback(t *testing.T, pairs ...string) (*sim.Browser, *url.URL) {
	t.Helper()
	b := f.browser(f.PublicURL + "/oauth/callback")
	location, err := b.LogIn(t.Context(), f.PublicURL+f.authorizePath(pairs...), sim.RepUsername, sim.RepPassword)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return b, u
}

func (f *fixture) callbackWith(t *testing.T, b *sim.Browser, q url.Values) reply {
	t.Helper()
	return f.send(t, "GET", "/oauth/callback?"+q.Encode(), "", "Cookie", cookieHeader(b, f.PublicURL+"/oauth/callback"))
}

const tokenPath = "/services/oauth2/token"

func TestUI02CallbackState(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b, callback := f.atCallback(t)
	good := callback.Query()
	pre := f.openConsent(t, b).Forms[0].Fields.Get("request") // opened, not consented to
	for name, q := range map[string]url.Values{
		"no state": with(callback.Query(), "state", ""), "chosen state": with(callback.Query(), "state", strings.Repeat("A", 43)),
		"request id as state": with(callback.Query(), "state", pre), "client's state": with(callback.Query(), "state", "s-1"),
		"nothing": {}, "state twice": {"state": {good.Get("state"), good.Get("state")}, "code": good["code"]},
		"code twice": {"state": good["state"], "code": {"a", "b"}},
	} {
		if r := f.callbackWith(t, b, q); r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
			t.Errorf("%s: %d %q", name, r.status, r.header.Get("Location"))
		}
	}
	if n := f.upstream(tokenPath); n != 0 {
		t.Errorf("%d token requests", n)
	}
	if r := f.callbackWith(t, b, good); r.status != http.StatusSeeOther || r.location(t).Query().Get("code") == "" {
		t.Fatalf("the right one: %d %s", r.status, r.body)
	}
	if r := f.callbackWith(t, b, good); r.status != http.StatusBadRequest {
		t.Errorf("again: %d", r.status)
	}
	b, callback = f.atCallback(t)
	f.clock.Add(10 * time.Minute)
	if r := f.callbackWith(t, b, callback.Query()); r.status != http.StatusBadRequest {
		t.Errorf("after ten minutes: %d", r.status)
	}
	if n := f.upstream(tokenPath); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

func TestUI04LoginCSRF(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	_, attackers := f.atCallback(t)
	victim := f.browser()
	f.openConsent(t, victim)
	if r := f.callbackWith(t, victim, attackers.Query()); r.status != http.StatusForbidden || r.header.Get("Set-Cookie") != "" {
		t.Errorf("attacker's callback in the victim's browser: %d %v", r.status, r.header)
	}
	// A tossed cookie of the wrong login does not help.
	b, mine := f.atCallback(t)
	mixed := with(mine.Query(), "state", attackers.Query().Get("state"))
	if r := f.callbackWith(t, b, mixed); r.status != http.StatusForbidden {
		t.Errorf("mixed: %d", r.status)
	}
	if n := f.upstream(tokenPath); n != 0 {
		t.Errorf("%d token requests", n)
	}
	if n := f.count(t, `SELECT COUNT(*) FROM browser_sessions`); n != 0 {
		t.Errorf("%d browser sessions", n)
	}
	f.wantAudited(t, "login.finish", "denied", "other_browser")
}

func TestCL01SalesforceLeg(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	seen := map[string]bool{}
	logins := 100 // the other 900 of the row are in package grant, without the pages
	if testing.Short() {
		logins = 20
	}
	for range logins {
		f.logIn(t, f.browser())
	}
	for _, r := range f.sim.Requests(sim.RequestFilter{Path: "/services/oauth2/authorize"}) {
		q, err := url.ParseQuery(r.Query)
		if err != nil {
			t.Fatal(err)
		}
		if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("scope") != "mcp_api refresh_token" || q.Has("client_secret") {
			t.Errorf("authorize request: %v", q)
		}
		for _, once := range []string{q.Get("state"), q.Get("code_challenge")} {
			if once == "" || seen[once] {
				t.Errorf("%q is used twice", once)
			}
			seen[once] = true
		}
		if strings.Contains(r.Query, challengeOf(testVerifier)) || q.Get("state") == "s-1" {
			t.Error("the client's challenge or state went to Salesforce")
		}
	}
	for _, r := range f.sim.Requests(sim.RequestFilter{Path: tokenPath}) {
		if r.Query != "" || r.Form.Get("code_verifier") == "" || r.Form.Has("client_secret") || seen[r.Form.Get("code_verifier")] {
			t.Errorf("token request: %v %v", r.Query, r.Form)
		}
		seen[r.Form.Get("code_verifier")] = true
	}
	if len(seen) != 3*logins {
		t.Errorf("%d distinct values, want %d", len(seen), 3*logins)
	}
}

func TestCL02MixUp(t *testing.T) {
	t.Parallel()
	f := start(t, change{beta: true})
	b, callback := f.atCallback(t)
	r := f.callbackWith(t, b, with(callback.Query(), "iss", f.beta.LoginURL("beta")))
	if q := r.location(t).Query(); q.Get("error") != "access_denied" || q.Has("code") {
		t.Errorf("other issuer: %d %v", r.status, q)
	}
	if n := f.upstream(tokenPath); n != 0 {
		t.Errorf("%d token requests", n)
	}
	f.wantAudited(t, "login.finish", "denied", "issuer_mismatch")

	b, callback = f.atCallback(t)
	r = f.callbackWith(t, b, with(callback.Query(), "code", "code-of-another-org"))
	if q := r.location(t).Query(); q.Get("error") != "access_denied" || q.Has("code") {
		t.Errorf("other org's code: %d %v", r.status, q)
	}
	for _, request := range f.beta.Requests(sim.RequestFilter{}) {
		t.Errorf("a request reached the other org: %s", request.Path)
	}
}

func TestCL03SalesforceErrors(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for code, want := range map[string]string{"access_denied": "access_denied", "<script>alert(1)</script>": "server_error", "redirect_uri_mismatch": "server_error", "temporarily_unavailable": "temporarily_unavailable", "x\r\ny": "server_error"} {
		b, callback := f.atCallback(t)
		r := f.callbackWith(t, b, url.Values{"state": callback.Query()["state"], "error": {code}, "error_description": {`<img src=x onerror=alert(1)>"javascript:`}})
		q := r.location(t).Query()
		if r.status != http.StatusFound || q.Get("error") != want || q.Get("state") != "s-1" || q.Get("iss") != f.PublicURL || strings.ContainsAny(q.Get("error_description"), `<"`) || strings.Contains(q.Get("error_description"), "javascript") {
			t.Errorf("%q: %d %v", code, r.status, q)
		}
	}
	b, callback := f.atCallback(t)
	if q := f.callbackWith(t, b, url.Values{"state": callback.Query()["state"]}).location(t).Query(); q.Get("error") != "server_error" {
		t.Errorf("neither code nor error: %v", q)
	}
	f.wantAudited(t, "login.finish", "denied", "salesforce: dead: access_denied")
	if n := f.upstream(tokenPath); n != 0 {
		t.Errorf("%d token requests", n)
	}
}

func TestCL04OrgNotAllowed(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, spoiled := range []string{"other_org", "wrong_iss", "wrong_client_id", "bad_signature", "missing_scope"} {
		if err := f.sim.SetSwitches(sim.Switches{HostileToken: spoiled}); err != nil {
			t.Fatal(err)
		}
		q := f.logIn(t, f.browser())
		if q.Get("error") != "access_denied" || q.Has("code") {
			t.Errorf("%s: %v", spoiled, q)
		}
	}
	for _, table := range []string{"links", "grants", "users", "browser_sessions"} {
		if n := f.count(t, `SELECT COUNT(*) FROM `+table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	for _, token := range f.sim.RefreshTokens(sim.GrantFilter{}) {
		if token.State != "revoked" {
			t.Errorf("Salesforce's refresh token is %s", token.State)
		}
	}
}

func TestUserOutsideTheGroups(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	all := f.Access.Resource("all")
	for _, resource := range []string{all, f.Access.Resource("nobody")} {
		if q := f.logIn(t, f.browser(), "resource", resource); q.Get("error") != "access_denied" || q.Has("code") {
			t.Errorf("%s: %v", resource, q)
		}
	}
	f.wantAudited(t, "grant.create", "denied", "not_in_group")
	if n := f.count(t, `SELECT COUNT(*) FROM browser_sessions`); n != 0 {
		t.Errorf("%d browser sessions", n)
	}
	if s, err := f.Links.Status(t.Context(), "acme", sim.RepID); err != nil || s.State != "revoked" {
		t.Errorf("login: %v, %v; want it revoked", s.State, err)
	}
	if q := f.logInAs(t, f.browser(), sim.ManagerUsername, sim.ManagerPassword, "resource", all); q.Get("code") == "" {
		t.Errorf("a member by username: %v", q)
	}
	// Who has a connection keeps the login when another server is refused.
	f.code(t)
	f.logIn(t, f.browser(), "resource", all)
	if s, err := f.Links.Status(t.Context(), "acme", sim.RepID); err != nil || s.State != "active" {
		t.Errorf("login: %v, %v; want it active", s.State, err)
	}
}

func TestUnknownUsernameIsNoMember(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.profiled = false
	if q := f.logInAs(t, f.browser(), sim.ManagerUsername, sim.ManagerPassword, "resource", f.Access.Resource("all")); q.Get("error") != "access_denied" {
		t.Errorf("%v", q)
	}
	if q := f.logIn(t, f.browser()); q.Get("code") == "" { // by user id
		t.Errorf("%v", q)
	}
}

func TestBlockedUser(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	if _, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.RepID, Act{By: actor.Operator("test", ""), Why: "left"}); err != nil {
		t.Fatal(err)
	}
	if q := f.logIn(t, f.browser()); q.Get("error") != "access_denied" || q.Has("code") {
		t.Errorf("%v", q)
	}
	f.wantAudited(t, "login.finish", "denied", "user_blocked")
	if n, err := f.Links.RevokePending(t.Context()); err != nil || n != 0 {
		t.Errorf("%d revocations left (%v)", n, err)
	}
	for _, token := range f.sim.RefreshTokens(sim.GrantFilter{}) {
		if token.State != "revoked" {
			t.Errorf("Salesforce's refresh token is %s", token.State)
		}
	}
	if err := f.Cutoff.UnblockUser(t.Context(), "acme", sim.RepID, Act{By: actor.Operator("test", ""), Why: "back"}); err != nil {
		t.Fatal(err)
	}
	f.code(t)
}

func TestCL10ParallelCallback(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b, callback := f.atCallback(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int{}
	for range 8 {
		wg.Go(func() {
			r := f.callbackWith(t, b, callback.Query())
			mu.Lock()
			defer mu.Unlock()
			statuses[r.status]++
		})
	}
	wg.Wait()
	if statuses[http.StatusSeeOther] != 1 || statuses[http.StatusBadRequest] != 7 {
		t.Errorf("statuses %v, want one 303 and seven 400", statuses)
	}
	if n := f.count(t, `SELECT COUNT(*) FROM grants`); n != 1 || f.upstream(tokenPath) != 1 {
		t.Errorf("%d grants, %d token requests; want 1 and 1", n, f.upstream(tokenPath))
	}
}

func TestSalesforceDownAtExchange(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b, callback := f.atCallback(t)
	if err := f.sim.SetSwitches(sim.Switches{Down: true}); err != nil {
		t.Fatal(err)
	}
	q := f.callbackWith(t, b, callback.Query()).location(t).Query()
	if q.Get("error") != "temporarily_unavailable" || q.Get("state") != "s-1" {
		t.Errorf("%v", q)
	}
}

func TestClientRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b, callback := f.atCallback(t)
	f.reconfigure(t, func(c *access.Config) { c.Servers = c.Servers[1:] })
	if r := f.callbackWith(t, b, callback.Query()); r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
		t.Errorf("%d %q", r.status, r.header.Get("Location"))
	}
	if n := f.count(t, `SELECT COUNT(*) FROM grants`); n != 0 {
		t.Errorf("%d grants", n)
	}
}

func TestNothingIsGrantedUnrecorded(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b, callback := f.atCallback(t)
	f.refuseEntries("grant.create")
	if q := f.callbackWith(t, b, callback.Query()).location(t).Query(); q.Get("error") != "server_error" || q.Has("code") {
		t.Errorf("%v", q)
	}
	if grants, err := f.Grants.Grants(t.Context(), grant.Filter{All: true}); err != nil || len(grants) != 0 {
		t.Errorf("%v, %v", grants, err)
	}
}

// A session that cannot be recorded is not begun; the client gets its code all the same.
func TestNoUnrecordedSession(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b, callback := f.atCallback(t)
	f.refuseEntries("session.create")
	if q := f.callbackWith(t, b, callback.Query()).location(t).Query(); !q.Has("code") {
		t.Errorf("%v", q)
	}
	if n := f.count(t, `SELECT COUNT(*) FROM browser_sessions`); n != 0 {
		t.Errorf("%d browser sessions", n)
	}
}

// A login that cannot be recorded does not become the one that the user's connections use.
func TestNoUnrecordedLogin(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.code(t) // a connection, whose login is then lost
	if _, err := f.db.Writes.Exec(`UPDATE links SET state = 'needs_reauth', version = version + 1`); err != nil {
		t.Fatal(err)
	}
	b, callback := f.atCallback(t)
	f.refuseEntries("login.finish")
	if q := f.callbackWith(t, b, callback.Query()).location(t).Query(); q.Get("error") != "server_error" {
		t.Errorf("%v", q)
	}
	f.wantLogin(t, sim.RepID, "needs_reauth")
	if left, err := f.Links.RevokePending(t.Context()); err != nil || left != 0 {
		t.Errorf("%d left (%v)", left, err)
	}
	if n := f.upstream("/services/oauth2/revoke"); n != 1 {
		t.Errorf("%d revocations at Salesforce, want 1", n)
	}
}

// A login that cannot be kept is ended also when the time of the callback is over by then.
func TestLateLoginIsDiscarded(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	over, end := context.WithCancel(t.Context())
	end()
	if err := f.discard(over, "acme", &salesforce.Token{Subject: sim.RepID, RefreshToken: "late"}); err != nil {
		t.Fatal(err)
	}
	if n := f.count(t, `SELECT COUNT(*) FROM upstream_revocations`); n != 1 {
		t.Errorf("%d revocations wait, want 1", n)
	}
}
