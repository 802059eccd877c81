package edge

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// nowhere is a response that costs nothing.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header              { return w.header }
func (w nowhere) WriteHeader(int)                  {}
func (w nowhere) SetWriteDeadline(time.Time) error { return nil }
func (w nowhere) Write(p []byte) (int, error)      { return len(p), nil }

// BenchmarkMiddleware is what every request costs before and after its handler: the
// router, the headers, the access record and the metrics.
func BenchmarkMiddleware(b *testing.B) {
	e := newEdge(b, func(c *Config) { c.Log = NewLog(NewLogWriter(io.Discard)) })
	r := httptest.NewRequest("POST", "/mcp/sales", nil)
	h := e.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(nowhere{http.Header{}}, r)
	}
}

// A handler that fails when its answer is half sent must not look like one that ended.
func TestPanicBreaksAHalfSentAnswer(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	for name, value := range map[string]any{"abort": http.ErrAbortHandler, "panic": "boom"} {
		server := httptest.NewServer(e.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			http.NewResponseController(w).Flush()
			panic(value)
		})))
		resp, err := http.Get(server.URL)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the answer seems whole", name)
		}
		server.Close()
	}
}

// CL-17: a handler that panics with a token in its hands tells where, and not what.
func TestCL17PanicInForward(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	e := newEdge(t, func(c *Config) { c.Log = slog.New(WithOrigin{slog.NewJSONHandler(&log, nil)}) })
	const token = "00Dxx0000001gPF!CANARY.of.a.token"
	h := e.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/text":
			panic("calling Salesforce with " + token)
		case "/error":
			panic(fmt.Errorf("header %q", "Bearer "+token))
		default:
			panic(struct{ Token string }{token})
		}
	}))
	for _, path := range []string{"/text", "/error", "/value"} {
		rec := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, path+"?access_token="+token, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		h.ServeHTTP(rec, r)
		if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "CANARY") || strings.Contains(rec.Body.String(), ".go:") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	if text := log.String(); strings.Contains(text, "CANARY") || strings.Count(text, `"msg":"panic"`) != 3 || !strings.Contains(text, "middleware_test.go") {
		t.Errorf("the log of the panics:\n%s", text)
	}
}
