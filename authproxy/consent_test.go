package authproxy

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// consentPage opens an authorization in a browser.
func (f *fixture) openConsent(t *testing.T, b *sim.Browser, pairs ...string) *sim.Page {
	t.Helper()
	page, err := b.Get(t.Context(), f.PublicURL+f.authorizePath(pairs...))
	if err != nil || page.Status != 200 || len(page.Forms) == 0 {
		t.Fatalf("consent page: %+v, %v", page, err)
	}
	return page
}

// answerTo is the form of a consent page as a browser sends it.
func answerTo(page *sim.Page, decision string) url.Values {
	fields := page.Forms[0].Fields
	return url.Values{"request": {fields.Get("request")}, "shown": {fields.Get("shown")}, "decision": {decision}}
}

func (f *fixture) decide(t *testing.T, b *sim.Browser, page *sim.Page, decision string) *sim.Page {
	t.Helper()
	next, err := b.Choose(t.Context(), page, "decision", decision)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// allowAndLogIn allows a connection and chooses the rep's account, back to the client.
func (f *fixture) allowAndLogIn(t *testing.T, b *sim.Browser, page *sim.Page) string {
	t.Helper()
	location, err := b.LogIn(t.Context(), f.decide(t, b, page, "allow").URL, sim.RepUsername, sim.RepPassword)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// C13: a browser may be open at Salesforce as somebody else. An authorization lets the person
// choose the account, so that nobody connects as whoever that is; a sign-in to our own pages,
// which wants the same person again, does not ask.
func TestC13AuthorizationLetsChooseTheAccount(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	f.logIn(t, b) // Salesforce is open as the rep
	next := f.decide(t, b, f.openConsent(t, b, "state", "again"), "allow")
	if next.Location != "" || !strings.HasPrefix(next.URL, f.sim.BaseURL()) {
		t.Fatalf("nobody is asked for the account: %d %q", next.Status, next.Location)
	}
	location, err := b.LogIn(t.Context(), next.URL, sim.ManagerUsername, sim.ManagerPassword)
	if err != nil || !strings.Contains(location, "code=") {
		t.Errorf("the other account: %q, %v", location, err)
	}
	asked := func() (all []string) {
		for _, r := range f.sim.Requests(sim.RequestFilter{Path: "/services/oauth2/authorize"}) {
			q, err := url.ParseQuery(r.Query)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, q.Get("prompt"))
		}
		return all
	}
	before := len(asked())
	if _, err := b.Get(t.Context(), f.Access.PublicURL()+"/signin"); err != nil {
		t.Fatal(err)
	}
	prompts := asked()
	for i, prompt := range prompts {
		if want := map[bool]string{true: "select_account"}[i < before]; prompt != want {
			t.Errorf("request %d asks with prompt %q, want %q", i, prompt, want)
		}
	}
	if before != 2 || len(prompts) != 3 {
		t.Errorf("%d authorizations, %d requests", before, len(prompts))
	}
}

func cookieHeader(b *sim.Browser, address string) string {
	var all []string
	for _, c := range b.Cookies(address) {
		all = append(all, c.Name+"="+c.Value)
	}
	return strings.Join(all, "; ")
}

func TestUI01ConfusedDeputy(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	f.logIn(t, b) // the victim consented to one client and is signed in at Salesforce
	before := len(f.sim.Requests(sim.RequestFilter{}))
	page := f.openConsent(t, b, "client_id", "inspector")
	if !strings.Contains(page.Body, "127.0.0.1") && !strings.Contains(page.Body, "client.example") {
		t.Error("the page does not name where it leads")
	}
	page = f.openConsent(t, b) // the same client again is asked for as well
	if after := len(f.sim.Requests(sim.RequestFilter{})); after != before {
		t.Errorf("%d requests reached Salesforce before the consent", after-before)
	}
	if next := f.decide(t, b, page, "deny"); !strings.Contains(next.Location, "error=access_denied") {
		t.Errorf("after Deny: %q", next.Location)
	}
}

func TestDeny(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	page := f.openConsent(t, b)
	location, err := url.Parse(f.decide(t, b, page, "deny").Location)
	if err != nil {
		t.Fatal(err)
	}
	q := location.Query()
	if q.Get("error") != "access_denied" || q.Get("state") != "s-1" || q.Get("iss") != f.PublicURL || q.Has("code") {
		t.Errorf("%v", q)
	}
	f.wantAudited(t, "consent.decide", "denied", "")
	if next := f.decide(t, b, page, "allow"); next.Status != http.StatusForbidden {
		t.Errorf("Allow after Deny: %d", next.Status)
	}
	if n := f.upstream("/services/oauth2/"); n != 0 {
		t.Errorf("%d requests reached Salesforce", n)
	}
}

func TestUI06ConsentForgery(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b, other := f.browser(), f.browser()
	page, foreign := f.openConsent(t, b), f.openConsent(t, other)
	id, foreignID := page.Forms[0].Fields.Get("request"), foreign.Forms[0].Fields.Get("request")
	cookies := cookieHeader(b, f.PublicURL)
	good := answerTo(page, "allow").Encode()
	for _, tt := range []struct {
		name, method, kind, body, cookie string
		headers                          []string
		status                           int
	}{
		{name: "no request id", body: "decision=allow", status: 403},
		{name: "id of another browser", body: "decision=allow&request=" + foreignID, status: 403},
		{name: "no cookie", body: good, cookie: "-", status: 403},
		{name: "cookie of another browser", body: good, cookie: cookieHeader(other, f.PublicURL), status: 403},
		{name: "GET", method: "GET", body: "", status: 405},
		{name: "Origin null", body: good, headers: []string{"Origin", "null"}, status: 403},
		{name: "Origin null, cross site", body: good, headers: []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, status: 403},
		{name: "Origin evil", body: good, headers: []string{"Origin", "https://evil.example"}, status: 403},
		{name: "cross site", body: good, headers: []string{"Sec-Fetch-Site", "cross-site"}, status: 403},
		{name: "same site", body: good, headers: []string{"Sec-Fetch-Site", "same-site"}, status: 403},
		{name: "text", kind: "text/plain", body: good, status: 403},
		{name: "JSON", kind: "application/json", body: `{"request":"` + id + `","decision":"allow"}`, status: 403},
		{name: "no decision", body: "request=" + id, status: 400},
		{name: "both decisions", body: good + "&decision=deny", status: 400},
		{name: "id in the query", method: "POST", body: "decision=allow", status: 403},
	} {
		method, kind, cookie := tt.method, tt.kind, tt.cookie
		if method == "" {
			method = "POST"
		}
		if kind == "" {
			kind = formType
		}
		if cookie == "" {
			cookie = cookies
		}
		path := "/oauth/consent"
		if tt.name == "id in the query" {
			path += "?" + good
		}
		r := f.send(t, method, path, tt.body, append(tt.headers, "Content-Type", kind, "Cookie", cookie)...)
		if r.status != tt.status || r.header.Get("Location") != "" {
			t.Errorf("%s: %d, Location %q; want %d", tt.name, r.status, r.header.Get("Location"), tt.status)
		}
	}
	// Nothing above spent it; and now it is good for one login.
	next := f.decide(t, b, page, "allow")
	if next.Location != "" || !strings.HasPrefix(next.URL, f.sim.BaseURL()) {
		t.Errorf("after Allow: %q %d", next.URL, next.Status)
	}
	if location, err := b.LogIn(t.Context(), next.URL, sim.RepUsername, sim.RepPassword); err != nil || !strings.Contains(location, "code=") {
		t.Errorf("after the login: %q, %v", location, err)
	}
	if next := f.decide(t, b, page, "allow"); next.Status != 403 {
		t.Errorf("replay: %d", next.Status)
	}
}

// C5: the same decision again, from a double click or the back button, leads on to the same
// place; another decision, or one after the callback, does not.
func TestC5SecondClick(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	page := f.openConsent(t, b)
	form := func(decision string) string {
		return answerTo(page, decision).Encode()
	}
	click := func(decision string) reply {
		return f.send(t, "POST", "/oauth/consent", form(decision), "Content-Type", formType, "Cookie", cookieHeader(b, f.PublicURL))
	}
	first, second := click("allow"), click("allow")
	if first.status != 303 || second.status != 303 || first.location(t).String() != second.location(t).String() {
		t.Fatalf("two clicks: %d %s, then %d %s", first.status, first.location(t), second.status, second.location(t))
	}
	if first.header.Get("Set-Cookie") == "" || first.header.Get("Set-Cookie") != second.header.Get("Set-Cookie") {
		t.Errorf("cookies %q and %q", first.header.Get("Set-Cookie"), second.header.Get("Set-Cookie"))
	}
	if r := click("deny"); r.status != 403 {
		t.Errorf("Deny after Allow: %d", r.status)
	}
	stranger := f.browser()
	f.openConsent(t, stranger)
	if r := f.send(t, "POST", "/oauth/consent", form("allow"), "Content-Type", formType, "Cookie", cookieHeader(stranger, f.PublicURL)); r.status != 403 {
		t.Errorf("another browser: %d", r.status)
	}
	if next := f.decide(t, b, page, "allow"); !strings.HasPrefix(next.URL, f.sim.BaseURL()) { // the back button
		t.Errorf("back, and Allow again: %d %q", next.Status, next.URL)
	} else if location, err := b.LogIn(t.Context(), next.URL, sim.RepUsername, sim.RepPassword); err != nil || !strings.Contains(location, "code=") {
		t.Errorf("after the login: %q, %v", location, err)
	}
	if r := click("allow"); r.status != 403 {
		t.Errorf("after the callback: %d", r.status)
	}

	page = f.openConsent(t, b, "state", "denied")
	first, second = click("deny"), click("deny")
	if first.status != 303 || first.location(t).String() != second.location(t).String() || first.location(t).Query().Get("error") != accessDenied {
		t.Errorf("two Denies: %d %s, then %d %s", first.status, first.location(t), second.status, second.location(t))
	}
	if r := click("allow"); r.status != 403 {
		t.Errorf("Allow after Deny: %d", r.status)
	}
	if n := len(f.audited(t, "consent.decide")); n != 1 {
		t.Errorf("%d entries of one decision", n)
	}
}

func TestUI07TwoTabs(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	first, second := f.openConsent(t, b, "state", "one"), f.openConsent(t, b, "state", "two", "resource", f.Access.Resource("nobody"))
	page := f.decide(t, b, first, "allow")
	f.decide(t, b, second, "deny")
	location, err := b.LogIn(t.Context(), page.URL, sim.RepUsername, sim.RepPassword)
	if err != nil || !strings.Contains(location, "state=one") || !strings.Contains(location, "code=") {
		t.Errorf("first tab: %q, %v", location, err)
	}
	third, fourth := f.openConsent(t, b, "state", "three"), f.openConsent(t, b, "state", "four", "client_id", "inspector")
	if third.Forms[0].Fields.Get("request") == fourth.Forms[0].Fields.Get("request") {
		t.Error("two pages share the id of their request")
	}
	for state, page := range map[string]*sim.Page{"three": third, "four": fourth} {
		if location := f.allowAndLogIn(t, b, page); !strings.Contains(location, "state="+state) || !strings.Contains(location, "code=") {
			t.Errorf("tab %s: %q", state, location)
		}
		if again := f.decide(t, b, page, "allow"); again.Status != http.StatusForbidden {
			t.Errorf("tab %s, again: %d", state, again.Status)
		}
	}
	// A page that the browser fetched ahead stands beside the one that is opened later.
	ahead, opened := f.openConsent(t, b, "state", "five"), f.openConsent(t, b, "state", "five")
	for _, page := range []*sim.Page{ahead, opened} {
		if location := f.allowAndLogIn(t, b, page); !strings.Contains(location, "state=five") || !strings.Contains(location, "code=") {
			t.Errorf("fetched ahead: %q", location)
		}
	}
}

func TestUI08TamperedForm(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	page := f.openConsent(t, b)
	form := page.Forms[0]
	next, err := b.Submit(t.Context(), page, form, url.Values{"decision": {"allow"}, "client_id": {"inspector"}, "redirect_uri": {"https://evil.example"},
		"scope": {"admin"}, "resource": {f.Access.Resource("all")}, "server": {"all"}, "org": {"beta"}})
	if err != nil {
		t.Fatal(err)
	}
	location, err := b.LogIn(t.Context(), next.URL, sim.RepUsername, sim.RepPassword)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(location)
	m := f.post(t, "/oauth/token", f.codeForm(u.Query().Get("code"))).json(t)
	if m["scope"] != "mcp" {
		t.Errorf("tokens: %v", m)
	}
	grants, err := f.Grants.Grants(t.Context(), grant.Filter{})
	if err != nil || len(grants) != 1 || grants[0].ClientID != "chatgpt" || grants[0].Server != "sales" || grants[0].RedirectURI != testRedirect {
		t.Errorf("grants: %+v, %v", grants, err)
	}
}

// pages are one of each kind of HTML answer of this package.
func (f *fixture) pages(t *testing.T) map[string]reply {
	t.Helper()
	return map[string]reply{
		"consent":         f.send(t, "GET", f.authorizePath("client_id", "inspector"), ""),
		"bad client":      f.send(t, "GET", f.authorizePath("client_id", hostileName), ""),
		"bad redirect":    f.send(t, "GET", f.authorizePath("client_id", "inspector", "redirect_uri", `javascript:alert(1)//"><script>`), ""),
		"bad callback":    f.send(t, "GET", "/oauth/callback?state=%3Cscript%3E&code=%3Cscript%3E", ""),
		"callback error":  f.send(t, "GET", "/oauth/callback?state=x&error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E", ""),
		"consent refused": f.post(t, "/oauth/consent", url.Values{"request": {"<script>"}, "decision": {"allow"}}),
		"no decision":     f.post(t, "/oauth/consent", url.Values{"request": {"<script>"}, "decision": {"<script>"}}),
		"wrong method":    f.send(t, "GET", "/oauth/consent", ""),
		"signed out":      f.post(t, "/signout", url.Values{}),
		"sign-in refused": f.post(t, "/signin", url.Values{"org": {"<script>"}}),
	}
}

func TestUI09UI14PageHeaders(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for name, r := range f.pages(t) {
		csp := r.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %q", name, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") {
			t.Errorf("%s: policy %q", name, csp)
		}
		for header, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if got := r.header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if strings.Contains(r.body, `src="http`) || strings.Contains(r.body, `href="http`) {
			t.Errorf("%s loads or leads to something elsewhere", name)
		}
	}
}

