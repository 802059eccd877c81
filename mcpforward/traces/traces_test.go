package traces

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is a collector that answers as it is told.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	spans   []*otlp.Span
	answers []answer // to the next requests; then 200
}

type answer struct {
	status  int
	refused int64
	wait    chan struct{}
}

func newReceiver(t *testing.T, answers ...answer) *receiver {
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	next := answer{status: http.StatusOK}
	if len(r.answers) > 0 {
		next, r.answers = r.answers[0], r.answers[1:]
	}
	r.mu.Unlock()
	if next.wait != nil {
		<-next.wait
	}
	var sent collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &sent); err != nil || req.Method != http.MethodPost || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/x-protobuf" {
		next.status = http.StatusBadRequest
	}
	if next.status == http.StatusOK {
		r.mu.Lock()
		for _, of := range sent.ResourceSpans {
			for _, s := range of.ScopeSpans {
				r.spans = append(r.spans, s.Spans...)
			}
		}
		r.mu.Unlock()
	}
	response := &collector.ExportTraceServiceResponse{}
	if next.refused > 0 {
		response.PartialSuccess = &collector.ExportTracePartialSuccess{RejectedSpans: next.refused}
	}
	encoded, _ := proto.Marshal(response)
	w.WriteHeader(next.status)
	w.Write(encoded)
}

func newTracer(t *testing.T, endpoint string, change func(*Config)) *Tracer {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := Config{Endpoint: endpoint, Sample: 1, HTTP: &http.Client{Transport: transport}, Instance: "one", Version: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Every: time.Millisecond}
	if change != nil {
		change(&c)
	}
	tracer := New(c)
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		tracer.Close(ended)
	})
	return tracer
}

func attributesOf(all []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range all {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			m[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			m[a.Key] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_BoolValue:
			m[a.Key] = fmt.Sprint(v.BoolValue)
		}
	}
	return m
}

const (
	traceID    = "4bf92f3577b34da6a3ce929d0e0e4736"
	someParent = "00-" + traceID + "-00f067aa0ba902b7-01"
	otherTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// A call has two spans with the names of the conventions, in the client's trace.
func TestSpansOfACall(t *testing.T) {
	r := newReceiver(t)
	tracer := newTracer(t, r.URL, nil)
	began := time.UnixMilli(1_700_000_000_000)
	ctx, span := tracer.Begin(t.Context(), Request{Method: "tools/call", Version: "2025-11-25", Server: "sales", ID: "7", RequestID: "r1", Began: began, Meta: someParent, Header: otherTrace})
	span.Judged(Call{Tool: "soqlQuery", Class: "read", Effect: "allow"})
	tracer.Sent(ctx, Sent{Method: "tools/call", Version: "2025-06-18", Server: "sales", URL: "https://api.salesforce.com/platform/mcp/v1/x", Tool: "soqlQuery",
		Began: began.Add(time.Millisecond), Took: time.Second, Resent: true, Status: 503, Problem: "unavailable"})
	span.Ended("error")
	span.End("tool_error")
	tracer.Close(t.Context())
	if len(r.spans) != 2 {
		t.Fatalf("%d spans, want 2", len(r.spans))
	}
	client, server := r.spans[0], r.spans[1]
	if server.Kind != otlp.Span_SPAN_KIND_SERVER || client.Kind != otlp.Span_SPAN_KIND_CLIENT || server.Name != "tools/call soqlQuery" || client.Name != server.Name {
		t.Errorf("kinds %v and %v, names %q and %q", server.Kind, client.Kind, server.Name, client.Name)
	}
	if fmt.Sprintf("%x", server.TraceId) != traceID || fmt.Sprintf("%x", server.ParentSpanId) != "00f067aa0ba902b7" ||
		!bytes.Equal(client.ParentSpanId, server.SpanId) || !bytes.Equal(client.TraceId, server.TraceId) {
		t.Errorf("the spans are not in the client's trace: %v, %v", server, client)
	}
	if len(server.Links) != 1 || fmt.Sprintf("%x", server.Links[0].TraceId) != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("links: %v", server.Links)
	}
	if client.EndTimeUnixNano-client.StartTimeUnixNano != uint64(time.Second) || server.StartTimeUnixNano != uint64(began.UnixNano()) {
		t.Errorf("times: %v, %v", server, client)
	}
	if server.Status.GetCode() != otlp.Status_STATUS_CODE_ERROR || client.Status.GetCode() != otlp.Status_STATUS_CODE_ERROR {
		t.Errorf("status: %v, %v", server.Status, client.Status)
	}
	for _, tt := range []struct {
		span *otlp.Span
		want map[string]string
	}{
		{server, map[string]string{"mcp.method.name": "tools/call", "mcp.protocol.version": "2025-11-25", "network.transport": "tcp", "gen_ai.tool.name": "soqlQuery", "gen_ai.operation.name": "execute_tool",
			"jsonrpc.request.id": "7", "error.type": "tool_error", "sfmcp.server": "sales", "sfmcp.request.id": "r1", "sfmcp.class": "read", "sfmcp.decision": "allow", "sfmcp.outcome": "error"}},
		{client, map[string]string{"mcp.method.name": "tools/call", "mcp.protocol.version": "2025-06-18", "network.transport": "tcp", "gen_ai.tool.name": "soqlQuery", "gen_ai.operation.name": "execute_tool",
			"server.address": "api.salesforce.com", "server.port": "443", "http.response.status_code": "503", "error.type": "unavailable", "sfmcp.server": "sales", "sfmcp.resent": "true"}},
	} {
		if diff := cmp.Diff(tt.want, attributesOf(tt.span.Attributes)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.span.Kind, diff)
		}
	}
	if sent, dropped := tracer.Counts(); sent != 2 || dropped != 0 {
		t.Errorf("%d sent, %d dropped", sent, dropped)
	}
}

