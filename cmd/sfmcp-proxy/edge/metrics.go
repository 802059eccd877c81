package edge

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is what the private listener tells about this process. Labels have few
// values, all from our own tables and the configuration: never a path, a user or a token.
type Metrics struct {
	// Registry is what Handler shows.
	Registry *prometheus.Registry

	requests *prometheus.CounterVec
	answered map[string]*atomic.Pointer[prometheus.Counter] // requests with status 200, by part; nil until the first
	seconds  map[string]prometheus.Observer                 // by part of the URL table

	connections       prometheus.Gauge
	connectionsEnded  *prometheus.CounterVec
	limited           *prometheus.CounterVec
	panics            prometheus.Counter
	reloads           *prometheus.CounterVec
	certificateExpiry prometheus.Gauge
	http2Errors       *prometheus.CounterVec
}

// parts are the beginnings of paths that requests are counted by, and their names.
var parts = []struct{ prefix, name string }{
	{"/mcp/", "mcp"}, {"/oauth/authorize", "oauth/authorize"}, {"/oauth/consent", "oauth/consent"},
	{"/oauth/callback", "oauth/callback"}, {"/oauth/token", "oauth/token"}, {"/oauth/revoke", "oauth/revoke"},
	{"/oauth/register", "oauth/register"}, {"/.well-known/", "well-known"}, {"/approvals", "approvals"},
	{"/account", "account"}, {"/console", "console"}, {"/connect/", "connect"}, {"/signin", "signin"}, {"/signout", "signout"}, {"/assets/", "assets"},
}

const otherPart = "other"

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func newMetrics() *Metrics {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sfmcp_http_request_duration_seconds", Help: "Time to answer a request, streams included.",
		Buckets: []float64{.001, .005, .025, .1, .5, 1, 5, 15, 60, 300},
	}, []string{"part"})
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		requests: counters("sfmcp_http_requests_total", "Requests on the public listener, by part of the URL table and status.", "part", "status"),
		answered: map[string]*atomic.Pointer[prometheus.Counter]{otherPart: {}},
		seconds:  map[string]prometheus.Observer{otherPart: seconds.WithLabelValues(otherPart)},
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sfmcp_connections", Help: "Connections that are open on the public listener."}),
		connectionsEnded: counters("sfmcp_connections_closed_total",
			"Connections closed for want of room: new ones because all are busy (full) or their address has its share (source), idle ones for a new one.", "why"),
		limited: counters("sfmcp_http_requests_limited_total",
			"Requests refused by a limit: load (of this process), source (of an address), sign_in and registration (of an address).", "limit"),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sfmcp_panics_total", Help: "Panics that were survived: each is a fault of this program."}),
		reloads: counters("sfmcp_reloads_total", "Files taken into force or refused while running.", "what", "outcome"),
		certificateExpiry: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sfmcp_certificate_expiry_timestamp_seconds", Help: "When the public listener's certificate ends; 0 without one."}),
		http2Errors: counters("sfmcp_http2_errors_total", "Violations of HTTP/2 by clients, by the server's word for them.", "kind"),
	}
	for _, p := range parts {
		m.seconds[p.name] = seconds.WithLabelValues(p.name)
		m.answered[p.name] = new(atomic.Pointer[prometheus.Counter])
	}
	m.Registry.MustRegister(m.requests, seconds, m.connections, m.connectionsEnded, m.limited, m.panics, m.reloads,
		m.certificateExpiry, m.http2Errors, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// gauge adds what is counted elsewhere.
func (m *Metrics) gauge(name, help string, value func() float64) {
	m.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Total adds what is counted elsewhere and never falls; label is a name and its value, or nothing.
func (m *Metrics) Total(name, help string, value func() float64, label ...string) {
	opts := prometheus.CounterOpts{Name: name, Help: help}
	if len(label) == 2 {
		opts.ConstLabels = prometheus.Labels{label[0]: label[1]}
	}
	m.Registry.MustRegister(prometheus.NewCounterFunc(opts, value))
}

// CountDropped shows how many records w has dropped.
func (m *Metrics) CountDropped(w *LogWriter) {
	m.Total("sfmcp_log_records_dropped_total", "Log records that nobody read in time.", func() float64 { return float64(w.Dropped()) })
}

// Reloaded counts a file that was taken into force, or refused, while running.
func (m *Metrics) Reloaded(what string, ok bool) {
	outcome := "ok"
	if !ok {
		outcome = "failed"
	}
	m.reloads.WithLabelValues(what, outcome).Inc()
}

// Handler shows all of it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{})
}

// count notes one answered request.
func (m *Metrics) count(path string, status int, took time.Duration) {
	part := otherPart
	for _, p := range parts {
		if strings.HasPrefix(path, p.prefix) {
			part = p.name
			break
		}
	}
	m.counter(part, status).Inc()
	m.seconds[part].Observe(took.Seconds())
}

// counter is that of a part and a status. The one of most requests is looked up once.
func (m *Metrics) counter(part string, status int) prometheus.Counter {
	if status != http.StatusOK {
		return m.requests.WithLabelValues(part, strconv.Itoa(status))
	}
	known := m.answered[part]
	if c := known.Load(); c != nil {
		return *c
	}
	c := m.requests.WithLabelValues(part, strconv.Itoa(status))
	known.Store(&c)
	return c
}