func TestUI09OnlyTopLevelNavigation(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, dest := range []string{"iframe", "frame", "image", "script", "empty", "embed"} {
		for _, path := range []string{f.authorizePath(), "/signin"} {
			if r := f.send(t, "GET", path, "", "Sec-Fetch-Dest", dest); r.status != http.StatusForbidden || r.header.Get("Set-Cookie") != "" {
				t.Errorf("%s as %s: %d %v", path, dest, r.status, r.header)
			}
		}
	}
	if n := f.count(t, `SELECT COUNT(*) FROM authorization_requests`); n != 0 {
		t.Errorf("%d requests were opened", n)
	}
	if r := f.send(t, "GET", f.authorizePath(), "", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site"); r.status != http.StatusOK {
		t.Errorf("a link from elsewhere: %d", r.status)
	}
}

func TestUI12RedirectsAre303(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	page := f.openConsent(t, b)
	r := f.post(t, "/oauth/consent", answerTo(page, "allow"), "Cookie", cookieHeader(b, f.PublicURL),
		"Origin", "null", "Sec-Fetch-Site", "same-origin") // as browsers send it under Referrer-Policy: no-referrer
	if r.status != http.StatusSeeOther || r.header.Get("Cache-Control") != "no-store" || r.header.Get("Referrer-Policy") != "no-referrer" || r.body != "" {
		t.Errorf("after Allow: %d %v %q", r.status, r.header, r.body)
	}
}

