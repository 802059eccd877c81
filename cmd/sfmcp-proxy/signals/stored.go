package signals

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// storedFor is how long what was counted in the database is shown again: readers that come
	// often must not cost the database more.
	storedFor = 15 * time.Second
	// storedTime bounds the counting.
	storedTime = 3 * time.Second
)

// count is a number of rows. Each statement gives the value of its label, or an empty text,
// and a number; $1 is the present time in milliseconds. It only counts: what a row means, and whether it
// is ours, is for the package that owns its table.
type count struct {
	name, help, label string // label empty: there is none
	statement         string
	values            []string // of the label that are there with 0; nil: those that are found
}

var counts = []count{
	{"sfmcp_grants", "Connections that are alive, by server.", "server",
		`SELECT server, COUNT(*) FROM grants WHERE revoked_at = 0 AND activated_at > 0 AND expires_at > $1 GROUP BY server`, nil},
	{"sfmcp_salesforce_logins", "Salesforce logins by state: active, needs_reauth (lost), revoked.", "state",
		`SELECT state, COUNT(*) FROM links GROUP BY state`, []string{"active", "needs_reauth", "revoked"}},
	{"sfmcp_revocations_waiting", "Salesforce tokens that Salesforce must still be told to revoke.", "",
		`SELECT '', COUNT(*) FROM upstream_revocations`, nil},
	{"sfmcp_approvals_waiting", "Calls that wait for a person.", "",
		`SELECT '', COUNT(*) FROM approvals WHERE state = 'pending' AND expires_at > $1`, nil},
	{"sfmcp_sessions", "Sessions that are alive: mcp of clients, browser of people with Salesforce's sign-in, company of people with the company's.", "kind",
		`SELECT 'mcp', COUNT(*) FROM mcp_sessions WHERE expires_at > $1 UNION ALL SELECT 'browser', COUNT(*) FROM browser_sessions WHERE expires_at > $1
		UNION ALL SELECT 'company', COUNT(*) FROM company_sessions WHERE expires_at > $1`, nil},
	{"sfmcp_users_blocked", "Users who are blocked.", "", `SELECT '', COUNT(*) FROM users WHERE blocked_at > 0`, nil},
	{"sfmcp_clients_registered", "Clients that registered themselves, or were met by their metadata document.", "", `SELECT '', COUNT(*) FROM registered_clients`, nil},
}

// StoredConfig is what [Signals.Stored] counts in.
type StoredConfig struct {
	// Reads is the database as it is now; a reload may open another one.
	Reads func() *sql.DB
	// BudgetLimits are the limits of the budgets in force, by scope and budget.
	BudgetLimits func() map[[2]string]int64
}

// Stored registers what lies in the database. Of several processes on one database each shows
// all of it.
func (s *Signals) Stored(c StoredConfig) {
	k := &stored{signals: s, config: c, descriptions: map[string]*prometheus.Desc{}}
	for _, n := range counts {
		var labels []string
		if n.label != "" {
			labels = []string{n.label}
		}
		k.descriptions[n.name] = prometheus.NewDesc(n.name, n.help, labels, nil)
	}
	k.up = prometheus.NewDesc("sfmcp_database_up", "Whether the database answered when these numbers were asked for.", nil, nil)
	k.budgets = prometheus.NewDesc("sfmcp_budget_used_ratio", "Part of a budget that is used by whoever used most of it in its present window.", []string{"scope", "budget"}, nil)
	s.Registry.MustRegister(k)
}

// stored is a collector of rows.
type stored struct {
	signals      *Signals
	config       StoredConfig
	descriptions map[string]*prometheus.Desc // by name
	up, budgets  *prometheus.Desc

	mu    sync.Mutex
	until time.Time
	found []prometheus.Metric
}

// Describe implements prometheus.Collector.
func (k *stored) Describe(to chan<- *prometheus.Desc) {
	for _, d := range k.descriptions {
		to <- d
	}
	to <- k.up
	to <- k.budgets
}

// Collect implements prometheus.Collector. Without an answer of the database nothing is shown but
// that: a number of yesterday would be taken for one of today.
func (k *stored) Collect(to chan<- prometheus.Metric) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.signals.Now()
	if now.After(k.until) || now.Before(k.until.Add(-storedFor)) {
		ctx, cancel := context.WithTimeout(context.Background(), storedTime)
		defer cancel()
		found, err := k.count(ctx, now)
		up := 1.
		if err != nil {
			up, found = 0, nil
		}
		k.found, k.until = append(found, prometheus.MustNewConstMetric(k.up, prometheus.GaugeValue, up)), now.Add(storedFor)
	}
	for _, m := range k.found {
		to <- m
	}
}

// count asks the database.
func (k *stored) count(ctx context.Context, now time.Time) (all []prometheus.Metric, err error) {
	for _, n := range counts {
		numbers, err := k.rows(ctx, n, now)
		if err != nil {
			return nil, err
		}
		for value, number := range numbers {
			var labels []string
			if n.label != "" {
				labels = []string{value}
			}
			all = append(all, prometheus.MustNewConstMetric(k.descriptions[n.name], prometheus.GaugeValue, number, labels...))
		}
	}
	used, err := k.budgetsUsed(ctx, now)
	return append(all, used...), err
}

// rows are the numbers of a count by its label.
func (k *stored) rows(ctx context.Context, n count, now time.Time) (map[string]float64, error) {
	var arguments []any
	if strings.Contains(n.statement, "$1") {
		arguments = append(arguments, now.UnixMilli())
	}
	rows, err := k.config.Reads().QueryContext(ctx, n.statement, arguments...)
	if err != nil {
		return nil, fmt.Errorf("counting for %s: %w", n.name, err)
	}
	defer rows.Close()
	numbers := map[string]float64{}
	for _, v := range n.values {
		numbers[v] = 0
	}
	for rows.Next() {
		var value string
		var number int64
		if err := rows.Scan(&value, &number); err != nil {
			return nil, fmt.Errorf("counting for %s: %w", n.name, err)
		}
		if n.label == "server" {
			value = k.signals.server(value) // one that the configuration has no more
		}
		numbers[value] += float64(number)
	}
	return numbers, rows.Err()
}

// budgetsUsed is how much is used of each budget that the configuration has.
func (k *stored) budgetsUsed(ctx context.Context, now time.Time) (all []prometheus.Metric, err error) {
	limits := k.config.BudgetLimits()
	if len(limits) == 0 {
		return nil, nil
	}
	rows, err := k.config.Reads().QueryContext(ctx, `SELECT scope, budget, MAX(taken) FROM budget_counts WHERE ends_at > $1 GROUP BY scope, budget`, now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("counting budgets: %w", err)
	}
	defer rows.Close()
	taken := map[[2]string]int64{}
	for rows.Next() {
		var at [2]string
		var n int64
		if err := rows.Scan(&at[0], &at[1], &n); err != nil {
			return nil, fmt.Errorf("counting budgets: %w", err)
		}
		taken[at] = n
	}
	for at, limit := range limits {
		all = append(all, prometheus.MustNewConstMetric(k.budgets, prometheus.GaugeValue, float64(taken[at])/float64(max(1, limit)), at[0], at[1]))
	}
	return all, rows.Err()
}
