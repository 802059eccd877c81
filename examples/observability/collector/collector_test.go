package collector

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"sfmcp-proxy/authproxy/audit/destination"
	guarded "sfmcp-proxy/authproxy/receiver"
	"sfmcp-proxy/mcpforward/traces"
)

// end keeps what comes out of the collector's pipelines, and can be told to refuse it.
type end struct {
	component.StartFunc
	component.ShutdownFunc

	mu      sync.Mutex
	full    bool
	logs    []plog.Logs
	spans   []ptrace.Traces
	refused int
}

func (e *end) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (e *end) ConsumeLogs(_ context.Context, l plog.Logs) error {
	return e.take(func() { e.logs = append(e.logs, l) })
}

func (e *end) ConsumeTraces(_ context.Context, t ptrace.Traces) error {
	return e.take(func() { e.spans = append(e.spans, t) })
}

func (e *end) take(keep func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.full {
		e.refused++
		return fmt.Errorf("what the pipeline ends in is full")
	}
	keep()
	return nil
}

// setFull has the pipelines refuse everything, or take it again.
func (e *end) setFull(full bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.full = full
}

// factory makes pipelines end in e.
func (e *end) factory() exporter.Factory {
	return exporter.NewFactory(component.MustNewType("kept"), func() component.Config { return &struct{}{} },
		exporter.WithLogs(func(context.Context, exporter.Settings, component.Config) (exporter.Logs, error) { return e, nil }, component.StabilityLevelStable),
		exporter.WithTraces(func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) { return e, nil }, component.StabilityLevelStable))
}

// components are those of the collector; the pipelines end in e.
func components(e *end) (f otelcol.Factories, err error) {
	if f.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory()); err != nil {
		return f, err
	}
	if f.Processors, err = otelcol.MakeFactoryMap[processor.Factory](batchprocessor.NewFactory()); err != nil {
		return f, err
	}
	f.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](e.factory())
	f.Telemetry = otelconftelemetry.NewFactory()
	return f, err
}

const settings = `
receivers: {otlp: {protocols: {http: {endpoint: %q}}}}
processors: {batch: {timeout: 10ms}}
exporters: {kept: {}}
service:
  telemetry: {metrics: {level: none}, logs: {level: error}}
  pipelines:
    logs: {receivers: [otlp], exporters: [kept]}
    traces: {receivers: [otlp], processors: [batch], exporters: [kept]}
`

// start runs a collector until the test ends, and returns its URL.
func start(t *testing.T, e *end) string {
	t.Helper()
	for range 5 { // another may take the address between the two that listen there
		if url := startOnce(t, e); url != "" {
			return url
		}
	}
	t.Fatal("the collector does not start")
	return ""
}

