package link_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
)

// D2: a new login takes the place of the previous one, which is revoked at Salesforce.
func TestReplaceRevokesPreviousLogin(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, old := signedIn(t, f)
	fresh := p.signIn(t, f)
	if got, err := p.Token(t.Context(), "acme", alice); got != fresh.AccessToken || err != nil {
		t.Errorf("not the new login's token, or %v", err)
	}
	p.drain(t)
	if !f.isRevoked(old.RefreshToken) || f.isRevoked(fresh.RefreshToken) {
		t.Errorf("revoked: %v", f.revoked)
	}
	if err := p.Replace(t.Context(), "acme", fresh); err != nil {
		t.Fatal(err)
	}
	p.drain(t)
	if f.isRevoked(fresh.RefreshToken) {
		t.Error("storing one login twice revoked it")
	}
	for _, bad := range []*salesforce.Token{{Subject: alice, AccessToken: "a"}, {Subject: alice, RefreshToken: "r"}, {AccessToken: "a", RefreshToken: "r"}} {
		if err := p.Replace(t.Context(), "acme", bad); err == nil {
			t.Errorf("stored %v", bad)
		}
	}
}

// CL-05, CL-09: links of other users and orgs are untouched.
func TestCL05LinksAreSeparate(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, token := signedIn(t, f)
	other := f.signIn(bob)
	for _, org := range []string{"acme", "other"} {
		if err := p.Replace(t.Context(), org, other); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Revoke(t.Context(), "acme", bob, "test"); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Token(t.Context(), "acme", alice); got != token.AccessToken || err != nil {
		t.Errorf("alice: %v", err)
	}
	if got, err := p.Token(t.Context(), "other", bob); got != other.AccessToken || err != nil {
		t.Errorf("bob in the other org: %v", err)
	}
	if _, err := p.Token(t.Context(), "other", alice); !errors.Is(err, link.ErrNeedsReauth) {
		t.Errorf("alice in the other org: %v", err)
	}
	got, err := p.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []link.Status{{Org: "acme", Subject: alice, State: link.Active}, {Org: "acme", Subject: bob, State: link.Revoked, Why: "test"},
		{Org: "other", Subject: bob, State: link.Active}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

// CL-11: local effect does not wait for Salesforce, which is told until it confirms.
func TestCL11RevokeIsRetried(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	p := fs.start(t, f, nil)
	token := p.signIn(t, f)
	f.revoke = answer(500, "")
	before := epoch(t, p)
	for range 2 { // a second time is no error
		if err := p.Revoke(t.Context(), "acme", alice, "user revoke"); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Revoke(t.Context(), "acme", bob, "no such link"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
		t.Errorf("after revoke: %v", err)
	}
	if epoch(t, p) != before+1 {
		t.Error("other processes are not told once")
	}
	attempts := 0
	f.set(func() {
		f.revoke = func(w http.ResponseWriter, r *http.Request) {
			f.set(func() { attempts++ })
			w.WriteHeader(500)
		}
	})
	for range 3600 {
		if left, err := p.RevokePending(t.Context()); left != 1 || err != nil {
			t.Fatalf("%d left, %v", left, err)
		}
		f.clock.pass(time.Second)
	}
	// 1+2+4+…+512 s, then every 600 s.
	if attempts < 12 || attempts > 16 {
		t.Errorf("%d attempts in an hour", attempts)
	}
	p.db.Close()

	f.set(func() { f.revoke = nil })
	f.clock.pass(10 * time.Minute)
	restarted := fs.start(t, f, nil)
	restarted.drain(t)
	if !f.isRevoked(token.RefreshToken) {
		t.Error("not revoked after a restart")
	}
	if diff := cmp.Diff([]link.EventKind{link.RevokedUpstream}, restarted.seen()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := p.seen(); len(got) != attempts || got[0] != link.RevokeFailed {
		t.Errorf("%d attempts, events %v", attempts, got)
	}
}

// CL-11: whatever the revocation endpoint answers, the login is over here at once, and
// Salesforce is asked until it says that the token is.
func TestCL11EveryAnswerToARevocation(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		told   bool // the answer says that the token is revoked, or was
	}{
		"200":               {answer(200, ""), true},
		"400 unknown token": {answer(400, `{"error":"invalid_token"}`), true},
		"400 other":         {answer(400, `{"error":"unsupported_token_type"}`), false},
		"401":               {answer(401, `{"error":"invalid_client"}`), false},
		"429":               {answer(429, ``), false},
		"500":               {answer(500, ""), false},
		"a page with 200":   {answer(200, "<html>maintenance</html>"), false},
		"cut off":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newLogin(t)
			f.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			p, token := signedIn(t, f)
			asked := 0
			f.set(func() {
				f.revoke = func(w http.ResponseWriter, r *http.Request) {
					f.set(func() { asked++ })
					tt.answer(w, r)
				}
			})
			if err := p.Revoke(t.Context(), "acme", alice, "user revoke"); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
				t.Errorf("here: %v", err)
			}
			f.set(func() {
				if asked > 0 {
					t.Error("the end here waited for Salesforce")
				}
			})
			left, err := p.RevokePending(t.Context())
			if err != nil || (left == 0) != tt.told {
				t.Errorf("%d revocations left, %v", left, err)
			}
			want := link.RevokeFailed
			if tt.told {
				want = link.RevokedUpstream
			}
			if diff := cmp.Diff([]link.EventKind{want}, p.seen()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			f.set(func() { f.revoke = nil })
			f.clock.pass(10 * time.Minute)
			p.drain(t)
			if !tt.told && !f.isRevoked(token.RefreshToken) {
				t.Error("Salesforce was not told in the end")
			}
		})
	}
}

// A running proxy takes what the command line queued, and one of two takes it.
func TestRunRevocationsTakesOthersEntries(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	cli := fs.start(t, f, nil)
	token := cli.signIn(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 2 {
		proxy := fs.start(t, f, nil)
		running.Go(func() { proxy.RunRevocations(ctx) })
	}
	if err := cli.Revoke(t.Context(), "acme", alice, "user revoke"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "revocation", func() bool { return f.isRevoked(token.RefreshToken) })
	cancel()
	running.Wait()
	if len(f.revoked) != 1 {
		t.Errorf("asked %d times", len(f.revoked))
	}
}

// More than a batch, from two processes at once: Salesforce is told once of each.
func TestManyRevocations(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	p, other := fs.start(t, f, nil), fs.start(t, f, nil)
	for range 250 {
		p.signIn(t, f) // each ends the one before
	}
	var both sync.WaitGroup
	for _, p := range []*process{p, other} {
		both.Go(func() { p.RevokePending(t.Context()) })
	}
	both.Wait()
	p.drain(t)
	if len(f.revoked) != 249 || len(f.live) != 1 {
		t.Errorf("%d revoked, %d alive", len(f.revoked), len(f.live))
	}
}

// FT-19: revoke and replace win against a refresh under way, whose new token is revoked.
func TestFaultFT19ChangesWinAgainstRefresh(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]func(t *testing.T, f *login, p *process) (want string){
		"revoke": func(t *testing.T, f *login, p *process) string {
			if err := p.Revoke(t.Context(), "acme", alice, "user revoke"); err != nil {
				t.Error(err)
			}
			return ""
		},
		"replace": func(t *testing.T, f *login, p *process) string { return p.signIn(t, f).AccessToken },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newLogin(t)
			fs := newFiles(t)
			p, cli := fs.start(t, f, nil), fs.start(t, f, nil)
			p.signIn(t, f)
			rotated, release := make(chan struct{}), make(chan struct{})
			f.token = func(w http.ResponseWriter, r *http.Request) {
				f.refresh(w, r) // the answer is written, not sent
				close(rotated)
				<-release
			}
			f.clock.pass(time.Hour)
			type result struct {
				access string
				err    error
			}
			done := make(chan result)
			go func() {
				access, err := p.Token(t.Context(), "acme", alice)
				done <- result{access, err}
			}()
			<-rotated
			want := other(t, f, cli)
			close(release)
			got := <-done
			if want == "" && !errors.Is(got.err, link.ErrNeedsReauth) || want != "" && (got.err != nil || got.access != want) {
				t.Errorf("the overtaken refresh gave %v", got.err)
			}
			now, err := p.Token(t.Context(), "acme", alice)
			if want == "" && !errors.Is(err, link.ErrNeedsReauth) || want != "" && (err != nil || now != want) {
				t.Errorf("afterwards: %v", err)
			}
			p.drain(t)
			alive := 0
			if want != "" {
				alive = 1
			}
			if len(f.live) != alive {
				t.Errorf("%d refresh tokens are alive at Salesforce, expected %d", len(f.live), alive)
			}
		})
	}
}

