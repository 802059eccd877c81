package mcpforward

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/examples/salesforcesim"
)

// count is how many calls are under way or wait for their turn.
func (f *inFlight) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

// RS-10: access is taken away while calls are under way.
func TestRS10CutOffInFlight(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(context.Context, *world, *client) error{
		"grant revoked": func(ctx context.Context, w *world, c *client) error {
			_, err := w.grants.RevokeGrant(ctx, c.grant, "test")
			return err
		},
		"user blocked": func(ctx context.Context, w *world, c *client) error {
			_, err := w.grants.BlockUser(ctx, "acme", salesforcesim.RepID, "test")
			return err
		},
		"client revoked": func(ctx context.Context, w *world, c *client) error {
			_, err := w.grants.RevokeClient(ctx, "chatgpt", "test")
			return err
		},
		"stop all": func(ctx context.Context, w *world, c *client) error {
			return w.handler.Access.SetStop(ctx, access.StopAll, "test")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			c := rep(w)
			w.wantHeld("a write", c.create(createAccount))
			w.decide(true)
			other := w.connect(salesforcesim.ManagerID, "claude", "sales")
			watch, stop := context.WithCancel(t.Context())
			defer stop()
			go w.db.WatchAccess(watch, 100*time.Millisecond, func() { w.handler.Recheck(watch) })
			w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
			answers := make(chan *answer, 3)
			for i, call := range []string{
				`{"name":"getUserInfo","arguments":{}}`, `{"name":"getUserInfo","arguments":{},"_meta":{"progressToken":1}}`,
				`{"name":"createSobjectRecord","arguments":` + createAccount + `}`,
			} {
				d := *c
				d.ids = 10 * i
				go func() { answers <- d.call("tools/call", call) }()
			}
			bystander := make(chan *answer, 1)
			go func() { bystander <- other.tool("getUserInfo", `{}`) }()
			waitFor(t, func() bool { return len(w.forwarded()) == 4 })
			if err := cut(t.Context(), w, c); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			for range 3 {
				a := <-answers
				if time.Since(begun) > cutBound || strings.Contains(a.body, "Riley") || strings.Contains(a.body, "success") {
					t.Errorf("after %s: %d %s", time.Since(begun), a.status, a.body)
				}
				// The kill switch ends calls, not connections: a token that is good is not called bad.
				stopped := a.status == http.StatusOK && a.failed() && strings.Contains(a.text(), "stopped by an administrator")
				if stopped != (name == "stop all") || !stopped && a.status != http.StatusUnauthorized {
					t.Errorf("told %d %s", a.status, a.body)
				}
				if stopped && strings.Contains(a.text(), "not made") {
					t.Errorf("a call that was made is denied: %s", a.body)
				}
			}
			w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
			if a := <-bystander; name != "stop all" && a.failed() {
				t.Errorf("another user's call: %s", a.body)
			}
			if name != "stop all" {
				if a := c.call("ping", `{}`); a.status != http.StatusUnauthorized {
					t.Errorf("the next call: %d", a.status)
				}
			}
			waitFor(t, func() bool {
				last := map[audit.Outcome]int{}
				for _, e := range w.entries("tool.call") {
					last[e.Outcome]++
				}
				return last[audit.Unknown] == 1 && last[audit.Intent] == 4
			})
		})
	}
}

// underWay makes a call whose answer Salesforce holds, and returns where an answer to it
// will come.
func (w *world) underWay(t *testing.T, c *client, id string) <-chan *answer {
	t.Helper()
	w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
	answers := make(chan *answer, 1)
	go func() {
		d := *c
		answers <- d.post(`{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"getUserInfo"}}`)
	}()
	waitFor(t, func() bool { return len(w.forwarded()) == 1 })
	return answers
}

func TestCancelNotification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	other := w.connect(salesforcesim.RepID, "claude", "sales")
	answers := w.underWay(t, c, `"slow"`)
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"slow"}}`
	other.post(cancel) // another session's request of that name
	select {
	case a := <-answers:
		t.Fatalf("another session cancelled the call: %s", a.body)
	case <-time.After(200 * time.Millisecond):
	}
	begun := time.Now()
	c.post(cancel)
	if a := <-answers; !a.failed() || time.Since(begun) > cutBound || !strings.Contains(a.text(), "cancelled") {
		t.Errorf("after %s: %s", time.Since(begun), a.body)
	}
}

// A client may write the id of a call in one way and name it in another.
func TestCancelNotificationInOtherSpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	answers := w.underWay(t, c, `"a\/\u0062"`)
	begun := time.Now()
	c.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a/b"}}`)
	if a := <-answers; !a.failed() || time.Since(begun) > cutBound || !strings.Contains(a.text(), "cancelled") || string(a.ID) != `"a\/\u0062"` {
		t.Errorf("after %s: %s", time.Since(begun), a.body)
	}
}

