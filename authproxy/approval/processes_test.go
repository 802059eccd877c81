package approval

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// pair is two stores on one database, each with its own handles, as two processes have them.
func pair(t *testing.T, now func() time.Time) (stores [2]*Store, d *db.DB) {
	t.Helper()
	url, keys := dbtest.URL(t), t.TempDir()+"/keys"
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	for i := range stores {
		ring, err := seal.LoadKeyRing(keys)
		if err != nil {
			t.Fatal(err)
		}
		d = dbtest.OpenURL(t, url)
		if stores[i], err = New(Config{DB: d, Ring: ring, Lifetime: lifetime, Now: now, PendingPerConnection: 3, PendingPerUser: 5}); err != nil {
			t.Fatal(err)
		}
	}
	return stores, d
}

// processes are two stores on one database, as of two replicas, to be asked in turn.
func processes(t *testing.T) (first *Store, d *db.DB, ask func(n int, f func(i int, s *Store))) {
	t.Helper()
	stores, d := pair(t, nil)
	return stores[0], d, func(n int, f func(int, *Store)) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { f(i, stores[i%2]) })
		}
		all.Wait()
	}
}

// The same call at the same time is one request, decided once and spent once.
func TestProcessesHoldDecideAndSpendOnce(t *testing.T) {
	t.Parallel()
	s, _, ask := processes(t)
	for round := range 10 {
		b := binding(fmt.Sprint("round ", round))
		var mu sync.Mutex
		var ids []string
		ask(8, func(_ int, s *Store) {
			r, err := s.Submit(t.Context(), b, "create")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Contains(ids, r.ID) {
				ids = append(ids, r.ID)
			}
		})
		if len(ids) != 1 {
			t.Fatalf("one call is held as %d requests", len(ids))
		}
		once := func(what string, refused error, f func(i int, s *Store) error) {
			t.Helper()
			n := 0
			ask(8, func(i int, s *Store) {
				err := f(i, s)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					n++
				} else if !errors.Is(err, refused) {
					t.Error(err)
				}
			})
			if n != 1 {
				t.Fatalf("%s %d times", what, n)
			}
		}
		once("decided", ErrGone, func(i int, s *Store) error {
			_, err := s.Approve(t.Context(), ids[0], agreed(actor.User(fmt.Sprint("person", i))))
			return err
		})
		once("spent", ErrNotApproved, func(_ int, s *Store) error { return second(s.Spend(t.Context(), b)) })
		if err := s.Settle(t.Context(), ids[0], Done, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// A user has no more waiting requests than may be, whoever counts.
func TestProcessesKeepTheCapOfWaitingRequests(t *testing.T) {
	t.Parallel()
	_, _, ask := processes(t)
	var mu sync.Mutex
	held := 0
	ask(12, func(i int, s *Store) {
		_, err := s.Submit(t.Context(), binding(fmt.Sprint("call ", i)), "create")
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			held++
		} else if !errors.Is(err, ErrTooMany) {
			t.Error(err)
		}
	})
	if held != 3 {
		t.Errorf("%d wait, 3 may", held)
	}
}

// Two live requests of one call cannot be stored, whatever a program does.
func TestTwoLiveRequestsOfOneCallCannotBe(t *testing.T) {
	t.Parallel()
	s, d, _ := processes(t)
	r, err := s.Submit(t.Context(), binding("Acme"), "create")
	if err != nil {
		t.Fatal(err)
	}
	again := `INSERT INTO approvals (id, binding_hash, state, org, subject, grant_id, client_id, server, tool, class, policy_version,
			definition_hash, arguments_digest, sealed_arguments, approvers, created_at, expires_at)
		SELECT 'apr_again', binding_hash, 'approved', org, subject, grant_id, client_id, server, tool, class, policy_version,
			definition_hash, arguments_digest, sealed_arguments, approvers, created_at, expires_at FROM approvals WHERE id = $1`
	if _, err := d.Writes.Exec(again, r.ID); err == nil {
		t.Error("a second one is stored")
	}
	if _, err := s.Deny(t.Context(), r.ID, actor.User("rep"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Writes.Exec(again, r.ID); err != nil {
		t.Errorf("beside one that is over: %v", err)
	}
}