// Everything at once, from two processes: no spent token is sent, nothing is left alive
// that the link does not hold.
func TestFaultFT19Storm(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	processes := []*process{fs.start(t, f, nil), fs.start(t, f, nil)}
	processes[0].signIn(t, f)
	for range 5 {
		f.clock.pass(time.Hour)
		var callers sync.WaitGroup
		for i := range 24 {
			p := processes[i%2]
			callers.Go(func() {
				switch {
				case i == 10:
					p.Revoke(t.Context(), "acme", alice, "storm")
				case i >= 12 && i < 14:
					p.Replace(t.Context(), "acme", f.signIn(alice))
				default:
					p.Token(t.Context(), "acme", alice)
				}
			})
		}
		callers.Wait()
	}
	for _, p := range processes {
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	processes[0].drain(t)
	if _, reused := f.counts(); reused != 0 {
		t.Errorf("a spent token was sent %d times", reused)
	}
	if want := map[link.State]int{link.Active: 1, link.Revoked: 0}[processes[0].state(t)]; len(f.live) != want {
		t.Errorf("link is %s, %d refresh tokens alive at Salesforce", processes[0].state(t), len(f.live))
	}
}

// ST-01: no token, in no encoding, in the files or in what the package says.
func TestST01NoTokenInDatabase(t *testing.T) {
	t.Parallel()
	if dbtest.OnPostgres() {
		t.Skip("reads the files of SQLite; what is stored is the same")
	}
	f := newLogin(t)
	fs := newFiles(t)
	p := fs.start(t, f, nil)
	secrets := []string{"CANARY-refresh"}
	for range 3 {
		secrets = append(secrets, p.signIn(t, f).AccessToken)
	}
	f.clock.pass(time.Hour)
	access, err := p.Token(t.Context(), "acme", alice)
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, access)
	status, err := p.Status(t.Context(), "acme", alice)
	if err != nil || status.State != link.Active {
		t.Fatal(status, err)
	}
	entries, err := filepath.Glob(strings.TrimPrefix(fs.url, "sqlite:") + "*")
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	for _, name := range entries {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "-wal") && !bytes.Contains(content, []byte(alice)) {
			t.Error("the scan does not see the row at all")
		}
		for _, secret := range secrets {
			for _, form := range []string{secret, secret[len(secret)-12:], hex.EncodeToString([]byte(secret)),
				base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret))} {
				if bytes.Contains(content, []byte(form)) {
					t.Errorf("%s holds a token", filepath.Base(name))
				}
			}
		}
	}
}

// A sealed token moved to another row does not open.
func TestST01SealedTokensStayInPlace(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	bobs := f.signIn(bob)
	if err := p.Replace(t.Context(), "acme", bobs); err != nil {
		t.Fatal(err)
	}
	if _, err := p.db.Writes.Exec(`UPDATE links SET sealed_access = (SELECT sealed_access FROM links WHERE subject = $1)`, bob); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Token(t.Context(), "acme", alice); got == bobs.AccessToken || err != nil {
		t.Errorf("alice was given bob's token: %t, %v", got == bobs.AccessToken, err)
	}
}
