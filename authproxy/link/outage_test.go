package link_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/examples/salesforcesim"
)

// FT-16: ten minutes of outage, by two processes with impatient callers: in no minute is
// Salesforce asked more than six times for one login, and the pauses differ.
func TestFaultFT16CallsPerMinute(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	processes := []*process{fs.start(t, f, nil), fs.start(t, f, nil)}
	processes[0].signIn(t, f)
	f.clock.pass(time.Hour)
	var asked []time.Time
	f.token = func(w http.ResponseWriter, _ *http.Request) {
		f.set(func() { asked = append(asked, f.clock.Now()) })
		w.WriteHeader(503)
	}
	for i := range 3000 {
		if _, err := processes[i%2].Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrUnavailable) {
			t.Fatal(err)
		}
		f.clock.pass(200 * time.Millisecond)
	}
	pauses := map[time.Duration]bool{}
	for i, at := range asked {
		if i > 0 {
			pauses[at.Sub(asked[i-1])] = true
		}
		if i >= 6 && at.Sub(asked[i-6]) < time.Minute {
			t.Errorf("seven requests within %s", at.Sub(asked[i-6]))
		}
	}
	if len(asked) < 40 || len(pauses) < 5 {
		t.Errorf("%d requests, %d different pauses", len(asked), len(pauses))
	}
	f.set(func() { f.token = nil })
	f.clock.pass(13 * time.Second)
	for _, p := range processes {
		if _, err := p.Token(t.Context(), "acme", alice); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	}
}

// FT-16: an endpoint that takes its time. Callers with a token do not wait, others no
// longer than they want to, and the refresh goes on without them.
func TestFaultFT16Slow(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, token := signedIn(t, f)
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	f.token = func(w http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; <-release; f.refresh(w, r) }
	f.clock.pass(29*time.Minute + 30*time.Second)
	for range 10 {
		if got, err := p.Token(t.Context(), "acme", alice); got != token.AccessToken || err != nil {
			t.Fatalf("before expiry: %v", err)
		}
	}
	<-arrived // before its lease ends: one that has ended sends nothing
	f.clock.pass(time.Minute)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		if _, err := p.Token(ctx, "acme", alice); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after expiry: %v", err)
		}
		cancel()
	}
	close(release)
	if got, err := p.Token(t.Context(), "acme", alice); got == token.AccessToken || err != nil {
		t.Errorf("once it answers: %v", err)
	}
	if calls, reused := f.counts(); calls != 1 || reused != 0 {
		t.Errorf("%d requests, %d with a spent token", calls, reused)
	}
}

// FT-27: the key host lags behind a rotation of keys. The login survives, and so does its
// refresh token.
func TestFaultFT27LaggingKeysLoseNoLogin(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); err != nil { // keys are cached from here on
		t.Fatal(err)
	}
	published := f.kid
	f.token = func(w http.ResponseWriter, r *http.Request) {
		f.set(func() { f.kid = "next" }) // for the token
		f.refresh(w, r)
		f.set(func() { f.kid = published })
	}
	for range 5 {
		f.clock.pass(time.Hour)
		if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrUnavailable) {
			t.Errorf("by a key that is not published: %v", err)
		}
	}
	f.set(func() { f.token, f.kid = nil, "next" })
	f.clock.pass(time.Minute)
	if _, err := p.Token(t.Context(), "acme", alice); err != nil {
		t.Errorf("once it is published: %v", err)
	}
	if _, reused := f.counts(); reused != 0 {
		t.Errorf("a spent token was sent %d times", reused)
	}
}

// FT-18: the app's idle limit is 30 days. Each use moves it; a login that nobody used is
// found over at its next use, by one request, and nobody kept it alive in between.
func TestFaultFT18IdleLogin(t *testing.T) {
	t.Parallel()
	at := &clock{now: time.Now().Truncate(time.Second)}
	sim := simulate(t, salesforcesim.Config{Now: at.Now, Orgs: []salesforcesim.Org{{Name: "acme", ID: salesforcesim.OrgID,
		Apps: []salesforcesim.ECA{{ClientID: client, RefreshIdle: 30 * 24 * time.Hour}}}}}, client)
	p := sim.process(t)
	signIn := func() {
		t.Helper()
		sim.signIn(t, p, salesforcesim.RepUsername, salesforcesim.RepID, 30*time.Minute)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.RunRevocations(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	signIn()
	const day = 24 * time.Hour
	for i, tc := range []struct {
		idle time.Duration
		over bool
	}{{29 * day, false}, {29 * day, false}, {31 * day, true}, {time.Minute, true}} {
		before := sim.tokenRequests()
		at.pass(tc.idle)
		if n := sim.tokenRequests(); n != before {
			t.Errorf("step %d: %d requests while nobody called", i, n-before)
		}
		_, err := p.Token(t.Context(), "acme", salesforcesim.RepID)
		if tc.over != errors.Is(err, link.ErrNeedsReauth) || !tc.over && err != nil {
			t.Errorf("step %d, idle for %s: %v", i, tc.idle, err)
		}
	}
	if n := sim.tokenRequests(); n != 3 {
		t.Errorf("%d requests to the token endpoint, expected 3", n)
	}
	signIn()
	if _, err := p.Token(t.Context(), "acme", salesforcesim.RepID); err != nil {
		t.Errorf("after a new sign-in: %v", err)
	}
}
