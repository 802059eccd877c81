package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"strings"
	"testing"
)

const observability = "../../examples/observability"

// namedMetric finds metrics of ours where expressions are written.
var namedMetric = regexp.MustCompile(`\b(?:sfmcp|mcp_server|mcp_client)_[a-z0-9_]+`)

func readExample(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{observability}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Dashboard and alert rules ask for metrics that exist, and each alert has its part in the handbook.
func TestDashboardAndAlertsNameWhatExists(t *testing.T) {
	t.Parallel()
	all := metrics(t)
	dashboard, alerts, runbooks := readExample(t, "dashboard.json"), readExample(t, "alerts.yaml"), readExample(t, "..", "handbook", "alerts.md")
	if !json.Valid([]byte(dashboard)) {
		t.Error("the dashboard is not JSON")
	}
	for file, text := range map[string]string{"dashboard.json": dashboard, "alerts.yaml": alerts, "handbook/alerts.md": runbooks} {
		for _, name := range namedMetric.FindAllString(text, -1) {
			_, known := all[name]
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				if whole, cut := strings.CutSuffix(name, part); cut {
					_, of := all[whole]
					known = known || of
				}
			}
			if !known {
				t.Errorf("%s asks for %s, which does not exist", file, name)
			}
		}
	}
	names := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(alerts, -1)
	if len(names) < 10 {
		t.Errorf("%d alerts", len(names))
	}
	for _, m := range names {
		if !strings.Contains(runbooks, "\n## "+m[1]+"\n") || !strings.Contains(alerts, "runbook_url: examples/handbook/alerts.md#"+strings.ToLower(m[1])+"\n") {
			t.Errorf("%s has no runbook", m[1])
		}
	}
	if parts := strings.Count(runbooks, "\n## "); parts != len(names) {
		t.Errorf("%d runbooks for %d alerts", parts, len(names))
	}
}

// Each alert fires when it should and is quiet beside that.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	promtool, err := exec.LookPath("promtool")
	need(t, "promtool", err == nil, "Debian package prometheus")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}, {"check", "config", "--syntax-only", "prometheus.yaml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = observability
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	alerts, cases := readExample(t, "alerts.yaml"), readExample(t, "alerts_test.yaml")
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(alerts, -1) {
		if n := strings.Count(cases, "alertname: "+m[1]+"\n"); n < 2 {
			t.Errorf("%s has %d cases, want one in which it fires and one in which it does not", m[1], n)
		}
	}
}
