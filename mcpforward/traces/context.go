package traces

import (
	"encoding/hex"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// parentOf is the span that a request belongs to, and one that it is linked with; invalid ones stand
// for none. What _meta says goes before what the transport says (OpenTelemetry, MCP conventions,
// context propagation).
func parentOf(meta, header string) (parent, link trace.SpanContext) {
	parent, link = parse(meta), parse(header)
	switch {
	case !parent.IsValid():
		return link, trace.SpanContext{}
	case parent.Equal(link):
		link = trace.SpanContext{}
	}
	return parent, link
}

// parse reads traceparent (W3C Trace Context 3.2). Whatever is not as written there is none; of a
// later version the fields of this one count.
func parse(text string) trace.SpanContext {
	const length = len("00-") + 32 + len("-") + 16 + len("-01")
	if len(text) < length || len(text) > 256 || text != strings.ToLower(text) {
		return trace.SpanContext{}
	}
	version, rest := text[:2], text[length:]
	if text[2] != '-' || text[35] != '-' || text[52] != '-' || version == "ff" || version == "00" && rest != "" || rest != "" && rest[0] != '-' {
		return trace.SpanContext{}
	}
	var fixed, flags [1]byte
	var c trace.SpanContextConfig
	for _, field := range []struct {
		to   []byte
		from string
	}{{fixed[:], version}, {c.TraceID[:], text[3:35]}, {c.SpanID[:], text[36:52]}, {flags[:], text[53:55]}} {
		if _, err := hex.Decode(field.to, []byte(field.from)); err != nil {
			return trace.SpanContext{}
		}
	}
	c.TraceFlags, c.Remote = trace.TraceFlags(flags[0])&trace.FlagsSampled, true
	return trace.NewSpanContext(c)
}

// plainID is the JSON-RPC id of a message if it is a number, or a text as programs make them (digits,
// letters a to f, dashes, at most 64 characters); else empty: it could say anything.
func plainID(raw string) string {
	id := strings.Trim(raw, `"`)
	if len(id) > 64 || strings.Trim(id, "0123456789abcdefABCDEF-") != "" {
		return ""
	}
	return id
}
