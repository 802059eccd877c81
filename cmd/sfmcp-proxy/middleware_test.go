package main

import (
	"io"
	"net/http"
	"net/http/httptest"
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
	a, _ := configured(b, twoOrgs)
	a.log, _ = logTo(io.Discard)
	r := httptest.NewRequest("POST", "/mcp/sales", nil)
	h := a.middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(nowhere{http.Header{}}, r)
	}
}
