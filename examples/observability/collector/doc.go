// Package collector has what others made judge what the product gives to observability tools: a
// collector of OpenTelemetry, with its own OTLP receiver and pipelines, takes the audit log and the
// traces, and Grafana's own types read the dashboard.
//
// It is a module of its own, so that what it needs is not in go.sum of the product. Its tests run
// by themselves: go test ./... in this directory.
package collector
