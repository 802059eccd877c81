package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// get is one GET that a server has taken, for the test to play.
type get struct {
	r   *http.Request
	out chan string // what is to be sent; closed: the end of the stream
}

// send writes an event stream as it is, unless the client has gone.
func (g *get) send(text string) {
	select {
	case g.out <- text:
	case <-g.r.Context().Done():
	}
}

func (g *get) notify(method string) {
	g.send("data: " + notification(method) + "\n\n")
}

// end closes the stream.
func (g *get) end() { close(g.out) }

func notification(method string) string { return `{"jsonrpc":"2.0","method":"` + method + `"}` }

const toolsChanged, promptsChanged = "notifications/tools/list_changed", "notifications/prompts/list_changed"

// listening is a fixture whose server takes every GET and hands it to the test.
func listening(t *testing.T, on func(http.ResponseWriter, *http.Request, *jsonrpc.Message) bool) (*fixture, chan *get) {
	t.Helper()
	taken := make(chan *get, 100)
	x := newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.Method != http.MethodGet {
			return on != nil && on(w, r, m)
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		w.(http.Flusher).Flush()
		g := &get{r, make(chan string)}
		taken <- g
		for {
			select {
			case text, more := <-g.out:
				if !more {
					return true
				}
				io.WriteString(w, text)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return true
			}
		}
	})
	return x, taken
}

func (x *fixture) listen(t *testing.T) *Listener {
	t.Helper()
	l, err := x.Listen(t.Context(), x.target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// hears checks what comes next.
func (l *Listener) hears(t *testing.T, methods ...string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), plenty)
	defer stop()
	for _, want := range methods {
		m, err := l.Next(ctx)
		if err != nil || m.Method != want {
			t.Fatalf("got %+v, %v; want %s", m, err, want)
		}
	}
}

// ends checks that nothing but the end comes.
func (l *Listener) ends(t *testing.T, kind Kind) error {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), plenty)
	defer stop()
	m, err := l.Next(ctx)
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != kind || ctx.Err() != nil {
		t.Fatalf("got %+v, %v; want the end, %s", m, err, kind)
	}
	return err
}

func TestListen(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	x.target.Client.LogLevel, x.target.RequestID = "info", "r1"
	l := x.listen(t)
	g := <-taken
	want := http.Header{
		"Accept": {"text/event-stream"}, "Accept-Encoding": {"identity"}, "Authorization": {"Bearer token-1"},
		"Mcp-Protocol-Version": {"2025-06-18"}, "Mcp-Session-Id": {"session-1"}, "User-Agent": {"sfmcp-proxy/dev"}, "X-Request-Id": {"r1"},
	}
	if diff := cmp.Diff(want, g.r.Header); diff != "" {
		t.Errorf("headers of GET (-want +got):\n%s", diff)
	}
	g.send("retry: 10\nid: 7\ndata:\n\n: ping\n\nevent: other\ndata: x\n\ndata: <html>\n\n")
	g.send(`data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"debug","data":1}}` + "\n\n")
	g.send(`data: {"jsonrpc":"2.0","id":1,"result":{"evil":1}}` + "\n\n")
	for _, method := range []string{"notifications/progress", "notifications/cancelled", "notifications/elicitation/complete", "m"} {
		g.notify(method)
	}
	passing := []string{toolsChanged, promptsChanged, "notifications/resources/list_changed", "notifications/resources/updated"}
	for _, method := range passing {
		g.notify(method)
	}
	g.send(`data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}` + "\n\n")
	l.hears(t, append(passing, "notifications/message")...)
}

