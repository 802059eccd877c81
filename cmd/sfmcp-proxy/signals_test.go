package main

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/cmd/sfmcp-proxy/edge"
	"sfmcp-proxy/cmd/sfmcp-proxy/signals"
	"sfmcp-proxy/config"
)

// metricsPage is the handbook's list of metrics.
const metricsPage = "../../examples/handbook/metrics.md"

// metrics are the program's own by name, with their labels.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	p := &process{config: &config.Config{}, edge: edge.New(edge.Config{RequestBytes: 1, Connections: 1, Log: slog.New(slog.DiscardHandler)})}
	p.signals = signals.New(signals.Config{Registry: p.edge.Metrics.Registry})
	p.exposeState()
	p.edge.Metrics.CountDropped(new(edge.LogWriter))
	descriptions := make(chan *prometheus.Desc, 1000)
	p.edge.Metrics.Registry.Describe(descriptions)
	close(descriptions)
	form := regexp.MustCompile(`fqName: "([^"]+)".* constLabels: \{(.*)\}, variableLabels: \{([^}]*)\}`)
	all := map[string][]string{}
	for d := range descriptions {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("not as descriptions are written: %s", d)
		}
		if strings.HasPrefix(m[1], "go_") || strings.HasPrefix(m[1], "process_") {
			continue
		}
		labels := strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' || r == ' ' })
		if name, _, constant := strings.Cut(m[2], "="); constant {
			labels = append(labels, name)
		}
		slices.Sort(labels)
		all[m[1]] = labels
	}
	return all
}

// The handbook's page has every metric with its labels, and no other.
func TestHandbookNamesEveryMetric(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.FromSlash(metricsPage))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([^|]*)\\| [^|]+ \\|$").FindAllStringSubmatch(string(page), -1) {
		if _, twice := listed[row[1]]; twice {
			t.Errorf("%s is there twice", row[1])
		}
		labels := strings.FieldsFunc(row[2], func(r rune) bool { return strings.ContainsRune("`, ", r) })
		slices.Sort(labels)
		listed[row[1]] = labels
	}
	all := metrics(t)
	for name, labels := range all {
		if on, ok := listed[name]; !ok {
			t.Errorf("%s is not on the page", name)
		} else if !slices.Equal(on, labels) {
			t.Errorf("%s has the labels %q, and on the page %q", name, labels, on)
		}
	}
	for name := range listed {
		if _, ok := all[name]; !ok {
			t.Errorf("%s is on the page, and does not exist", name)
		}
	}
}

// unbounded are labels that somebody outside could give ever new values.
var unbounded = []string{"user", "subject", "username", "client", "client_id", "tool", "object", "path", "source", "address", "session", "grant", "approval", "rule", "request_id"}

// AD-14: no label is one that a stranger, or one user, can make grow.
func TestAD14LabelsOfMetrics(t *testing.T) {
	t.Parallel()
	for name, labels := range metrics(t) {
		for _, label := range labels {
			if slices.Contains(unbounded, label) {
				t.Errorf("%s has the label %s", name, label)
			}
		}
	}
}

// What is stored is counted on both databases, and not shown when the database does not answer.
func TestStoredIsCounted(t *testing.T) {
	t.Parallel()
	dbtest.EachThorough(t, testStored)
}

func testStored(t *testing.T, url string) {
	d, err := db.Open(t.Context(), db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_000_000)
	for _, statement := range []string{
		`INSERT INTO grants (id, org, subject, client_id, server, resource, scope, redirect_uri, created_at, expires_at, activated_at)
			VALUES ('g1', 'acme', 's', 'c', 'sales', 'r', '', '', 1, 2000000, 1), ('g2', 'acme', 's', 'c', 'gone', 'r', '', '', 1, 2000000, 1), ('g3', 'acme', 's', 'c', 'sales', 'r', '', '', 1, 999, 1)`,
		`INSERT INTO budget_counts (scope, budget, org, party, started_at, ends_at, taken, alarmed)
			VALUES ('policy p', 'calls', 'acme', 'a', 1, 2000000, 40, 0), ('policy p', 'calls', 'acme', 'b', 1, 2000000, 75, 0), ('policy p', 'calls', 'acme', 'c', 1, 999, 99, 0)`,
		`INSERT INTO mcp_sessions (session_hash, grant_id, protocol_version, client_info, created_at, expires_at) VALUES ('h', 'g1', '', '', 1, 2000000)`,
	} {
		if _, err := d.Writes.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	s := signals.New(signals.Config{Registry: prometheus.NewRegistry(), KnownServer: func(name string) bool { return name == "sales" }, Now: func() time.Time { return now }})
	s.Stored(signals.StoredConfig{Reads: func() *sql.DB { return d.Reads },
		BudgetLimits: func() map[[2]string]int64 { return map[[2]string]int64{{"policy p", "calls"}: 100} }})
	for name, want := range map[string]map[string]float64{
		"sfmcp_grants":            {"server=sales": 1, "server=other": 1},
		"sfmcp_budget_used_ratio": {"budget=calls,scope=policy p": 0.75},
		"sfmcp_sessions":          {"kind=mcp": 1},
		"sfmcp_database_up":       {"": 1},
		"sfmcp_salesforce_logins": {},
	} {
		if diff := cmp.Diff(want, shown(t, s.Registry, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := shown(t, s.Registry, "sfmcp_grants"); len(got) != 2 {
		t.Errorf("within a few seconds the database is asked again: %v", got)
	}
	now = now.Add(time.Minute)
	if up, grants := shown(t, s.Registry, "sfmcp_database_up"), shown(t, s.Registry, "sfmcp_grants"); len(up) != 0 || len(grants) != 0 {
		t.Errorf("of a database that is closed: up %v, grants %v", up, grants)
	}
}

// shown are the series of a gauge that are not 0, by their labels.
func shown(t *testing.T, r *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			if v := m.GetGauge().GetValue(); f.GetName() == name && v != 0 {
				all[strings.Join(labels, ",")] = v
			}
		}
	}
	return all
}
