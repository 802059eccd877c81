package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// linkedApprover makes rep and the approver one human by a link, who then approves the manager's call
// as a person of the company.
func (d *companyDemo) linkedApprover() (approver companysim.User, approved string) {
	d.t.Helper()
	approver = companysim.DefaultUsers()[0]
	b := d.browser()
	d.authorize(b, "sobject-all", rep)
	page := d.open(b, "/account", approver)
	if _, err := b.Submit(d.t.Context(), page, d.linkForm(page), nil); err != nil {
		d.t.Fatal(err)
	}
	c := d.authorize(d.browser(), "sobject-all", manager)
	c.initialize()
	approved = path.Base(d.approvalURL(c.call("createSobjectRecord", account("Of the manager"))))
	elsewhere := d.browser()
	page = d.open(elsewhere, "/approvals/"+approved, approver)
	if page, err := elsewhere.Choose(d.t.Context(), page, "decision", "approve"); err != nil || page.Status != http.StatusOK {
		d.t.Fatalf("approving: %v, %+v", err, page)
	}
	return approver, approved
}

// wantBoth says what of a linked human a list of entries lacks: what they did at Salesforce, and what
// they approved as a person of the company.
func wantBoth(t *testing.T, what, entries, approved string) {
	t.Helper()
	has := map[audit.Action]bool{}
	for line := range strings.Lines(entries) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v in %s", what, err, line)
		}
		has[e.Action] = has[e.Action] || e.Action != audit.ApprovalDecide || e.Approval == approved && e.Outcome == audit.OK
	}
	for _, action := range []audit.Action{audit.GrantCreate, audit.ApprovalDecide, audit.PersonLink, audit.SessionCreate} {
		if !has[action] {
			t.Errorf("%s lacks %s: %v", what, action, has)
		}
	}
}

// What a human did as a Salesforce user and as a person of the company is found by every name that
// they have, alike by the commands, on the pages and by the API, which say who that is.
func TestU2OneHumanByEveryName(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	approver, approved := d.linkedApprover()
	names := []string{rep, salesforcesim.RepID, salesforcesim.RepID[:15], "user " + salesforcesim.RepID, approver.Subject, strings.ToUpper(approver.Email), approver.Name,
		"person " + d.issuer + " " + approver.Subject}
	who := `"person ` + d.issuer + " " + approver.Subject + `", ` + approver.Name
	b := d.member(companysim.DefaultUsers()[2]) // an auditor
	reader := d.apiToken("auditor", "reader")
	for _, name := range names {
		out := d.must("audit", "list", "--user", name)
		if !strings.Contains(out, who) || !strings.Contains(out, "user "+salesforcesim.RepID+" ("+rep+" in org acme)") {
			t.Errorf("%q: it is not said who that is: %s", name, out)
		}
		wantBoth(t, "audit export --user "+name, d.printed("audit", "export", "--user", name), approved)
		wantBoth(t, "audit list --user "+name, d.printed("audit", "list", "--all", "--json", "--user", name), approved)
		page := d.look(b, "/console/audit?show=every+entry&person="+url.QueryEscape(name))
		if !strings.Contains(page.Body, "approval.decide createSobjectRecord") || !strings.Contains(page.Body, "grant.create") || !strings.Contains(page.Body, approver.Name) {
			t.Errorf("the page by %q: %s", name, page.Body)
		}
		if page := d.look(b, "/console/evidence?user="+url.QueryEscape(name)); !strings.Contains(page.Body, "A pack of: user") || !strings.Contains(page.Body, approver.Subject) {
			t.Errorf("the preview by %q: %s", name, page.Body)
		}
		if got := reader.ask(http.MethodGet, "/console/api/v1/audit?limit=200&person="+url.QueryEscape(name), nil); !strings.Contains(got.Body, approved) || !strings.Contains(got.Body, "grant.create") || !strings.Contains(got.Body, `"whom":"user `+salesforcesim.RepID) {
			t.Errorf("the API by %q: %s", name, got.Body)
		}
	}
	pack := filepath.Join(t.TempDir(), "pack")
	d.must("evidence", "--user", approver.Email, "--output", pack)
	wantBoth(t, "the pack", readText(t, filepath.Join(pack, "readable.jsonl")), approved)
	if got := readText(t, filepath.Join(pack, "person.json")); !strings.Contains(got, salesforcesim.RepID) || !strings.Contains(got, approver.Email) || !strings.Contains(got, d.issuer) {
		t.Errorf("person.json: %s", got)
	}
	kept := filepath.Join(t.TempDir(), "kept")
	d.must("user", "block", rep, "--evidence", kept)
	wantBoth(t, "the evidence of a block", readText(t, filepath.Join(kept, "audit.jsonl")), approved)
	if got := readText(t, filepath.Join(kept, "manifest.json")); !strings.Contains(got, approver.Subject) {
		t.Errorf("the manifest does not say who it is at the company: %s", got)
	}
}

