package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// How calls that waited were decided is told by rule and by who decided, of those that were
// asked for in a time.
func TestApprovalInsights(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	if out := d.must("approval", "insights"); strings.TrimSpace(out) != "none" {
		t.Errorf("before anything waited: %q", out)
	}
	c := d.connect("sobject-all", rep)
	held := func(name string) string {
		url := d.approvalURL(c.call("createSobjectRecord", account(name)))
		return url[strings.LastIndexByte(url, '/')+1:]
	}
	for i := range 3 {
		d.must("approval", "approve", held(fmt.Sprint("Approved ", i)), "--as", "alice")
	}
	d.must("approval", "deny", held("Denied"), "--as", "bob", "--reason", "no")
	held("Waiting")
	held("Waiting") // once more, which is the same

	type row struct {
		Of, Name                                   string
		Held, Approved, Denied, Expired, Countered int
		Waiting                                    int
		MedianMS                                   int64 `json:"median_ms"`
		Habit                                      bool
	}
	var rows []row
	for line := range strings.Lines(d.must("approval", "insights", "--json")) {
		var r row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	if len(rows) != 4 || rows[0].Of != "all" || rows[0].Held != 5 || rows[0].Approved != 3 || rows[0].Denied != 1 || rows[0].Waiting != 1 || rows[0].MedianMS <= 0 || rows[0].Habit {
		t.Fatalf("%+v", rows)
	}
	if r := rows[1]; r.Of != "rule" || !strings.HasPrefix(r.Name, "sobject-all: rule 2 (confirm") || r.Held != 5 {
		t.Errorf("by rule: %+v", r)
	}
	if alice, bob := rows[2], rows[3]; !strings.Contains(alice.Name, "alice") || alice.Approved != 3 || !strings.Contains(bob.Name, "bob") || bob.Denied != 1 {
		t.Errorf("by who decided: %+v", rows[2:])
	}
	if out := d.must("approval", "insights"); !strings.Contains(out, "MEDIAN") || !strings.Contains(out, "3 (75 %)") || strings.Contains(out, "sooner than a call can be read") {
		t.Errorf("the table:\n%s", out)
	}
	if out := d.must("approval", "insights", "--since", "2020-01-01", "--until", "2020-01-02"); strings.TrimSpace(out) != "none" {
		t.Errorf("of another time: %q", out)
	}
	if out, status := d.command("approval", "insights", "--since", "yesterday"); status != exitUsage || !strings.Contains(out, "--since") {
		t.Errorf("status %d: %s", status, out)
	}

	for i := range 20 {
		d.must("approval", "approve", held(fmt.Sprint("Habit ", i)), "--as", "carol")
	}
	if out := strings.Join(strings.Fields(d.must("approval", "insights")), " "); !strings.Contains(out, "by carol (operator ") || !strings.Contains(out, "): 100 % of the decisions are approvals, half of them within") {
		t.Errorf("nobody says that carol reads nothing:\n%s", out)
	}
	b, _ := d.as("security", d.ConsoleURL)
	page, err := b.Get(t.Context(), d.PublicURL+"/console/insights?since=1d")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"carol", "100 % of the decisions are approvals", "Talk with them", "sobject-all: rule 2 (confirm", "95 % within"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %q: %s", want, page.Body)
		}
	}
}
