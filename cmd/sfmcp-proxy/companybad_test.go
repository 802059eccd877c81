package main

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// callbackOf signs in at the provider in a browser that stops before it comes back, and returns
// the address that it would come back to.
func (d *companyDemo) callbackOf(b *salesforcesim.Browser, u companysim.User) string {
	d.t.Helper()
	page := d.open(b, "/account", u)
	if page.Location == "" {
		d.t.Fatalf("the provider did not answer: status %d of %s\n%s", page.Status, page.URL, page.Body)
	}
	return page.Location
}

// stopped is a browser that stops before the callback of the company's sign-in.
func (d *companyDemo) stopped() *salesforcesim.Browser {
	return salesforcesim.NewBrowser(nil, d.PublicURL+"/oauth/company/callback")
}

// notSignedIn sees that a page says what happened and leads on, that it shows nothing of what
// came, and that nobody is signed in by it, in that browser or at all.
func (d *companyDemo) notSignedIn(what string, b *salesforcesim.Browser, page *salesforcesim.Page, status int, says string) {
	d.t.Helper()
	if page.Status != status || !strings.Contains(page.Body, says) || !strings.Contains(page.Body, "<h1>") || strings.Contains(page.Body, "canary") {
		d.t.Errorf("%s: status %d, want %d and %q:\n%s", what, page.Status, status, says, page.Body)
	}
	if account := d.look(b, "/account"); strings.Contains(account.Body, "Signed in as") {
		d.t.Errorf("%s: the browser is signed in:\n%s", what, account.Body)
	}
	if listed := d.must("session", "list", "--json"); strings.Contains(listed, `"id":"`) {
		d.t.Errorf("%s: there is a session: %s", what, listed)
	}
}

// AD-01: an answer of the provider that is wrong in one way signs nobody in, the page says
// so, the log says why in one word, and the command line goes on.
func TestAD01WrongAnswersOnPages(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	approver := companysim.DefaultUsers()[0]
	const refused, silent = "gave an answer that this proxy does not believe", "does not answer"
	claim := func(name string, value any) companysim.Faults {
		return companysim.Faults{Claims: map[string]any{name: value}}
	}
	failed := map[string]int{} // by reason
	hour := time.Now().Add(-time.Hour).Unix()
	for _, c := range []struct {
		what   string
		faults companysim.Faults
		status int
		says   string
		reason string
	}{
		{"no nonce", claim("nonce", nil), http.StatusForbidden, refused, "company_refused"},
		{"another nonce", claim("nonce", "canary"), http.StatusForbidden, refused, "company_refused"},
		{"another aud", claim("aud", "canary"), http.StatusForbidden, refused, "company_refused"},
		{"two in aud and no azp", claim("aud", []string{companysim.ClientID, "canary"}), http.StatusForbidden, refused, "company_refused"},
		{"another azp", claim("azp", "canary"), http.StatusForbidden, refused, "company_refused"},
		{"another iss", claim("iss", "https://canary.example"), http.StatusForbidden, refused, "company_refused"},
		{"expired", claim("exp", hour), http.StatusForbidden, refused, "company_refused"},
		{"issued long ago", claim("iat", hour), http.StatusForbidden, refused, "company_refused"},
		{"groups as a text", claim("groups", "sales-approvers"), http.StatusForbidden, refused, "company_refused"},
		{"sub of two lines", claim("sub", "canary\nx"), http.StatusForbidden, refused, "company_refused"},
		{"claims twice", companysim.Faults{Raw: `{"sub":"canary","sub":"b"}`}, http.StatusForbidden, refused, "company_refused"},
		{"alg none", companysim.Faults{Algorithm: "none"}, http.StatusForbidden, refused, "company_refused"},
		{"alg HS256", companysim.Faults{Algorithm: "HS256"}, http.StatusForbidden, refused, "company_refused"},
		{"another key", companysim.Faults{OtherKey: true}, http.StatusForbidden, refused, "company_refused"},
		{"no id token", companysim.Faults{NoIDToken: true}, http.StatusForbidden, refused, "company_refused"},
		{"answer of another", companysim.Faults{OtherIss: true}, http.StatusForbidden, refused, "company_refused"},
		{"down", companysim.Faults{Down: true}, http.StatusServiceUnavailable, silent, "company_unavailable"},
	} {
		b := d.stopped()
		d.provider.SetFaults(companysim.Faults{OtherIss: c.faults.OtherIss})
		back := d.callbackOf(b, approver)
		d.provider.SetFaults(c.faults)
		d.notSignedIn(c.what, b, d.goOn(b, back), c.status, c.says)
		failed[c.reason]++
		log := d.must("audit", "list", "--action", "login.finish", "--json")
		if got := strings.Count(log, `"`+c.reason+`"`); got != failed[c.reason] || strings.Contains(log, "canary") {
			t.Errorf("%s: the log has %d of %s, want %d: %s", c.what, got, c.reason, failed[c.reason], log)
		}
	}
	d.provider.SetFaults(companysim.Faults{})
	if page := d.open(d.browser(), "/account", approver); page.Status != http.StatusOK || !strings.Contains(page.Body, approver.Name) {
		t.Errorf("once the provider is right again: status %d\n%s", page.Status, page.Body)
	}
}

