package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

// writeTime is how long a client may take to accept one write of an answer. There is no
// time for a whole answer: event streams live long.
const writeTime = 30 * time.Second

// middleware wraps every public request, in reading order: name it, find out where
// it comes from, bound its body and its answer, survive its panics, write one line
// about it.
func (a *app) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := a.now()
		o := audit.Origin{RequestID: a.ids.next(), Source: a.source(r)}
		r = r.WithContext(audit.WithOrigin(r.Context(), o))
		rec := newRecorder(w, r, a.writeTime)
		rec.Header().Set("X-Request-Id", o.RequestID)
		if len(r.TransferEncoding) > 0 {
			// RFC 9112 6.1: the connection ends with a request that also had a length, which
			// net/http hides. What follows it might be part of it to a proxy in front.
			rec.Header().Set("Connection", "close")
		}
		r.Body = http.MaxBytesReader(w, r.Body, int64(a.config.Limits.RequestBytes)+1)
		a.load.begin()
		defer func() {
			a.load.end()
			p := recover()
			if p != nil && p != http.ErrAbortHandler {
				a.panicked(r.Context(), p)
				if rec.status == 0 {
					http.Error(rec, "internal error", http.StatusInternalServerError)
					p = nil
				}
			}
			rec.finish()
			took := a.now().Sub(start)
			a.metrics.count(r.URL.Path, rec.status, took)
			a.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("path", loggedPath(r)),
				slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes), slog.Int64("ms", took.Milliseconds()))
			if p != nil {
				panic(http.ErrAbortHandler) // an answer that broke off must not look whole
			}
		}()
		if a.load.full() {
			a.refuse(rec, "load")
			return
		}
		network := a.network(r.RemoteAddr)
		if !a.load.admit(network) {
			a.refuse(rec, "source")
			return
		}
		defer a.load.release(network)
		next.ServeHTTP(rec, r)
	})
}

// refuse answers a request that there is no room for.
func (a *app) refuse(w http.ResponseWriter, limit string) {
	a.metrics.limited.WithLabelValues(limit).Inc()
	w.Header().Set("Retry-After", "1")
	http.Error(w, "too much to do at the moment", http.StatusServiceUnavailable)
}

// panicked notes a panic. The stack goes to the log, its values do not: a panic's text
// can hold what the request held.
func (a *app) panicked(ctx context.Context, p any) {
	a.metrics.panics.Inc()
	a.log.ErrorContext(ctx, "panic", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
}

// loggedPath is the path without its query, which can hold codes and states.
func loggedPath(r *http.Request) string {
	const most = 200
	path := r.URL.EscapedPath()
	if len(path) <= most {
		return path
	}
	return path[:most] + "…"
}

// requestIDs makes names for requests: 80 random bits each, read a block at a time.
type requestIDs struct {
	mu    sync.Mutex
	block [640]byte
	left  []byte
}

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

func (i *requestIDs) next() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.left) == 0 {
		rand.Read(i.block[:]) // does not fail: it ends the program first
		i.left = i.block[:]
	}
	id := idEncoding.EncodeToString(i.left[:10])
	i.left = i.left[10:]
	return id
}

// recorder notes what a handler answers, for the request's log line, and gives the
// client a time for each write.
type recorder struct {
	http.ResponseWriter
	control   *http.ResponseController
	writeTime time.Duration
	lasting   bool // the deadline acts at its time, not only on a write
	status    int
	bytes     int64
}

// newRecorder gives each write of an answer so long. A deadline of HTTP/2 resets the
// stream when it comes, although nothing is being written, so there it is lifted in
// between.
func newRecorder(w http.ResponseWriter, r *http.Request, writeTime time.Duration) *recorder {
	return &recorder{ResponseWriter: w, control: http.NewResponseController(w), writeTime: writeTime, lasting: r.ProtoMajor >= 2}
}

// Unwrap lets http.ResponseController reach what is not here.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// SetWriteDeadline does nothing: every write has its deadline already, and one that a
// handler leaves behind would end its stream between two writes.
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	r.hurry()
	n, err := r.ResponseWriter.Write(p)
	r.relax()
	r.bytes += int64(n)
	return n, err
}

// FlushError sends what is buffered; http.ResponseController calls it.
func (r *recorder) FlushError() error {
	r.hurry()
	defer r.relax()
	return r.control.Flush()
}

// finish gives a deadline to what the server sends after the handler.
func (r *recorder) finish() { r.hurry() }

// A response without deadlines is one of a test or a hijacked connection.
func (r *recorder) hurry() { _ = r.control.SetWriteDeadline(time.Now().Add(r.writeTime)) }

func (r *recorder) relax() {
	if r.lasting {
		_ = r.control.SetWriteDeadline(time.Time{})
	}
}
