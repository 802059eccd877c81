package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// companyDemo is a proxy whose writes an approver of the company decides about.
type companyDemo struct {
	*demo
	provider *companysim.Provider // nil: another than the simulated one
	issuer   string
}

func startCompany(t *testing.T) *companyDemo {
	t.Helper()
	return startCompanyWith(t, `approvers: "role:approver"`)
}

// startCompanyWith does so with those keys of the rule for changes of records.
func startCompanyWith(t *testing.T, keys string) *companyDemo {
	t.Helper()
	d := &companyDemo{}
	d.demo = startWithCompany(t, keys, func(redirectURI string) string {
		d.provider = listenAsProvider(t, redirectURI)
		d.issuer = d.provider.Issuer()
		return `
  oidc: {issuer: "` + d.issuer + `", client_id: ` + companysim.ClientID + `, client_secret: ` + companysim.ClientSecret + `, groups_claim: groups, acr: "` + companysim.MFA + `"}
  roles: [{role: approver, groups: [sales-approvers]}, {role: security, subjects: [00u-security]}, {role: auditor, subjects: [00u-auditor]}]
`
	})
	return d
}

// listenAsProvider is a company's identity provider of ours.
func listenAsProvider(t *testing.T, redirectURI string) *companysim.Provider {
	t.Helper()
	provider, err := companysim.Listen("127.0.0.1:0", companysim.Config{RedirectURIs: []string{redirectURI}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close() })
	return provider.Provider
}

// startWithCompany starts a proxy whose rule for changes of records has those keys, with what provide returns as
// members of its key console; provide is called with the redirect URI of the proxy.
func startWithCompany(t *testing.T, keys string, provide func(redirectURI string) string) *demo {
	t.Helper()
	d, p, listening := openWithCompany(t, keys, provide)
	serveOn(t, p, listening)
	return d
}

