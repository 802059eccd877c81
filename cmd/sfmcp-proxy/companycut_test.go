package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// RS-10: a sign-in with the company that was under way when the Salesforce user was cut off who is the same human gives no session,
// also once they are let in again. Who else is at the provider then signs in all the same, and so does the human who begins anew.
func TestRS10CompanySignInUnderWay(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	approver, _ := d.linkedApprover()
	other := companysim.DefaultUsers()[1]
	begin := func(u companysim.User) (b *salesforcesim.Browser, back string) {
		t.Helper()
		b = salesforcesim.NewBrowser(d.by, d.PublicURL+"/oauth/company/callback")
		page, err := b.Get(t.Context(), d.wayIn("/account", ""))
		if err != nil {
			t.Fatal(err)
		}
		if page, err = b.Submit(t.Context(), page, page.Forms[0], url.Values{"username": {u.Username}, "password": {u.Password}}); err != nil || page.Location == "" {
			t.Fatalf("at the provider: %v, %+v", err, page)
		}
		return b, page.Location
	}
	finish := func(b *salesforcesim.Browser, back string) (signedIn bool, page *salesforcesim.Page) {
		t.Helper()
		page, err := b.Get(t.Context(), back)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range b.Cookies(d.PublicURL + "/") {
			signedIn = signedIn || strings.HasSuffix(c.Name, "person")
		}
		return signedIn, page
	}
	sessions := func() int { return strings.Count(d.must("session", "list", "--json"), approver.Subject) }
	for name, cut := range map[string]func(){
		"revoke": func() { d.must("user", "revoke", rep) },
		"block, lifted at once": func() {
			d.must("user", "block", rep)
			d.must("user", "unblock", rep)
		},
	} {
		b, back := begin(approver)
		bystander, theirs := begin(other)
		cut()
		if is, page := finish(b, back); is || page.Status != http.StatusForbidden || !strings.Contains(page.Body, "Access was ended") {
			t.Errorf("%s: signed in is %t: %d %s", name, is, page.Status, page.Body)
		}
		if n := sessions(); n != 0 {
			t.Errorf("%s: %d sessions", name, n)
		}
		if log := d.must("audit", "list", "--action", "session.create", "--outcome", "denied", "--json"); !strings.Contains(log, "ended_meanwhile") {
			t.Errorf("%s: it is not recorded: %s", name, log)
		}
		if is, page := finish(bystander, theirs); !is || page.Status != http.StatusOK {
			t.Errorf("%s: somebody else: %t %d %s", name, is, page.Status, page.Body)
		}
		if is, page := finish(begin(approver)); !is || page.Status != http.StatusOK || sessions() != 1 {
			t.Errorf("%s: begun after it: %t %d, %d sessions", name, is, page.Status, sessions())
		}
	}
}
