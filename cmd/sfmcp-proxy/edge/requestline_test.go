package edge

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/audit"
)

// The line that is put together by hand says what package slog would.
func TestRequestLine(t *testing.T) {
	t.Parallel()
	o := audit.Origin{RequestID: "ABC", Source: "192.0.2.1"}
	at := time.Date(2026, 3, 4, 5, 6, 7, 890, time.FixedZone("", 3600))
	for _, l := range []requestLine{
		{"POST", "/mcp/sales", 200, 1234, 56 * time.Millisecond},
		{"GET", "/a\"b\\c%20<é\u2028\x01\x7f\xff>&", 404, 0, 0},
	} {
		var want bytes.Buffer
		rec := slog.NewRecord(at, slog.LevelInfo, "request", 0)
		rec.AddAttrs(slog.String("method", l.method), slog.String("path", l.path), slog.Int("status", l.status), slog.Int64("bytes", l.bytes), slog.Int64("ms", l.took.Milliseconds()))
		if err := (WithOrigin{slog.NewJSONHandler(&want, nil)}).Handle(audit.WithOrigin(t.Context(), o), rec); err != nil {
			t.Fatal(err)
		}
		got := l.append(nil, at, o)
		if diff := cmp.Diff(members(t, want.Bytes()), members(t, got)); diff != "" || bytes.Count(got, []byte("\n")) != 1 || got[len(got)-1] != '\n' {
			t.Errorf("%q: %s", got, diff)
		}
	}
}

func members(t *testing.T, line []byte) (all map[string]any) {
	t.Helper()
	if err := json.Unmarshal(line, &all); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return all
}

// Every request has one line, whoever writes it.
func TestEveryRequestHasALine(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	records := NewLogWriter(&out)
	e := newEdge(t, func(c *Config) { c.Log = NewLog(records) })
	h := e.Middleware(page)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/mcp/sales?secret", nil))
	e.Log.With("a", "b").InfoContext(t.Context(), "another")
	records.Close(plenty)
	lines := bytes.Split(bytes.TrimSpace([]byte(out.String())), []byte("\n"))
	if len(lines) != 2 {
		t.Fatalf("%q", out.String())
	}
	first := members(t, lines[0])
	if first["msg"] != "request" || first["path"] != "/mcp/sales" || first["status"] != 200.0 || first["request_id"] != rec.Header().Get("X-Request-Id") || first["bytes"] != float64(len("a page")) {
		t.Errorf("%v", first)
	}
	if second := members(t, lines[1]); second["msg"] != "another" || second["a"] != "b" {
		t.Errorf("%v", second)
	}
	io.Copy(io.Discard, rec.Body)
}