// What a client may say of a span that a request belongs to, and what counts of it.
func TestParentOf(t *testing.T) {
	for _, tt := range []struct{ name, meta, header, parent, link string }{
		{"none", "", "", "", ""},
		{"meta", someParent, "", traceID, ""},
		{"header alone", "", someParent, traceID, ""},
		{"both", someParent, otherTrace, traceID, "0af7651916cd43dd8448eb211c80319c"},
		{"the same twice", someParent, someParent, traceID, ""},
		{"later version", "cc" + someParent[2:] + "-what-the-future-brings", "", traceID, ""},
		{"malformed meta", "00-zz", otherTrace, "0af7651916cd43dd8448eb211c80319c", ""},
		{"version ff", "ff" + someParent[2:], "", "", ""},
		{"more behind version 00", someParent + "-more", "", "", ""},
		{"capitals", strings.ToUpper(someParent), "", "", ""},
		{"zero trace", "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "", "", ""},
		{"zero span", "00-" + traceID + "-0000000000000000-01", "", "", ""},
		{"dashes elsewhere", strings.Replace(someParent, "-", "_", 1), "", "", ""},
		{"long", "01" + someParent[2:] + "-" + strings.Repeat("a", 300), "", "", ""},
	} {
		parent, link := parentOf(tt.meta, tt.header)
		for _, c := range []struct {
			what, want string
			valid      bool
			got        string
		}{{"parent", tt.parent, parent.IsValid(), parent.TraceID().String()}, {"link", tt.link, link.IsValid(), link.TraceID().String()}} {
			if c.valid != (c.want != "") || c.valid && c.got != c.want {
				t.Errorf("%s: %s is %s, want %q", tt.name, c.what, c.got, c.want)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(someParent)
	f.Add("cc" + someParent[2:] + "-x")
	f.Fuzz(func(t *testing.T, text string) {
		c := parse(text)
		if !c.IsValid() {
			return
		}
		if want := "-" + c.TraceID().String() + "-" + c.SpanID().String() + "-"; text[2:2+len(want)] != want || c.TraceState().Len() > 0 {
			t.Errorf("%q is taken for %v", text, c)
		}
	})
}

// A collector that is slow, refuses or is down holds nobody up: what finds no room is dropped, and
// what can be sent later is.
func TestAV04CollectorThatTakesNothing(t *testing.T) {
	t.Run("slow", func(t *testing.T) {
		wait := make(chan struct{})
		r := newReceiver(t, answer{http.StatusOK, 0, wait})
		tracer := newTracer(t, r.URL, func(c *Config) { c.Queue = 4 })
		const n = 100
		for range n { // none of which waits
			_, span := tracer.Begin(t.Context(), Request{Method: "ping"})
			span.End("")
		}
		close(wait)
		tracer.Close(t.Context())
		if sent, dropped := tracer.Counts(); sent+dropped != n || dropped == 0 || sent == 0 {
			t.Errorf("%d sent, %d dropped, of %d", sent, dropped, n)
		}
	})
	for _, tt := range []struct {
		name          string
		answers       []answer
		sent, dropped int64
	}{
		{"refused for good", []answer{{status: http.StatusBadRequest}}, 0, 1},
		{"refused in part", []answer{{status: http.StatusOK, refused: 1}}, 0, 1},
		{"more than there are", []answer{{status: http.StatusOK, refused: 99}}, 0, 1},
		{"a redirect is no answer", []answer{{status: http.StatusFound}}, 0, 1},
		{"later", []answer{{status: http.StatusServiceUnavailable}}, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t, tt.answers...)
			tracer := newTracer(t, r.URL, nil)
			_, span := tracer.Begin(t.Context(), Request{Method: "ping"})
			span.End("")
			for sent, dropped := tracer.Counts(); sent+dropped == 0; sent, dropped = tracer.Counts() {
				time.Sleep(time.Millisecond)
			}
			if sent, dropped := tracer.Counts(); sent != tt.sent || dropped != tt.dropped {
				t.Errorf("%d sent, %d dropped", sent, dropped)
			}
		})
	}
	t.Run("down", func(t *testing.T) {
		r := newReceiver(t)
		r.Server.Close()
		tracer := newTracer(t, r.URL, nil)
		_, span := tracer.Begin(t.Context(), Request{Method: "ping"})
		span.End("")
		tracer.Close(t.Context())
		if sent, dropped := tracer.Counts(); sent != 0 || dropped != 1 {
			t.Errorf("%d sent, %d dropped", sent, dropped)
		}
	})
}

// Whether a trace is recorded is for its id to decide, whatever flag a client sets.
func TestSampleIsOurs(t *testing.T) {
	r := newReceiver(t)
	tracer := newTracer(t, r.URL, func(c *Config) { c.Sample = 1e-9 })
	for i := range 50 {
		_, span := tracer.Begin(t.Context(), Request{Method: "ping", Meta: fmt.Sprintf("00-%032x-00f067aa0ba902b7-01", 1<<62+i<<40)})
		span.End("")
		ctx, span := tracer.Begin(t.Context(), Request{Method: "ping"})
		tracer.Sent(ctx, Sent{Method: "ping"})
		span.End("")
	}
	tracer.Close(t.Context())
	if len(r.spans) > 0 {
		t.Errorf("%d spans", len(r.spans))
	}
}

// What is off costs nothing.
func TestOffAllocatesNothing(t *testing.T) {
	var tracer *Tracer
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		ctx, span := tracer.Begin(ctx, Request{Method: "tools/call", Server: "sales"})
		span.Judged(Call{Tool: "x"})
		tracer.Sent(ctx, Sent{Method: "tools/call"})
		span.Ended("ok")
		span.End("")
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	tracer.Close(ctx)
}

// An id of a message says who made it only by what programs make.
func TestPlainID(t *testing.T) {
	for raw, want := range map[string]string{`7`: "7", `"8f14e45f-ceea"`: "8f14e45f-ceea", `"rep@acme.example"`: "", `"Bob"`: "", `null`: "", `"` + strings.Repeat("1", 65) + `"`: ""} {
		if got := plainID(raw); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}
