package main

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// killing passes requests on, and kills the process that serves a host while one of them is under way.
type killing struct {
	http.RoundTripper
	host string
	kill func() // ends the process; set before begin

	mu    sync.Mutex
	path  []string        // of the requests to host so far
	took  []time.Duration // each of them
	at    int             // at which of them to kill; 0: at none
	after time.Duration   // how long after it was sent
}

// begin forgets the requests so far.
func (k *killing) begin(at int, after time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.path, k.took, k.at, k.after = nil, nil, at, after
}

// last is the path of the last request.
func (k *killing) last() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.path[len(k.path)-1]
}

// RoundTrip implements [http.RoundTripper].
func (k *killing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != k.host {
		return k.RoundTripper.RoundTrip(r)
	}
	k.mu.Lock()
	k.path = append(k.path, r.URL.Path)
	if len(k.path) == k.at {
		time.AfterFunc(k.after, k.kill)
	}
	k.mu.Unlock()
	begun := time.Now()
	resp, err := k.RoundTripper.RoundTrip(r)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.took = append(k.took, time.Since(begun))
	return resp, err
}

// FT-04: killed while consent is given, Salesforce sends the browser back, the code is made or redeemed: at
// several moments of each of these requests. There is no code before Salesforce has sent somebody back, no
// grant is half made, the user signs in again at once, and no login of Salesforce's stays but those whose
// tokens were on their way to the process when it was killed: nobody has those.
func TestFaultFT04KilledWhileSigningIn(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	s := startSignIns(t)
	s.begin(0, 0)
	s.signIn(t)
	paths, took := s.path, s.took
	if len(paths) < 4 || paths[len(paths)-1] != "/oauth/token" {
		t.Fatalf("signing in is %q", paths)
	}
	moments := 1
	if rounds.AreMany(t) {
		moments = 8
	}
	kills := 0
	for step := 1; step < len(paths); step++ { // the first writes nothing that is worth anything
		for moment := range moments {
			after := took[step] * time.Duration(2*moment+1) / time.Duration(2*moments)
			s.killedSignIn(t, step+1, after)
			kills++
			s.signIn(t)
			s.check(t, fmt.Sprintf("killed %s after %s was asked for", after, paths[step]))
		}
	}
	s.must("audit", "verify")
	s.must("user", "revoke", rep)
	s.check(t, "access was taken away")
	t.Logf("%d kills; logins whose tokens nobody got: %d at most", kills, s.lost)
}

// signIns is a proxy as a process of its own, and somebody who signs in.
type signIns struct {
	*demo
	*killing
	process   *replica
	callbacks int // times that Salesforce has sent the browser back
	lost      int // logins at most whose tokens were on their way when the process was killed
}

func startSignIns(t *testing.T) *signIns {
	t.Helper()
	d, r := prepareServed(t, t.TempDir(), "")
	k := &killing{RoundTripper: &http.Transport{DisableKeepAlives: true}, host: r.listen}
	d.by = &http.Client{Transport: k}
	r.start()
	return &signIns{d, k, r, 0, 0}
}

// killedSignIn signs in until the process is killed, starts it again, and redeems the code once more, if there was one.
func (s *signIns) killedSignIn(t *testing.T, at int, after time.Duration) {
	t.Helper()
	process := s.process.process.Process
	s.kill = func() { _ = process.Kill() } // this one, however late
	s.begin(at, after)
	c, redeem, err := s.code(t.Context(), s.browser(), "sobject-all", rep)
	if err == nil {
		_, _, _ = c.redeem(t.Context(), redeem)
	} else if s.last() == "/oauth/callback" {
		s.lost++
	}
	s.kill() // where the request that it was to be killed in never came
	if _, err := process.Wait(); err != nil {
		t.Fatal(err)
	}
	s.countCallbacks()
	s.begin(0, 0)
	s.process.start()
	if redeem != nil {
		if status, body, err := c.redeem(t.Context(), redeem); err != nil || status != http.StatusOK && status != http.StatusBadRequest {
			t.Errorf("a code whose answer was lost: %d %s %v", status, body, err)
		}
	}
}

// signIn signs in, and calls something.
func (s *signIns) signIn(t *testing.T) {
	t.Helper()
	c, redeem, err := s.code(t.Context(), s.browser(), "sobject-all", rep)
	if err != nil {
		t.Fatal(err)
	}
	c.token(redeem)
	s.countCallbacks()
	c.d = &demo{t: t, Setup: s.Setup}
	c.initialize()
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError {
		t.Errorf("a call after signing in: %d %s", r.Status, r.body)
	}
}

func (s *signIns) countCallbacks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range s.path {
		if path == "/oauth/callback" {
			s.callbacks++
		}
	}
}

// check looks at what is stored, here and at Salesforce.
func (s *signIns) check(t *testing.T, when string) {
	t.Helper()
	store := s.database()
	for what, query := range map[string]string{
		"grants in use without a token":       `SELECT COUNT(*) FROM grants g WHERE activated_at > 0 AND revoked_at = 0 AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.grant_id = g.id)`,
		"access tokens of a grant not in use": `SELECT COUNT(*) FROM access_tokens a JOIN grants g ON g.id = a.grant_id WHERE g.activated_at = 0`,
		"refresh tokens of such":              `SELECT COUNT(*) FROM refresh_tokens r JOIN grants g ON g.id = r.grant_id WHERE g.activated_at = 0`,
		"spent codes of such":                 `SELECT COUNT(*) FROM codes c JOIN grants g ON g.id = c.grant_id WHERE c.redeemed_at > 0 AND g.activated_at = 0`,
		"logins in use without a person":      `SELECT COUNT(*) FROM links l WHERE state = 'active' AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.org = l.org AND g.subject = l.subject)`,
	} {
		var n int
		if err := store.Reads.QueryRow(query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d %s, %v", when, n, what, err)
		}
	}
	var codes int
	if err := store.Reads.QueryRow(`SELECT COUNT(*) FROM codes`).Scan(&codes); err != nil || codes > s.callbacks {
		t.Errorf("%s: %d codes, and Salesforce sent the browser back %d times, %v", when, codes, s.callbacks, err)
	}
	eventually(t, plenty, when+": Salesforce's logins are revoked but the last, or will be", func() bool {
		var queued int // what was being revoked when the process was killed is tried again later
		if err := store.Reads.QueryRow(`SELECT COUNT(*) FROM upstream_revocations`).Scan(&queued); err != nil {
			t.Fatal(err)
		}
		return s.refreshTokens()["live"] <= 1+s.lost+queued
	})
}
