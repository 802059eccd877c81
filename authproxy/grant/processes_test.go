package grant

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"sfmcp-proxy/authproxy/db"
)

// processes are two stores on one database, as of two replicas, to be asked in turn.
func processes(t *testing.T) (f *fixture, ask func(n int, f func(s *Store))) {
	f = open(t)
	stores := []*Store{f.Store, f.beside(t)}
	return f, func(n int, do func(*Store)) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { do(stores[i%2]) })
		}
		all.Wait()
	}
}

// Of many redemptions of one code in two processes one gets tokens, and the others, which
// are replays, end the grant.
func TestProcessesRedeemACodeOnce(t *testing.T) {
	t.Parallel()
	f, ask := processes(t)
	for range 10 {
		id, code := f.code(t, testSubject)
		var mu sync.Mutex
		got, replays := 0, 0
		ask(8, func(s *Store) {
			_, err := s.Redeem(t.Context(), redemption(code))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				got++
			case errors.Is(err, ErrReplayed):
				replays++
			case !errors.Is(err, ErrInvalidGrant):
				t.Error(err)
			}
		})
		if got != 1 || replays == 0 {
			t.Errorf("%d redeemed, %d replays", got, replays)
		}
		if g, err := f.Grant(t.Context(), id); err != nil || g.RevokedAt.IsZero() {
			t.Errorf("the grant lives on: %v", err)
		}
	}
}

// A refresh token that two processes rotate at the same time has one successor, which
// everybody gets (RFC 9700 4.14.2: more would be a family with two leaves).
func TestProcessesRotateOnce(t *testing.T) {
	t.Parallel()
	f, ask := processes(t)
	tokens := f.tokens(t, testSubject)
	for range 10 {
		var mu sync.Mutex
		var next []string
		ask(8, func(s *Store) {
			rotated, err := s.Rotate(t.Context(), rotation(tokens.RefreshToken))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			if !slices.Contains(next, rotated.RefreshToken) {
				next = append(next, rotated.RefreshToken)
			}
		})
		var leaves int
		if err := f.db.Reads.QueryRow(`SELECT count(*) FROM refresh_tokens WHERE grant_id = $1 AND rotated_at = 0`, tokens.Grant.ID).Scan(&leaves); err != nil || leaves != 1 || len(next) != 1 {
			t.Fatalf("%d successors were given, %d leaves are stored, %v", len(next), leaves, err)
		}
		tokens.RefreshToken = next[0]
	}
}

// A wrong verifier is counted, whichever process it comes to, and the fifth kills the code.
func TestProcessesCountWrongVerifiers(t *testing.T) {
	t.Parallel()
	f, ask := processes(t)
	_, code := f.code(t, testSubject)
	ask(maxFailures, func(s *Store) {
		r := redemption(code)
		r.Verifier = testVerifier + "x"
		if _, err := s.Redeem(t.Context(), r); !errors.Is(err, ErrInvalidGrant) {
			t.Error(err)
		}
	})
	if _, err := f.Redeem(t.Context(), redemption(code)); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("the code lives on: %v", err)
	}
}

// No more authorization requests are open than may be, whoever counts.
func TestProcessesKeepTheCapOfRequests(t *testing.T) {
	t.Parallel()
	f, ask := processes(t)
	f.fill(t, maxOpenRequests-3, "''", "''")
	ask(20, func(s *Store) {
		_, err := s.Requests.Open(t.Context(), authorizeRequest(), "browser")
		for db.FailureOf(err) == db.TooSlow { // on a busy machine the last of them wait longer than a statement does
			_, err = s.Requests.Open(t.Context(), authorizeRequest(), "browser")
		}
		if err != nil {
			t.Error(err)
		}
	})
	if n := f.openRequests(t); n != maxOpenRequests {
		t.Errorf("%d are open", n)
	}
}

// A username is one user's, whoever takes it at the same time.
func TestProcessesGiveAUsernameToOne(t *testing.T) {
	t.Parallel()
	f, ask := processes(t)
	var subjects []string
	for i := range 6 {
		subjects = append(subjects, fmt.Sprintf("005A00000000%06d", i))
		if err := f.SeeUser(t.Context(), testOrg, subjects[i]); err != nil {
			t.Fatal(err)
		}
	}
	next := make(chan string, len(subjects))
	for _, s := range subjects {
		next <- s
	}
	ask(len(subjects), func(s *Store) {
		if err := s.NameUser(t.Context(), testOrg, <-next, "one@acme.example", "One"); err != nil {
			t.Error(err)
		}
	})
	if have, err := f.FindUsers(t.Context(), "one@acme.example"); err != nil || len(have) != 1 {
		t.Errorf("%d users have it, %v", len(have), err)
	}
}
