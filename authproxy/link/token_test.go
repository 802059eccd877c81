package link_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
)

func TestTokenAsStored(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, token := signedIn(t, f)
	for _, at := range []time.Duration{0, 28 * time.Minute} {
		f.clock.pass(at)
		if got, err := p.Token(t.Context(), "acme", alice); got != token.AccessToken || err != nil {
			t.Errorf("after %s: another token or %v", at, err)
		}
	}
	if calls, _ := f.counts(); calls != 0 {
		t.Errorf("%d refreshes of a token that is good", calls)
	}
	for _, who := range [][2]string{{"acme", bob}, {"other", alice}, {"", ""}} {
		if _, err := p.Token(t.Context(), who[0], who[1]); !errors.Is(err, link.ErrNeedsReauth) {
			t.Errorf("no link of %v: %v", who, err)
		}
	}
}

func TestRefreshAheadOfExpiry(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, token := signedIn(t, f)
	release := make(chan struct{})
	f.token = func(w http.ResponseWriter, r *http.Request) { <-release; f.refresh(w, r) }
	f.clock.pass(29*time.Minute + time.Second)
	for range 3 {
		if got, err := p.Token(t.Context(), "acme", alice); got != token.AccessToken || err != nil {
			t.Fatalf("while the refresh runs: another token or %v", err)
		}
	}
	close(release)
	eventually(t, "new token", func() bool {
		got, err := p.Token(t.Context(), "acme", alice)
		return err == nil && got != token.AccessToken
	})
	if calls, reused := f.counts(); calls != 1 || reused != 0 {
		t.Errorf("%d refreshes, %d with a spent token", calls, reused)
	}
}

