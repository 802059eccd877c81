package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sfmcp-proxy/authproxy/audit/export"
)

// exportMetrics shows how destinations of the audit log are doing. The one label is the name that
// the configuration gives a destination; of one that another process sends to, nothing is shown.
type exportMetrics struct {
	states func() []export.State
	now    func() time.Time
}

func exportDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("sfmcp_export_"+name, help, []string{"destination"}, nil)
}

var (
	exportLagEntries = exportDesc("lag_entries", "Entries of the audit log that a destination has not taken.")
	exportLagSeconds = exportDesc("lag_seconds", "Age of the oldest entry that a destination has not taken; 0: it has all.")
	exportFailing    = exportDesc("failing", "Whether the last attempt to send to a destination failed.")
	exportEntries    = exportDesc("entries_total", "Entries that a destination has taken since the configuration was taken into force.")
	exportFailures   = exportDesc("failures_total", "Attempts to send to a destination that failed since the configuration was taken into force.")
)

// Describe implements prometheus.Collector.
func (m exportMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{exportLagEntries, exportLagSeconds, exportFailing, exportEntries, exportFailures} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m exportMetrics) Collect(to chan<- prometheus.Metric) {
	for _, s := range m.states() {
		if !s.Sends {
			continue
		}
		seconds, failing := 0., 0.
		if !s.Oldest.IsZero() {
			seconds = max(m.now().Sub(s.Oldest).Seconds(), 0)
		}
		if s.Problem != "" {
			failing = 1
		}
		to <- prometheus.MustNewConstMetric(exportLagEntries, prometheus.GaugeValue, float64(s.Behind), s.Name)
		to <- prometheus.MustNewConstMetric(exportLagSeconds, prometheus.GaugeValue, seconds, s.Name)
		to <- prometheus.MustNewConstMetric(exportFailing, prometheus.GaugeValue, failing, s.Name)
		to <- prometheus.MustNewConstMetric(exportEntries, prometheus.CounterValue, float64(s.Sent), s.Name)
		to <- prometheus.MustNewConstMetric(exportFailures, prometheus.CounterValue, float64(s.Failed), s.Name)
	}
}