func TestUI13Cookies(t *testing.T) {
	t.Parallel()
	f := start(t, change{tls: true})
	b := f.browser()
	preset := "__Host-sfmcp-browser=" + strings.Repeat("A", 43)
	r := f.send(t, "GET", f.authorizePath(), "")
	browser := r.header.Get("Set-Cookie")
	page := f.openConsent(t, b)
	r = f.post(t, "/oauth/consent", answerTo(page, "allow"), "Cookie", cookieHeader(b, f.PublicURL))
	login := r.header.Get("Set-Cookie")
	for _, cookie := range []string{browser, login} {
		for _, want := range []string{"__Host-sfmcp-", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
			if !strings.Contains(cookie, want) {
				t.Errorf("cookie %q lacks %q", cookie, want)
			}
		}
		value, _, _ := strings.Cut(strings.SplitN(cookie, "=", 2)[1], ";")
		if len(value) != 43 {
			t.Errorf("cookie value of %d characters", len(value))
		}
	}
	if r.header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS over https")
	}
	// A session id that was planted before the login is not the one after it.
	b = f.browser()
	f.logIn(t, b)
	session := cookieHeader(b, f.PublicURL)
	if !strings.Contains(session, "__Host-sfmcp-session=") || strings.Contains(session, preset) {
		t.Errorf("cookies after the login: %s", session)
	}
	f.logIn(t, b)
	if again := cookieHeader(b, f.PublicURL); again == session {
		t.Error("the session id survives a login")
	}
	if n := f.count(t, `SELECT COUNT(*) FROM browser_sessions`); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

