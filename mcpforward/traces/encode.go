package traces

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"

	"go.opentelemetry.io/otel/trace"
)

// encode is the request to a collector. The resource is what the configuration says, whatever stands
// in the environment.
func encode(spans []sdk.ReadOnlySpan, c Config) *collector.ExportTraceServiceRequest {
	of := &otlp.ScopeSpans{Scope: &common.InstrumentationScope{Name: scope, Version: c.Version}}
	for _, s := range spans {
		of.Spans = append(of.Spans, encodeSpan(s))
	}
	return &collector.ExportTraceServiceRequest{ResourceSpans: []*otlp.ResourceSpans{{
		Resource: &resource.Resource{Attributes: encodeAttributes([]attribute.KeyValue{
			attribute.String("service.name", scope), attribute.String("service.version", c.Version), attribute.String("service.instance.id", c.Instance),
		})},
		ScopeSpans: []*otlp.ScopeSpans{of},
	}}}
}

func encodeSpan(s sdk.ReadOnlySpan) *otlp.Span {
	own, parent := s.SpanContext(), s.Parent()
	traceID, spanID := own.TraceID(), own.SpanID()
	e := &otlp.Span{
		TraceId: traceID[:], SpanId: spanID[:], Flags: flagsOf(own, parent.IsRemote()), Name: s.Name(), Kind: otlp.Span_SPAN_KIND_SERVER,
		StartTimeUnixNano: uint64(max(0, s.StartTime().UnixNano())), EndTimeUnixNano: uint64(max(0, s.EndTime().UnixNano())),
		Attributes: encodeAttributes(s.Attributes()),
	}
	if s.SpanKind() == trace.SpanKindClient {
		e.Kind = otlp.Span_SPAN_KIND_CLIENT
	}
	if parent.HasSpanID() {
		id := parent.SpanID()
		e.ParentSpanId = id[:]
	}
	if s.Status().Code == codes.Error {
		e.Status = &otlp.Status{Code: otlp.Status_STATUS_CODE_ERROR}
	}
	for _, l := range s.Links() {
		traceID, spanID := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		e.Links = append(e.Links, &otlp.Span_Link{TraceId: traceID[:], SpanId: spanID[:], Flags: flagsOf(l.SpanContext, l.SpanContext.IsRemote())})
	}
	return e
}

// flagsOf are the flags of a span, with what is known of its parent (OTLP, SpanFlags).
func flagsOf(c trace.SpanContext, remote bool) uint32 {
	flags := uint32(c.TraceFlags()) | uint32(otlp.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	if remote {
		flags |= uint32(otlp.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	}
	return flags
}

func encodeAttributes(all []attribute.KeyValue) (encoded []*common.KeyValue) {
	for _, a := range all {
		v := &common.AnyValue{}
		switch a.Value.Type() {
		case attribute.BOOL:
			v.Value = &common.AnyValue_BoolValue{BoolValue: a.Value.AsBool()}
		case attribute.INT64:
			v.Value = &common.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		default:
			v.Value = &common.AnyValue_StringValue{StringValue: a.Value.AsString()}
		}
		encoded = append(encoded, &common.KeyValue{Key: string(a.Key), Value: v})
	}
	return encoded
}
