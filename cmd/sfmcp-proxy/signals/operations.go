package signals

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// durations is a histogram by server, method of MCP and error.
type durations struct {
	vector *prometheus.HistogramVec
	mu     sync.RWMutex
	seen   map[operation]prometheus.Observer // bounded by the labels
}

// operation names one series.
type operation struct{ server, method, problem string }

func newDurations(r *prometheus.Registry, name, help string) *durations {
	d := &durations{
		vector: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60},
		}, []string{"server", "mcp_method_name", "error_type"}),
		seen: map[operation]prometheus.Observer{},
	}
	r.MustRegister(d.vector)
	return d
}

// observe allocates nothing for a series that was seen before.
func (d *durations) observe(o operation, took time.Duration) {
	d.mu.RLock()
	known := d.seen[o]
	d.mu.RUnlock()
	if known == nil {
		known = d.vector.WithLabelValues(o.server, o.method, o.problem)
		d.mu.Lock()
		d.seen[o] = known
		d.mu.Unlock()
	}
	known.Observe(took.Seconds())
}

// Answered counts an MCP request of a client that was answered. problem is what was wrong, from
// the list in [sfmcp-proxy/mcpforward]; empty: nothing.
func (s *Signals) Answered(server, method, problem string, took time.Duration) {
	s.answered.observe(operation{s.server(server), methodOf(method), problem}, took)
}

// Sent counts an MCP request to Salesforce that is over. problem is the name of a kind of error of
// [sfmcp-proxy/mcpforward/upstream], or what the answer says; empty: nothing was wrong.
func (s *Signals) Sent(server, method, problem string, took time.Duration) {
	s.sent.observe(operation{s.server(server), methodOf(method), problem}, took)
	if s.KnownServer(server) && !ofOurs[problem] {
		s.recent.add(server, request{s.Now(), took, unhealthy[problem]})
	}
}

// Problems that say nothing of how Salesforce does: the caller went away; and those that say it does
// not do well. Others, such as an error in an answer or a login that is lost, are answers.
var (
	ofOurs    = map[string]bool{"canceled": true, "not_offered": true}
	unhealthy = map[string]bool{"unavailable": true, "timed_out": true, "broken": true, "limited": true, "server_inactive": true}
)

// methodOf is the label of a method.
func methodOf(method string) string {
	switch method {
	case "initialize", "server/discover", "ping", "logging/setLevel", "tools/call", "tools/list", "prompts/list", "prompts/get",
		"resources/list", "resources/templates/list", "resources/read", "completion/complete":
		return method
	}
	return other
}
