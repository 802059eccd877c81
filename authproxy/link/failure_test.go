package link_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/seal"
)

// FT-15: the answer is lost after Salesforce rotated: one more try, then needs_reauth.
func TestFaultFT15LostReply(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	if err := p.Replace(t.Context(), "acme", f.signIn(bob)); err != nil {
		t.Fatal(err)
	}
	f.token = func(w http.ResponseWriter, r *http.Request) {
		f.set(func() { f.token = nil })
		f.lose(w, r)
	}
	f.clock.pass(time.Hour)
	for range 3 {
		if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
			t.Errorf("got %v", err)
		}
	}
	if calls, reused := f.counts(); calls != 2 || reused != 1 {
		t.Errorf("%d calls, %d with the spent token; expected 2 and 1", calls, reused)
	}
	if _, err := p.Token(t.Context(), "acme", bob); err != nil {
		t.Errorf("somebody else's login: %v", err)
	}
}

func TestFaultFT15LostRequest(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	f.token = func(http.ResponseWriter, *http.Request) {
		f.set(func() { f.token = nil })
		panic(http.ErrAbortHandler) // nothing was done
	}
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); err != nil {
		t.Error(err)
	}
}

func TestFaultFT15LostTwice(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	f.token = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
		t.Errorf("got %v", err)
	}
	f.set(func() { f.token = nil })
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
		t.Errorf("later: %v", err)
	}
	if calls, _ := f.counts(); calls != 2 {
		t.Errorf("%d calls, expected 2", calls)
	}
}

// A lost answer, then Salesforce down for an hour, then another lost answer: the count
// of unanswered sendings outlives the outage between them.
func TestFaultFT15LostAroundOutage(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	f.token = func(http.ResponseWriter, *http.Request) {
		f.set(func() { f.token = answer(503, "") })
		panic(http.ErrAbortHandler)
	}
	f.clock.pass(time.Hour)
	for range 60 {
		if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrUnavailable) {
			t.Fatalf("during the outage: %v", err)
		}
		f.clock.pass(time.Minute)
	}
	f.set(func() { f.token = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) } })
	before, _ := f.counts()
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
		t.Errorf("second loss: %v", err)
	}
	if calls, _ := f.counts(); calls != before+1 {
		t.Errorf("sent %d times after the second loss", calls-before)
	}
}

// CL-16, FT-17: a definite no ends the link with the first answer, cuts access off
// everywhere and is not asked for again.
func TestCL16DeadAtFirstDefiniteError(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"error":"invalid_grant","error_description":"expired access/refresh token"}`,
		`{"error":"invalid_grant","error_description":"ip restricted"}`,
		`{"error":"invalid_grant","error_description":"user hasn't approved this consumer"}`,
		`{"error":"inactive_user","error_description":"user is inactive"}`,
		`{"error":"OAUTH_APP_BLOCKED"}`,
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			f := newLogin(t)
			p, token := signedIn(t, f)
			f.token = answer(400, body)
			before := epoch(t, p)
			f.clock.pass(29*time.Minute + 30*time.Second) // refresh ahead: the access token is still good
			p.Token(t.Context(), "acme", alice)
			eventually(t, "needs_reauth", func() bool { return p.state(t) == link.NeedsReauth })
			for range 600 {
				if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
					t.Fatal(err)
				}
				f.clock.pass(time.Second)
			}
			if calls, _ := f.counts(); calls != 1 {
				t.Errorf("%d calls, expected 1", calls)
			}
			if epoch(t, p) == before {
				t.Error("other processes are not told")
			}
			p.drain(t)
			if !f.isRevoked(token.RefreshToken) {
				t.Error("the refresh token was not revoked at Salesforce")
			}
			p.signIn(t, f)
			if _, err := p.Token(t.Context(), "acme", alice); err != nil {
				t.Errorf("after a new sign-in: %v", err)
			}
		})
	}
}

func epoch(t *testing.T, p *process) (n int64) {
	t.Helper()
	if err := p.db.Reads.QueryRowContext(t.Context(), `SELECT value FROM epochs WHERE name = 'access'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// FT-16: the token endpoint fails for ten minutes. The access token is used until it