// FT-53: calls are under way while access is looked at again and cannot be found out. They end, and are
// not told that their token is bad: a client would throw it away, and its person would sign in again.
func TestFaultFT53UncheckedCallsKeepTheirToken(t *testing.T) {
	t.Parallel()
	for name, recheck := range map[string]func(*world) error{
		"the kill switch cannot be read": func(w *world) error {
			gone, cancel := context.WithCancel(context.Background())
			cancel()
			w.handler.Recheck(gone)
			return nil
		},
		"the connection cannot be read": func(w *world) error {
			_, err := w.db.Writes.Exec(`ALTER TABLE grants RENAME TO out_of_reach`)
			w.handler.Recheck(context.Background())
			return err
		},
	} {
		w := newWorld(t, func(c *setup) { c.Limits.ConcurrentCalls = 1 })
		c := rep(w)
		slow, queued := w.underWay(t, c, `"slow"`), make(chan *answer, 1)
		go func() {
			d := *c
			queued <- d.tool("getUserInfo", `{}`)
		}()
		waitFor(t, func() bool { return w.handler.calls.count() == 2 })
		if err := recheck(w); err != nil {
			t.Fatal(err)
		}
		for what, answers := range map[string]<-chan *answer{"forwarded": slow, "waiting for its turn": queued} {
			a := <-answers
			if a.status != http.StatusServiceUnavailable || a.header.Get("WWW-Authenticate") != "" || strings.Contains(a.body, "Riley") {
				t.Errorf("%s, %s: %d %s", name, what, a.status, a.body)
			}
		}
	}
}

// A call ends where it began when the configuration is reloaded; its client's cancellation
// and the end of its access come to the handler that is in force by then.
func TestFaultFT45CallsOfThePreviousHandler(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world, *client) error{
		"cancelled": func(_ *world, c *client) error {
			a := c.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"slow"}}`)
			if a.status != http.StatusAccepted {
				return errors.New(a.body)
			}
			return nil
		},
		"revoked": func(w *world, c *client) error {
			_, err := w.grants.RevokeGrant(context.Background(), c.grant, "test")
			w.handler.Recheck(context.Background())
			return err
		},
	} {
		var handler atomic.Pointer[Handler]
		w := newWorld(t, nil)
		handler.Store(w.handler)
		w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.Load().ServeHTTP(rw, r) })
		c := rep(w)
		answers := w.underWay(t, c, `"slow"`)
		next, err := New(w.handler.Config)
		if err != nil {
			t.Fatal(err)
		}
		next.TakeOver(w.handler)
		w.handler = next
		handler.Store(next)
		begun := time.Now()
		if err := end(w, c); err != nil {
			t.Fatal(err)
		}
		a := <-answers
		told := a.status == http.StatusUnauthorized || strings.Contains(a.text(), "cancelled") // and not that its time was up
		if !a.failed() || time.Since(begun) > cutBound || !told {
			t.Errorf("%s: after %s: %d %s", name, time.Since(begun), a.status, a.body)
		}
	}
}

// FW-45: a write is cancelled while it waits for its turn. It is not made later.
func TestFW45CancelledBeforeItsTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Limits.ConcurrentCalls = 1
		c.Servers[0].Policy = allowAll()
	})
	c := rep(w)
	slow, queued := w.underWay(t, c, `"slow"`), make(chan *answer, 1)
	go func() {
		d := *c
		queued <- d.post(`{"jsonrpc":"2.0","id":"queued","method":"tools/call","params":{"name":"createSobjectRecord","arguments":` + createAccount + `}}`)
	}()
	waitFor(t, func() bool { return w.handler.calls.count() == 2 })
	c.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"queued"}}`)
	if a := <-queued; !a.failed() || !strings.Contains(a.text(), "cancelled") || !strings.Contains(a.text(), "not carried out") {
		t.Errorf("the cancelled write: %s", a.body)
	}
	w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
	if a := <-slow; a.failed() {
		t.Errorf("the other call: %s", a.body)
	}
	if got := w.forwarded(); len(got) != 1 || w.accounts("Nimbus") != 0 {
		t.Errorf("forwarded %v", got)
	}
}

// FW-45: the client goes away while its write is under way. The write runs to its end
// and a repeat is answered from the record.
func TestFW45ClientGoesAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	w.decide(true)
	w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		r := c.request(strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"createSobjectRecord","arguments":` + createAccount + `}}`))
		resp, err := http.DefaultClient.Do(r.WithContext(ctx))
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		gone <- err
	}()
	waitFor(t, func() bool { return len(w.forwarded()) == 1 })
	leave()
	if err := <-gone; err == nil {
		t.Fatal("the client got its answer")
	}
	if a := c.create(createAccount); !strings.Contains(a.text(), "it may be under way") { // nobody says that it was sent, or carried out
		t.Errorf("repeated meanwhile: %s", a.body)
	}
	if e := w.last(); e.Outcome != audit.Repeated || e.Reason != "is being made, or how it ended was not recorded" {
		t.Errorf("repeated meanwhile: %+v", e)
	}
	w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
	waitFor(t, func() bool { return slices.Contains(outcomes(w.entries("tool.call")), audit.OK) })
	if a := c.create(createAccount); a.failed() || !strings.Contains(a.text(), "not made again") || w.accounts("Nimbus") != 1 {
		t.Errorf("repeated: %s", a.body)
	}
}
