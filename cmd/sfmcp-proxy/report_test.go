package main

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/reports"
)

// What is written for people who were not there is made from one history: a call that was
// answered, one that a person approved, one that was denied, and somebody who was blocked.
func TestForAuditors(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	d.connect("sobject-reads", manager)
	c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 2"})
	id := path.Base(d.approvalURL(c.call("createSobjectRecord", account("Acme"))))
	d.must("approval", "approve", id, "--as", "alice")
	c.call("createSobjectRecord", account("Acme"))
	c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM User"})
	d.must("user", "block", manager)
	t.Run("report", func(t *testing.T) { checkReport(t, d, id) })
	t.Run("reconcile", func(t *testing.T) { checkReconcile(t, d) })
	t.Run("review", func(t *testing.T) { checkReview(t, d) })
	t.Run("evidence", func(t *testing.T) { checkPacks(t, d, id) })
}

func checkReport(t *testing.T, d *demo, approval string) {
	var r reports.Report
	if err := json.Unmarshal([]byte(d.must("report", "--since", "1h", "--format", "json")), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.People.Rows) != 1 || r.People.Rows[0].Username != rep || r.People.Rows[0].Writes != 1 || r.Log.First != 1 || len(r.Log.Missing) != 1 {
		t.Errorf("%+v, %+v", r.People, r.Log)
	}
	if len(r.Approvals.Rows) != 1 || r.Approvals.Rows[0].Approval != approval || r.Approvals.Rows[0].Result != "approved" || !strings.Contains(r.Approvals.Rows[0].By, "alice") {
		t.Errorf("%+v", r.Approvals)
	}
	if len(r.Readers.Rows) != 1 || r.Readers.Rows[0].Records < 2 {
		t.Errorf("%+v", r.Readers)
	}
	file := filepath.Join(t.TempDir(), "report.html")
	out := d.must("report", "--since", "1h", "--output", file)
	page, err := os.ReadFile(file)
	if err != nil || !strings.Contains(out, "SHA-256 ") || !strings.Contains(string(page), "<td>soqlQuery</td>") {
		t.Errorf("%v, %s", err, out)
	}
	sum := out[strings.Index(out, "SHA-256 ")+len("SHA-256 "):][:64]
	if logged := d.must("audit", "export", "--action", "report.make"); strings.Count(logged, "\n") != 2 || !strings.Contains(logged, sum) {
		t.Errorf("on record: %s", logged)
	}
	if text := d.must("report", "--format", "md", "--since", "2020-01-01", "--until", "2020-01-02"); !strings.Contains(text, "| 0 | calls |") || !strings.Contains(text, "no entry of the audit log") {
		t.Errorf("of another time:\n%s", text)
	}
	for _, tt := range [][]string{{"--format", "pdf"}, {"--rows", "0"}, {"--since", "yesterday"}} {
		if out, status := d.command(append([]string{"report"}, tt...)...); status != exitUsage || !strings.Contains(out, tt[0]) {
			t.Errorf("%q: status %d, %s", tt, status, out)
		}
	}
	if out, status := d.command("report", "--output", file); status != exitFailed || !strings.Contains(out, "--output: ") {
		t.Errorf("over another report: status %d, %s", status, out)
	}
}
