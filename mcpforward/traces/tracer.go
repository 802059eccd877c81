package traces

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config is what [New] needs. Endpoint, HTTP and Log must be set.
type Config struct {
	// Endpoint is the URL of the collector; /v1/traces is added unless it ends so.
	Endpoint string
	// Sample is the part of traces that are recorded, 0 to 1.
	Sample float64
	HTTP   *http.Client // must not follow redirects
	// Instance names this process among its replicas, Version this program.
	Instance, Version string
	Log               *slog.Logger
	// Queue is how many spans may wait to be sent; 0: 2048.
	Queue int
	// Every is how long a span waits for others at most; 0: 2 s.
	Every time.Duration
}

// Tracer makes spans. It is safe for concurrent use; nil is one that is off.
type Tracer struct {
	provider *sdk.TracerProvider
	spans    trace.Tracer
	queue    *queue
}

// scope is who makes the spans, in the words of OpenTelemetry.
const scope = "sfmcp-proxy"

// New begins to send what is recorded. Nothing is read from the environment.
func New(c Config) *Tracer {
	c.Queue, c.Every = cmp.Or(c.Queue, 2048), cmp.Or(c.Every, 2*time.Second)
	q := newQueue(c)
	provider := sdk.NewTracerProvider(
		sdk.WithSpanProcessor(q),
		sdk.WithSampler(sdk.TraceIDRatioBased(c.Sample)),
		sdk.WithRawSpanLimits(sdk.SpanLimits{AttributeValueLengthLimit: 256, AttributeCountLimit: 32, LinkCountLimit: 1}),
	)
	return &Tracer{provider: provider, spans: provider.Tracer(scope), queue: q}
}

// Close sends what waits, until ctx ends. What is left then is dropped.
func (t *Tracer) Close(ctx context.Context) {
	if t == nil {
		return
	}
	_ = t.provider.Shutdown(ctx) // which does nothing if ctx has ended
	_ = t.queue.Shutdown(ctx)
}

// Counts returns how many spans were sent, and how many dropped because the queue was full or the
// collector refused them.
func (t *Tracer) Counts() (sent, dropped int64) {
	if t == nil {
		return 0, 0
	}
	return t.queue.sent.Load(), t.queue.dropped.Load()
}

// Request is an MCP request of a client.
type Request struct {
	Method, Version string // of MCP
	Server          string // name of the endpoint
	ID              string // JSON-RPC id as the message has it
	RequestID       string // ours, as in the audit log
	Began           time.Time
	// Meta and Header are traceparent of params._meta and of the HTTP request; empty: it has none.
	Meta, Header string
}

// Begin begins the span of a request. The context returned has it, for [Tracer.Sent].
func (t *Tracer) Begin(ctx context.Context, r Request) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	attributes := []attribute.KeyValue{
		attribute.String("mcp.method.name", r.Method), attribute.String("network.transport", "tcp"),
		attribute.String("sfmcp.server", r.Server), attribute.String("sfmcp.request.id", r.RequestID),
	}
	if r.Version != "" {
		attributes = append(attributes, attribute.String("mcp.protocol.version", r.Version))
	}
	if id := plainID(r.ID); id != "" {
		attributes = append(attributes, attribute.String("jsonrpc.request.id", id))
	}
	parent, link := parentOf(r.Meta, r.Header)
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(r.Began), trace.WithAttributes(attributes...)}
	if link.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: link}))
	}
	ctx, span := t.spans.Start(trace.ContextWithRemoteSpanContext(ctx, parent), r.Method, options...)
	return ctx, &Span{span, r.Method}
}

// Span is that of a request of a client; nil is one that is not recorded.
type Span struct {
	span   trace.Span
	method string
}

// Call is what is called, and what the policy says of it.
type Call struct {
	Tool, Prompt  string // empty: the call is of none, or the client must not know that there is one
	Class, Effect string
}

// Judged notes what is called.
func (s *Span) Judged(c Call) {
	if s == nil {
		return
	}
	s.span.SetAttributes(attribute.String("sfmcp.class", c.Class), attribute.String("sfmcp.decision", c.Effect))
	switch {
	case c.Tool != "":
		s.span.SetName(s.method + " " + c.Tool)
		s.span.SetAttributes(attribute.String("gen_ai.tool.name", c.Tool), attribute.String("gen_ai.operation.name", "execute_tool"))
	case c.Prompt != "":
		s.span.SetName(s.method + " " + c.Prompt)
		s.span.SetAttributes(attribute.String("gen_ai.prompt.name", c.Prompt))
	}
}

// Ended notes how the call ended, in the words of the audit log.
func (s *Span) Ended(outcome string) {
	if s != nil {
		s.span.SetAttributes(attribute.String("sfmcp.outcome", outcome))
	}
}

// End ends the span. problem is what was wrong, in one word; empty: nothing.
func (s *Span) End(problem string) {
	if s == nil {
		return
	}
	setProblem(s.span, problem)
	s.span.End()
}

// setProblem says what was wrong: in error.type, and where it is a code of JSON-RPC, as such.
func setProblem(span trace.Span, problem string) {
	if problem == "" {
		return
	}
	span.SetStatus(codes.Error, "")
	span.SetAttributes(attribute.String("error.type", problem))
	if problem[0] == '-' {
		span.SetAttributes(attribute.String("rpc.response.status_code", problem))
	}
}