// A token that lives a minute is not renewed on each call.
func TestShortLivedTokens(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	f.lifetime = time.Minute
	p, _ := signedIn(t, f)
	for range 40 {
		if _, err := p.Token(t.Context(), "acme", alice); err != nil {
			t.Fatal(err)
		}
		f.clock.pass(time.Second)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if calls, _ := f.counts(); calls != 0 {
		t.Errorf("%d refreshes in the first 40 s of 60", calls)
	}
}

// FT-14: 100 calls at expiry, the leader cancelled: one refresh, all others served.
func TestFaultFT14ParallelCallsRefreshOnce(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, token := signedIn(t, f)
	arrived, release := make(chan struct{}), make(chan struct{})
	f.token = func(w http.ResponseWriter, r *http.Request) { close(arrived); <-release; f.refresh(w, r) }
	f.clock.pass(time.Hour)

	ctx, cancel := context.WithCancel(t.Context())
	leader := make(chan error)
	go func() {
		_, err := p.Token(ctx, "acme", alice)
		leader <- err
	}()
	<-arrived
	var followers sync.WaitGroup
	tokens := make([]string, 100)
	for i := range tokens {
		followers.Go(func() {
			var err error
			if tokens[i], err = p.Token(t.Context(), "acme", alice); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	if err := <-leader; !errors.Is(err, context.Canceled) {
		t.Errorf("leader got %v", err)
	}
	close(release)
	followers.Wait()
	for _, got := range tokens {
		if got != tokens[0] || got == token.AccessToken || got == "" {
			t.Fatal("followers did not get one new token")
		}
	}
	if calls, reused := f.counts(); calls != 1 || reused != 0 {
		t.Errorf("%d refreshes, %d with a spent token", calls, reused)
	}
	if diff := cmp.Diff([]link.EventKind{link.Refreshed}, p.seen()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Two processes at expiry: the lease makes it one refresh.
func TestTwoProcessesRefreshOnce(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	processes := []*process{fs.start(t, f, nil), fs.start(t, f, nil)}
	processes[0].signIn(t, f)
	f.token = func(w http.ResponseWriter, r *http.Request) { time.Sleep(50 * time.Millisecond); f.refresh(w, r) }
	for round := 1; round <= 3; round++ {
		f.clock.pass(time.Hour)
		var callers sync.WaitGroup
		tokens := make([]string, 40)
		for i := range tokens {
			callers.Go(func() {
				var err error
				if tokens[i], err = processes[i%2].Token(t.Context(), "acme", alice); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		for _, got := range tokens {
			if got != tokens[0] {
				t.Fatal("callers got different tokens")
			}
		}
		if calls, reused := f.counts(); calls != round || reused != 0 {
			t.Errorf("round %d: %d refreshes, %d with a spent token", round, calls, reused)
		}
	}
}

func TestRefreshWithoutRotation(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	f.rotates = false
	p, _ := signedIn(t, f)
	for range 3 {
		f.clock.pass(time.Hour)
		if _, err := p.Token(t.Context(), "acme", alice); err != nil {
			t.Fatal(err)
		}
	}
	if calls, _ := f.counts(); calls != 3 {
		t.Errorf("%d refreshes, expected 3", calls)
	}
	if diff := cmp.Diff([]link.EventKind{link.NotRotated, link.NotRotated, link.NotRotated}, p.seen()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// FT-30: a gateway that refuses good tokens causes one refresh, and then one in 10 s.
func TestRefusedAccessToken(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, token := signedIn(t, f)
	var callers sync.WaitGroup
	got := make([]string, 20)
	for i := range got {
		callers.Go(func() {
			var err error
			if got[i], err = p.Refused(t.Context(), "acme", alice, token.AccessToken); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	for _, access := range got {
		if access == token.AccessToken || access != got[0] {
			t.Fatal("callers did not get one new token")
		}
	}
	current := got[0]
	for range 60 {
		next, err := p.Refused(t.Context(), "acme", alice, current)
		if e, ok := errors.AsType[*link.UnavailableError](err); err != nil && (!ok || e.RetryAfter > 10*time.Second) {
			t.Fatal(err)
		}
		if err == nil {
			current = next
		}
		f.clock.pass(time.Second)
	}
	if calls, _ := f.counts(); calls > 7 {
		t.Errorf("%d refreshes in a minute", calls)
	}
}

// FT-01: a process dies after Salesforce rotated and before the commit. The next one
// waits for its lease, sends the old token once, and reports the login as lost.
func TestFaultFT01CrashBeforeCommit(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	fs.crash(t, f, true)
	p := fs.start(t, f, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := p.Token(ctx, "acme", alice); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the dead process's lease holds: %v", err)
	}
	if calls, _ := f.counts(); calls != 1 {
		t.Errorf("the token was sent under another's lease (%d calls)", calls)
	}
	f.clock.pass(10 * time.Second)
	for range 3 {
		if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
			t.Errorf("after the lease: %v", err)
		}
	}
	if calls, reused := f.counts(); calls != 2 || reused != 1 {
		t.Errorf("%d calls, %d with the spent token; expected 2 and 1", calls, reused)
	}
	if diff := cmp.Diff([]link.EventKind{link.LoginLost}, p.seen()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The same crash before Salesforce did anything costs nothing.
func TestFaultFT20LeaseHolderDies(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	fs.crash(t, f, false)
	p := fs.start(t, f, nil)
	f.clock.pass(10 * time.Second)
	if _, err := p.Token(t.Context(), "acme", alice); err != nil {
		t.Error(err)
	}
	if _, reused := f.counts(); reused != 0 {
		t.Errorf("a spent token was sent %d times", reused)
	}
}

// stalled is a process that is stopped before a refresh token leaves it.
type stalled struct {
	link.Salesforce
	stall func()
}

func (s stalled) Refresh(ctx context.Context, org, token string) (*salesforce.Token, error) {
	s.stall()
	return s.Salesforce.Refresh(ctx, org, token)
}

// FT-20: a process that is stopped with the lease for longer than that lasts, and goes on, does not send
// the refresh token, which another one has spent meanwhile: Salesforce would end the whole grant for it.
func TestFaultFT20HolderThatWasStalledSendsNothing(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	other := fs.start(t, f, nil)
	p := fs.start(t, f, func(c *link.Config) {
		c.Salesforce = stalled{c.Salesforce, func() {
			f.clock.pass(10 * time.Second)
			if _, err := other.Token(t.Context(), "acme", alice); err != nil {
				t.Error(err)
			}
		}}
	})
	p.signIn(t, f)
	f.clock.pass(time.Hour)
	got, err := p.Token(t.Context(), "acme", alice)
	want, otherErr := other.Token(t.Context(), "acme", alice)
	if err != nil || otherErr != nil || got != want {
		t.Errorf("the stalled process gives %v, the other one %v; the same token: %t", err, otherErr, got == want)
	}
	f.sent(t, 1)
	// Where nobody has taken it over, the token was not sent, and counts as not sent.
	alone := fs.start(t, f, func(c *link.Config) {
		c.Salesforce = stalled{c.Salesforce, func() { f.clock.pass(10 * time.Second) }}
	})
	f.clock.pass(time.Hour)
	for range 3 {
		if _, err := alone.Token(t.Context(), "acme", alice); err == nil {
			t.Error("a token without a refresh")
		}
	}
	if _, err := other.Token(t.Context(), "acme", alice); err != nil {
		t.Error(err)
	}
	f.sent(t, 2)
}

// A refresh that takes long is not taken over while its process lives.
func TestFaultFT20LeaseIsRenewed(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	quick := func(cfg *link.Config) { cfg.Lease = 600 * time.Millisecond }
	p, other := fs.start(t, f, quick), fs.start(t, f, quick)
	p.signIn(t, f)
	f.clock.pass(time.Hour)
	arrived, release := make(chan struct{}), make(chan struct{})
	f.token = func(w http.ResponseWriter, r *http.Request) { close(arrived); <-release; f.refresh(w, r) }
	var callers sync.WaitGroup
	token := func(p *process) {
		if _, err := p.Token(t.Context(), "acme", alice); err != nil {
			t.Error(err)
		}
	}
	callers.Go(func() { token(p) })
	<-arrived
	callers.Go(func() { token(other) })
	for range 20 { // three leases, as fast as they are renewed
		eventually(t, "renewed lease", func() bool {
			var until int64
			if err := p.db.Reads.QueryRow(`SELECT lease_until FROM links`).Scan(&until); err != nil {
				t.Fatal(err)
			}
			return db.Time(until).Sub(f.clock.Now()) > 300*time.Millisecond
		})
		f.clock.pass(100 * time.Millisecond)
	}
	close(release)
	callers.Wait()
	if calls, reused := f.counts(); calls != 1 || reused != 0 {
		t.Errorf("%d refreshes, %d with a spent token", calls, reused)
	}
}

// Two crashes: nobody knows what became of the token, and it is not sent a third time.
func TestFaultFT01TwoCrashes(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	fs.crash(t, f, false)
	f.clock.pass(10 * time.Second)
	crashed := fs.start(t, f, dying(f, false))
	crashed.Token(t.Context(), "acme", alice)
	before, _ := f.counts()
	f.clock.pass(10 * time.Second)
	p := fs.start(t, f, nil)
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
		t.Error(err)
	}
	if calls, _ := f.counts(); calls != before {
		t.Error("the token was sent a third time")
	}
	p.drain(t)
	if len(f.live) != 0 {
		t.Error("the token that nobody trusts is alive at Salesforce")
	}
}

// FT-02: a process dies after the commit; the next one uses the new token.
func TestFaultFT02CrashAfterCommit(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	first := fs.start(t, f, nil)
	first.signIn(t, f)
	f.clock.pass(time.Hour)
	want, err := first.Token(t.Context(), "acme", alice)
	if err != nil {
		t.Fatal(err)
	}
	first.db.Close()
	if got, err := fs.start(t, f, nil).Token(t.Context(), "acme", alice); got != want || err != nil {
		t.Errorf("another token or %v", err)
	}
	if calls, _ := f.counts(); calls != 1 {
		t.Errorf("%d refreshes", calls)
	}
}

// crash leaves what a process leaves that dies while it refreshes alice's expired token.
func (fs files) crash(t *testing.T, f *login, processed bool) {
	t.Helper()
	p := fs.start(t, f, dying(f, processed))
	p.signIn(t, f)
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrUnavailable) {
		t.Fatalf("crashing process: %v", err)
	}
}

// dying makes the refreshing goroutine end in the middle of a refresh: nothing after it
// is run or written, and its lease is not renewed.
func dying(f *login, processed bool) func(*link.Config) {
	return func(cfg *link.Config) { cfg.Salesforce = mortal{cfg.Salesforce, processed} }
}

type mortal struct {
	link.Salesforce
	processed bool
}

func (m mortal) Refresh(ctx context.Context, org, token string) (*salesforce.Token, error) {
	if m.processed {
		m.Salesforce.Refresh(ctx, org, token)
	}
	runtime.Goexit()
	return nil, nil
}

// A lease from a clock that ran ahead does not lock a link for as long.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	fs.crash(t, f, false)
	f.clock.pass(-30 * time.Minute)
	p := fs.start(t, f, nil)
	p.db.Writes.Exec(`UPDATE links SET access_expires_at = 0`)
	if _, err := p.Token(t.Context(), "acme", alice); err != nil {
		t.Error(err)
	}
}

func TestCloseWaitsForRefreshes(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, token := signedIn(t, f)
	arrived, release := make(chan struct{}), make(chan struct{})
	f.token = func(w http.ResponseWriter, r *http.Request) { close(arrived); <-release; f.refresh(w, r) }
	f.clock.pass(29*time.Minute + 30*time.Second)
	p.Token(t.Context(), "acme", alice)
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close with a refresh under way: %v", err)
	}
	close(release)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := p.Token(t.Context(), "acme", alice); got == token.AccessToken || err != nil {
		t.Errorf("the refresh was not stored: %v", err)
	}
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrUnavailable) {
		t.Errorf("refresh after close: %v", err)
	}
}
