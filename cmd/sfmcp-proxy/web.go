package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gorilla/mux"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/ui"
)

// publicHandler is the URL table of the public listener.
//
// The router neither cleans nor decodes paths: what does not match literally is
// unknown, so no spelling of a path reaches a handler by another road (RS-16).
func (a *app) publicHandler() http.Handler {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	a.authorization.Register(r) // /.well-known/…, /oauth/…, /signin, /signout
	a.pages.Mount(r)            // /, /connect/…, /account, /approvals
	r.Handle("/mcp/{server}", a.forward)
	r.PathPrefix("/assets/").Handler(ui.Assets())
	r.NotFoundHandler = message(http.StatusNotFound, "Not found", "There is nothing at this address.")
	r.MethodNotAllowedHandler = message(http.StatusMethodNotAllowed, "Not possible", "This address does not take that kind of request.")
	r.Use(a.limitStrangers)
	return a.middleware(ui.Headers(strings.HasPrefix(a.config.PublicURL, "https:"), r))
}

// message answers with a page that says one thing.
func message(status int, title, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		page := ui.MessagePage{Title: title, Text: text, Links: []ui.Link{{Text: "Your account", Path: "/account"}}}
		if err := ui.Render(w, status, page); err != nil {
			http.Error(w, title, status)
		}
	})
}

// privateHandler is what the private listener answers, and nothing else.
func (a *app) privateHandler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	m.HandleFunc("GET /readyz", a.ready)
	m.Handle("GET /metrics", a.metrics.handler())
	return m
}

// ready says whether this process should get traffic: its database answers and it
// is not shutting down.
func (a *app) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	if a.draining.Load() || a.db.Reads.PingContext(ctx) != nil {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// middleware wraps every public request, in reading order: name it, find out where
// it comes from, bound its body, survive its panics, write one line about it.
func (a *app) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := a.now()
		o := audit.Origin{RequestID: rand.Text()[:16], Source: a.source(r)}
		r = r.WithContext(audit.WithOrigin(r.Context(), o))
		rec := &recorder{ResponseWriter: w}
		rec.Header().Set("X-Request-Id", o.RequestID)
		r.Body = http.MaxBytesReader(rec, r.Body, int64(a.config.Limits.RequestBytes)+1)
		defer func() {
			p := recover()
			if p != nil && p != http.ErrAbortHandler {
				// The stack goes to the log, its values do not: a panic's text can hold what the
				// request held.
				a.log.ErrorContext(r.Context(), "panic in handler", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
				if rec.status == 0 {
					http.Error(rec, "internal error", http.StatusInternalServerError)
					p = nil
				}
			}
			took := a.now().Sub(start)
			a.metrics.count(r.URL.Path, rec.status, took)
			a.log.InfoContext(r.Context(), "request", "method", r.Method, "path", loggedPath(r), "status", rec.status,
				"bytes", rec.bytes, "ms", took.Milliseconds())
			if p != nil {
				panic(http.ErrAbortHandler) // an answer that broke off must not look whole
			}
		}()
		next.ServeHTTP(rec, r)
	})
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

// strangers counts what each address begins. Nobody is known yet at that point, and each
// sign-in or registration leaves a row and perhaps an audit entry behind.
type strangers struct {
	perSecond rate.Limit
	burst     int
	limiters  *lru.Cache[string, *rate.Limiter]
}

// One address may begin so many sign-ins, which is less than the store holds open at a
// time and more than an office behind one address needs.
const (
	signInsPerSecond = 10
	signInBurst      = 300
	knownAddresses   = 10_000
	// One address may register so many clients: some clients register at each connection.
	// In a day it cannot fill the store (10 000), which forgets unused ones after a day.
	registrationsPerSecond = 1. / 12
	registrationBurst      = 30
)

func newStrangers(perSecond rate.Limit, burst int) *strangers {
	cache, err := lru.New[string, *rate.Limiter](knownAddresses)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return &strangers{perSecond, burst, cache}
}

// admits takes one from the address's budget. An IPv6 host has a whole /64.
func (s *strangers) admits(source string, now time.Time) bool {
	if address, err := netip.ParseAddr(source); err == nil && address.Is6() && !address.Is4In6() {
		if network, err := address.Prefix(64); err == nil {
			source = network.String()
		}
	}
	fresh := rate.NewLimiter(s.perSecond, s.burst)
	if known, found, _ := s.limiters.PeekOrAdd(source, fresh); found {
		fresh = known
		s.limiters.Get(source) // mark as used
	}
	return fresh.AllowN(now, 1)
}

// limitStrangers refuses an address that begins too many sign-ins, or registers too many
// clients.
func (a *app) limitStrangers(next http.Handler) http.Handler {
	tooMany := message(http.StatusTooManyRequests, "Too many sign-ins", "Too many sign-ins were begun from your network. Wait a minute, then try again.")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source := audit.OriginOf(r.Context()).Source
		if r.URL.Path == "/oauth/register" && !a.registrants.admits(source, a.now()) {
			w.Header().Set("Retry-After", "60")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"error":"temporarily_unavailable","error_description":"too many registrations from your network"}`)
			return
		}
		begins := r.URL.Path == "/oauth/authorize" || r.URL.Path == "/signin"
		if begins && !a.strangers.admits(source, a.now()) {
			w.Header().Set("Retry-After", "60")
			tooMany.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// source is the address the request comes from. X-Forwarded-For counts only from a
// trusted proxy, and of it the last address that is not itself one (RS-22).
func (a *app) source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil || !a.trusted(address) {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop
		if !a.trusted(hop) {
			break
		}
	}
	return address.String()
}

func (a *app) trusted(address netip.Addr) bool {
	for _, network := range a.trustedProxies {
		if network.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}

// recorder notes what a handler answers, for the request's log line.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach flush and deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

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
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// originHandler adds request id and source to every record that is logged with a
// request's context.
type originHandler struct{ slog.Handler }

func (h originHandler) Handle(ctx context.Context, rec slog.Record) error {
	if o := audit.OriginOf(ctx); o.RequestID != "" {
		rec.AddAttrs(slog.String("request_id", o.RequestID), slog.String("source", o.Source))
	}
	return h.Handler.Handle(ctx, rec)
}

func (h originHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return originHandler{h.Handler.WithAttrs(attrs)}
}

func (h originHandler) WithGroup(name string) slog.Handler {
	return originHandler{h.Handler.WithGroup(name)}
}