func TestUI15ConsentSaysEverything(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	says := func(body string, want ...string) {
		t.Helper()
		body = html.UnescapeString(body)
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("the page does not say %q", text)
			}
		}
	}
	login := strings.TrimPrefix(f.sim.BaseURL(), "http://")
	says(f.send(t, "GET", f.authorizePath(), "").body, "ChatGPT", "chatgpt", "client.example", "Sales, read only", "acme", login, "mcp_api", "refresh_token", "90 days", "15 minutes")
	web := f.send(t, "GET", f.authorizePath(), "").body
	local := f.send(t, "GET", f.authorizePath("client_id", "inspector", "redirect_uri", "http://127.0.0.1:49152/callback"), "").body
	says(local, "127.0.0.1:49152", "Any program on it could pretend")
	if strings.Contains(web, "Any program on it could pretend") {
		t.Error("the loopback warning is on the page of a web client")
	}
	silent := start(t, change{access: func(c *access.Config) { c.Servers[0].Policy = &policy.Policy{Name: "none"} }})
	says(silent.send(t, "GET", silent.authorizePath(), "").body, "the policy of this server allows no call")
	free := start(t, change{access: func(c *access.Config) {
		c.Servers[0].Policy = &policy.Policy{Name: "free", Rules: []policy.Rule{
			{Effect: policy.Allow, Classes: []policy.Class{policy.Delete}, Clients: []string{"chatgpt"}}}}
	}})
	says(free.send(t, "GET", free.authorizePath(), "").body, "Without asking again", "Delete records")
	other := free.send(t, "GET", free.authorizePath("client_id", "inspector"), "").body
	says(other, "the policy of this server allows no call") // to that client
}

