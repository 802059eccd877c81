package limit

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func userOf(subject string) User { return User{Org: "acme", Subject: subject} }

// newAllowances are those of users with these limits, and of one server.
func newAllowances(user, small Limits) *Allowances {
	return New(Config{User: user, Servers: map[string]Limits{"small": small, "free": {}}, Now: time.Now})
}

// A server's own rate is shared by its users and costs other servers nothing. What a
// user's own limit refuses does not count there.
func TestServerRate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	b := newAllowances(Limits{CallsPerMinute: 4, ConcurrentCalls: 10}, Limits{CallsPerMinute: 6})
	b.now = func() time.Time { return now }
	made := func(server, subject string) (n int) {
		for range 10 {
			if leave, ok := b.Enter(t.Context(), userOf(subject), server); ok {
				leave()
				n++
			}
		}
		return n
	}
	if n := made("small", "a"); n != 4 {
		t.Errorf("the first user made %d calls, want the 4 of its own limit", n)
	}
	if n := made("small", "b"); n != 2 {
		t.Errorf("the second user made %d calls, want the 2 that are left of the server's 6", n)
	}
	if n := made("free", "c"); n != 4 {
		t.Errorf("a user of another server made %d calls", n)
	}
	if u, s := b.Refused(); u != 18 || s != 2 {
		t.Errorf("refused by the limits of users %d, of servers %d", u, s)
	}
}

// A client that goes away while its call waits was refused by nobody.
func TestGoneClientsAreNotLimited(t *testing.T) {
	t.Parallel()
	b := newAllowances(Limits{CallsPerMinute: 100, ConcurrentCalls: 1}, Limits{ConcurrentCalls: 1})
	leave, ok := b.Enter(t.Context(), userOf("a"), "small")
	if !ok {
		t.Fatal("refused")
	}
	defer leave()
	for _, user := range []string{"a", "b"} { // one waits for a place of the user's, one for the server's
		gone, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, ok := b.Enter(gone, userOf(user), "small"); ok {
			t.Errorf("%s got a place", user)
		}
	}
	if u, s := b.Refused(); u != 0 || s != 0 {
		t.Errorf("refused by the limits of users %d, of servers %d", u, s)
	}
}

// Whoever gives up waiting leaves no trace, and a queue that does not move ends.
func TestWaitingForATurnEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAllowances(Limits{CallsPerMinute: 1000, ConcurrentCalls: 20}, Limits{ConcurrentCalls: 1})
		leave, ok := b.Enter(t.Context(), userOf("a"), "small")
		if !ok {
			t.Fatal("the first call is refused")
		}
		gone, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, ok := b.Enter(gone, userOf("b"), "small"); ok {
			t.Error("a call whose client has gone is let in")
		}
		begun := time.Now()
		if _, ok := b.Enter(t.Context(), userOf("c"), "small"); ok || time.Since(begun) != QueueTime {
			t.Errorf("behind a call that does not end: %t after %s", ok, time.Since(begun))
		}
		leave()
		if leave, ok := b.Enter(t.Context(), userOf("d"), "small"); !ok {
			t.Error("nobody is there any more, and still it is refused")
		} else {
			leave()
		}
		if turns := b.servers["small"].turns; turns.free != 1 || len(turns.waiting) != 0 {
			t.Errorf("left behind: %+v", turns)
		}
		if n := len(b.Of(userOf("b")).running); n != 0 {
			t.Errorf("%d calls of who gave up are still counted", n)
		}
	})
}

