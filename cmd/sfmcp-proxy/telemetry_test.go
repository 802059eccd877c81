package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spanCollector takes spans by OTLP over HTTP.
type spanCollector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*otlp.Span
	bytes bytes.Buffer // of all requests
}

func startCollector(t *testing.T) *spanCollector {
	c := &spanCollector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("the collector got %s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bytes.Write(body)
		for _, of := range sent.ResourceSpans {
			for _, s := range of.ScopeSpans {
				c.spans = append(c.spans, s.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// of are the spans of a trace, the server's first.
func (c *spanCollector) of(trace string) (all []*otlp.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		switch {
		case fmt.Sprintf("%x", s.TraceId) != trace:
		case s.Kind == otlp.Span_SPAN_KIND_SERVER:
			all = append([]*otlp.Span{s}, all...)
		default:
			all = append(all, s)
		}
	}
	return all
}

func attribute(s *otlp.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// AD-14: calls are told to a collector in two spans of the client's trace and counted, without
// arguments, answers, people or what else the client sends along; Salesforce learns nothing of it.
func TestAD14TracesOfCalls(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	d := startEdited(t, func(text string) string { return text + "\ntelemetry: {otlp_endpoint: " + c.URL + "}\n" })
	client := d.connect("sobject-all", rep)
	const canary = "Canary4711"
	call := func(trace, tool string, arguments map[string]any) reply {
		t.Helper()
		return client.send("tools/call", map[string]any{"name": tool, "arguments": arguments, "_meta": map[string]any{
			"traceparent": "00-" + trace + "-00f067aa0ba902b7-01", "tracestate": "vendor=" + canary, "baggage": "user=" + canary,
			"openai/userLocation": map[string]any{"city": canary}}})
	}
	read, held, hidden := strings.Repeat("1a", 16), strings.Repeat("2b", 16), strings.Repeat("3c", 16)
	if r := call(read, "soqlQuery", map[string]any{"q": "SELECT Id FROM Contact WHERE Name = '" + canary + "'"}); r.Status != http.StatusOK || r.Result.IsError {
		t.Fatalf("%d %s", r.Status, r.body)
	}
	call(held, "createSobjectRecord", account(canary))
	call(hidden, canary, nil)
	for trace, want := range map[string]struct{ name, decision, outcome, problem string }{
		read:   {"tools/call soqlQuery", "allow", "ok", ""},
		held:   {"tools/call createSobjectRecord", "confirm", "", "tool_error"},
		hidden: {"tools/call", "deny", "", "-32602"},
	} {
		var spans []*otlp.Span
		eventually(t, plenty, "the span of "+want.name+" "+want.decision, func() bool { spans = c.of(trace); return len(spans) > 0 && spans[0].Kind == otlp.Span_SPAN_KIND_SERVER })
		s := spans[0]
		if s.Name != want.name || fmt.Sprintf("%x", s.ParentSpanId) != "00f067aa0ba902b7" || attribute(s, "sfmcp.decision") != want.decision ||
			attribute(s, "sfmcp.outcome") != want.outcome || attribute(s, "error.type") != want.problem || attribute(s, "sfmcp.request.id") == "" {
			t.Errorf("the span of %s is %v", want.name, s)
		}
	}
	spans := c.of(read)
	if len(spans) != 2 || spans[1].Name != "tools/call soqlQuery" || !bytes.Equal(spans[1].ParentSpanId, spans[0].SpanId) || attribute(spans[1], "server.address") != "127.0.0.1" {
		t.Errorf("spans of a call that was made: %v", spans)
	}
	c.mu.Lock()
	told := c.bytes.String()
	c.mu.Unlock()
	for _, secret := range []string{canary, rep, "SELECT", client.access, client.session, "vendor="} {
		if strings.Contains(told, secret) {
			t.Errorf("the collector is told %q", secret)
		}
	}
	for _, r := range d.recorded("after=0") {
		if text := fmt.Sprint(r); strings.Contains(text, read) || strings.Contains(text, held) {
			t.Errorf("salesforce is told of the trace: %s", text)
		}
	}
	for name, want := range map[string]string{
		`sfmcp_calls_total{outcome="ok",server="sobject-all"}`:                  "1",
		`sfmcp_calls_total{outcome="held",server="sobject-all"}`:                "1",
		`sfmcp_calls_total{outcome="denied",server="sobject-all"}`:              "1",
		`sfmcp_decisions_total{class="create",effect="confirm",mode="enforce"}`: "1",
		`sfmcp_approvals_waiting`:                                               "1",
		`sfmcp_stop{position="all"}`:                                            "0",
		`sfmcp_database_up`:                                                     "1",
		`sfmcp_salesforce_sessions{server="sobject-all"}`:                       "1",
		`sfmcp_spans_total{outcome="dropped"}`:                                  "0",
		`mcp_client_operation_duration_seconds_count{error_type="",mcp_method_name="tools/call",server="sobject-all"}`: "1",
	} {
		if got := metricOf(d, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