func TestListenersShareOneConnection(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	a, b := x.listen(t), x.listen(t)
	g := <-taken
	g.notify(toolsChanged)
	g.notify(promptsChanged)
	a.hears(t, toolsChanged, promptsChanged)
	b.hears(t, toolsChanged, promptsChanged)
	a.Close()
	a.ends(t, Canceled)
	g.notify(promptsChanged)
	b.hears(t, promptsChanged) // and toolsChanged not again
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if m, err := b.Next(ctx); err == nil {
		t.Errorf("got %+v", m)
	}
	if n := x.fake.count(http.MethodGet); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	b.Close()
	<-g.r.Context().Done() // with the last listener
	b.ends(t, Canceled)
	x.listen(t)
	(<-taken).notify(toolsChanged)
	other := x.target
	other.Subject = "005B"
	l, err := x.Listen(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if g := <-taken; g.r.Header.Get("Mcp-Session-Id") != "session-2" {
		t.Errorf("another user listens on %s", g.r.Header.Get("Mcp-Session-Id"))
	}
}

// TestFW35ListenersOfOthersGetNothing: what a server says to one user's session stays
// there.
func TestFW35ListenersOfOthersGetNothing(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	mine := x.listen(t)
	g := <-taken
	x.target.Subject = "005B"
	theirs := x.listen(t)
	h := <-taken
	g.notify(toolsChanged)
	mine.hears(t, toolsChanged)
	h.notify(promptsChanged)
	theirs.hears(t, promptsChanged)
}

func TestCallsReachListeners(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		switch m.Method {
		case "tools/list":
			answer(w, m.ID, `{"tools":[{"name":"a"}]}`)
		case "tools/call":
			stream(w, notification(toolsChanged), notification(promptsChanged), `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{}}`)
		default:
			return false
		}
		return true
	})
	l := x.listen(t)
	<-taken
	list := func(want int) {
		t.Helper()
		if _, err := x.List(t.Context(), x.target, "tools/list", 0); err != nil || x.fake.count("tools/list") != want {
			t.Errorf("listed %d times, want %d: %v", x.fake.count("tools/list"), want, err)
		}
	}
	list(1)
	list(1)
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	l.hears(t, toolsChanged, promptsChanged)
	list(2)
}

// TestSlowListenerIsDropped: and the one beside it hears everything.
func TestSlowListenerIsDropped(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	slow, quick := x.listen(t), x.listen(t)
	g := <-taken
	for range listenerQueue + 1 {
		g.notify(promptsChanged)
		quick.hears(t, promptsChanged)
	}
	for range listenerQueue {
		slow.hears(t, promptsChanged)
	}
	slow.ends(t, Broken)
	g.notify(toolsChanged)
	quick.hears(t, toolsChanged)
}

// TestSlowListenerIsDroppedForBytes: what waits for one is bounded however few the
// notifications are. One that is large alone comes.
func TestSlowListenerIsDroppedForBytes(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	slow, quick := x.listen(t), x.listen(t)
	g := <-taken
	const each = listenerBytes/2 + 1<<10
	large := `{"jsonrpc":"2.0","method":"` + promptsChanged + `","params":{"_meta":{"x":"` + strings.Repeat("x", each) + `"}}}`
	for range 3 {
		g.send("data: " + large + "\n\n")
		quick.hears(t, promptsChanged)
	}
	slow.hears(t, promptsChanged)
	slow.ends(t, Broken)
	g.notify(toolsChanged)
	quick.hears(t, toolsChanged)
}

func TestFaultFT31ListenWhereGETIsNotOffered(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]respond{
		"405": status(405, ""), "404": status(404, ""), "406": status(406, ""), "501": status(501, ""), "202": status(202, ""),
		"200 HTML": raw("text/html", "<html>"), "200 JSON": raw("application/json", "{}"),
	} {
		x := newFixture(t, onMethod(http.MethodGet, respond))
		for range 2 {
			l, err := x.Listen(t.Context(), x.target)
			if e, ok := errors.AsType[*Error](err); !ok || e.Kind != NotOffered || e.MayHaveHappened || l != nil {
				t.Errorf("%s: %v, want NotOffered", name, err)
			}
		}
		m, err := x.ask(t, false) // it is not fatal to calls
		wants{}.check(t, m, err)
	}
}

func TestListenFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method string
		respond      respond
		want         Kind
		gets         int
	}{
		{"no session", "initialize", status(403, ""), Forbidden, 0},
		{"502", http.MethodGet, status(502, ""), Unavailable, 2},
		{"403", http.MethodGet, status(403, ""), Forbidden, 1},
		{"429", http.MethodGet, status(429, ""), Limited, 1},
		{"401", http.MethodGet, status(401, ""), LoginLost, 2},
		{"400", http.MethodGet, status(400, "Session Key missing"), Unavailable, 2},
	} {
		x := newFixture(t, onMethod(tt.method, tt.respond))
		_, err := x.Listen(t.Context(), x.target)
		wants{tt.want, false}.check(t, nil, err)
		if n := x.fake.count(http.MethodGet); n != tt.gets {
			t.Errorf("%s: %d GETs, want %d", tt.name, n, tt.gets)
		}
	}
	x := newFixture(t, nil)
	x.target.Token = nil
	if _, err := x.Listen(t.Context(), x.target); err == nil {
		t.Error("an incomplete target was listened to")
	}
}

func TestListenEnds(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{"forget": ErrForgotten, "close": ErrClosed, "ctx": context.Canceled} {
		x, taken := listening(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l, err := x.Listen(ctx, x.target)
		if err != nil {
			t.Fatal(err)
		}
		g := <-taken
		switch name {
		case "forget":
			x.Forget("acme", "005A")
		case "close":
			x.Close()
		case "ctx":
			cancel()
		}
		if err := l.ends(t, Canceled); !errors.Is(err, cause) {
			t.Errorf("%s: %v, want %v", name, err, cause)
		}
		<-g.r.Context().Done()
		l.Close()
	}
	x, _ := listening(t, nil)
	x.Close()
	_, err := x.Listen(t.Context(), x.target)
	wants{Canceled, false}.check(t, nil, err)
	if !errors.Is(err, ErrClosed) {
		t.Errorf("err = %v, want ErrClosed", err)
	}
}

func TestFaultFT21ListenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	opening := make(chan struct{})
	x := newFixture(t, onMethod(http.MethodGet, func(_ http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) {
		close(opening)
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-opening; cancel() }()
	_, err := x.Listen(ctx, x.target)
	wants{Canceled, false}.check(t, nil, err)

	x = newFixture(t, onMethod(http.MethodGet, func(_ http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) { <-r.Context().Done() }))
	x.cfg.OpenTimeout = 100 * time.Millisecond
	_, err = x.Listen(t.Context(), x.target)
	wants{TimedOut, false}.check(t, nil, err)
}

// TestFW35NothingIsAskedOfListeners: whatever was declared.
func TestFW35NothingIsAskedOfListeners(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	x.target.Client = ClientCapabilities{Elicitation: true, ElicitationURL: true, Sampling: true, Roots: true}
	l := x.listen(t)
	g := <-taken
	g.send("data: " + elicit + "\n\n" + `data: {"jsonrpc":"2.0","id":5,"method":"ping"}` + "\n\n")
	g.notify(toolsChanged)
	l.hears(t, toolsChanged) // both were answered before
	want := []string{
		`{"jsonrpc":"2.0","id":"s\u002d1","error":{"code":-32601,"message":"nothing is asked outside of a call"}}`,
		`{"jsonrpc":"2.0","id":5,"result":{}}`,
	}
	if diff := cmp.Diff(want, x.fake.responses()); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
}

func TestFW38NotificationIsBounded(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	l := x.listen(t)
	g := <-taken
	go g.send("data: " + strings.Repeat("x", 2*notificationBytes))
	again := <-taken
	<-g.r.Context().Done() // the connection ended by us
	again.notify(toolsChanged)
	l.hears(t, toolsChanged)
}

// TestListenKeepsItsSessionSlot: while somebody listens, the session is not idle.
func TestListenKeepsItsSessionSlot(t *testing.T) {
	t.Parallel()
	x, taken := listening(t, nil)
	x.listen(t)
	<-taken
	x.pass(time.Hour)
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	if n := x.fake.count("initialize"); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}
