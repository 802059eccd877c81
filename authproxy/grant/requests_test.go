package grant

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/party"
)

func TestRequestKeepsWhatWasAsked(t *testing.T) {
	t.Parallel()
	f := open(t)
	want := authorizeRequest()
	id, err := f.Requests.Open(t.Context(), want, "browser")
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Requests.Pending(t.Context(), id, "browser")
	if err != nil {
		t.Fatal(err)
	}
	want.Status = Pending
	if diff := cmp.Diff(&want, got, cmp.AllowUnexported(AuthorizationRequest{}), cmpopts.IgnoreFields(AuthorizationRequest{}, "CreatedAt", "ExpiresAt")); diff != "" {
		t.Error(diff)
	}
	if life := got.ExpiresAt.Sub(got.CreatedAt); life != testLifetimes.Consent {
		t.Errorf("lives for %s, want %s", life, testLifetimes.Consent)
	}
}

func TestUI02RequestSteps(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	id, err := f.Requests.Open(ctx, authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []struct{ id, browser string }{{id, "other"}, {id, ""}, {"." + id[1:], "browser"}, {"", "browser"}} {
		_, err := f.Requests.Pending(ctx, other.id, other.browser)
		wantErr(t, err, ErrNoRequest)
		_, err = f.Requests.Send(ctx, other.id, other.browser)
		wantErr(t, err, ErrNoRequest)
		_, _, err = f.Requests.Deny(ctx, other.id, other.browser)
		wantErr(t, err, ErrNoRequest)
	}
	_, _, err = f.Requests.Finish(ctx, "", "") // before consent, columns are empty
	wantErr(t, err, ErrNoRequest)
	sent, err := f.Requests.Send(ctx, id, "browser")
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.Requests.Send(ctx, id, "browser") // C5: a second click
	if err != nil || again.State != sent.State || again.Verifier != sent.Verifier || again.Login != sent.Login || again.Request.ClientID != sent.Request.ClientID {
		t.Errorf("a second click goes another way: %+v, %v", again, err)
	}
	_, err = f.Requests.Send(ctx, id, "other")
	wantErr(t, err, ErrNoRequest)
	_, _, err = f.Requests.Deny(ctx, id, "browser")
	wantErr(t, err, ErrNoRequest)
	for _, bad := range []struct {
		state, login string
		want         error
	}{
		{sent.State, "", ErrOtherBrowser}, {sent.State, "x", ErrOtherBrowser}, {"x", sent.Login, ErrNoRequest}, {"", sent.Login, ErrNoRequest}, {sent.Login, sent.State, ErrNoRequest},
	} {
		_, _, err := f.Requests.Finish(ctx, bad.state, bad.login)
		wantErr(t, err, bad.want)
	}
	r, _, err := f.Requests.Finish(ctx, sent.State, sent.Login)
	if err != nil || r.Status != Done || r.GrantID == "" {
		t.Fatalf("FinishRequest: %+v, %v", r, err)
	}
	_, _, err = f.Requests.Finish(ctx, sent.State, sent.Login)
	wantErr(t, err, ErrNoRequest)
}

func TestRequestExpires(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	late, err := f.Requests.Open(ctx, authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Add(testLifetimes.Consent - time.Millisecond)
	sent, err := f.Requests.Send(ctx, late, "browser")
	if err != nil {
		t.Fatalf("within its time: %v", err)
	}
	f.clock.Add(testLifetimes.Consent)
	_, _, err = f.Requests.Finish(ctx, sent.State, sent.Login)
	wantErr(t, err, ErrNoRequest)

	id, err := f.Requests.Open(ctx, authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Add(testLifetimes.Consent)
	_, err = f.Requests.Pending(ctx, id, "browser")
	wantErr(t, err, ErrNoRequest)
	_, _, err = f.Requests.Deny(ctx, id, "browser")
	wantErr(t, err, ErrNoRequest)
	if err := f.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := f.db.Reads.QueryRow(`SELECT COUNT(*) FROM authorization_requests`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d requests left (%v)", n, err)
	}
}

func TestDeniedRequestIsOver(t *testing.T) {
	t.Parallel()
	f := open(t)
	id, err := f.Requests.Open(t.Context(), authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := f.Requests.Deny(t.Context(), id, "browser")
	if err != nil || r.Status != Denied {
		t.Fatalf("%+v, %v", r, err)
	}
	_, err = f.Requests.Send(t.Context(), id, "browser")
	wantErr(t, err, ErrNoRequest)
	_, _, err = f.CreateGrant(t.Context(), r, testSubject)
	wantErr(t, err, ErrNoRequest)
}

func TestCL10FinishRace(t *testing.T) {
	t.Parallel()
	f := open(t)
	id, err := f.Requests.Open(t.Context(), authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	var sent atomic.Pointer[SentRequest]
	won := race(t, 50, func() error { // C5: clicks that come together go one way
		s, err := f.Requests.Send(t.Context(), id, "browser")
		if err != nil {
			return err
		}
		if !sent.CompareAndSwap(nil, s) && (sent.Load().State != s.State || sent.Load().Login != s.Login || sent.Load().Verifier != s.Verifier) {
			return errors.New("two clicks go two ways")
		}
		return nil
	}, ErrNoRequest)
	if won != 50 {
		t.Fatalf("%d of 50 clicks were sent on", won)
	}
	won = race(t, 50, func() error {
		_, _, err := f.Requests.Finish(t.Context(), sent.Load().State, sent.Load().Login)
		return err
	}, ErrNoRequest)
	if won != 1 {
		t.Errorf("%d of 50 finished it, want 1", won)
	}
}

// fill opens that many requests, of sources that the SQL expressions name by i.
func (f *fixture) fill(t *testing.T, n int, network, host string) {
	t.Helper()
	_, err := f.db.Writes.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO authorization_requests (request_hash, kind, status, org, browser_hash, created_at, expires_at, network, host)
		SELECT 'filler ' || i, 'signin', 'pending', 'acme', '', $2, $3, `+network+`, `+host+` FROM n`, n, f.millis(), f.millis()+600_000)
	if err != nil {
		t.Fatal(err)
	}
}

// openFrom opens a request of an address.
func (f *fixture) openFrom(t *testing.T, address string) string {
	t.Helper()
	r := authorizeRequest()
	r.From = party.SourcesOf(address)
	id, err := f.Requests.Open(t.Context(), r, "browser")
	if err != nil {
		t.Fatalf("from %s: %v", address, err)
	}
	return id
}

func (f *fixture) wantOpen(t *testing.T, who, id string, open bool) {
	t.Helper()
	if _, err := f.Requests.Pending(t.Context(), id, "browser"); (err == nil) != open {
		t.Errorf("%s: %v, open should be %t", who, err, open)
	}
}

func (f *fixture) openRequests(t *testing.T) (n int) {
	t.Helper()
	if err := f.db.Reads.QueryRow(`SELECT COUNT(*) FROM authorization_requests WHERE expires_at > $1`, f.millis()).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpenRequestsAreBounded(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.fill(t, maxOpenRequests, "''", "''")
	for range 3 {
		f.openFrom(t, "192.0.2.1")
	}
	if n := f.openRequests(t); n != maxOpenRequests {
		t.Errorf("%d are open", n)
	}
}

// S4: a network that fills the table, of whatever addresses, displaces itself; everybody
// else gets in, and stays in while it goes on.
func TestS4OneNetworkCannotLockOut(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	for name, c := range map[string]struct{ network, host, flood string }{
		"34 networks of /64 in one /48": {"'2001:db8:1::/48'", "'2001:db8:1:' || (i % 34) || '::/64'", "2001:db8:1:%x::1"},
		"a /24 of IPv4":                 {"'198.51.100.0/24'", "'198.51.100.' || (i % 256) || '/32'", "198.51.100.%d"},
		"4000 networks of /24":          {"'net ' || (i % 4000)", "'net ' || (i % 4000)", "198.51.100.%d"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			before := f.openFrom(t, "192.0.2.1") // the oldest of all
			f.clock.Add(time.Second)
			f.fill(t, maxOpenRequests-1, c.network, c.host)
			f.clock.Add(time.Second)
			during := f.openFrom(t, "2001:db8:2::1")
			var last string
			for i := range 40 {
				last = f.openFrom(t, fmt.Sprintf(c.flood, i%34))
			}
			f.wantOpen(t, "who was there before", before, true)
			f.wantOpen(t, "who came during the flood", during, true)
			f.wantOpen(t, "the newest of the flood", last, true)
			if n := f.openRequests(t); n != maxOpenRequests {
				t.Errorf("%d are open", n)
			}
		})
	}
}

// S4: in a network that is shared with the flood, the flood's own address gives way.
func TestS4NeighboursOfAFlood(t *testing.T) {
	t.Parallel()
	f := open(t)
	neighbour := f.openFrom(t, "198.51.100.7")
	f.clock.Add(time.Second)
	f.fill(t, maxOpenRequests-1, "'198.51.100.0/24'", "'198.51.100.9/32'")
	f.clock.Add(time.Second)
	mine := f.openFrom(t, "198.51.100.9")
	f.openFrom(t, "198.51.100.9")
	f.wantOpen(t, "the neighbour", neighbour, true)
	f.wantOpen(t, "the newest of the flood", mine, true)
	if n := f.openRequests(t); n != maxOpenRequests {
		t.Errorf("%d are open", n)
	}
}

func TestOpenRequestWantsAll(t *testing.T) {
	t.Parallel()
	f := open(t)
	for name, change := range map[string]func(*AuthorizationRequest){
		"kind": func(r *AuthorizationRequest) { r.Kind = "" }, "org": func(r *AuthorizationRequest) { r.Org = "" },
		"challenge": func(r *AuthorizationRequest) { r.CodeChallenge = "" }, "client": func(r *AuthorizationRequest) { r.ClientID = "" },
		"redirect": func(r *AuthorizationRequest) { r.RedirectURI = "" }, "resource": func(r *AuthorizationRequest) { r.Resource = "" },
	} {
		r := authorizeRequest()
		change(&r)
		if _, err := f.Requests.Open(t.Context(), r, "browser"); err == nil {
			t.Errorf("opened without %s", name)
		}
	}
	if _, err := f.Requests.Open(t.Context(), authorizeRequest(), ""); err == nil {
		t.Error("opened without a browser")
	}
}

// race runs f n times at once and returns how often it succeeded; every other result
// must be want.
func race(t *testing.T, n int, f func() error, want error) int {
	t.Helper()
	var wg sync.WaitGroup
	var won atomic.Int64
	start := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-start
			switch err := f(); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, want):
				t.Errorf("race: %v, want %v", err, want)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(won.Load())
}

// CL-01: each of a thousand logins has a state, a verifier and a cookie of its own at
// Salesforce.
func TestCL01EveryLoginHasItsOwnSecrets(t *testing.T) {
	t.Parallel()
	f := open(t)
	logins := 1000
	if dbtest.OnPostgres() {
		logins = 100 // the secrets are the same, writing takes longer
	} else if _, err := f.db.Writes.Exec(`PRAGMA synchronous = OFF`); err != nil { // many commits, and no power to be cut
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range logins {
		id, err := f.Requests.Open(t.Context(), authorizeRequest(), "browser")
		if err != nil {
			t.Fatal(err)
		}
		sent, err := f.Requests.Send(t.Context(), id, "browser")
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{id, sent.State, sent.Verifier, sent.Login} {
			if len(secret) < 43 || seen[secret] {
				t.Fatalf("a secret of %d characters came twice: %t", len(secret), seen[secret])
			}
			seen[secret] = true
		}
	}
}
