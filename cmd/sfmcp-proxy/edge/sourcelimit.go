package edge

import (
	"io"
	"net/http"
	"net/netip"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/party"
)

// What one party may begin.
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
)

// admits takes one from the budget of the address's party. Nobody is known yet at that
// point, and each sign-in or registration leaves a row and perhaps an audit entry behind. What
// is no address is one party.
func admits(b *party.Budgets[netip.Prefix], source string, now time.Time) bool {
	address, _ := netip.ParseAddr(source)
	return b.Admits(party.Of(address), now)
}

// LimitSources refuses a party that begins too many sign-ins, with the answer tooMany,
// or registers too many clients (RFC 7591 3.2.2).
func (e *Edge) LimitSources(next, tooMany http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source := audit.OriginOf(r.Context()).Source
		switch r.URL.Path {
		case "/oauth/register":
			if !admits(e.registrations, source, e.Now()) {
				e.Metrics.limited.WithLabelValues("registration").Inc()
				w.Header().Set("Retry-After", "60")
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusTooManyRequests)
				io.WriteString(w, `{"error":"temporarily_unavailable","error_description":"too many registrations from your network"}`)
				return
			}
		case "/oauth/authorize", "/signin", "/signin/company", "/oauth/company/callback":
			if !admits(e.signIns, source, e.Now()) {
				e.Metrics.limited.WithLabelValues("sign_in").Inc()
				w.Header().Set("Retry-After", "60")
				tooMany.ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
