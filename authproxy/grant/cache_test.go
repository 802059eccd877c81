package grant

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
)

// watch makes the fixture remember what it reads, and waits until it does.
func (f *fixture) watch(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { f.db.WatchAccess(ctx, 250*time.Millisecond, func() {}) })
	t.Cleanup(func() { cancel(); watching.Wait() })
	for remembers := false; !remembers; time.Sleep(time.Millisecond) {
		good := func(liveGrant) bool { return true }
		if _, err := f.live.Get("probe", good, func() (liveGrant, error) { return liveGrant{}, nil }); err != nil {
			t.Fatal(err)
		}
		_, err := f.live.Get("probe", good, func() (liveGrant, error) { return liveGrant{}, errors.New("asked") })
		remembers = err == nil
	}
}

// beside is another process's store on the same database.
func (f *fixture) beside(t *testing.T) *Store {
	t.Helper()
	c := f.cfg
	c.DB = dbtest.OpenURL(t, f.url)
	other, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// takings are all ways to take access away.
var takings = map[string]func(context.Context, *Store, *Tokens) error{
	"revoke grant": func(ctx context.Context, s *Store, t *Tokens) error {
		_, err := s.RevokeGrant(ctx, t.Grant.ID, "")
		return err
	},
	"revoke user": func(ctx context.Context, s *Store, _ *Tokens) error {
		_, err := s.RevokeUser(ctx, testOrg, testSubject, "")
		return err
	},
	"revoke client": func(ctx context.Context, s *Store, _ *Tokens) error {
		_, err := s.RevokeClient(ctx, "chatgpt", "")
		return err
	},
	"block user": func(ctx context.Context, s *Store, _ *Tokens) error {
		_, err := s.BlockUser(ctx, testOrg, testSubject, "")
		return err
	},
	"revoke access token": func(ctx context.Context, s *Store, t *Tokens) error {
		_, err := s.RevokeToken(ctx, t.AccessToken, "chatgpt")
		return err
	},
	"revoke refresh token": func(ctx context.Context, s *Store, t *Tokens) error {
		_, err := s.RevokeToken(ctx, t.RefreshToken, "chatgpt")
		return err
	},
}

// RS-10, SR-RS-7: what is taken away is gone for the next call in this process, although
// the store remembers what it read.
func TestRS10TakingAccessHoldsForTheNextCall(t *testing.T) {
	t.Parallel()
	for name, take := range takings {
		f := open(t)
		f.watch(t)
		tokens := f.tokens(t, testSubject)
		f.opens(t, tokens, true)
		if alive, err := f.Alive(t.Context(), tokens.Grant.ID); err != nil || !alive {
			t.Fatalf("%s: alive %t, %v", name, alive, err)
		}
		if err := take(t.Context(), f.Store, tokens); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.opens(t, tokens, false)
		if alive, err := f.Alive(t.Context(), tokens.Grant.ID); name != "revoke access token" && (err != nil || alive) {
			t.Errorf("%s: alive %t, %v", name, alive, err)
		}
	}
}

// Whoever is let in again gets in at once, although the store remembers who is blocked.
func TestUnblockingHoldsForTheNextCall(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.watch(t)
	if _, err := f.BlockUser(t.Context(), testOrg, testSubject, ""); err != nil {
		t.Fatal(err)
	}
	f.opens(t, f.tokens(t, otherSubject), true) // now it remembers
	if err := f.UnblockUser(t.Context(), testOrg, testSubject); err != nil {
		t.Fatal(err)
	}
	f.opens(t, f.tokens(t, testSubject), true)
}

// RS-10, D13: what another process takes away is gone within a second.
func TestRS10TakingAccessHoldsForOtherProcessesWithinASecond(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.watch(t)
	other := f.beside(t)
	// What counts is when a call begins; a busy machine may take longer than that for it.
	gone := func(what string, since time.Time, still func() bool) {
		t.Helper()
		for begun := time.Since(since); still(); begun = time.Since(since) {
			if begun > time.Second {
				t.Errorf("%s: still good after %v", what, begun)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	for name, take := range takings {
		if err := f.UnblockUser(t.Context(), testOrg, testSubject); err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		tokens := f.tokens(t, testSubject)
		f.opens(t, tokens, true)
		if err := take(t.Context(), other, tokens); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		gone(name, time.Now(), func() bool {
			_, err := f.Authenticate(t.Context(), tokens.AccessToken, "sales")
			return err == nil
		})
	}
}

// Times end what is remembered, without anybody's taking it away.
func TestRememberedAccessExpires(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.watch(t)
	tokens := f.tokens(t, testSubject)
	f.opens(t, tokens, true)
	f.clock.Add(testLifetimes.AccessToken - time.Millisecond)
	f.opens(t, tokens, true)
	f.clock.Add(time.Millisecond)
	f.opens(t, tokens, false)
	f.clock.Add(testLifetimes.RefreshAbsolute)
	if alive, err := f.Alive(t.Context(), tokens.Grant.ID); err != nil || alive {
		t.Errorf("alive %t, %v, after the grant's end", alive, err)
	}
}

// Groups and rules go by usernames, so a name that moves takes access with it.
func TestRenamingHoldsForTheNextCall(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.watch(t)
	tokens := f.tokens(t, testSubject)
	for _, username := range []string{"a@acme.example", "b@acme.example"} {
		if err := f.NameUser(t.Context(), testOrg, testSubject, username, "A"); err != nil {
			t.Fatal(err)
		}
		if g, err := f.Authenticate(t.Context(), tokens.AccessToken, "sales"); err != nil || g.Username != username {
			t.Errorf("authenticated as %+v, %v", g, err)
		}
	}
	before := f.epoch(t)
	if err := f.NameUser(t.Context(), testOrg, testSubject, "b@acme.example", "A B"); err != nil || f.epoch(t) != before {
		t.Errorf("the same username again: %v, epoch %d and %d", err, before, f.epoch(t))
	}
}

// RS-20: whoever authenticates while a grant is revoked, nothing remembers it afterwards.
func TestRS20RevokeRacesAuthenticate(t *testing.T) {
	t.Parallel()
	iterations := 20 * rounds.Count(t)
	if dbtest.OnPostgres() {
		iterations /= 4 // what is remembered is the same, reading takes longer
	}
	f := open(t)
	f.watch(t)
	f.tokens(t, testSubject) // the user
	secrets := make([]string, iterations)
	if !dbtest.OnPostgres() {
		if _, err := f.db.Writes.Exec(`PRAGMA synchronous = OFF`); err != nil { // many commits, and no power to be cut
			t.Fatal(err)
		}
	}
	now := db.Millis(f.clock.Now())
	err := f.db.Tx(t.Context(), func(tx *sql.Tx) error {
		for i := range secrets {
			secrets[i] = seal.Secret(accessPrefix)
			id := fmt.Sprintf("grt_%d", i)
			if _, err := tx.Exec(`INSERT INTO grants (id, org, subject, client_id, server, resource, scope, redirect_uri, created_at, expires_at, activated_at)
				VALUES ($1, $2, $3, 'chatgpt', 'sales', $4, 'mcp', '', $5, $6, $5)`, id, testOrg, testSubject, testResource, now, now+1e9); err != nil {
				return err
			}
			if _, err := tx.Exec(`INSERT INTO access_tokens (token_hash, grant_id, created_at, expires_at) VALUES ($1, $2, $3, $4)`, seal.Hash(secrets[i]), id, now, now+1e6); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Sign(t, f.db, db.Grants, db.AccessTokens)
	var at atomic.Int64
	var passed atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() {
			for ctx.Err() == nil {
				if _, err := f.Authenticate(ctx, secrets[at.Load()], "sales"); err == nil {
					passed.Add(1)
				}
			}
		})
	}
	for i, begun := 0, time.Now(); i < iterations; i++ {
		if time.Since(begun) > 8*time.Second { // a busy machine, the race detector
			t.Logf("%d iterations in 8 s", i)
			break
		}
		before := passed.Load()
		at.Store(int64(i))
		for passed.Load() == before { // the others are at it, however busy the machine is
			runtime.Gosched()
		}
		if _, err := f.Authenticate(ctx, secrets[i], "sales"); err != nil {
			t.Fatalf("grant %d before its revocation: %v", i, err)
		}
		if _, err := f.RevokeGrant(ctx, fmt.Sprintf("grt_%d", i), "test"); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Authenticate(ctx, secrets[i], "sales"); !errors.Is(err, ErrInvalidToken) {
			t.Fatalf("grant %d after its revocation: %v", i, err)
		}
	}
	stop()
	callers.Wait()
}
