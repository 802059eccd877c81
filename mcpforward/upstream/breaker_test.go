package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// ill is a fixture whose server fails as failure says while it is on.
func ill(t *testing.T, failure respond) (*fixture, *atomic.Bool) {
	t.Helper()
	var on atomic.Bool
	on.Store(true)
	return newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if on.Load() && m.IsRequest() && m.Method != "initialize" {
			failure(w, r, m)
			return true
		}
		return false
	}), &on
}

// circuitOpen checks that a call fails without reaching the server, and for how long.
func (x *fixture) circuitOpen(t *testing.T, repeatable bool, left time.Duration) {
	t.Helper()
	x.running.Wait() // cancellations are told beside the calls
	before := len(x.fake.all())
	m, err := x.ask(t, repeatable)
	wants{Unavailable, false}.check(t, m, err)
	if e, _ := errors.AsType[*Error](err); e.RetryAfter != left {
		t.Errorf("RetryAfter %v, want %v", e.RetryAfter, left)
	}
	if n := len(x.fake.all()) - before; n != 0 {
		t.Errorf("%d requests reached a server whose circuit is open", n)
	}
}

func TestCircuitOpens(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) { <-r.Context().Done() }
	for name, tt := range map[string]struct {
		failure respond
		opens   bool
	}{
		"502":            {status(502, ""), true},
		"503":            {status(503, ""), true},
		"lost":           {func(http.ResponseWriter, *http.Request, *jsonrpc.Message) { panic(http.ErrAbortHandler) }, true},
		"cut":            {cut("application/json", "{"), true},
		"stream cut":     {raw("text/event-stream", "data: {"), true},
		"users time out": {hang, true},
		"400":            {status(400, ""), false},
		"401":            {status(401, ""), false},
		"403":            {status(403, ""), false},
		"404":            {status(404, "Server definition not found for: sales"), false},
		"429":            {status(429, ""), false},
		"limit":          {status(403, `[{"errorCode":"REQUEST_LIMIT_EXCEEDED"}]`), false},
		"HTML":           {raw("text/html", "<html>"), false},
		"empty":          {raw("application/json", ""), false},
		"isError":        {raw("application/json", `{"jsonrpc":"2.0","id":ID,"result":{"isError":true}}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, _ := ill(t, tt.failure)
			as := func(i int) {
				if name == "users time out" {
					x.target.Subject = fmt.Sprint("005", i)
				}
			}
			for i := range failuresToOpen + 3 { // initialize is answered, which ends a row
				as(i)
				if _, err := x.Capabilities(t.Context(), x.target); err != nil {
					t.Fatal(err)
				}
			}
			if name == "users time out" {
				x.target.Timeout = 100 * time.Millisecond
			}
			for i := range failuresToOpen + 3 {
				as(i)
				_, _ = x.ask(t, false)
			}
			want := map[bool]int{true: failuresToOpen, false: failuresToOpen + 3}[tt.opens]
			if name == "400" || name == "401" {
				want = x.fake.count("tools/call") // with their repetitions
			}
			if n := x.fake.count("tools/call"); n != want && name != "users time out" { // maybe before they were sent
				t.Errorf("%d calls reached the server, want %d", n, want)
			}
			if tt.opens {
				x.target.Timeout = plenty
				x.circuitOpen(t, false, firstOpen)
				x.circuitOpen(t, true, firstOpen)
			}
		})
	}
}

// TestAV04OneUserOpensNothing: neither by slow queries nor by a token that is refused.
func TestAV04OneUserOpensNothing(t *testing.T) {
	t.Parallel()
	x, _ := ill(t, func(_ http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) { <-r.Context().Done() })
	if _, err := x.Capabilities(t.Context(), x.target); err != nil {
		t.Fatal(err)
	}
	x.target.Timeout = 50 * time.Millisecond
	for range 2 * failuresToOpen {
		_, err := x.ask(t, false)
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != TimedOut {
			t.Fatalf("err = %v, want timed_out", err)
		}
	}
	x, _ = ill(t, status(502, ""))
	cut := x.target
	cut.Token = func(context.Context) (string, error) { return "", ErrLoginLost }
	for range 2 * failuresToOpen {
		_, err := x.Call(t.Context(), cut, toolCall, true)
		wants{LoginLost, false}.check(t, nil, err)
	}
	m, err := x.ask(t, false)
	wants{Unavailable, true}.check(t, m, err)
}

// TestCircuitIsOfOneServer: another server, and the same URL in another org, are not
// affected.
func TestCircuitIsOfOneServer(t *testing.T) {
	t.Parallel()
	x := newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.Method != "tools/call" || r.URL.Path == "/other" || r.Header.Get("Mcp-Session-Id") == "session-2" {
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	for range failuresToOpen {
		_, _ = x.ask(t, false)
	}
	x.circuitOpen(t, false, firstOpen)
	target := x.target
	x.target.Org = "other" // session-2
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	x.target = target
	x.target.URL += "/other"
	m, err = x.ask(t, false)
	wants{}.check(t, m, err)
	x.target = target
	x.target.Subject = "005B" // the same server for everybody
	x.circuitOpen(t, false, firstOpen)
}

func TestCircuitCountsFailuresInARow(t *testing.T) {
	t.Parallel()
	x, on := ill(t, status(502, ""))
	for range 4 {
		for range failuresToOpen - 1 {
			_, _ = x.ask(t, false)
		}
		on.Store(false)
		m, err := x.ask(t, false)
		wants{}.check(t, m, err)
		on.Store(true)
	}
}

func TestCircuitHalfOpen(t *testing.T) {
	t.Parallel()
	x, on := ill(t, status(502, ""))
	for range failuresToOpen {
		_, _ = x.ask(t, false)
	}
	open := firstOpen
	for range 6 { // each probe that fails doubles the time
		x.circuitOpen(t, true, open)
		x.pass(open - 1)
		x.circuitOpen(t, true, 1)
		x.pass(1)
		before := len(x.fake.all())
		m, err := x.ask(t, true)
		wants{Unavailable, true}.check(t, m, err) // the probe
		if n := len(x.fake.all()) - before; n != 1 {
			t.Errorf("%d requests reached the server, want the probe", n)
		}
		open = min(2*open, longestOpen)
	}
	x.circuitOpen(t, true, longestOpen)
	x.pass(longestOpen)
	on.Store(false)
	for range failuresToOpen {
		m, err := x.ask(t, true)
		wants{}.check(t, m, err)
	}
	on.Store(true)
	m, err := x.ask(t, false)
	wants{Unavailable, true}.check(t, m, err) // the first failure of a new row
	x.pass(0)
	on.Store(false)
	m, err = x.ask(t, false)
	wants{}.check(t, m, err)
}

// TestAWriteIsNoProbe: a ping, or an initialize if there is no session, goes before it.
func TestAWriteIsNoProbe(t *testing.T) {
	t.Parallel()
	x, on := ill(t, status(502, ""))
	for range failuresToOpen {
		_, _ = x.ask(t, false)
	}
	x.pass(firstOpen)
	m, err := x.ask(t, false)
	wants{Unavailable, false}.check(t, m, err)
	if calls, pings := x.fake.count("tools/call"), x.fake.count("ping"); calls != failuresToOpen || pings != 1 {
		t.Errorf("%d writes and %d pings, want %d and 1", calls, pings, failuresToOpen)
	}
	x.circuitOpen(t, false, 2*firstOpen)
	x.pass(2 * firstOpen)
	on.Store(false)
	m, err = x.ask(t, false)
	wants{}.check(t, m, err)
	if calls, pings := x.fake.count("tools/call"), x.fake.count("ping"); calls != failuresToOpen+1 || pings != 2 {
		t.Errorf("%d writes and %d pings, want %d and 2", calls, pings, failuresToOpen+1)
	}

	x, on = ill(t, status(502, ""))
	for range failuresToOpen {
		_, _ = x.ask(t, false)
	}
	x.pass(firstOpen)
	on.Store(false)
	x.target.Subject = "005B" // who has no session
	m, err = x.ask(t, false)
	wants{}.check(t, m, err)
	if pings := x.fake.count("ping"); pings != 0 {
		t.Errorf("%d pings although initialize was the probe", pings)
	}
}

// TestOneProbe: of many callers one passes while the server does not answer; when the
// probe is given up, the next one is.
func TestOneProbe(t *testing.T) {
	t.Parallel()
	var hang atomic.Bool
	arrived := make(chan struct{}, 100)
	x := newFixture(t, onCall(func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
		if !hang.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	for range failuresToOpen {
		_, _ = x.ask(t, false)
	}
	x.pass(firstOpen)
	hang.Store(true)
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := x.Call(ctx, x.target, toolCall, true); done <- err }()
		<-arrived
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				_, err := x.Call(t.Context(), x.target, toolCall, true)
				if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Unavailable || e.RetryAfter != probeWait {
					t.Errorf("beside the probe: %v", err)
				}
			})
		}
		all.Wait()
		cancel()
		wants{Canceled, true}.check(t, nil, <-done)
	}
	if n := x.fake.count("tools/call"); n != failuresToOpen+2 {
		t.Errorf("%d calls reached the server, want %d", n, failuresToOpen+2)
	}
}

func TestFaultFT59RetryAfterIsKept(t *testing.T) {
	t.Parallel()
	x, _ := ill(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
		w.Header().Set("Retry-After", "30")
		status(503, "")(w, r, m)
	})
	for range failuresToOpen {
		_, _ = x.ask(t, false)
	}
	x.circuitOpen(t, true, 30*time.Second)
}

// TestSpared: what an operator sees is that calls are held back, until one is answered.
func TestCircuitOpenIsTold(t *testing.T) {
	t.Parallel()
	x, on := ill(t, status(502, ""))
	seen := func(want bool) {
		t.Helper()
		if got := x.CircuitOpen("acme", x.fake.URL); got != want {
			t.Errorf("circuit open: %t, want %t", got, want)
		}
	}
	seen(false)
	for range failuresToOpen {
		_, _ = x.ask(t, false)
	}
	seen(true)
	if x.CircuitOpen("other", x.fake.URL) {
		t.Error("the same server of another org has an open circuit, too")
	}
	x.pass(firstOpen)
	seen(true) // a probe is due
	on.Store(false)
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	seen(false)
}
