package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/examples/salesforcesim"
)

// as opens an address of the demonstration in a new browser, and signs in as the user with that role.
func (d *demo) as(role, address string) (*salesforcesim.Browser, *salesforcesim.Page) {
	d.t.Helper()
	at := slices.IndexFunc(d.Users, func(u demonstration.User) bool { return u.Role == role })
	if at < 0 {
		d.t.Fatalf("the demonstration has no %s", role)
	}
	b := d.browser()
	page, err := b.Get(d.t.Context(), address)
	if err == nil && strings.Contains(page.Body, "Continue with your company") {
		page, err = b.Get(d.t.Context(), d.PublicURL+"/signin/company?"+url.Values{"issuer": {d.CompanyURL}, "return_to": {strings.TrimPrefix(address, d.PublicURL)}}.Encode())
	}
	if err != nil {
		d.t.Fatal(err)
	}
	login := slices.IndexFunc(page.Forms, func(f salesforcesim.Form) bool { return f.Fields.Has("password") })
	if login < 0 {
		d.t.Fatalf("no sign-in: status %d\n%s", page.Status, page.Body)
	}
	if page, err = b.Submit(d.t.Context(), page, page.Forms[login], url.Values{"username": {d.Users[at].Username}, "password": {d.Users[at].Password}}); err != nil {
		d.t.Fatal(err)
	}
	return b, page
}

// The demonstration has two requesters, an approver, a security person and an auditor: what
// one asks for another one approves, two people where two are asked, and the console opens for
// who may see it.
func TestDemonstrationOfFourEyes(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	var roles []string
	for _, u := range d.Users {
		roles = append(roles, u.Role)
	}
	if !slices.Equal(roles, []string{"requester", "requester", "approver", "security", "auditor"}) {
		t.Errorf("roles %v", roles)
	}
	c := d.connect("sobject-reviewed", rep)
	link := d.approvalURL(c.call("createSobjectRecord", account("Four eyes")))
	b, page := d.as("approver", link)
	if page, err := b.Choose(t.Context(), page, "decision", "approve"); err != nil || page.Status != http.StatusOK {
		t.Fatalf("approving: %v, %+v", err, page)
	}
	if r := c.call("createSobjectRecord", account("Four eyes")); r.Result.IsError || d.named("Account", "Four eyes") != 1 {
		t.Fatalf("the approved call: %s", r.body)
	}
	id, _ := d.records("Account")[0]["Id"].(string)
	change := map[string]any{"sobject-name": "Account", "id": id, "body": map[string]any{"Industry": "Energy"}}
	link = d.approvalURL(c.call("updateSobjectRecord", change))
	for _, role := range []string{"approver", "security"} {
		if r := c.call("updateSobjectRecord", change); !r.Result.IsError {
			t.Errorf("without %s: %s", role, r.body)
		}
		b, page := d.as(role, link)
		if _, err := b.Choose(t.Context(), page, "decision", "approve"); err != nil {
			t.Fatalf("%s: %v", role, err)
		}
	}
	if r := c.call("updateSobjectRecord", change); r.Result.IsError {
		t.Errorf("the call that both approved: %s", r.body)
	}
	if _, page := d.as("security", d.ConsoleURL); !strings.Contains(page.Body, "Stop everything") {
		t.Errorf("the console: status %d", page.Status)
	}
	if _, page := d.as("auditor", d.ConsoleURL); !strings.Contains(page.Body, "Calls of the last") || strings.Contains(page.Body, "Stop everything") {
		t.Errorf("the console of an auditor: status %d", page.Status)
	}
	if _, page := d.as("approver", d.ConsoleURL); page.Status != http.StatusForbidden {
		t.Errorf("the console of an approver: status %d", page.Status)
	}
}
