package edge

import (
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/party"
)

// sourceLimit bounds what each party (package party) may begin. Nobody is known yet at that
// point, and each sign-in or registration leaves a row and perhaps an audit entry behind.
type sourceLimit struct {
	perSecond rate.Limit
	burst     int

	mu       sync.Mutex
	limiters map[netip.Prefix]*rate.Limiter
}

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

	// knownParties are remembered at a time, a MiB or two. Beyond that the one with most left of
	// its budget is forgotten, of sampledParties that chance chooses: who floods stays known,
	// however many others come.
	knownParties   = 10_000
	sampledParties = 64
)

func newSourceLimit(perSecond rate.Limit, burst int) *sourceLimit {
	return &sourceLimit{perSecond: perSecond, burst: burst, limiters: map[netip.Prefix]*rate.Limiter{}}
}

// admits takes one from the budget of the address's party. What is no address is one party.
func (s *sourceLimit) admits(source string, now time.Time) bool {
	address, _ := netip.ParseAddr(source)
	of := party.Of(address)
	s.mu.Lock()
	defer s.mu.Unlock()
	limiter, known := s.limiters[of]
	if !known {
		if len(s.limiters) >= knownParties {
			s.forgetOne(now)
		}
		limiter = rate.NewLimiter(s.perSecond, s.burst)
		s.limiters[of] = limiter
	}
	return limiter.AllowN(now, 1)
}

// forgetOne forgets whom it costs least to forget: whoever has all of his budget is admitted
// as if he had never come. s.mu is held.
func (s *sourceLimit) forgetOne(now time.Time) {
	var idlest netip.Prefix
	most, looked := -1., 0
	for p, limiter := range s.limiters { // in an order of chance
		if left := limiter.TokensAt(now); left > most {
			idlest, most = p, left
		}
		if looked++; looked == sampledParties {
			break
		}
	}
	delete(s.limiters, idlest)
}

// LimitSources refuses a party that begins too many sign-ins, with the answer tooMany,
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