// expires, then callers are told when to come back, then it heals.
func TestFaultFT16TransientFailures(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]http.HandlerFunc{
		"500": answer(500, ""), "503": answer(503, "<html>"), "429": answer(429, ""), "page": answer(200, "<html>"),
		"cut": answer(200, `{"access_tok`), "no members": answer(200, `{}`), "setting": answer(400, `{"error":"invalid_client_id"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newLogin(t)
			p, token := signedIn(t, f)
			f.token = broken
			f.clock.pass(25 * time.Minute)
			end := f.clock.Now().Add(10 * time.Minute)
			for f.clock.Now().Before(end) {
				got, err := p.Token(t.Context(), "acme", alice)
				switch expired := !f.clock.Now().Before(token.ExpiresAt); {
				case !expired && (got != token.AccessToken || err != nil):
					t.Fatalf("before expiry: %v", err)
				case expired:
					e, ok := errors.AsType[*link.UnavailableError](err)
					if !ok || e.RetryAfter < time.Second || e.RetryAfter > 62*time.Second {
						t.Fatalf("after expiry: %v", err)
					}
				}
				f.clock.pass(5 * time.Second)
			}
			if calls, _ := f.counts(); calls < 2 || calls > 36 {
				t.Errorf("%d calls in the 6 minutes in which a refresh is due", calls)
			}
			f.set(func() { f.token = nil })
			f.clock.pass(62 * time.Second)
			if got, err := p.Token(t.Context(), "acme", alice); err != nil || got == token.AccessToken {
				t.Errorf("after the outage: %v", err)
			}
		})
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	f.token = func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Retry-After", "120"); w.WriteHeader(429) }
	f.clock.pass(time.Hour)
	for range 110 {
		if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrUnavailable) {
			t.Fatal(err)
		}
		f.clock.pass(time.Second)
	}
	if calls, _ := f.counts(); calls != 1 {
		t.Errorf("%d calls within Retry-After", calls)
	}
}

// RS-07: an answer for somebody else ends the link; what came with it is revoked.
func TestRS07AnswerForAnotherUser(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, token := signedIn(t, f)
	f.token = func(w http.ResponseWriter, r *http.Request) { f.refreshAs(w, r, bob) }
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
		t.Errorf("got %v", err)
	}
	p.drain(t)
	if len(f.live) != 0 || !f.isRevoked(token.RefreshToken) {
		t.Errorf("live at Salesforce: %v", f.live)
	}
	if p.state(t) != link.NeedsReauth {
		t.Error("the link is in use")
	}
}

// FT-27: the keys to judge an answer are not to be had. The new refresh token is kept,
// the access token of the answer is not used, and the link heals without its user.
func TestFaultFT27KeysDownDuringRefresh(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); err != nil { // keys are cached from here on
		t.Fatal(err)
	}
	f.clock.pass(time.Hour)
	f.token = func(w http.ResponseWriter, r *http.Request) {
		f.set(func() { f.token, f.keys, f.kid = nil, 500, "k2" })
		f.refresh(w, r)
	}
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrUnavailable) {
		t.Errorf("with a key nobody can look up: %v", err)
	}
	f.set(func() { f.keys = 0 })
	f.clock.pass(time.Minute)
	if _, err := p.Token(t.Context(), "acme", alice); err != nil {
		t.Errorf("keys are back: %v", err)
	}
	if _, reused := f.counts(); reused != 0 {
		t.Errorf("a spent token was sent %d times", reused)
	}
}

// SR-CL-4: a store that takes no writes is noticed before Salesforce rotates anything.
func TestNoRefreshWithoutWritableStore(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	accept := dbtest.Refuse(t, p.db, "links")
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); err == nil || errors.Is(err, link.ErrNeedsReauth) {
		t.Errorf("got %v", err)
	}
	if calls, _ := f.counts(); calls != 0 {
		t.Error("Salesforce was asked")
	}
	accept()
	if _, err := p.Token(t.Context(), "acme", alice); err != nil {
		t.Errorf("once it is writable: %v", err)
	}
}

// A refreshed token is committed even if the store refuses for a moment after the answer.
func TestAnswerOutlivesShortStoreFailure(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	p := fs.start(t, f, nil)
	p.signIn(t, f)
	f.token = func(w http.ResponseWriter, r *http.Request) {
		time.AfterFunc(200*time.Millisecond, dbtest.Refuse(t, p.db, "links"))
		f.refresh(w, r)
	}
	f.clock.pass(time.Hour)
	want, err := p.Token(t.Context(), "acme", alice)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.start(t, f, nil).Token(t.Context(), "acme", alice); got != want || err != nil {
		t.Errorf("another process has another token or %v", err)
	}
}

// SR-CL-4: an answer that can be kept nowhere, not even in the queue of revocations, is
// revoked at once: nobody would ever do it later.
func TestAnswerThatCannotBeKeptIsRevoked(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p := newFiles(t).start(t, f, func(c *link.Config) { c.PersistFor = 100 * time.Millisecond })
	p.signIn(t, f)
	f.token = func(w http.ResponseWriter, r *http.Request) {
		dbtest.Refuse(t, p.db, "links")
		f.refresh(w, r)
	}
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	f.set(func() {
		if len(f.revoked) != 1 || len(f.live) != 0 {
			t.Errorf("%d revoked, %d alive", len(f.revoked), len(f.live))
		}
	})
}

func TestWrongKeyRing(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	fs.start(t, f, nil).signIn(t, f)
	other := newFiles(t)
	p := fs.start(t, f, func(cfg *link.Config) {
		ring, err := seal.LoadKeyRing(other.dir + "/keys")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Ring = ring
	})
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrUnavailable) {
		t.Errorf("another key ring: %v", err)
	}
	if calls, _ := f.counts(); calls != 0 {
		t.Errorf("%d requests to Salesforce without a token to send", calls)
	}
	if s, err := p.Status(t.Context(), "acme", alice); err != nil || s.State != link.Active || s.Failure != (link.Failure{}) {
		t.Errorf("another key ring: the login is %+v, %v", s, err)
	}
	if err := p.Revoke(t.Context(), "acme", alice, "test"); err != nil || p.state(t) != link.Revoked {
		t.Errorf("ending a link does not need its token: %v", err)
	}
}
