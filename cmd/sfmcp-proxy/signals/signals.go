package signals

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sfmcp-proxy/authproxy/audit"
)

// other stands for whatever a label has no value for.
const other = "other"

// Config is what [New] needs. Registry must be set.
type Config struct {
	Registry *prometheus.Registry
	// KnownServer reports whether the configuration has a server of that name; nil: none is known.
	KnownServer func(name string) bool
	Now         func() time.Time // nil: time.Now
}

// Signals counts. It is safe for concurrent use, and outlives reloads.
type Signals struct {
	Config

	entries   *prometheus.CounterVec
	decisions *prometheus.CounterVec
	calls     *prometheus.CounterVec
	hidden    *prometheus.CounterVec
	cut       *prometheus.CounterVec
	refreshes *prometheus.CounterVec
	lost      prometheus.Counter
	waits     *prometheus.HistogramVec
	writes    prometheus.Histogram
	failures  prometheus.Counter
	answered  *durations
	sent      *durations
	recent    recent

	actions map[audit.Action]bool
	mu      sync.Mutex
	seen    map[series]prometheus.Counter // that were asked for before; bounded by the labels
}

// series names one counter of a vector.
type series struct {
	of      *prometheus.CounterVec
	a, b, c string
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// New registers what it counts with c.Registry.
func New(c Config) *Signals {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.KnownServer == nil {
		c.KnownServer = func(string) bool { return false }
	}
	s := &Signals{
		Config:    c,
		entries:   counters("sfmcp_audit_entries_total", "Entries of the audit log that this process wrote, by action and outcome.", "action", "outcome"),
		decisions: counters("sfmcp_decisions_total", "Calls that were judged, by what the policy said, the class of the call, and whether that was enforced or only noted (shadow).", "effect", "class", "mode"),
		calls:     counters("sfmcp_calls_total", "Calls by server and how they ended, in the words of the audit log.", "server", "outcome"),
		hidden:    counters("sfmcp_values_hidden_total", "Values that rules hid in answers.", "server"),
		cut:       counters("sfmcp_records_cut_total", "Records that rules left out of answers.", "server"),
		refreshes: counters("sfmcp_salesforce_refreshes_total", "Refreshes of Salesforce logins: ok, or error where the login was lost by it.", "outcome"),
		lost:      prometheus.NewCounter(prometheus.CounterOpts{Name: "sfmcp_salesforce_logins_lost_total", Help: "Salesforce logins that can no longer be refreshed: their users must sign in again."}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sfmcp_approval_decision_seconds", Help: "Time from when a call began to wait for a person until somebody decided, by the decision.",
			Buckets: []float64{2, 5, 15, 30, 60, 120, 300, 600, 900, 3600},
		}, []string{"decision"}),
		writes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sfmcp_audit_write_duration_seconds", Help: "Time to write a group of entries to the audit log and have it on the disk.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .1, .5, 2},
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "sfmcp_audit_write_failures_total", Help: "Groups of entries that could not be written: what they announced was not done."}),
		answered: newDurations(c.Registry, "mcp_server_operation_duration_seconds", "Time to answer an MCP request of a client, waiting for people and Salesforce included."),
		sent:     newDurations(c.Registry, "mcp_client_operation_duration_seconds", "Time of an MCP request to a hosted server of Salesforce, with all its attempts."),
		actions:  map[audit.Action]bool{},
		seen:     map[series]prometheus.Counter{},
	}
	c.Registry.MustRegister(s.entries, s.decisions, s.calls, s.hidden, s.cut, s.refreshes, s.lost, s.waits, s.writes, s.failures)
	for _, a := range audit.Actions() {
		s.actions[a.Action] = true
	}
	s.begin()
	return s
}

// begin shows at 0 what alerts are about: Prometheus sees no rise in what begins at 1.
func (s *Signals) begin() {
	for _, outcome := range []audit.Outcome{audit.OK, audit.Failed} {
		s.refreshes.WithLabelValues(string(outcome))
	}
	for _, e := range []struct {
		action  audit.Action
		outcome audit.Outcome
	}{
		{audit.StoreTamper, audit.Denied}, {audit.GrantReplay, audit.OK}, {audit.DefinitionQuarantine, audit.Denied},
		{audit.ConfigReload, audit.Failed}, {audit.LogCut, audit.OK}, {audit.StopSet, audit.OK}, {audit.ToolCall, audit.Unknown},
	} {
		s.entries.WithLabelValues(string(e.action), string(e.outcome))
	}
	for _, decision := range []string{approved, denied, countered} {
		s.waits.WithLabelValues(decision)
	}
}

// inc adds n to a series. The counter is looked up once.
func (s *Signals) inc(n float64, of *prometheus.CounterVec, labels ...string) {
	at := series{of: of}
	for i, to := range []*string{&at.a, &at.b, &at.c}[:len(labels)] {
		*to = labels[i]
	}
	s.mu.Lock()
	c := s.seen[at]
	if c == nil {
		c = of.WithLabelValues(labels...)
		s.seen[at] = c
	}
	s.mu.Unlock()
	c.Add(n)
}

// server is the label of a server.
func (s *Signals) server(name string) string {
	if s.KnownServer(name) {
		return name
	}
	return other
}

// The decisions of people.
const (
	approved  = "approved"
	denied    = "denied"
	countered = "countered"
)

// Decided counts the decision of a person about a call that waited for took.
func (s *Signals) Decided(d audit.Decision, took time.Duration) {
	name := map[audit.Decision]string{audit.Approve: approved, audit.Deny: denied, audit.Counter: countered}[d]
	if name == "" {
		name = other
	}
	s.waits.WithLabelValues(name).Observe(took.Seconds())
}
