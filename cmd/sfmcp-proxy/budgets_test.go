package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/examples/salesforcesim"
)

// zoneAtNoon is a time zone in which no day is about to end. It stays the same while the hour changes.
var zoneAtNoon = sync.OnceValue(func() string { return fmt.Sprintf("Etc/GMT%+d", time.Now().UTC().Hour()-12) })

// FW-30: budgets of the configuration hold over kill -9 and a restart, and what is used up
// is told: to the client, in the audit log once, to the operator and in the metrics.
func TestFW30BudgetHoldsOverARestart(t *testing.T) {
	t.Parallel()
	dir, listen, salesforce := t.TempDir(), freePort(t), freePort(t)
	d, process := startProcess(t, dir, listen, salesforce)
	c := d.connect("sobject-all", rep)
	budgets := fmt.Sprintf(`    budgets:
      - {who: user, what: rows, window: day, limit: 10, time_zone: %q}
      - {who: user, what: calls, window: day, limit: 1000, time_zone: %q}
    rules:
`, zoneAtNoon(), zoneAtNoon())
	limit := func() {
		d.reconfigure(process.Process.Signal, strings.ReplaceAll(d.configuration(), "    rules:\n", budgets), "configuration reloaded")
	}
	limit()
	query := map[string]any{"q": "SELECT Id FROM Contact LIMIT 4"}
	for i := range 3 {
		if r := c.call("soqlQuery", query); r.Status != http.StatusOK || r.Result.IsError {
			t.Fatalf("query %d: %d %s", i, r.Status, r.body)
		}
	}
	refused := func(when string) {
		t.Helper()
		for range 3 {
			if r := c.call("soqlQuery", query); !r.Result.IsError || !strings.Contains(r.body, "allows 10 rows of each user a day in "+zoneAtNoon()) {
				t.Errorf("%s: %d %s", when, r.Status, r.body)
			}
		}
	}
	refused("after 12 rows")
	if n := metricOf(d, `sfmcp_budget_refused_total{what="rows"}`); n != "3" {
		t.Errorf("the metric says %q refusals, want 3", n)
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	process.Wait()

	d, process = startProcess(t, dir, listen, salesforce)
	c.d = d
	limit() // a demonstration begins with its own configuration
	refused("after kill -9")
	used := map[string]int64{}
	for line := range strings.Lines(d.must("budget", "list", "--json")) {
		var row struct {
			Scope, Budget, Party string
			Used, Limit          int64
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil || !strings.HasPrefix(row.Scope, "policy ") || row.Party != salesforcesim.RepID {
			t.Errorf("listed %s: %v", line, err)
		}
		used[row.Budget[:4]] = row.Used
	}
	if used["rows"] != 12 || used["call"] < 4 || used["call"] > 1000/100*2+10 {
		t.Errorf("used: %v", used)
	}
	if table := d.must("budget", "list"); !strings.Contains(table, "BUDGET") || !strings.Contains(table, "rows of each user a day") {
		t.Errorf("the table:\n%s", table)
	}
	var alarms []audit.Entry
	for line := range strings.Lines(d.must("audit", "export")) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Action == audit.BudgetAlarm {
			alarms = append(alarms, e)
		}
	}
	if len(alarms) != 2 || alarms[0].Outcome != audit.OK || alarms[1].Outcome != audit.Denied || alarms[1].Subject != salesforcesim.RepID ||
		!strings.HasPrefix(alarms[1].Reason, "exfil_threshold, policy ") {
		t.Errorf("alarms: %+v", alarms)
	}
}

// FW-30: a webhook hears once in a window that a budget is nearly used, and once that it is used
// up, of all users together, and of nobody by name.
func TestFW30AlarmsAreTold(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- string(body)
	}))
	defer hook.Close()
	d := startEdited(t, func(text string) string {
		budgets := fmt.Sprintf("    budgets: [{who: user, what: calls, window: day, time_zone: %q, limit: 4, alarm_at: 0.5}]\n    rules:\n", zoneAtNoon())
		return strings.ReplaceAll(text, "    rules:\n", budgets) + `
approvals:
  notify: [{name: hook, kind: webhook, url: ` + hook.URL + `, allow_addresses: [127.0.0.0/8], events: [alarms]}]
`
	})
	one, other := d.connect("sobject-reads", rep), d.connect("sobject-reads", salesforcesim.ManagerUsername)
	for range 5 {
		one.call("getUserInfo", map[string]any{})
		other.call("getUserInfo", map[string]any{})
	}
	for _, says := range []string{"2 of 4 are used", "the limit of 4 is reached"} {
		select {
		case message := <-heard:
			if !strings.Contains(message, `"type":"budget.used"`) || !strings.Contains(message, "calls of each user a day") || !strings.Contains(message, says) ||
				strings.Contains(message, salesforcesim.RepID) || strings.Contains(message, salesforcesim.ManagerID) || strings.Contains(message, "@acme.example") {
				t.Errorf("%s: %s", says, message)
			}
		case <-time.After(plenty):
			t.Fatalf("nobody was told that %s", says)
		}
	}
	eventually(t, plenty, "nothing waits to be told", func() bool { return !strings.Contains(d.must("notice", "list"), "waiting") })
	if len(heard) > 0 {
		t.Errorf("and told again: %s", <-heard)
	}
}