// AV-04: refusals are given no faster than a client in a loop can be borne with, and what
// is held back is bounded for each user.
func TestAV04RefusalsAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAllowances(Limits{CallsPerMinute: 1, ConcurrentCalls: 1}, Limits{})
		var took [150]time.Duration // 100 of them are held back
		begun := time.Now()
		var asking sync.WaitGroup
		for i := range took {
			asking.Go(func() {
				b.Of(userOf("a")).HoldBack(t.Context())
				took[i] = time.Since(begun)
			})
		}
		synctest.Wait() // those beyond the bound are refused
		b.Of(userOf("b")).HoldBack(t.Context())
		if other := time.Since(begun); other != refusalTime {
			t.Errorf("another user is refused after %s", other)
		}
		asking.Wait()
		slices.Sort(took[:])
		if at := [...]time.Duration{took[0], took[49], took[50], took[len(took)-1]}; at != [...]time.Duration{0, 0, refusalTime, refusalTime} {
			t.Errorf("refused after %v", at)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		begun = time.Now()
		if b.Of(userOf("a")).HoldBack(gone); time.Since(begun) != 0 {
			t.Errorf("a client that has gone is waited for: %s", time.Since(begun))
		}
		if n := b.Of(userOf("a")).held.Load(); n != 0 {
			t.Errorf("%d refusals are left behind", n)
		}
	})
}

// AV-04: one user's burst queues behind itself. A user who comes later has its turn as
// soon as one call has ended.
func TestAV04TurnsAreFairBetweenUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAllowances(Limits{CallsPerMinute: 1000, ConcurrentCalls: 20}, Limits{ConcurrentCalls: 2})
		call := func(subject string, done func(time.Duration)) {
			begun := time.Now()
			leave, ok := b.Enter(t.Context(), userOf(subject), "small")
			if !ok {
				t.Error("refused:", subject)
				return
			}
			waited := time.Since(begun)
			time.Sleep(time.Second)
			leave()
			done(waited)
		}
		var noisy sync.WaitGroup
		for range 20 {
			noisy.Go(func() { call("noisy", func(time.Duration) {}) })
		}
		synctest.Wait()
		for range 3 {
			time.Sleep(1500 * time.Millisecond)
			call("quiet", func(waited time.Duration) {
				if waited > time.Second {
					t.Errorf("the quiet user waited %s behind the noisy one", waited)
				}
			})
		}
		noisy.Wait()
		if turns := b.servers["small"].turns; turns.free != 2 || len(turns.running) != 0 || len(turns.waiting) != 0 {
			t.Errorf("left behind: %+v", turns)
		}
	})
}

func TestQueueThatDoesNotMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAllowances(Limits{CallsPerMinute: 100, ConcurrentCalls: 1}, Limits{})
		user := userOf("005A")
		leave, ok := b.Enter(t.Context(), user, "free")
		if !ok {
			t.Fatal("the first call is refused")
		}
		begun := time.Now()
		if _, ok := b.Enter(t.Context(), user, "free"); ok || time.Since(begun) != QueueTime {
			t.Errorf("a call behind one that does not end: %t after %s", ok, time.Since(begun))
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, ok := b.Enter(gone, user, "free"); ok {
			t.Error("a call whose client has gone is let in")
		}
		if _, ok := b.Enter(t.Context(), User{Org: "other", Subject: "005A"}, "free"); !ok {
			t.Error("another org's user of the same id waits")
		}
		time.AfterFunc(time.Second, leave)
		begun = time.Now()
		if _, ok := b.Enter(t.Context(), user, "free"); !ok || time.Since(begun) != time.Second {
			t.Errorf("when the call ends: %t after %s", ok, time.Since(begun))
		}
		time.Sleep(time.Hour)
		b.Sweep()
		if len(b.users) != 2 { // both have a call under way
			t.Errorf("%d users are known", len(b.users))
		}
	})
}

// AV-04: one user cannot hold more streams than the bound; those of another are its own.
func TestAV04Streams(t *testing.T) {
	t.Parallel()
	var s Streams
	leave := func() {}
	for range 16 {
		var ok bool
		if leave, ok = s.Enter(userOf("a")); !ok {
			t.Fatal("refused within the bound")
		}
	}
	if _, ok := s.Enter(userOf("a")); ok {
		t.Error("one more is let in")
	}
	other, ok := s.Enter(userOf("b"))
	if !ok {
		t.Error("another user is refused")
	}
	leave()
	if _, ok := s.Enter(userOf("a")); !ok {
		t.Error("a stream that has ended still counts")
	}
	other()
	if len(s.open) != 1 {
		t.Errorf("%d users are known", len(s.open))
	}
}
