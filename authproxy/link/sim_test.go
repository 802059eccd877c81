package link_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/examples/salesforcesim"
)

// simulated is the org acme at a simulated Salesforce, and the files of processes that are
// connected to it.
type simulated struct {
	*salesforcesim.Running
	files
	app string // consumer key
	now func() time.Time
	sf  *salesforce.Client
}

// simulate starts the simulation, whose clock the processes share.
func simulate(t *testing.T, c salesforcesim.Config, app string) *simulated {
	t.Helper()
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &simulated{files: newFiles(t), app: app, now: c.Now}
	var err error
	if s.Running, err = salesforcesim.Listen(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.sf, err = salesforce.New(salesforce.Config{Now: s.now, Log: slog.New(slog.DiscardHandler), Orgs: []salesforce.Org{{Name: "acme",
		LoginURL: s.LoginURL("acme"), OrgID: salesforcesim.OrgID, ClientID: app, InsecureHTTP: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// process starts one more process.
func (s *simulated) process(t *testing.T) *process {
	t.Helper()
	return s.files.start(t, newLogin(t), func(c *link.Config) { c.Salesforce, c.Now = s.sf, s.now })
}

// signIn stores a user's login through p. Its access token is taken to be good for so long.
func (s *simulated) signIn(t *testing.T, p *process, username, subject string, lifetime time.Duration) {
	t.Helper()
	access, refresh, err := s.IssueTokens(username, s.app)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Replace(t.Context(), "acme", &salesforce.Token{AccessToken: access, RefreshToken: refresh,
		ExpiresAt: s.now().Add(lifetime), OrgID: salesforcesim.OrgID, Subject: subject}); err != nil {
		t.Fatal(err)
	}
}

// tokenRequests counts the requests to the token endpoint.
func (s *simulated) tokenRequests() int {
	return len(s.Requests(salesforcesim.RequestFilter{Path: "/services/oauth2/token"}))
}

// liveTokens counts the refresh tokens that are alive.
func (s *simulated) liveTokens() (n int) {
	for _, token := range s.RefreshTokens(salesforcesim.GrantFilter{}) {
		if token.State == "live" {
			n++
		}
	}
	return n
}

// The same promises against the simulated Salesforce, whose recorder is the witness:
// fifty calls at expiry from two processes cause one refresh, a refresh whose answer is
// lost presents the spent token once, and a revoked user has no live token there.
func TestLinkAgainstSimulator(t *testing.T) {
	t.Parallel()
	sim := simulate(t, salesforcesim.Config{AccessTokenLifetime: time.Second}, salesforcesim.PublicClientID)
	processes := []*process{sim.process(t), sim.process(t)}
	sim.signIn(t, processes[0], salesforcesim.RepUsername, salesforcesim.RepID, -time.Second)
	if err := sim.ChangeSwitches(func(f *salesforcesim.Switches) {
		f.AccessTokenLifetime, f.TokenDelay = salesforcesim.Duration(time.Hour), salesforcesim.Duration(50*time.Millisecond)
	}); err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for i := range 50 {
		callers.Go(func() {
			if _, err := processes[i%2].Token(t.Context(), "acme", salesforcesim.RepID); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if got := sim.tokenRequests(); got != 1 {
		t.Errorf("%d refreshes at Salesforce", got)
	}

	if err := sim.ChangeSwitches(func(f *salesforcesim.Switches) { f.TokenRepliesLost = 1 }); err != nil {
		t.Fatal(err)
	}
	current, err := processes[0].Token(t.Context(), "acme", salesforcesim.RepID)
	if err != nil {
		t.Fatal(err)
	}
	// The first forced refresh is answered with a loss, the second attempt with invalid_grant.
	if _, err := processes[0].Refused(t.Context(), "acme", salesforcesim.RepID, current); err == nil {
		t.Error("a lost rotation gave a token")
	}
	if s, err := processes[1].Status(t.Context(), "acme", salesforcesim.RepID); s.State != link.NeedsReauth || err != nil {
		t.Errorf("link is %s, %v", s.State, err)
	}
	if got := sim.tokenRequests(); got != 3 {
		t.Errorf("%d requests to the token endpoint, expected 3", got)
	}
	for _, token := range sim.RefreshTokens(salesforcesim.GrantFilter{}) {
		if token.Reused > 1 {
			t.Errorf("a spent token was presented %d times", token.Reused)
		}
	}

	for range 2 {
		sim.signIn(t, processes[0], salesforcesim.ManagerUsername, salesforcesim.ManagerID, time.Hour)
	}
	if err := processes[1].Revoke(t.Context(), "acme", salesforcesim.ManagerID, "user revoke"); err != nil {
		t.Fatal(err)
	}
	processes[1].drain(t)
	for _, token := range sim.RefreshTokens(salesforcesim.GrantFilter{Username: salesforcesim.ManagerUsername}) {
		if token.State == "live" {
			t.Error("a refresh token of a revoked user is alive at Salesforce")
		}
	}
}