func startOnce(t *testing.T, e *end) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	c, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Version: "test"}, DisableGracefulShutdown: true,
		Factories: func() (otelcol.Factories, error) { return components(e) },
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: []string{"yaml:" + fmt.Sprintf(settings, address)}, ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- c.Run(context.Background()) }()
	for c.GetState() != otelcol.StateRunning {
		select {
		case err := <-over:
			t.Logf("the collector at %s: %v", address, err)
			return ""
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Cleanup(func() {
		c.Shutdown()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return "http://" + address
}

// The audit log arrives in a collector with its keys, times, severities and bodies. While its pipeline is full a
// batch counts as not taken, and it arrives once it is sent again.
func TestAU12OTLPCollector(t *testing.T) {
	var e end
	url := start(t, &e)
	client := guarded.New(guarded.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AnyPort: true, HeadTime: 2 * time.Minute, Now: time.Now})
	to := destination.NewOTLP(destination.OTLPConfig{URL: url + "/v1/logs", Version: "1.2.3", Client: client})
	const log = "proxy.example/audit/0123456789abcdef"
	at := time.UnixMilli(1772366400123).UTC()
	batch := &destination.Batch{Log: log, Suffix: "jsonl"}
	for seq := range int64(3) {
		batch.Records = append(batch.Records, destination.Record{Key: fmt.Sprintf("%s/%d", log, seq+1), Seq: seq + 1, At: at, Event: "tool.call",
			Severity: destination.Notice, Text: fmt.Appendf(nil, `{"seq":%d,"text":"ä <&>"}`, seq+1)})
	}
	e.setFull(true)
	if err := to.Send(t.Context(), batch); err == nil {
		t.Error("a collector whose pipeline refuses everything counts as one that took it")
	}
	e.setFull(false)
	if err := to.Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refused == 0 || len(e.logs) != 1 {
		t.Fatalf("%d batches, %d refusals", len(e.logs), e.refused)
	}
	resource := e.logs[0].ResourceLogs().At(0)
	if who, _ := resource.Resource().Attributes().Get("service.name"); who.Str() != "sfmcp-proxy" {
		t.Errorf("resource: %v", resource.Resource().Attributes().AsRaw())
	}
	records := resource.ScopeLogs().At(0).LogRecords()
	if records.Len() != 3 {
		t.Fatalf("%d records", records.Len())
	}
	for i, want := range batch.Records {
		got := records.At(i)
		key, _ := got.Attributes().Get("log.record.uid")
		if got.Body().Str() != string(want.Text) || key.Str() != want.Key || got.EventName() != want.Event || !got.Timestamp().AsTime().Equal(at) || got.SeverityNumber() != plog.SeverityNumberInfo2 {
			t.Errorf("record %d: %q, %q, %q, %v, %v", i, got.Body().Str(), key.Str(), got.EventName(), got.Timestamp(), got.SeverityNumber())
		}
	}
}

// Both spans of a call arrive in a collector, one below the other, in the client's trace.
func TestSpansInACollector(t *testing.T) {
	var e end
	url := start(t, &e)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	tracer := traces.New(traces.Config{Endpoint: url, Sample: 1, HTTP: &http.Client{Transport: transport}, Instance: "one", Version: "1.2.3",
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Every: time.Millisecond})
	began := time.UnixMilli(1_700_000_000_000)
	ctx, span := tracer.Begin(t.Context(), traces.Request{Method: "tools/call", Server: "sales", ID: "7", RequestID: "r1", Began: began,
		Meta: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
	span.Judged(traces.Call{Tool: "soqlQuery", Class: "read", Effect: "allow"})
	tracer.Sent(ctx, traces.Sent{Method: "tools/call", Server: "sales", URL: "https://api.salesforce.com/x", Tool: "soqlQuery", Began: began, Took: time.Second})
	span.Ended("ok")
	span.End("")
	tracer.Close(t.Context())
	if sent, dropped := tracer.Counts(); sent != 2 || dropped != 0 {
		t.Fatalf("%d spans sent, %d dropped", sent, dropped)
	}
	arrived := map[ptrace.SpanKind]ptrace.Span{}
	for end := time.Now().Add(2 * time.Minute); len(arrived) < 2 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) { // the batch processor waits
		e.mu.Lock()
		for _, each := range e.spans {
			for _, r := range each.ResourceSpans().All() {
				for _, s := range r.ScopeSpans().At(0).Spans().All() {
					arrived[s.Kind()] = s
				}
			}
		}
		e.mu.Unlock()
	}
	server, ok := arrived[ptrace.SpanKindServer]
	client, both := arrived[ptrace.SpanKindClient]
	if !ok || !both {
		t.Fatalf("%d spans arrived", len(arrived))
	}
	if server.TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" || server.ParentSpanID().String() != "00f067aa0ba902b7" || client.ParentSpanID() != server.SpanID() {
		t.Errorf("trace %s, parents %s and %s", server.TraceID(), server.ParentSpanID(), client.ParentSpanID())
	}
	if tool, _ := server.Attributes().Get("gen_ai.tool.name"); tool.Str() != "soqlQuery" || server.Name() != "tools/call soqlQuery" {
		t.Errorf("%q: %v", server.Name(), server.Attributes().AsRaw())
	}
}
