package edge

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"sfmcp-proxy/authproxy/audit"
)

// NewLog returns a logger that writes JSON to w, with the origin of each record. The line
// about a request is put together by hand: there is one for each.
func NewLog(w *LogWriter) *slog.Logger {
	return slog.New(jsonLog{WithOrigin{slog.NewJSONHandler(w, nil)}, w})
}

// jsonLog is a log handler whose writer is known.
type jsonLog struct {
	WithOrigin
	to *LogWriter
}

// requestLine is what the log says of a request.
type requestLine struct {
	method, path string
	status       int
	bytes        int64
	took         time.Duration
}

// logRequest writes the line.
func (e *Edge) logRequest(r *http.Request, o audit.Origin, l requestLine) {
	if to, ok := e.Log.Handler().(jsonLog); ok {
		var room [512]byte
		to.to.Write(l.append(room[:0], time.Now(), o))
		return
	}
	e.Log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", l.method), slog.String("path", l.path),
		slog.Int("status", l.status), slog.Int64("bytes", l.bytes), slog.Int64("ms", l.took.Milliseconds()))
}

// append appends the line as package slog writes it.
func (l requestLine) append(b []byte, at time.Time, o audit.Origin) []byte {
	b = at.AppendFormat(append(b, `{"time":"`...), time.RFC3339Nano)
	b = appendText(append(b, `","level":"INFO","msg":"request","method":`...), l.method)
	b = appendText(append(b, `,"path":`...), l.path)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(l.status), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), l.bytes, 10)
	b = strconv.AppendInt(append(b, `,"ms":`...), l.took.Milliseconds(), 10)
	b = appendText(append(b, `,"request_id":`...), o.RequestID)
	b = appendText(append(b, `,"source":`...), o.Source)
	return append(b, "}\n"...)
}

// appendText appends s as a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendUnusual(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendUnusual does so for what has to be escaped, or may have to.
func appendUnusual(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...) // there is no such string
	}
	return append(b, quoted...)
}
