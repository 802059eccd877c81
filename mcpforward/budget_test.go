package mcpforward

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/examples/salesforcesim"
)

func userOf(server, subject string) *grant.Grant {
	return &grant.Grant{Org: "acme", Subject: subject, Server: server}
}

// A server's own rate is shared by its users and costs other servers nothing. What a
// user's own limit refuses does not count there.
func TestServerRate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	b := newBudgets(Limits{CallsPerMinute: 4, ConcurrentCalls: 10}, func() time.Time { return now })
	b.limitServer(&Server{Name: "small", CallsPerMinute: 6})
	b.limitServer(&Server{Name: "free"})
	made := func(server, subject string) (n int) {
		for range 10 {
			if leave, ok := b.enter(t.Context(), userOf(server, subject)); ok {
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
	if u, s := b.limited.users.Load(), b.limited.servers.Load(); u != 18 || s != 2 {
		t.Errorf("refused by the limits of users %d, of servers %d", u, s)
	}
}

// A client that goes away while its call waits was refused by nobody.
func TestGoneClientsAreNotLimited(t *testing.T) {
	t.Parallel()
	b := newBudgets(Limits{CallsPerMinute: 100, ConcurrentCalls: 1}, time.Now)
	b.limitServer(&Server{Name: "small", ConcurrentCalls: 1})
	leave, ok := b.enter(t.Context(), userOf("small", "a"))
	if !ok {
		t.Fatal("refused")
	}
	defer leave()
	for _, user := range []string{"a", "b"} { // one waits for a place of the user's, one for the server's
		gone, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, ok := b.enter(gone, userOf("small", user)); ok {
			t.Errorf("%s got a place", user)
		}
	}
	if u, s := b.limited.users.Load(), b.limited.servers.Load(); u != 0 || s != 0 {
		t.Errorf("refused by the limits of users %d, of servers %d", u, s)
	}
}

// What is refused for a limit is a denial, and recorded as one; a client in a loop does not
// fill the log with it.
func TestLimitedCallsAreRecorded(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	w := newWorld(t, func(c *Config) {
		c.Limits.CallsPerMinute = 3
		c.Now = func() time.Time { return time.Unix(1_800_000_000, ahead.Load()) }
	})
	c := rep(w)
	for range 2 * refusalsAtOnce {
		c.tool("soqlQuery", `{"q":"SELECT Id FROM Account"}`)
	}
	refused := func() (all []audit.Entry) {
		for _, e := range w.entries("tool.call") {
			if e.Outcome == audit.Denied {
				all = append(all, e)
			}
		}
		return all
	}
	all := refused()
	if len(all) != refusalsAtOnce {
		t.Fatalf("%d entries of refused calls", len(all))
	}
	if e := all[0]; e.Tool != "soqlQuery" || string(e.Arguments) != `{"q":"SELECT Id FROM Account"}` || e.ArgumentsDigest == "" || !strings.Contains(e.Reason, "limit") || e.Subject != salesforcesim.RepID {
		t.Errorf("recorded %+v", e)
	}
	ahead.Add(int64(refusalPause))
	for range 3 {
		c.call("tools/list", `{}`)
	}
	if got := w.entries("request.refuse"); len(got) != 1 || got[0].Object != "tools/list" || !strings.Contains(got[0].Reason, "more") {
		t.Errorf("later: %+v", got)
	}
}

// AV-04: one user asks as fast as it can. It is told that it has reached its limit; the
// calls of another are all made, and do not queue behind it.
func TestAV04NoisyNeighbour(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits = Limits{CallsPerMinute: 60, ConcurrentCalls: 4} })
	noisy, quiet := rep(w), w.connect(salesforcesim.ManagerID, "chatgpt", "sales")
	median := func() time.Duration {
		var took []time.Duration
		for range 20 {
			begun := time.Now()
			if a := quiet.tool("getUserInfo", `{}`); a.failed() {
				t.Errorf("the quiet user: %s", a.body)
			}
			took = append(took, time.Since(begun))
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	alone := median()
	var limited atomic.Int64
	var flood sync.WaitGroup
	stop := make(chan struct{})
	for i := range 8 {
		own := *noisy
		own.ids = 1000 * (i + 1)
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if a := own.tool("getUserInfo", `{}`); a.failed() && a.text() == sayLimit {
					limited.Add(1)
				}
			}
		})
	}
	waitFor(t, func() bool { return limited.Load() > 20 })
	beside := median()
	close(stop)
	flood.Wait()
	t.Logf("median of the quiet user alone %s, beside the flood %s; %d calls of the noisy one refused", alone, beside, limited.Load())
	if got := w.handler.Limited("user"); got != limited.Load() {
		t.Errorf("%d refusals are counted, %d were told", got, limited.Load())
	}
	// Seconds, not twice: the flood itself takes the processors on which this test runs.
	if beside > alone+5*time.Second {
		t.Errorf("the quiet user waits %s, alone %s", beside, alone)
	}
}