// Whom a name stands for must be plain: two whom no link says to be one are an error that names both, unless
// a username is the e-mail address of the other; nobody is an error, and a link that somebody changed in the database is said.
func TestU2WhoThatIsMustBePlain(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	approver, _ := d.linkedApprover()
	twin := companysim.User{Subject: "00u-twin", Username: "twin@acme.example", Password: "a-Twin-1", Name: "Avery Okafor", Email: manager, EmailVerified: true}
	d.provider.SetUser(twin)
	d.open(d.browser(), "/account", twin)
	for _, tt := range []struct {
		name  string
		wants []string
	}{
		{"Avery Okafor", []string{"no link says to be one human", "00u-twin", approver.Subject}},
		{"nobody@acme.example", []string{"nobody@acme.example", "nor has anybody of the company"}},
		{"00u-nobody", []string{"00u-nobody", "nor has anybody of the company"}},
		{"person " + d.issuer + " 00u-nobody", []string{"nor has anybody of the company"}},
	} {
		for _, command := range [][]string{{"audit", "list"}, {"audit", "export"}, {"evidence", "--output", filepath.Join(t.TempDir(), "pack")}} {
			out, status := d.command(append(command, "--user", tt.name)...)
			for _, want := range tt.wants {
				if status == exitDone || !strings.Contains(out, want) {
					t.Errorf("%v --user %q: status %d, %s", command, tt.name, status, out)
				}
			}
		}
	}
	out := d.must("audit", "list", "--user", manager)
	for _, want := range []string{manager + " in org", "00u-twin", "not known: whether user", "grant.create", "person http"} {
		if !strings.Contains(out, want) {
			t.Errorf("a username that is an e-mail address at the company lacks %q: %s", want, out)
		}
	}
	if out := d.must("audit", "list", "--user", "person "+d.issuer+" 00u-twin"); strings.Contains(out, manager+" in org") || !strings.Contains(out, "session.create") {
		t.Errorf("by what the error says: %s", out)
	}
	d.change(`UPDATE human_links SET person = '00u-security'`)
	if out := d.must("audit", "list", "--user", rep); !strings.Contains(out, "not known: who user "+salesforcesim.RepID) || !strings.Contains(out, "changed by something else") {
		t.Errorf("a link that was changed: %s", out)
	}
}

// Who was erased is found by no name of theirs, and by the pseudonym, as the log has them, alone.
func TestU2AnErasedPersonOfTheCompany(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	approver, approved := d.linkedApprover()
	out := d.must("erase", "subject", approver.Subject)
	_, rest, _ := strings.Cut(out, `at `+d.issuer)
	pseudonym := "person-" + strings.Fields(rest[strings.Index(rest, "person-")+len("person-"):])[0]
	for _, name := range []string{approver.Subject, approver.Email, approver.Name, rep} {
		if out, status := d.command("audit", "list", "--user", name); status == exitDone {
			t.Errorf("by %q: %s", name, out)
		}
	}
	if out := d.printed("audit", "list", "--all", "--json", "--user", pseudonym); !strings.Contains(out, approved) || !strings.Contains(out, "subject.erase") || strings.Contains(out, approver.Subject) {
		t.Errorf("by the pseudonym %s: %s", pseudonym, out)
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
