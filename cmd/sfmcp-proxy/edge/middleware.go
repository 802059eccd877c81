package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"sfmcp-proxy/authproxy/audit"
)

// Middleware wraps every public request, in reading order: name it, find out where
// it comes from, bound its body and its answer, survive its panics, write one line
// about it.
func (e *Edge) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := e.Now()
		o := audit.Origin{RequestID: e.ids.next(), Source: e.sources.of(r)}
		o.Relay = e.sources.relay(o.Source)
		r = r.WithContext(audit.WithOrigin(r.Context(), o))
		r.Host = e.sources.host(r)
		rec := newRecorder(w, r, e.WriteTime)
		rec.Header().Set("X-Request-Id", o.RequestID)
		if len(r.TransferEncoding) > 0 {
			// RFC 9112 6.1: the connection ends with a request that also had a length, which
			// net/http hides. What follows it might be part of it to a proxy in front.
			rec.Header().Set("Connection", "close")
		}
		r.Body = http.MaxBytesReader(w, r.Body, e.RequestBytes+1)
		e.load.Begin()
		defer func() {
			e.load.End()
			p := recover()
			if p != nil && p != http.ErrAbortHandler {
				e.Panicked(r.Context(), p)
				if rec.status == 0 {
					e.Unable(rec, r, http.StatusInternalServerError)
					p = nil
				}
			}
			rec.finish()
			took := e.Now().Sub(start)
			e.Metrics.count(r.URL.Path, rec.status, took)
			e.logRequest(r, o, requestLine{r.Method, loggedPath(r), rec.status, rec.bytes, took})
			if p != nil {
				panic(http.ErrAbortHandler) // an answer that broke off must not look whole
			}
		}()
		if e.load.full() {
			e.refuse(rec, r, "load")
			return
		}
		network := e.sources.network(r.RemoteAddr)
		if !e.load.admit(network) {
			e.refuse(rec, r, "source")
			return
		}
		defer e.load.release(network)
		next.ServeHTTP(rec, r)
	})
}

// refuse answers a request that there is no room for.
func (e *Edge) refuse(w http.ResponseWriter, r *http.Request, limit string) {
	e.Metrics.limited.WithLabelValues(limit).Inc()
	w.Header().Set("Retry-After", "1")
	e.Unable(w, r, http.StatusServiceUnavailable)
}

// Panicked notes a panic. The stack goes to the log, its values do not: a panic's text
// can hold what the request held.
func (e *Edge) Panicked(ctx context.Context, p any) {
	e.Metrics.panics.Inc()
	e.Log.ErrorContext(ctx, "panic", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
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

// Survive makes an error of a panic in background work, which will be tried again.
func (e *Edge) Survive(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			e.Panicked(context.Background(), p)
			err = errors.New("panic")
		}
	}()
	return work()
}