// AV-04: one user's burst queues behind itself. A user who comes later has its turn as
// soon as one call has ended.
func TestAV04TurnsAreFairBetweenUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(Limits{CallsPerMinute: 1000, ConcurrentCalls: 20}, time.Now)
		b.limitServer(&Server{Name: "small", ConcurrentCalls: 2})
		call := func(subject string, done func(time.Duration)) {
			begun := time.Now()
			leave, ok := b.enter(t.Context(), userOf("small", subject))
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

// Whoever gives up waiting leaves no trace, and a queue that does not move ends.
func TestWaitingForATurnEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(Limits{CallsPerMinute: 1000, ConcurrentCalls: 20}, time.Now)
		b.limitServer(&Server{Name: "small", ConcurrentCalls: 1})
		leave, ok := b.enter(t.Context(), userOf("small", "a"))
		if !ok {
			t.Fatal("the first call is refused")
		}
		gone, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, ok := b.enter(gone, userOf("small", "b")); ok {
			t.Error("a call whose client has gone is let in")
		}
		begun := time.Now()
		if _, ok := b.enter(t.Context(), userOf("small", "c")); ok || time.Since(begun) != queueTime {
			t.Errorf("behind a call that does not end: %t after %s", ok, time.Since(begun))
		}
		leave()
		if leave, ok := b.enter(t.Context(), userOf("small", "d")); !ok {
			t.Error("nobody is there any more, and still it is refused")
		} else {
			leave()
		}
		if turns := b.servers["small"].turns; turns.free != 1 || len(turns.waiting) != 0 {
			t.Errorf("left behind: %+v", turns)
		}
		if n := len(b.of(userOf("small", "b")).running); n != 0 {
			t.Errorf("%d calls of who gave up are still counted", n)
		}
	})
}

// AV-04: refusals are given no faster than a client in a loop can be borne with, and what
// is held back is bounded for each user.
func TestAV04RefusalsAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(Limits{CallsPerMinute: 1, ConcurrentCalls: 1}, time.Now)
		var took [refusalsHeld + 50]time.Duration
		begun := time.Now()
		var asking sync.WaitGroup
		for i := range took {
			asking.Go(func() {
				b.of(userOf("s", "a")).holdBack(t.Context())
				took[i] = time.Since(begun)
			})
		}
		synctest.Wait() // those beyond the bound are refused
		b.of(userOf("s", "b")).holdBack(t.Context())
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
		if b.of(userOf("s", "a")).holdBack(gone); time.Since(begun) != 0 {
			t.Errorf("a client that has gone is waited for: %s", time.Since(begun))
		}
		if n := b.of(userOf("s", "a")).held.Load(); n != 0 {
			t.Errorf("%d refusals are left behind", n)
		}
	})
}

// AV-04: what writes to the database counts against the user's limits.
func TestAV04LogLevelsAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits, c.Now = Limits{CallsPerMinute: 3}, standingStill() })
	c := rep(w)
	last := 0
	for range 4 {
		last = c.call("logging/setLevel", `{"level":"info"}`).status
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("beyond the limit: %d", last)
	}
}
