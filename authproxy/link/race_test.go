package link_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/examples/salesforcesim"
)

// As in package authproxy: so many callers at once, for many rounds.
const raceCallers = 50

// FT-14, FT-19: whenever an access token has run out, callers in two processes make one
// refresh at a Salesforce that ends a login whose spent token comes again, and all get
// what it gave. Of the callers in some rounds one ends the login, and afterwards nobody
// has a token, here or there.
func TestFaultFT14FT19RaceToRefresh(t *testing.T) {
	t.Parallel()
	sim := simulate(t, salesforcesim.Config{AccessTokenLifetime: time.Hour}, salesforcesim.PublicClientID)
	processes := []*process{sim.process(t), sim.process(t)}
	signIn := func() { sim.signIn(t, processes[0], salesforcesim.RepUsername, salesforcesim.RepID, time.Hour) }
	signIn()
	for round := range rounds.Count(t) {
		if _, err := processes[0].db.Writes.Exec(`UPDATE links SET access_expires_at = 1`); err != nil {
			t.Fatal(err)
		}
		before, revoking := sim.tokenRequests(), round%5 == 4
		got := race(t, processes, func(i int, p *process) (string, error) {
			if revoking && i == raceCallers/2 {
				return "", p.Revoke(t.Context(), "acme", salesforcesim.RepID, "race")
			}
			return p.Token(t.Context(), "acme", salesforcesim.RepID)
		})
		refreshes := sim.tokenRequests() - before
		if revoking {
			if refreshes > 1 {
				t.Fatalf("round %d: %d refreshes of a login that was ended meanwhile", round, refreshes)
			}
			for _, p := range processes {
				if access, err := p.Token(t.Context(), "acme", salesforcesim.RepID); err == nil {
					t.Fatalf("round %d: a revoked login gives a token of %d characters", round, len(access))
				}
			}
			processes[0].drain(t)
			if live := sim.liveTokens(); live != 0 {
				t.Fatalf("round %d: %d refresh tokens are alive at Salesforce", round, live)
			}
			signIn()
			continue
		}
		for _, g := range got {
			if g.err != nil || g.access != got[0].access || g.access == "" {
				t.Fatalf("round %d: %v, the token the others got: %t", round, g.err, g.access == got[0].access)
			}
		}
		if refreshes != 1 {
			t.Fatalf("round %d: %d refreshes", round, refreshes)
		}
		if live := sim.liveTokens(); live != 1 {
			t.Fatalf("round %d: %d refresh tokens are alive at Salesforce", round, live)
		}
	}
	for _, token := range sim.RefreshTokens(salesforcesim.GrantFilter{}) {
		if token.Reused > 0 {
			t.Errorf("a spent token was presented %d times", token.Reused)
		}
	}
}

type racer struct {
	access string
	err    error
}

// race lets callers loose, in turn on each process.
func race(t *testing.T, processes []*process, call func(i int, p *process) (string, error)) []racer {
	t.Helper()
	got := make([]racer, raceCallers)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			<-start
			got[i].access, got[i].err = call(i, processes[i%len(processes)])
		})
	}
	close(start)
	all.Wait()
	return got
}

// FT-19: the link moves on between Revoke's look and its change, as it can where a database
// has several writers. Revoke looks again.
func TestFaultFT19RevokeLooksAgain(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		return // one writer at a time
	}
	f := newLogin(t)
	p, _ := signedIn(t, f)
	other, err := p.db.Writes.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	if _, err := other.Exec(`UPDATE links SET version = version + 1`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- p.Revoke(t.Context(), "acme", alice, "test") }()
	eventually(t, "it waits for the row", func() bool { return waitsForRow(t, p.db) })
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if access, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
		t.Errorf("a revoked login gives a token of %d characters, %v", len(access), err)
	}
}
