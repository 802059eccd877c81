package signals

import "github.com/prometheus/client_golang/prometheus"

// Gauge registers what is known elsewhere.
func (s *Signals) Gauge(name, help string, value func() float64) {
	s.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Gauges registers what is known elsewhere of each value of a label, such as each server of the
// current configuration.
func (s *Signals) Gauges(name, help, label string, values func() map[string]float64) {
	s.Registry.MustRegister(gauges{prometheus.NewDesc(name, help, []string{label}, nil), values})
}

// Flags is 1 for what is so, and otherwise 0: for [Signals.Gauges].
func Flags(is func() map[string]bool) func() map[string]float64 {
	return func() map[string]float64 {
		values := map[string]float64{}
		for name, so := range is() {
			values[name] = 0
			if so {
				values[name] = 1
			}
		}
		return values
	}
}

// gauges is a prometheus.Collector of one gauge a value of its label.
type gauges struct {
	desc   *prometheus.Desc
	values func() map[string]float64
}

// Describe implements prometheus.Collector.
func (g gauges) Describe(to chan<- *prometheus.Desc) { to <- g.desc }

// Collect implements prometheus.Collector.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	for label, value := range g.values() {
		to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, label)
	}
}
