package main

import (
	"encoding/csv"
	"encoding/json"
	"path"
	"strings"
	"testing"

	records "sfmcp-proxy/authproxy/approval/evidence"
)

// What is known of one call is one record, with entries that can be proved; of many there is a
// register, as CSV and as JSON.
func TestApprovalEvidence(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	id := path.Base(d.approvalURL(c.call("createSobjectRecord", account("Acme"))))
	d.must("approval", "approve", id, "--as", "alice")
	c.call("createSobjectRecord", account("Acme"))
	denied := path.Base(d.approvalURL(c.call("createSobjectRecord", account("Other"))))
	d.must("approval", "deny", denied, "--as", "bob", "--reason", "=1+1")

	var r records.Record
	if err := json.Unmarshal([]byte(d.must("approval", "evidence", id, "--json", "--as", "carol")), &r); err != nil {
		t.Fatal(err)
	}
	if r.Approval != id || r.State != "spent" || r.Outcome != "done" || r.Username != rep || r.Rule == "" || !strings.Contains(string(r.Arguments), "Acme") {
		t.Errorf("%+v", r)
	}
	if len(r.Decisions) != 1 || !strings.Contains(r.Decisions[0].By, `as "alice"`) || r.Answer == nil || r.Answer.Digest == "" || len(r.Answer.Records) == 0 ||
		!strings.Contains(r.Seen[len(r.Seen)-1].By, `as "carol"`) {
		t.Errorf("decided by %+v, answered %+v, read by %+v", r.Decisions, r.Answer, r.Seen)
	}
	if len(r.Entries) < 6 || r.EntryCount != len(r.Entries) {
		t.Fatalf("%d entries: %+v", len(r.Entries), r.Entries)
	}
	d.must(strings.Fields(r.Entries[0].Prove)[1:]...)

	if text := d.must("approval", "evidence", id); !strings.Contains(text, "agreed: ") || !strings.Contains(text, "prove it with: sfmcp-proxy audit prove ") {
		t.Errorf("as text:\n%s", text)
	}
	if out, status := d.command("approval", "evidence", "apr_none"); status == 0 || !strings.Contains(out, "approval list --all") {
		t.Errorf("of none: %d, %s", status, out)
	}

	rows, err := csv.NewReader(strings.NewReader(d.must("approval", "export", "--csv", "--since", "1h"))).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][0] != id || rows[2][0] != denied {
		t.Fatal(rows, err)
	}
	if strings.Contains(strings.Join(rows[1], " "), `"Name"`) {
		t.Errorf("the register has arguments: %q", rows[1])
	}
	if lines := strings.Split(strings.TrimSpace(d.must("approval", "export", "--json")), "\n"); len(lines) != 2 || !strings.Contains(lines[1], `"decision":"deny"`) {
		t.Errorf("as JSON: %q", lines)
	}
	if out := d.must("approval", "export", "--since", "2020-01-01", "--until", "2020-01-02"); strings.Count(out, "\n") != 1 {
		t.Errorf("of another time: %q", out)
	}
	if out, status := d.command("approval", "export", "--since", "yesterday"); status != exitUsage || !strings.Contains(out, "--since") {
		t.Errorf("status %d: %s", status, out)
	}
}
