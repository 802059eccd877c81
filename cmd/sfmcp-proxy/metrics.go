package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics is what the private listener tells about this process. Labels have few
// values, all from our own tables: never a path, a user or a token.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sfmcp_http_requests_total", Help: "Requests on the public listener, by part of the URL table and status.",
		}, []string{"part", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sfmcp_http_request_duration_seconds", Help: "Time to answer a request, streams included.",
			Buckets: []float64{.001, .005, .025, .1, .5, 1, 5, 15, 60, 300},
		}, []string{"part"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// count notes one answered request.
func (m *metrics) count(path string, status int, took time.Duration) {
	part := "other"
	for _, known := range []string{"/mcp/", "/oauth/authorize", "/oauth/consent", "/oauth/callback", "/oauth/token",
		"/oauth/revoke", "/oauth/register", "/.well-known/", "/approvals", "/account", "/connect/", "/signin", "/signout", "/assets/"} {
		if strings.HasPrefix(path, known) {
			part = strings.Trim(known, "/.")
		}
	}
	m.requests.WithLabelValues(part, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(part).Observe(took.Seconds())
}