// openWithCompany opens that proxy, which does not serve yet.
func openWithCompany(t *testing.T, keys string, provide func(redirectURI string) string) (*demo, *process, map[string]net.Listener) {
	t.Helper()
	public, listen, err := demonstration.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	private, adminListen, err := demonstration.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	publicURL := "http://" + listen
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{publicURL + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	file := filepath.Join(t.TempDir(), "demo.yaml")
	if err := demonstration.WriteConfig(file, demonstration.Addresses{PublicURL: publicURL, Listen: listen, AdminListen: adminListen, SalesforceURL: sim.BaseURL()}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, file := configured(t, strings.ReplaceAll(strings.Replace(string(text), "approvers: requester", keys, 1), "approvers: requester", `approvers: "role:approver"`)+"\nconsole:"+provide(publicURL+"/oauth/company/callback"))
	d := &demo{t: t, dir: filepath.Dir(file), log: &lockedBuffer{}, Setup: setupOf(p.config, sim, file)}
	return d, p, map[string]net.Listener{listen: public, adminListen: private}
}

// wayIn is the address of the proxy that signs in with a provider and leads to a path.
func (d *companyDemo) wayIn(returnTo, how string) string {
	return d.PublicURL + "/signin/company?" + url.Values{"issuer": {d.issuer}, "return_to": {returnTo}, "how": {how}}.Encode()
}

// open opens an address of the proxy and signs in with the company on the way.
func (d *companyDemo) open(b *salesforcesim.Browser, address string, u companysim.User) *salesforcesim.Page {
	d.t.Helper()
	page, err := d.signedIn(d.t.Context(), b, address, u)
	if err != nil {
		d.t.Fatal(err)
	}
	return page
}

// signedIn is open where an answer may be lost.
func (d *companyDemo) signedIn(ctx context.Context, b *salesforcesim.Browser, address string, u companysim.User) (*salesforcesim.Page, error) {
	page, err := b.Get(ctx, d.wayIn(address, ""))
	if err != nil {
		return nil, err
	}
	if login := slices.IndexFunc(page.Forms, func(f salesforcesim.Form) bool { return f.Fields.Has("password") }); login >= 0 {
		return b.Submit(ctx, page, page.Forms[login], url.Values{"username": {u.Username}, "password": {u.Password}})
	}
	return page, nil
}

// linkForm is the form of an account page that makes the two who are signed in one human.
func (d *companyDemo) linkForm(account *salesforcesim.Page) salesforcesim.Form {
	d.t.Helper()
	at := slices.IndexFunc(account.Forms, func(f salesforcesim.Form) bool { return strings.HasSuffix(f.Action, "/account/link") })
	if at < 0 {
		d.t.Fatalf("no form to link: %s", account.Body)
	}
	return account.Forms[at]
}

// A call of a requester waits for a role; whoever holds it by the company's word sees and
// approves it, and nobody else does.
func TestAP12ApproverSignsInWithTheCompany(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	users := companysim.DefaultUsers()
	approver, security := users[0], users[1]
	requesterBrowser := d.browser()
	c := d.authorize(requesterBrowser, "sobject-all", rep)
	c.initialize()
	link := d.approvalURL(c.call("createSobjectRecord", account("By the company")))
	id := path.Base(link)

	// The way in offers both.
	landing, err := d.browser().Get(t.Context(), link)
	if err != nil || !strings.Contains(landing.Body, "Continue with your company") || !strings.Contains(landing.Body, "Continue to Salesforce") {
		t.Fatalf("sign-in page: %v, %+v", err, landing)
	}
	// Somebody of the company without the role learns nothing.
	if page := d.open(d.browser(), "/approvals/"+id, security); page.Status != http.StatusNotFound {
		t.Errorf("without the role: status %d", page.Status)
	}
	b := d.browser()
	page := d.open(b, "/approvals/"+id, approver)
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "By the company") || !strings.Contains(page.Body, rep) {
		t.Fatalf("approver's page: status %d\n%s", page.Status, page.Body)
	}
	for _, said := range []string{"Could agree: <bdi>Avery Okafor (avery@acme.example)</bdi>", "Held by <bdi>rule 2 (confirm"} {
		if !strings.Contains(page.Body, said) {
			t.Errorf("the page does not say %q:\n%s", said, page.Body)
		}
	}
	inbox, err := b.Get(t.Context(), d.PublicURL+"/approvals")
	if err != nil || !strings.Contains(inbox.Body, id) {
		t.Errorf("the approver's list lacks it: %v", err)
	}
	// The requester's browser cannot approve, whoever else signs in there: it is who asked.
	own := d.open(requesterBrowser, "/approvals/"+id, approver)
	if _, err := requesterBrowser.Choose(t.Context(), own, "decision", "approve"); err == nil {
		t.Error("the requester's browser offers to approve")
	}
	if decided, err := b.Choose(t.Context(), page, "decision", "approve"); err != nil || decided.Status != http.StatusOK {
		t.Fatalf("approving: %v, %+v", err, decided)
	}
	if r := c.call("createSobjectRecord", account("By the company")); r.Result.IsError || d.named("Account", "By the company") != 1 {
		t.Errorf("the approved call: %s", r.body)
	}
	if log := d.must("audit", "list", "--action", "approval.decide", "--json"); !strings.Contains(log, "person "+d.issuer+" "+approver.Subject) {
		t.Errorf("the log does not name the approver: %s", log)
	}
}

// One human with two sign-ins counts once: after the two were linked, their approval of their
// own call is refused in every browser.
func TestAP12OneHumanCountsOnce(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	approver := companysim.DefaultUsers()[0]
	b := d.browser()
	c := d.authorize(b, "sobject-all", rep)
	c.initialize()
	accountPage := d.open(b, "/account", approver)
	form := d.linkForm(accountPage)
	if page, err := b.Submit(t.Context(), accountPage, form, url.Values{"csrf_token": {"x"}}); err != nil || page.Status != http.StatusForbidden {
		t.Errorf("a form of somebody else: %v, status %d", err, page.Status)
	}
	if page, err := b.Submit(t.Context(), accountPage, form, nil); err != nil || !strings.Contains(page.Body, "known to be one") {
		t.Fatalf("linking: %v, %+v", err, page)
	}
	link := d.approvalURL(c.call("createSobjectRecord", account("Own call")))
	elsewhere := d.browser()
	page := d.open(elsewhere, "/approvals/"+path.Base(link), approver)
	if page.Status == http.StatusOK {
		if after, err := elsewhere.Choose(t.Context(), page, "decision", "approve"); err == nil && after.Status == http.StatusOK {
			t.Errorf("their own call: status %d", after.Status)
		}
	}
	if r := c.call("createSobjectRecord", account("Own call")); !r.Result.IsError {
		t.Errorf("the call was made: %s", r.body)
	}
	// Who is who stands where either is looked up.
	if out := d.must("user", "list"); !strings.Contains(out, `is "`+approver.Subject+`" of `+d.issuer) {
		t.Errorf("user list: %s", out)
	}
	if out := d.must("user", "show", rep, "--json"); !strings.Contains(out, `"person_subject":"`+approver.Subject+`"`) {
		t.Errorf("user show: %s", out)
	}
	if out := d.must("session", "list", "--json"); strings.Count(out, `"salesforce_users":[{"org":"acme","subject":"005`) != 2 {
		t.Errorf("session list: %s", out)
	}
	if own := d.look(b, "/account"); !strings.Contains(own.Body, "known to be you") || strings.Count(own.Body, "last seen") != 1 {
		t.Errorf("the account: %s", own.Body)
	}
	d.must("user", "unlink", rep)
	if out, status := d.command("user", "unlink", rep); status == exitDone {
		t.Errorf("unlinking twice: %s", out)
	}
	// Once they are two again the same browser approves the same call: being one was the reason.
	page = d.open(elsewhere, "/approvals/"+path.Base(link), approver)
	if after, err := elsewhere.Choose(t.Context(), page, "decision", "approve"); err != nil || after.Status != http.StatusOK {
		t.Errorf("as another human: %v, %+v", err, after)
	}
	if r := c.call("createSobjectRecord", account("Own call")); r.Result.IsError {
		t.Errorf("what another human approved: %s", r.body)
	}
	if log := d.must("audit", "list", "--action", "person.", "--json"); strings.Count(log, "person.link") == 0 || !strings.Contains(log, "person.unlink") {
		t.Errorf("the log has %s", log)
	}
}

// AD-09, FT-52: a session that is ended is gone with the next request, and with the provider
// down nobody signs in, which the page says, while the command line works.
func TestAD09SessionsEndAtOnce(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	approver := companysim.DefaultUsers()[0]
	b := d.browser()
	if page := d.open(b, "/account", approver); page.Status != http.StatusOK || !strings.Contains(page.Body, "approver") {
		t.Fatalf("account: %+v", page)
	}
	listed := d.must("session", "list", "--json")
	_, rest, _ := strings.Cut(listed, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	d.must("session", "end", id)
	if page, err := b.Get(t.Context(), d.PublicURL+"/account"); err != nil || !strings.Contains(page.Body, "<h1>Sign in</h1>") {
		t.Errorf("after its end: %v, %+v", err, page)
	}
	if out, status := d.command("session", "end", id); status == exitDone {
		t.Errorf("ending it twice: %s", out)
	}
	d.provider.SetFaults(companysim.Faults{NoIDToken: true})
	if page := d.open(d.browser(), "/account", approver); page.Status != http.StatusForbidden {
		t.Errorf("an answer without id token: status %d", page.Status)
	}
	d.provider.SetFaults(companysim.Faults{Down: true})
	d.must("session", "list")
	if page, err := b.Get(t.Context(), d.PublicURL+"/oauth/company/callback?state=x&code=y"); err != nil || page.Status != http.StatusForbidden {
		t.Errorf("an answer that nobody asked for: %v, %+v", err, page)
	}
}

// A start that nobody could sign in after says so, with issuer and cause and without the secret, and serves.
func TestStartWarnsOfAProviderThatIsNotThere(t *testing.T) {
	t.Parallel()
	const secret = "canary-of-the-client"
	const issuer = "http://" + nobodyListens
	d, p, listening := openWithCompany(t, `approvers: "role:approver"`, func(string) string {
		return `
  oidc: {issuer: "` + issuer + `", client_id: console, client_secret: ` + secret + `}
  roles: [{role: security, subjects: [00u-security]}]
`
	})
	p.current.Load().log = slog.New(slog.NewTextHandler(d.log, nil))
	serveOn(t, p, listening)
	if status, text := d.private("/readyz"); status != http.StatusOK {
		t.Errorf("readyz: %d %s", status, text)
	}
	const said = "the company's identity provider cannot be reached"
	eventually(t, plenty, "the warning", func() bool { return strings.Contains(d.log.String(), said) })
	if log := d.log.String(); strings.Count(log, said) != 1 || !strings.Contains(log, issuer) || !strings.Contains(log, "refused") || strings.Contains(log, secret) {
		t.Errorf("the log:\n%s", log)
	}
}
