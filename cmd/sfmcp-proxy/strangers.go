package main

import (
	"io"
	"net/http"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/audit"
)

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
		source = hostNetwork(address).String()
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
			a.metrics.limited.WithLabelValues("registration").Inc()
			w.Header().Set("Retry-After", "60")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"error":"temporarily_unavailable","error_description":"too many registrations from your network"}`)
			return
		}
		begins := r.URL.Path == "/oauth/authorize" || r.URL.Path == "/signin"
		if begins && !a.strangers.admits(source, a.now()) {
			a.metrics.limited.WithLabelValues("sign_in").Inc()
			w.Header().Set("Retry-After", "60")
			tooMany.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