func TestUI17SafeMethodsChangeNothing(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	got := f.tokens(t, f.codeForm(f.logIn(t, b).Get("code")))
	page := f.openConsent(t, b)
	id := page.Forms[0].Fields.Get("request")
	state := func() string {
		var all []string
		for _, table := range []string{"users", "grants", "codes", "access_tokens", "refresh_tokens", "links", "browser_sessions", "upstream_revocations", "authorization_requests"} {
			rows, err := f.db.Reads.Query(`SELECT * FROM ` + table)
			if err != nil {
				t.Fatal(err)
			}
			columns, _ := rows.Columns()
			for rows.Next() {
				values := make([]string, len(columns))
				into := make([]any, len(columns))
				for i := range values {
					into[i] = &values[i]
				}
				if err := rows.Scan(into...); err != nil {
					t.Fatal(err)
				}
				all = append(all, table+strings.Join(values, "|"))
			}
			rows.Close()
		}
		return strings.Join(all, "\n")
	}
	before := state()
	cookies := cookieHeader(b, f.PublicURL)
	for _, method := range []string{"GET", "HEAD"} {
		for _, path := range []string{
			"/oauth/consent?decision=allow&request=" + id, "/oauth/token?grant_type=refresh_token&client_id=chatgpt&refresh_token=" + got.refresh,
			"/oauth/revoke?client_id=chatgpt&token=" + got.refresh, "/signout", "/oauth/callback?state=x&code=y", "/oauth/authorize",
			"/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp/sales",
		} {
			f.send(t, method, path, "", "Cookie", cookies)
		}
	}
	f.send(t, "HEAD", f.authorizePath(), "", "Cookie", cookies)
	f.send(t, "HEAD", "/signin", "", "Cookie", cookies)
	if after := state(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestConsentExpires(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	page := f.openConsent(t, b)
	f.clock.Add(10 * time.Minute)
	if next := f.decide(t, b, page, "allow"); next.Status != 403 || f.upstream("/services/oauth2/authorize") != 0 {
		t.Errorf("after ten minutes: %d", next.Status)
	}
}

// A consent that comes sooner than anybody can read the page, or from no page that this browser was
// shown, is asked again, and nothing has begun; the same form counts once there was time.
func TestConsentSoonerThanReadingIsAskedAgain(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.Marks.Least = 0
	for _, decision := range []string{"allow", "deny"} {
		b := f.browser()
		page := f.openConsent(t, b)
		for _, after := range []time.Duration{0, 999 * time.Millisecond} {
			f.clock.Add(after)
			next := f.decide(t, b, page, decision)
			if next.Status != 409 || !strings.Contains(next.Body, "sooner than anybody can read") || next.Forms[0].Fields.Get("shown") != page.Forms[0].Fields.Get("shown") {
				t.Fatalf("%s after %v: %d %s", decision, after, next.Status, next.Location)
			}
			page = next
		}
		f.clock.Add(time.Millisecond)
		if next := f.decide(t, b, page, decision); next.Status == 409 || next.Status >= 500 {
			t.Errorf("%s after a second: %d", decision, next.Status)
		}
	}
	b, other := f.browser(), f.browser()
	page, elsewhere := f.openConsent(t, b), f.openConsent(t, other)
	f.clock.Add(time.Second)
	for _, mark := range []string{"", "x", elsewhere.Forms[0].Fields.Get("shown")} {
		form := answerTo(page, "allow")
		form.Set("shown", mark)
		if r := f.post(t, "/oauth/consent", form, "Cookie", cookieHeader(b, f.PublicURL)); r.status != 409 {
			t.Errorf("allowed with the mark %q: %d", mark, r.status)
		}
	}
}