// goOn opens the callback in the browser that stopped before it.
func (d *companyDemo) goOn(b *salesforcesim.Browser, back string) *salesforcesim.Page {
	d.t.Helper()
	page, err := b.Get(d.t.Context(), back)
	if err != nil {
		d.t.Fatal(err)
	}
	return page
}

// AD-01: a person whose e-mail address the provider has not verified has no role by it.
func TestAD01UnverifiedAddress(t *testing.T) {
	t.Parallel()
	d := &companyDemo{}
	d.demo = startWithCompany(t, `approvers: "role:approver"`, func(redirectURI string) string {
		d.provider = listenAsProvider(t, redirectURI)
		d.issuer = d.provider.Issuer()
		return fmt.Sprintf("\n  oidc: {issuer: %q, client_id: %s, client_secret: %s}\n  roles: [{role: approver, emails: [avery@acme.example]}]\n", d.issuer, companysim.ClientID, companysim.ClientSecret)
	})
	approver := companysim.DefaultUsers()[0]
	for _, verified := range []bool{false, true} {
		approver.EmailVerified = verified
		d.provider.SetUser(approver)
		if page := d.open(d.browser(), "/account", approver); page.Status != http.StatusOK || strings.Contains(page.Body, "<dd>approver</dd>") != verified {
			t.Errorf("verified %v: status %d\n%s", verified, page.Status, page.Body)
		}
	}
}

// AD-01: what comes to the two addresses of the company's sign-in and was not begun there, in
// that browser, signs nobody in.
func TestAD01BadInputToCompanySignIn(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	approver := companysim.DefaultUsers()[0]
	const broken, over = "The link that brought you here", "This sign-in cannot go on"
	b := d.stopped()
	begin := "/signin/company?"
	issuer := url.QueryEscape(d.issuer)
	for _, c := range []struct {
		what, address string
		status        int
		says          string
	}{
		{"no provider", begin, http.StatusBadRequest, broken},
		{"a provider that is not set up", begin + "issuer=https://canary.example", http.StatusBadRequest, broken},
		{"two providers", begin + "issuer=" + issuer + "&issuer=https://canary.example", http.StatusBadRequest, broken},
		{"a query that is none", begin + "issuer=%zz", http.StatusBadRequest, broken},
		{"no state", "/oauth/company/callback?code=canary", http.StatusForbidden, over},
		{"a state of nobody", "/oauth/company/callback?state=canary.canary&code=canary", http.StatusForbidden, over},
		{"a long state", "/oauth/company/callback?code=x&state=" + strings.Repeat("canary", 1000), http.StatusForbidden, over},
		{"two states", "/oauth/company/callback?state=a&state=canary&code=x", http.StatusBadRequest, over},
		{"an error of nobody", "/oauth/company/callback?error=canary&error_description=%3Cb%3Ecanary", http.StatusForbidden, over},
		{"nothing", "/oauth/company/callback", http.StatusForbidden, over},
	} {
		d.notSignedIn(c.what, b, d.look(b, c.address), c.status, c.says)
	}

	victim, attacker := d.stopped(), d.stopped()
	theirs, own := d.callbackOf(attacker, approver), d.callbackOf(victim, approver)
	d.notSignedIn("an answer of another browser", victim, d.goOn(victim, theirs), http.StatusForbidden, over) // login CSRF
	d.notSignedIn("a code of another browser", victim, d.goOn(victim, mixed(t, own, theirs)), http.StatusForbidden, "does not believe")
	// The attempt of the victim is over with that; another one signs in, once.
	own = d.callbackOf(victim, approver)
	if page := d.goOn(victim, own); page.Status != http.StatusOK && page.Location == "" {
		t.Fatalf("%+v", page)
	}
	if page := d.look(victim, "/account"); !strings.Contains(page.Body, approver.Name) {
		t.Errorf("signed in properly: %s", page.Body)
	}
	if page := d.goOn(victim, own); page.Status != http.StatusForbidden {
		t.Errorf("the same answer again: %+v", page)
	}
	if got := d.sessions(); got != 1 {
		t.Errorf("%d sessions", got)
	}
}

// mixed is the answer in own with the code of theirs.
func mixed(t *testing.T, own, theirs string) string {
	t.Helper()
	a, err := url.Parse(own)
	if err != nil {
		t.Fatal(err)
	}
	b, err := url.Parse(theirs)
	if err != nil {
		t.Fatal(err)
	}
	q := a.Query()
	q.Set("code", b.Query().Get("code"))
	a.RawQuery = q.Encode()
	return a.String()
}

// sessions is how many browsers are signed in with the company.
func (d *companyDemo) sessions() int {
	d.t.Helper()
	return strings.Count(d.must("session", "list", "--json"), `"id":"`)
}

