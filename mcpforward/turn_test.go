package mcpforward

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/limit"
)

// What is refused for a limit is a denial, and recorded as one; a client in a loop does not
// fill the log with it.
func TestLimitedCallsAreRecorded(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	w := newWorld(t, func(c *setup) {
		c.Limits.CallsPerMinute = 3
		c.Now = func() time.Time { return time.Unix(1_800_000_000, ahead.Load()) }
	})
	c := rep(w)
	for range 2 * limit.RefusalsAtOnce {
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
	if len(all) != limit.RefusalsAtOnce {
		t.Fatalf("%d entries of refused calls", len(all))
	}
	if e := all[0]; e.Tool != "soqlQuery" || string(e.Arguments) != `{"q":"SELECT Id FROM Account"}` || e.ArgumentsDigest == "" || !strings.Contains(e.Reason, "limit") || e.Subject != salesforcesim.RepID {
		t.Errorf("recorded %+v", e)
	}
	ahead.Add(int64(limit.RefusalPause))
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
	w := newWorld(t, func(c *setup) { c.Limits = Limits{CallsPerMinute: 60, ConcurrentCalls: 4} })
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
				if a := own.tool("getUserInfo", `{}`); a.failed() && a.text() == textLimit {
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

// AV-04: what writes to the database counts against the user's limits.
func TestAV04LogLevelsAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Limits, c.Now = Limits{CallsPerMinute: 3}, standingStill() })
	c := rep(w)
	last := 0
	for range 4 {
		last = c.call("logging/setLevel", `{"level":"info"}`).status
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("beyond the limit: %d", last)
	}
}

// A client hears that it is waited for while its call waits for its turn, and while the
// tool that needs an approval is looked up, not only once the call is sent.
func TestKeepAliveBeforeTheCallIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Limits.ConcurrentCalls = 1 })
	w.handler.quiet = 50 * time.Millisecond
	c := rep(w)
	waited := func(what string, a *answer) {
		t.Helper()
		if !strings.HasPrefix(a.body, ": wait\n\n") || a.Result == nil {
			t.Errorf("%s: %s", what, a.body)
		}
	}
	w.switches(func(f *salesforcesim.Switches) { f.InitializeDelay = salesforcesim.Duration(500 * time.Millisecond) })
	held := c.create(createAccount)
	w.wantHeld("a write", held)
	waited("while the tool was looked up", held)

	w.switches(func(f *salesforcesim.Switches) { f.AnswerDelay = salesforcesim.Duration(500 * time.Millisecond) })
	slow := make(chan *answer, 1)
	go func() { d := *c; slow <- d.tool("getUserInfo", `{}`) }()
	waitFor(t, func() bool { return len(w.forwarded()) == 1 })
	w.switches(func(f *salesforcesim.Switches) { f.AnswerDelay = 0 })
	waited("while it waited for its turn", c.tool("getUserInfo", `{}`))
	<-slow
}

// D15: a turn is given back when the answer is out. Who reads slowly holds its own place,
// and with it the number of answers that wait in memory for it is bounded.
func TestTurnsAreHeldUntilTheAnswerIsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Limits.ConcurrentCalls = 1 })
	c := rep(w)
	slow := chanWriter{make(http.Header), make(chan string)}
	r := c.request(strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","arguments":{}}}`))
	var answering sync.WaitGroup
	answering.Go(func() { w.handler.ServeHTTP(slow, r) })
	waitFor(t, func() bool { return len(w.forwarded()) == 1 })
	gone, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, ok := w.handler.allowances.Enter(gone, limit.User{Org: "acme", Subject: salesforcesim.RepID}, "sales"); ok {
		t.Error("another call has the turn of one whose answer nobody has read")
	}
	for body := ""; !strings.Contains(body, `"id":1`); { // keep-alives may come first
		body = <-slow.wrote
	}
	answering.Wait()
	leave, ok := w.handler.allowances.Enter(t.Context(), limit.User{Org: "acme", Subject: salesforcesim.RepID}, "sales")
	if !ok {
		t.Fatal("the turn is not given back")
	}
	leave()
}

// chanWriter is a response that is read as it is written.
type chanWriter struct {
	header http.Header
	wrote  chan string
}

func (w chanWriter) Header() http.Header         { return w.header }
func (w chanWriter) WriteHeader(int)             {}
func (w chanWriter) Write(b []byte) (int, error) { w.wrote <- string(b); return len(b), nil }
