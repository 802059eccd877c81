package config

import (
	"net/url"
	"strconv"
	"strings"
)

// Telemetry says where traces go, by OTLP over HTTP.
type Telemetry struct {
	// OTLPEndpoint is the URL of the collector, as http://127.0.0.1:4318; empty: there are no traces.
	OTLPEndpoint string `mapstructure:"otlp_endpoint"`
	// Sample is the part of traces that are sent.
	Sample float64 `mapstructure:"sample"`
}

const otlpForm = "the URL of a collector for OTLP over HTTP, http://HOST:PORT or https://HOST, without user, query and fragment"

func (v *validator) telemetry() {
	t := v.c.Telemetry
	if !(t.Sample > 0 && t.Sample <= 1) { // not a number is neither
		v.add("telemetry.sample", strconv.FormatFloat(t.Sample, 'g', -1, 64), "more than 0, at most 1; no otlp_endpoint turns traces off")
	}
	if t.OTLPEndpoint == "" {
		return
	}
	u, err := url.Parse(t.OTLPEndpoint)
	switch {
	case err != nil, u.User != nil: // a password may stand there
		v.add("telemetry.otlp_endpoint", "not such a URL (not shown)", otlpForm)
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.RawQuery != "", u.ForceQuery, strings.Contains(t.OTLPEndpoint, "#"), strings.HasSuffix(u.Host, ":"):
		v.add("telemetry.otlp_endpoint", quote(t.OTLPEndpoint), otlpForm)
	}
}

// telemetry notes a collector that is reached in the clear.
func (n *notes) telemetry() {
	u, err := url.Parse(n.c.Telemetry.OTLPEndpoint)
	if err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		n.add("traces go to %s without TLS (telemetry.otlp_endpoint): whoever is on the way reads which tools are called when, not with what", u.Host)
	}
}
