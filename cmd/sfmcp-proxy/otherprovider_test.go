package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// otherProvider is npm's oidc-provider while it runs, as testdata/oidc-provider.mjs sets it up.
type otherProvider struct {
	*nodeProcess
	avery, noor companysim.User
}

func startOtherProvider(t *testing.T, redirectURI string) (p *otherProvider, issuer string) {
	t.Helper()
	p = &otherProvider{nodeProcess: startNode(t, t.TempDir(), nil, filepath.Join("testdata", "oidc-provider.mjs"), otherProviderLibrary(t), redirectURI, "proxy", "proxy-secret"),
		avery: companysim.User{Subject: "u-avery", Username: "avery", Password: "approve-Avery-1"},
		noor:  companysim.User{Subject: "u-noor", Username: "noor", Password: "watch-Noor-1"},
	}
	return p, p.line().Issuer
}

func otherProviderLibrary(t *testing.T) string {
	t.Helper()
	library := filepath.Join(nodePackages(t), "oidc-provider", "lib", "index.js")
	_, err := os.Stat(library)
	need(t, "node", err == nil, "run .ci/node-clients")
	return library
}

// line reads what it says next.
func (p *otherProvider) line() (said struct {
	Issuer string
	Done   bool
}) {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatalf("the provider ended: %v\n%s", p.out.Err(), p.err)
	}
	if err := json.Unmarshal(p.out.Bytes(), &said); err != nil {
		p.t.Fatalf("%v in %q", err, p.out.Text())
	}
	return said
}

// setGroups changes the groups of a person from the next sign-in on.
func (p *otherProvider) setGroups(subject string, groups ...string) {
	p.t.Helper()
	text, err := json.Marshal(map[string]any{"subject": subject, "groups": append([]string{}, groups...)})
	if err != nil {
		p.t.Fatal(err)
	}
	p.send(string(text))
	p.line()
}

// Company sign-in with a provider that nobody here wrote: roles by a claim of groups, a fresh
// sign-in with a second factor where a rule asks for it, and roles that end with the groups.
func TestCompanySignInWithAnotherProvider(t *testing.T) {
	t.Parallel()
	otherProviderLibrary(t) // nothing begins where it is missing
	var p *otherProvider
	d := &companyDemo{}
	d.demo = startWithCompany(t, `approvers: "role:approver", step_up: true`, func(redirectURI string) string {
		p, d.issuer = startOtherProvider(t, redirectURI)
		return fmt.Sprintf(`
  oidc: {issuer: %q, client_id: proxy, client_secret: proxy-secret, scopes: [profile, groups], groups_claim: groups, acr: "urn:acme:mfa"}
  roles: [{role: approver, groups: [sales-approvers]}]
`, d.issuer)
	})
	c := d.authorize(d.browser(), "sobject-all", rep)
	c.initialize()
	id := path.Base(d.approvalURL(c.call("createSobjectRecord", account("By another provider"))))

	if page := d.open(d.browser(), "/account", companysim.User{Username: "avery", Password: "wrong"}); page.Status != http.StatusForbidden {
		t.Errorf("a wrong password: status %d\n%s", page.Status, page.Body)
	}
	if page := d.open(d.browser(), "/approvals/"+id, p.noor); page.Status != http.StatusNotFound {
		t.Errorf("without the group: status %d", page.Status)
	}
	b := d.browser()
	page := d.open(b, "/account", p.avery)
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "Avery Okafor") || !strings.Contains(page.Body, "approver") {
		t.Fatalf("account: status %d\n%s", page.Status, page.Body)
	}
	if again := d.open(b, "/account", companysim.User{}); again.Status != http.StatusOK { // signed in there already
		t.Errorf("a second time: status %d\n%s", again.Status, again.Body)
	}

	// What decides comes after a sign-in that is fresh and strong enough; nothing comes of another.
	for _, form := range []struct {
		mfa    string
		status int
	}{{"", http.StatusForbidden}, {"yes", http.StatusOK}} {
		if page = d.approveAnew(b, id, url.Values{"username": {p.avery.Username}, "password": {p.avery.Password}, "mfa": {form.mfa}}); page.Status != form.status {
			t.Fatalf("fresh sign-in, second factor %q: status %d, want %d\n%s", form.mfa, page.Status, form.status, page.Body)
		}
		if r := c.call("createSobjectRecord", account("By another provider")); !r.Result.IsError {
			t.Fatalf("before anybody approved: %s", r.body)
		}
	}
	if page, err := b.Choose(t.Context(), page, "decision", "approve"); err != nil || page.Status != http.StatusOK {
		t.Fatalf("approving: %v, %+v", err, page)
	}
	if r := c.call("createSobjectRecord", account("By another provider")); r.Result.IsError || d.named("Account", "By another provider") != 1 {
		t.Errorf("the approved call: %s", r.body)
	}

	// Without a page the provider says again who it is, and that the group is gone.
	p.setGroups(p.avery.Subject)
	if page, err := b.Get(t.Context(), d.wayIn("/account", "silent")); err != nil || page.Status != http.StatusOK || strings.Contains(page.Body, "approver") {
		t.Errorf("after the group was taken away: %v, %+v", err, page)
	}
	if page, err := d.browser().Get(t.Context(), d.wayIn("/account", "silent")); err != nil || !strings.HasPrefix(page.URL, d.issuer) {
		t.Errorf("silently, where nobody is signed in: %v, %+v", err, page)
	}
}

// approveAnew approves on the page of a call, is asked to sign in afresh, and does so with those
// fields; it returns the page after that.
func (d *companyDemo) approveAnew(b *salesforcesim.Browser, id string, fields url.Values) *salesforcesim.Page {
	d.t.Helper()
	page, err := b.Get(d.t.Context(), d.PublicURL+"/approvals/"+id)
	if err == nil {
		page, err = b.Choose(d.t.Context(), page, "decision", "approve")
	}
	if err != nil {
		d.t.Fatal(err)
	}
	login := slices.IndexFunc(page.Forms, func(f salesforcesim.Form) bool { return f.Fields.Has("password") })
	if login < 0 || !strings.HasPrefix(page.URL, d.issuer) {
		d.t.Fatalf("no fresh sign-in: status %d of %s\n%s", page.Status, page.URL, page.Body)
	}
	if fields.Get("mfa") == "" {
		fields.Del("mfa")
	}
	if page, err = b.Submit(d.t.Context(), page, page.Forms[login], fields); err != nil {
		d.t.Fatal(err)
	}
	return page
}
