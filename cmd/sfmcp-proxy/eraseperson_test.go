package main

import (
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// GDPR article 17: somebody who signs in with the company is erased by their subject there, and so
// is the Salesforce user who they are by a link.
func TestAU15EraseSubjectOfTheCompany(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	approver := companysim.DefaultUsers()[0]
	b := d.browser()
	d.authorize(b, "sobject-all", rep)
	page := d.open(b, "/account", approver)
	if _, err := b.Submit(t.Context(), page, d.linkForm(page), nil); err != nil {
		t.Fatal(err)
	}
	if out := d.must("session", "list"); !strings.Contains(out, approver.Subject) {
		t.Fatalf("not signed in: %s", out)
	}
	if out, status := d.command("erase", "subject", "nobody-of-that-name"); status != exitFailed || !strings.Contains(out, "nobody-of-that-name") {
		t.Errorf("nobody: status %d, %s", status, out)
	}
	out := d.must("erase", "subject", approver.Subject, "--why", "ticket 7")
	if !strings.Contains(out, "1 session ended") || !strings.Contains(out, "1 connection ended") {
		t.Errorf("erase says %s", out)
	}
	for _, command := range [][]string{{"audit", "export"}, {"audit", "export", "--raw"}, {"session", "list"}, {"user", "list"}} {
		if out := d.must(command...); strings.Contains(out, approver.Subject) || strings.Contains(out, rep) {
			t.Errorf("%v: %s", command, out)
		}
	}
	if out := d.must("audit", "verify"); !strings.Contains(out, "all sound") {
		t.Errorf("verify: %s", out)
	}
}
