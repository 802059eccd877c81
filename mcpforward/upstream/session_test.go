package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

func TestSessionIsHealed(t *testing.T) {
	t.Parallel()
	unexpected := `{"content":[{"type":"text","text":"Unexpected error while invoking tool createSobjectRecord"}],"isError":true}`
	for _, tt := range []struct {
		name       string
		repeatable bool
		respond    func(w http.ResponseWriter, m *jsonrpc.Message) // to a call on the dead session
		want       wants
		calls      int // that reach Salesforce, both sessions together
	}{
		{"400 write", false, func(w http.ResponseWriter, _ *jsonrpc.Message) { sessionMissingAnswer(w) }, wants{}, 2},
		{"400 other words", false, func(w http.ResponseWriter, _ *jsonrpc.Message) {
			http.Error(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Session not found"}}`, 400)
		}, wants{}, 2},
		{"400 unexplained, write", false, func(w http.ResponseWriter, _ *jsonrpc.Message) { http.Error(w, "<html>", 400) }, wants{Broken, true}, 1},
		{"400 unexplained, read", true, func(w http.ResponseWriter, _ *jsonrpc.Message) { http.Error(w, "<html>", 400) }, wants{}, 2},
		{"400 in the protocol, write", false, func(w http.ResponseWriter, m *jsonrpc.Message) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"Bad Request: no valid session ID"}}`, m.ID)
		}, wants{}, 2},
		{"404 in the protocol, write", false, func(w http.ResponseWriter, m *jsonrpc.Message) {
			w.WriteHeader(404)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32001,"message":"Session not found"}}`, m.ID)
		}, wants{}, 2},
		{"404 write", false, func(w http.ResponseWriter, _ *jsonrpc.Message) { http.Error(w, "not initialized", 404) }, wants{}, 2},
		{"isError write", false, func(w http.ResponseWriter, m *jsonrpc.Message) { answer(w, m.ID, unexpected) }, wants{}, 1},
		{"isError read", true, func(w http.ResponseWriter, m *jsonrpc.Message) { answer(w, m.ID, unexpected) }, wants{}, 2},
		{"empty 200 write", false, func(w http.ResponseWriter, _ *jsonrpc.Message) {}, wants{Broken, true}, 1},
		{"empty 200 read", true, func(w http.ResponseWriter, _ *jsonrpc.Message) {}, wants{}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
				if m.Method != "tools/call" || r.Header.Get("Mcp-Session-Id") != "session-1" {
					return false
				}
				tt.respond(w, m)
				return true
			})
			m, err := x.ask(t, tt.repeatable)
			tt.want.check(t, m, err)
			if got := x.fake.count("tools/call"); got != tt.calls {
				t.Errorf("%d calls reached salesforce, want %d", got, tt.calls)
			}
			if tt.name == "isError write" && string(m.Result) != unexpected {
				t.Errorf("the write's answer became %s", m.Result)
			}
			if tt.name == "isError write" { // its session is not used again
				m, err = x.ask(t, false)
				wants{}.check(t, m, err)
				if n := x.fake.count("initialize"); n != 2 {
					t.Errorf("%d sessions, want 2", n)
				}
			}
		})
	}
}

func TestDeadSessionIsReplacedOnceForAll(t *testing.T) {
	t.Parallel()
	x := newFixture(t, nil)
	_, _ = x.ask(t, false)
	x.fake.kill()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			m, err := x.ask(t, false)
			wants{}.check(t, m, err)
		})
	}
	all.Wait()
	if n := x.fake.count("initialize"); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
}

func TestSessionThatNeverHolds(t *testing.T) {
	t.Parallel()
	x := newFixture(t, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "tools/call" {
			sessionMissingAnswer(w)
		}
		return m.Method == "tools/call"
	})
	m, err := x.ask(t, true)
	wants{Unavailable, false}.check(t, m, err)
	if n := x.fake.count("tools/call"); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

