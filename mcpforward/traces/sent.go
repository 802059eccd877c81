package traces

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Sent is an MCP request to Salesforce that is over, with all its attempts.
type Sent struct {
	Method, Version string // of MCP
	Server          string // name of the endpoint that it was for
	URL             string // of the hosted server
	Tool            string // empty: it called none
	Began           time.Time
	Took            time.Duration
	Resent          bool   // it was sent more than once
	Status          int    // of HTTP, where there was no answer of MCP; 0: none
	Problem         string // what was wrong, in one word; empty: nothing
}

// Sent makes the span of a request to Salesforce below that of the request in ctx. What is asked for no
// one request, such as a list that several wait for, has none.
func (t *Tracer) Sent(ctx context.Context, s Sent) {
	if t == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return
	}
	name := s.Method
	attributes := []attribute.KeyValue{
		attribute.String("mcp.method.name", s.Method), attribute.String("network.transport", "tcp"), attribute.String("sfmcp.server", s.Server),
	}
	if s.Tool != "" {
		name += " " + s.Tool
		attributes = append(attributes, attribute.String("gen_ai.tool.name", s.Tool), attribute.String("gen_ai.operation.name", "execute_tool"))
	}
	if s.Version != "" {
		attributes = append(attributes, attribute.String("mcp.protocol.version", s.Version))
	}
	if s.Status != 0 {
		attributes = append(attributes, attribute.Int("http.response.status_code", s.Status))
	}
	if s.Resent {
		attributes = append(attributes, attribute.Bool("sfmcp.resent", true))
	}
	_, span := t.spans.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(s.Began),
		trace.WithAttributes(append(attributes, addressOf(s.URL)...)...))
	setProblem(span, s.Problem)
	span.End(trace.WithTimestamp(s.Began.Add(s.Took)))
}

// addressOf is the host and port of a URL.
func addressOf(text string) []attribute.KeyValue {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		port = map[string]int{"https": 443, "http": 80}[u.Scheme]
	}
	return []attribute.KeyValue{attribute.String("server.address", u.Hostname()), attribute.Int("server.port", port)}
}