// After a sign-in nobody is sent anywhere but to a page of ours.
func TestAD01CompanySignInLeadsToOurPages(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	approver := companysim.DefaultUsers()[0]
	b := d.browser()
	for _, to := range []string{"https://canary.example/", "//canary.example/", `/\canary.example`, "/account\r\nX: canary", "javascript:alert(1)"} {
		if page := d.open(b, to, approver); !strings.HasPrefix(page.URL, d.PublicURL+"/account") || page.Status != http.StatusOK || strings.Contains(page.Body, "canary") {
			t.Errorf("%q leads to %s, status %d", to, page.URL, page.Status)
		}
	}
}

// A provider that was never there: the page says so, the sign-in with Salesforce and the
// command line work.
func TestProviderDownFromTheStart(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	if out := d.must("doctor"); !strings.Contains(out, "ok    company sign-in: ") {
		t.Errorf("doctor while the provider is there:\n%s", out)
	}
	d.provider.SetFaults(companysim.Faults{Down: true})
	if out, status := d.command("doctor"); status != exitFailed || !strings.Contains(out, "FAIL  company sign-in: ") {
		t.Errorf("doctor while it is down: status %d\n%s", status, out)
	}
	b := d.browser()
	d.notSignedIn("down", b, d.open(b, "/approvals", companysim.User{}), http.StatusServiceUnavailable, "your administrator can do it at the command line")
	c := d.authorize(d.browser(), "sobject-all", rep)
	c.initialize()
	link := d.approvalURL(c.call("createSobjectRecord", account("While it is down")))
	d.must("approval", "approve", path.Base(link), "--as", "alice")
	if r := c.call("createSobjectRecord", account("While it is down")); r.Result.IsError || d.named("Account", "While it is down") != 1 {
		t.Errorf("the approved call: %s", r.body)
	}
}

// Two companies may have a provider each: a subject or a group of one is nobody's at the other,
// and a browser that signs in with the second one is signed in as that person alone.
func TestTwoProviders(t *testing.T) {
	t.Parallel()
	d, other := &companyDemo{}, &companyDemo{}
	d.demo = startWithCompany(t, `approvers: "role:approver"`, func(redirectURI string) string {
		d.provider, other.provider = listenAsProvider(t, redirectURI), listenAsProvider(t, redirectURI)
		d.issuer, other.issuer = d.provider.Issuer(), other.provider.Issuer()
		client := "client_id: " + companysim.ClientID + ", client_secret: " + companysim.ClientSecret + ", groups_claim: groups"
		return fmt.Sprintf(`
  oidc: {name: Acme, issuer: %q, %s}
  providers: [{name: Partner, issuer: %q, %s}]
  roles: [{role: approver, issuer: %q, groups: [sales-approvers]}, {role: auditor, issuer: %q, subjects: [00u-approver]}]
`, d.issuer, client, other.issuer, client, d.issuer, other.issuer)
	})
	other.demo = d.demo
	approver := companysim.DefaultUsers()[0] // the same subject and groups at both
	if page := d.look(d.browser(), "/signin"); !strings.Contains(page.Body, "Acme") || !strings.Contains(page.Body, "Partner") {
		t.Errorf("the sign-in page: %s", page.Body)
	}
	b := d.browser()
	for _, c := range []struct {
		with        *companyDemo
		role, other string
	}{{d, "approver", "auditor"}, {other, "auditor", "approver"}, {d, "approver", "auditor"}} {
		page := c.with.open(b, "/account", approver)
		if !strings.Contains(page.Body, "<dd>"+c.role+"</dd>") || strings.Contains(page.Body, "<dd>"+c.other+"</dd>") || !strings.Contains(page.Body, c.with.issuer) {
			t.Errorf("as %s: %s", c.role, page.Body)
		}
		if got := d.sessions(); got != 1 {
			t.Errorf("%d sessions of one browser", got)
		}
	}
	// The answer of one, said to be of the other.
	stopped := d.stopped()
	back := d.callbackOf(stopped, approver)
	if page := d.goOn(stopped, strings.Replace(back, url.QueryEscape(d.issuer), url.QueryEscape(other.issuer), 1)); page.Status != http.StatusForbidden {
		t.Errorf("an answer of another provider: %+v", page)
	}
}

// A person is signed in with ten browsers at most; with one more, the oldest is not.
func TestSessionsOfOnePerson(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	users := companysim.DefaultUsers()
	somebody := d.browser()
	d.open(somebody, "/account", users[1])
	var browsers []*salesforcesim.Browser
	for range 12 {
		b := d.browser()
		d.open(b, "/account", users[0])
		browsers = append(browsers, b)
	}
	if got := d.sessions(); got != 11 {
		t.Errorf("%d sessions, want ten of one and one of another", got)
	}
	signedIn := func(b *salesforcesim.Browser) bool {
		return strings.Contains(d.look(b, "/account").Body, "Signed in as")
	}
	if !signedIn(somebody) || !signedIn(browsers[11]) || slices.ContainsFunc(browsers[:1], signedIn) {
		t.Error("another than the oldest was signed out")
	}
}