func TestOpeningFails(t *testing.T) {
	t.Parallel()
	initialize := func(result, session string) func(http.ResponseWriter, *jsonrpc.Message) {
		return func(w http.ResponseWriter, m *jsonrpc.Message) {
			w.Header().Set("Mcp-Session-Id", session)
			answer(w, m.ID, result)
		}
	}
	status := func(code int, body string) func(http.ResponseWriter, *jsonrpc.Message) {
		return func(w http.ResponseWriter, _ *jsonrpc.Message) { http.Error(w, body, code) }
	}
	for _, tt := range []struct {
		name    string
		method  string
		respond func(http.ResponseWriter, *jsonrpc.Message)
		want    Kind
		times   int // that initialize comes
	}{
		{"inactive", "initialize", status(404, "Server definition not found for: sales"), ServerInactive, 1},
		{"404 that stays", "initialize", status(404, "not initialized"), ServerInactive, 2},
		{"502", "initialize", status(502, "<html>"), Unavailable, 2},
		{"forbidden", "initialize", status(403, "<html>"), Forbidden, 1},
		{"empty", "initialize", func(http.ResponseWriter, *jsonrpc.Message) {}, Broken, 2},
		{"unknown version", "initialize", initialize(`{"protocolVersion":"1999-01-01"}`, "s"), Broken, 1},
		{"no version", "initialize", initialize(`{}`, "s"), Broken, 1},
		{"bad session id", "initialize", initialize(`{"protocolVersion":"2025-06-18"}`, "a b"), Broken, 1},
		{"refused in the protocol", "initialize", func(w http.ResponseWriter, m *jsonrpc.Message) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"error":{"code":-32600,"message":"no"}}`)
		}, Unavailable, 1},
		{"initialized is refused", "notifications/initialized", status(500, ""), Unavailable, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := newFixture(t, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
				if m.Method == tt.method {
					tt.respond(w, m)
				}
				return m.Method == tt.method
			})
			m, err := x.ask(t, false)
			wants{tt.want, false}.check(t, m, err)
			if n := x.fake.count("initialize"); n != tt.times {
				t.Errorf("initialize came %d times, want %d", n, tt.times)
			}
			if n := x.fake.count("tools/call"); n != 0 {
				t.Errorf("%d calls reached salesforce", n)
			}
		})
	}
}

func TestOpeningOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	opening, release := make(chan struct{}), make(chan struct{})
	x := newFixture(t, func(_ http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "initialize" {
			close(opening)
			<-release
		}
		return false
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-opening; cancel() }()
	_, err := x.Call(ctx, x.target, toolCall, false)
	wants{Canceled, false}.check(t, nil, err)
	impatient := x.target
	impatient.Timeout = 20 * time.Millisecond
	_, err = x.Call(t.Context(), impatient, toolCall, false)
	wants{TimedOut, false}.check(t, nil, err)
	close(release)
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	if n := x.fake.count("initialize"); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

func TestSlowOpeningDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	x := newFixture(t, func(_ http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "initialize" && (r.URL.Path == "/slow" || strings.Contains(string(m.Params), "roots")) {
			<-release
		}
		return false
	})
	warm := x.target
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	done := make(chan error)
	go func() {
		target := x.target
		target.URL += "/slow"
		a, err := x.Call(t.Context(), target, toolCall, false)
		if err == nil {
			a.Close()
		}
		done <- err
	}()
	go func() { // the same server, for another client of the same user
		target := warm
		target.Client.Roots = true
		_, err := x.Capabilities(t.Context(), target)
		done <- err
	}()
	m, err = x.ask(t, false) // same user, other server
	wants{}.check(t, m, err)
	x.target.Subject = "005B"
	m, err = x.ask(t, false)
	wants{}.check(t, m, err)
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestIdleSessionsAreReplaced(t *testing.T) {
	t.Parallel()
	x := newFixture(t, nil)
	_, _ = x.ask(t, false)
	x.pass(24 * time.Minute)
	_, _ = x.ask(t, false)
	if n := x.fake.count("initialize"); n != 1 {
		t.Errorf("%d sessions after 24 minutes, want 1", n)
	}
	x.pass(25 * time.Minute)
	_, _ = x.ask(t, false)
	if n := x.fake.count("initialize"); n != 2 {
		t.Errorf("%d sessions after 25 idle minutes, want 2", n)
	}
	x.pass(25 * time.Minute)
	x.target.Subject = "005B" // another user's call sweeps
	_, _ = x.ask(t, false)
	if n := len(x.users); n != 1 {
		t.Errorf("%d users are held, want 1", n)
	}
}

func TestUsersDoNotShareSessions(t *testing.T) {
	t.Parallel()
	x := newFixture(t, nil)
	for _, who := range [][2]string{{"acme", "005A"}, {"acme", "005B"}, {"other", "005A"}} {
		x.target.Org, x.target.Subject = who[0], who[1]
		m, err := x.ask(t, false)
		wants{}.check(t, m, err)
	}
	seen := map[string]bool{}
	for _, r := range x.fake.of("tools/call") {
		seen[r.header.Get("Mcp-Session-Id")] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d sessions for 3 users", len(seen))
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	working := make(chan struct{}, 2)
	x := newFixture(t, func(_ http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "resources/read" {
			working <- struct{}{}
			<-r.Context().Done()
			return true
		}
		return false
	})
	hang := jsonrpc.Request(toolCall.ID, "resources/read", nil)
	other := x.target
	other.Subject = "005B"
	otherCtx, cancel := context.WithCancel(t.Context())
	otherDone := make(chan error, 1)
	go func() { _, err := x.Call(otherCtx, other, hang, false); otherDone <- err }()
	<-working
	go func() { <-working; x.Forget("acme", "005A") }()
	_, err := x.Call(t.Context(), x.target, hang, true)
	wants{Canceled, true}.check(t, nil, err)
	if !errors.Is(err, ErrForgotten) {
		t.Errorf("err = %v, want ErrForgotten", err)
	}
	select {
	case err := <-otherDone:
		t.Errorf("another user's call ended: %v", err)
	default:
	}
	if n := x.fake.count("notifications/cancelled"); n != 0 {
		t.Errorf("%d requests were sent for a user who was forgotten", n)
	}
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	if n := x.fake.count("initialize"); n != 3 {
		t.Errorf("%d sessions, want 3: two users, one of them twice", n)
	}
	cancel()
	<-otherDone
}

func TestForgetWhileOpening(t *testing.T) {
	t.Parallel()
	opening := make(chan struct{})
	x := newFixture(t, func(_ http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "initialize" {
			close(opening)
			<-r.Context().Done()
			return true
		}
		return false
	})
	go func() { <-opening; x.Forget("acme", "005A") }()
	m, err := x.ask(t, false)
	wants{Canceled, false}.check(t, m, err)
	if !errors.Is(err, ErrForgotten) {
		t.Errorf("err = %v, want ErrForgotten", err)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	working := make(chan struct{})
	x := newFixture(t, func(_ http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "tools/call" {
			close(working)
			<-r.Context().Done()
		}
		return false
	})
	go func() { <-working; x.Close() }()
	m, err := x.ask(t, true)
	wants{Canceled, true}.check(t, m, err)
	m, err = x.ask(t, true)
	wants{Canceled, false}.check(t, m, err)
	if !errors.Is(err, ErrClosed) {
		t.Errorf("err = %v, want ErrClosed", err)
	}
}

// TestIdleSessionIsDeleted: by the call that replaces it, with that call's token, and
// not again at a server that refuses. Neither a dead session nor Close nor Forget
// sends a DELETE.
func TestIdleSessionIsDeleted(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]int{200: 3, 204: 3, 404: 3, 405: 1, 501: 1} {
		x := newFixture(t, onMethod(http.MethodDelete, status(code, "")))
		for range 4 {
			m, err := x.ask(t, false)
			wants{}.check(t, m, err)
			x.running.Wait()
			x.pass(25 * time.Minute)
		}
		deleted := x.fake.of(http.MethodDelete)
		if len(deleted) != want || deleted[0].header.Get("Mcp-Session-Id") != "session-1" || deleted[0].header.Get("Authorization") != "Bearer token-1" {
			t.Errorf("%d: deleted %v, want %d", code, deleted, want)
		}
		x.fake.kill()
		_, _ = x.ask(t, false)
		x.fake.kill()
		_, _ = x.ask(t, false)
		n := x.fake.count(http.MethodDelete)
		x.Forget("acme", "005A")
		x.Close()
		if got := x.fake.count(http.MethodDelete); got != n {
			t.Errorf("%d: %d DELETEs more", code, got-n)
		}
	}
}
