package edge

import (
	"io"
	"net/http"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/audit"
)

// sourceLimit bounds what each address may begin. Nobody is known yet at that point, and each
// sign-in or registration leaves a row and perhaps an audit entry behind.
type sourceLimit struct {
	perSecond rate.Limit
	burst     int
	limiters  *lru.Cache[string, *rate.Limiter]
}

// What one address may begin.
const (
	// SignInsPerSecond and SignInBurst are fewer sign-ins than the store holds open at a
	// time, and more than an office behind one address needs.
	SignInsPerSecond = 10
	SignInBurst      = 300
	// RegistrationsPerSecond and RegistrationBurst leave room for clients that register at
	// each connection. In a day one address cannot fill the store (10 000), which forgets
	// unused ones after a day.
	RegistrationsPerSecond = 1. / 12
	RegistrationBurst      = 30

	knownAddresses = 10_000
)

func newSourceLimit(perSecond rate.Limit, burst int) *sourceLimit {
	cache, err := lru.New[string, *rate.Limiter](knownAddresses)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return &sourceLimit{perSecond, burst, cache}
}

// admits takes one from the address's budget. An IPv6 host has a whole /64.
func (s *sourceLimit) admits(source string, now time.Time) bool {
	if address, err := netip.ParseAddr(source); err == nil && address.Is6() && !address.Is4In6() {
		source = hostNetwork(address).String()
	}
	fresh := rate.NewLimiter(s.perSecond, s.burst)
	if known, found, _ := s.limiters.PeekOrAdd(source, fresh); found {
		fresh = known
		s.limiters.Get(source) // mark as used
	}
	return fresh.AllowN(now, 1)
}

// LimitSources refuses an address that begins too many sign-ins, with the answer tooMany,
// or registers too many clients (RFC 7591 3.2.2).
func (e *Edge) LimitSources(next, tooMany http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source := audit.OriginOf(r.Context()).Source
		switch r.URL.Path {
		case "/oauth/register":
			if !e.registrations.admits(source, e.Now()) {
				e.Metrics.limited.WithLabelValues("registration").Inc()
				w.Header().Set("Retry-After", "60")
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusTooManyRequests)
				io.WriteString(w, `{"error":"temporarily_unavailable","error_description":"too many registrations from your network"}`)
				return
			}
		case "/oauth/authorize", "/signin":
			if !e.signIns.admits(source, e.Now()) {
				e.Metrics.limited.WithLabelValues("sign_in").Inc()
				w.Header().Set("Retry-After", "60")
				tooMany.ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
