// Package traces makes OpenTelemetry spans of MCP requests and sends them to a collector by OTLP over
// HTTP.
//
// A call has two spans: SERVER, ours to the client ([Tracer.Begin]), and CLIENT below it, ours to
// Salesforce ([Tracer.Sent]). Their names and attributes are those of OpenTelemetry's semantic
// conventions for MCP and generative AI; what those do not have begins with "sfmcp.".
//
// A nil [*Tracer] is one that is off. Its methods, and those of the nil [*Span] that it begins, do
// nothing and allocate nothing.
//
// # What a span says
//
// Method, tool or prompt, protocol version, server, class, what the policy said, how it ended, and the
// id of the request, by which the entries of the audit log are found. Never arguments, answers, names or
// ids of people, session ids, addresses of callers, URIs of resources, or words of an error: a collector
// keeps what it gets, and many can read it.
//
// # Whose trace
//
// A client says in params._meta, as traceparent (W3C Trace Context, SEP-414), which span of its own the
// request belongs to; that is the parent. If only the HTTP header says it, that is; if both do and
// differ, the header is a link. Nothing else of what a client says of traces counts: tracestate and
// baggage are text that anybody wrote, and are neither kept nor passed on. Whether a trace is recorded
// is decided by its id alone, so a client cannot ask for more than its share, and parts of one trace
// that sample by the same rule agree. Salesforce is told nothing of it: it reports to no collector of
// ours, and its requests carry no more than they need.
//
// # Sending
//
// Spans that have ended wait in a queue of fixed length for one goroutine that sends them. No request
// waits for it: what finds no room is dropped and counted ([Tracer.Counts]).
package traces
