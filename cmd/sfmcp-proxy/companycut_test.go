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
	sessions := func() int { return strings.Count(d.must("session", "list", "--json"), approver.Subject) }
	for name, cut := range map[string]func(){
		"revoke": func() { d.must("user", "revoke", rep) },
		"block, lifted at once": func() {
			d.must("user", "block", rep)
			d.must("user", "unblock", rep)
		},
	} {
		b, back := d.atTheProvider(approver)
		bystander, theirs := d.atTheProvider(other)
		cut()
		if is, page := d.comesBack(b, back); is || page.Status != http.StatusForbidden || !strings.Contains(page.Body, "Access was ended") {
			t.Errorf("%s: signed in is %t: %d %s", name, is, page.Status, page.Body)
		}
		if n := sessions(); n != 0 {
			t.Errorf("%s: %d sessions", name, n)
		}
		if log := d.must("audit", "list", "--action", "session.create", "--outcome", "denied", "--json"); !strings.Contains(log, "ended_meanwhile") {
			t.Errorf("%s: it is not recorded: %s", name, log)
		}
		if is, page := d.comesBack(bystander, theirs); !is || page.Status != http.StatusOK {
			t.Errorf("%s: somebody else: %t %d %s", name, is, page.Status, page.Body)
		}
		if is, page := d.comesBack(d.atTheProvider(approver)); !is || page.Status != http.StatusOK || sessions() != 1 {
			t.Errorf("%s: begun after it: %t %d, %d sessions", name, is, page.Status, sessions())
		}
	}
}

// atTheProvider begins a sign-in with the company in a new browser, and returns where that is sent back to.
func (d *companyDemo) atTheProvider(u companysim.User) (b *salesforcesim.Browser, back string) {
	d.t.Helper()
	b = salesforcesim.NewBrowser(d.by, d.PublicURL+"/oauth/company/callback")
	page, err := b.Get(d.t.Context(), d.wayIn("/account", ""))
	if err != nil {
		d.t.Fatal(err)
	}
	if page, err = b.Submit(d.t.Context(), page, page.Forms[0], url.Values{"username": {u.Username}, "password": {u.Password}}); err != nil || page.Location == "" {
		d.t.Fatalf("at the provider: %v, %+v", err, page)
	}
	return b, page.Location
}

// comesBack ends a sign-in, and says whether the browser is signed in with the company.
func (d *companyDemo) comesBack(b *salesforcesim.Browser, back string) (signedIn bool, page *salesforcesim.Page) {
	d.t.Helper()
	page, err := b.Get(d.t.Context(), back)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, c := range b.Cookies(d.PublicURL + "/") {
		signedIn = signedIn || strings.HasSuffix(c.Name, "person")
	}
	return signedIn, page
}

// RS-10: it gives none where the link is gone that told who it was, and whoever was erased meanwhile is not known again by it.
func TestRS10CompanySignInUnderWayOutlivesTheLink(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(d *companyDemo, approver companysim.User){
		"revoked and unlinked": func(d *companyDemo, _ companysim.User) {
			d.must("user", "revoke", rep)
			d.must("user", "unlink", rep)
		},
		"the user erased":   func(d *companyDemo, _ companysim.User) { d.must("erase", "subject", rep, "--reason", "asked") },
		"the person erased": func(d *companyDemo, u companysim.User) { d.must("erase", "subject", u.Subject, "--reason", "asked") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startCompany(t)
			approver, _ := d.linkedApprover()
			b, back := d.atTheProvider(approver)
			cut(d, approver)
			known := d.people(t, approver.Subject)
			if is, page := d.comesBack(b, back); is || page.Status != http.StatusForbidden || !strings.Contains(page.Body, "Access was ended") {
				t.Errorf("signed in is %t: %d %s", is, page.Status, page.Body)
			}
			if now := d.people(t, approver.Subject); now != known {
				t.Errorf("%d rows know them, and %d did before they came back", now, known)
			}
			if is, page := d.comesBack(d.atTheProvider(approver)); !is || page.Status != http.StatusOK {
				t.Errorf("begun after it: %t %d", is, page.Status)
			}
		})
	}
}

// people is how many rows the database has of what the provider said of a person.
func (d *companyDemo) people(t *testing.T, subject string) (n int) {
	t.Helper()
	if err := d.database().Reads.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM company_people WHERE subject = $1`, subject).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
