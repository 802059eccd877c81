package upstream

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// TestListenAgain: a connection that ends is made anew, after what the stream asked for
// within bounds, and without asking for what was missed.
func TestListenAgain(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	l := x.listen(t)
	for _, retry := range []string{"", "retry: 3000\n", "retry: 1\n", "retry: 900000\n"} {
		g := <-taken
		if g.r.Header.Get("Last-Event-ID") != "" {
			t.Error("a resumption was asked for")
		}
		g.send("id: 1\n" + retry + "data: " + notification(toolsChanged) + "\n\n")
		l.hears(t, toolsChanged)
		g.end()
	}
	<-taken
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, want := range []time.Duration{time.Second, 3 * time.Second, time.Second, 5 * time.Minute} {
		if got := x.pauses[i]; got < want || got > want+500*time.Millisecond {
			t.Errorf("pause %d is %v, want %v and jitter", i, got, want)
		}
	}
}

func TestListenBacksOff(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	l := x.listen(t)
	for range 9 {
		(<-taken).end() // brings nothing
	}
	(<-taken).notify(toolsChanged)
	l.hears(t, toolsChanged)
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, want := range []int{2, 4, 8, 16, 32, 60, 60, 60, 60} {
		if got := x.pauses[i].Truncate(time.Second); got != time.Duration(want)*time.Second {
			t.Errorf("pause %d is %v, want %d s", i, got, want)
		}
	}
}

// TestListenOutlivesFailures: a server that was up before is waited for, and a dead
// session is replaced.
func TestListenOutlivesFailures(t *testing.T) {
	t.Parallel()
	var x *fixture
	taken := make(chan *get, 10)
	first := make(chan struct{})
	x = newFixture(t, onMethod(http.MethodGet, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
		switch n := x.fake.count(http.MethodGet); {
		case n == 1:
			stream(w, notification(toolsChanged))
			<-first
		case n < 6:
			status(503, "")(w, r, m)
		case r.Header.Get("Mcp-Session-Id") == "session-1":
			sessionMissingAnswer(w)
		default:
			stream(w, notification(promptsChanged))
			taken <- nil
			<-r.Context().Done()
		}
	}))
	l := x.listen(t)
	l.hears(t, toolsChanged)
	close(first)
	<-taken
	l.hears(t, promptsChanged)
	l.Close()
}

// TestListenFollowsTheSession: when a call finds the session dead, the stream moves on to
// the new one.
func TestListenFollowsTheSession(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	l := x.listen(t)
	old := <-taken
	x.fake.kill()
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	g := <-taken
	<-old.r.Context().Done()
	if got := g.r.Header.Get("Mcp-Session-Id"); got != "session-2" {
		t.Errorf("listens on %s", got)
	}
	g.notify(toolsChanged)
	l.hears(t, toolsChanged)
}

// TestListenOnASessionThatDiesMeanwhile: a call replaces the session while the server
// has not answered the GET yet; its answer comes for a session that nobody uses.
func TestListenOnASessionThatDiesMeanwhile(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	x := newFixture(t, onMethod(http.MethodGet, func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) {
		arrived <- struct{}{}
		if r.Header.Get("Mcp-Session-Id") == "session-1" {
			<-release
			stream(w, notification(promptsChanged))
		} else {
			stream(w, notification(toolsChanged))
		}
		<-r.Context().Done()
	}))
	go func() {
		<-arrived
		x.fake.kill()
		_, _ = x.ask(t, false)
		close(release)
	}()
	x.listen(t).hears(t, toolsChanged)
}

// TestListenerLosesItsToken: alone. The next connection is made with another's.
func TestListenerLosesItsToken(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	var lost atomic.Bool
	own := x.target
	own.Token = func(ctx context.Context) (string, error) {
		if lost.Load() {
			return "", fmt.Errorf("%w: cut off", ErrLoginLost)
		}
		return x.target.Token(ctx)
	}
	cut, err := x.Listen(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	defer cut.Close()
	other := x.listen(t)
	lost.Store(true)
	(<-taken).end()
	cut.ends(t, LoginLost)
	(<-taken).notify(toolsChanged)
	other.hears(t, toolsChanged)
}
