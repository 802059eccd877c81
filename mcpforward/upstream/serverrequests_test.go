package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// asker is a fake whose tool calls send the given events and then wait for as many
// responses as expect says before they answer.
func asker(t *testing.T, expect int, events ...string) *fixture {
	t.Helper()
	responded := make(chan struct{}, 1000)
	return newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.IsResponse() {
			w.WriteHeader(http.StatusAccepted)
			responded <- struct{}{}
			return true
		}
		if m.Method != "tools/call" {
			return false
		}
		stream(w, events...)
		for range expect {
			select {
			case <-responded:
			case <-r.Context().Done():
				return true
			}
		}
		stream(w, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{}}`)
		return true
	})
}

const elicit = `{"jsonrpc":"2.0","id":"s\u002d1","method":"elicitation/create","params":{"message":"Sure?","requestedSchema":{"type":"object"}}}`

func yes(id string) *jsonrpc.Message {
	return jsonrpc.Reply(jsontext.Value(id), jsontext.Value(`{"action":"accept","content":{"n":1.0}}`))
}

// open makes a call and returns it with the next message.
func (x *fixture) open(t *testing.T, repeatable bool) (*Answer, *jsonrpc.Message) {
	t.Helper()
	a, err := x.Call(t.Context(), x.target, toolCall, repeatable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	m, err := a.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a, m
}

func TestServerRequestIsForwardedAndAnswered(t *testing.T) {
	t.Parallel()
	x := asker(t, 1, elicit)
	x.target.Client.Elicitation = true
	a, m := x.open(t, false)
	if string(m.ID) != `"s\u002d1"` || m.Method != "elicitation/create" || !strings.Contains(string(m.Params), "Sure?") {
		t.Fatalf("asked %+v", m)
	}
	done := make(chan error) // Next waits meanwhile
	go func() {
		m, err := a.Next(t.Context())
		if err == nil && !m.IsResponse() {
			err = fmt.Errorf("got %+v", m)
		}
		done <- err
	}()
	for _, id := range []string{`"s-2"`, `1`, `s-1`, `null`, ``} {
		if err := a.Respond(t.Context(), yes(id)); err != ErrNotAsked {
			t.Errorf("id %s: %v, want ErrNotAsked", id, err)
		}
	}
	if err := a.Respond(t.Context(), jsonrpc.Request(m.ID, "tools/call", nil)); err != ErrNotAsked {
		t.Errorf("a request was taken for a response: %v", err)
	}
	if err := a.Respond(t.Context(), yes(`"s-1"`)); err != nil { // spelled in another way
		t.Errorf("Respond: %v", err)
	}
	if err := a.Respond(t.Context(), yes(`"s-1"`)); err != ErrNotAsked {
		t.Errorf("a second response: %v, want ErrNotAsked", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	want := []string{`{"jsonrpc":"2.0","id":"s\u002d1","result":{"action":"accept","content":{"n":1.0}}}`}
	if diff := cmp.Diff(want, x.fake.responses()); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
	if got := x.fake.of("")[0].header.Get("Mcp-Session-Id"); got != "session-1" {
		t.Errorf("the response went to %s", got)
	}
}

// TestFW36ResponseReachesOnlyWhoAsked: not by another answer, of the same user or another,
// not after the end, and not after the request was withdrawn.
func TestFW36ResponseReachesOnlyWhoAsked(t *testing.T) {
	t.Parallel()
	x := asker(t, 1, elicit)
	x.target.Client.Elicitation = true
	first, _ := x.open(t, false)
	second, _ := x.open(t, false)
	x.target.Subject = "005B"
	third, _ := x.open(t, false)
	third.Close()
	if err := third.Respond(t.Context(), yes(`"s-1"`)); err != ErrNotAsked {
		t.Errorf("after Close: %v", err)
	}
	if err := first.Respond(t.Context(), yes(`"s-1"`)); err != nil {
		t.Error(err)
	}
	if err := first.Respond(t.Context(), yes(`"s-1"`)); err != ErrNotAsked {
		t.Errorf("the other answer's request was answered: %v", err)
	}
	if err := second.Respond(t.Context(), yes(`"s-1"`)); err != nil {
		t.Error(err)
	}
	if n := len(x.fake.responses()); n != 2 {
		t.Errorf("%d responses, want 2", n)
	}

	x = asker(t, 0, elicit, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"s-1"}}`)
	x.target.Client.Elicitation = true
	a, _ := x.open(t, false)
	m, err := a.Next(t.Context())
	if err != nil || !m.IsResponse() {
		t.Fatalf("%+v, %v", m, err)
	}
	if err := a.Respond(t.Context(), yes(`"s-1"`)); err != ErrNotAsked {
		t.Errorf("a withdrawn request was answered: %v", err)
	}
}

func TestUndeclaredServerRequestsAreRefused(t *testing.T) {
	t.Parallel()
	x := asker(t, 3, `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}`, `{"jsonrpc":"2.0","id":2,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":"3","method":"elicitation/create","params":{"mode":"url","url":"https://evil.example"}}`)
	x.target.Client.Elicitation = true
	m, err := x.ask(t, false) // comes only when all three were answered
	wants{}.check(t, m, err)
	want := []string{
		`{"jsonrpc":"2.0","id":"3","error":{"code":-32602,"message":"not declared by this client"}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"not declared by this client"}}`,
		`{"jsonrpc":"2.0","id":2,"result":{}}`,
	}
	if diff := cmp.Diff(want, x.fake.responses()); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
}

func TestFW38ServerRequestsAreBounded(t *testing.T) {
	t.Parallel()
	for method, kind := range map[string]string{"ping": "refused", "roots/list": "shown", "sampling/createMessage": "refused"} {
		x := newFixture(t, onCall(func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := 0; r.Context().Err() == nil; i++ {
				fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":%q}\n\n", i, method)
			}
		}))
		x.target.Client.Roots = true
		m, err := x.ask(t, true)
		wants{Broken, true}.check(t, m, err)
		x.running.Wait()
		if n := len(x.fake.responses()); n > maxServerRequests || kind == "shown" && n > 0 {
			t.Errorf("%s: %d responses", method, n)
		}
	}
}

// TestAskedIsNotRepeated: a call that has asked somebody is not made again, since they
// would be asked again.
func TestAskedIsNotRepeated(t *testing.T) {
	t.Parallel()
	x := newFixture(t, onCall(func(w http.ResponseWriter, _ *http.Request, _ *jsonrpc.Message) { stream(w, elicit) }))
	x.target.Client.Elicitation = true
	a, _ := x.open(t, true)
	m, err := a.Next(t.Context())
	wants{Broken, true}.check(t, m, err)
	if n := x.fake.count("tools/call"); n != 1 {
		t.Errorf("%d calls reached salesforce", n)
	}
	if err := a.Respond(t.Context(), yes(`"s-1"`)); err != ErrNotAsked {
		t.Errorf("a response was sent after the end: %v", err)
	}
}

// TestFaultFT30RespondWithRefusedToken: the response goes with the user's current token and,
// if that is refused, once more with a renewed one. It is spent whatever comes of it.
func TestFaultFT30RespondWithRefusedToken(t *testing.T) {
	t.Parallel()
	x := asker(t, 1, elicit)
	x.target.Client.Elicitation = true
	a, _ := x.open(t, false)
	x.fake.mu.Lock()
	delete(x.fake.valid, "token-1")
	x.fake.mu.Unlock()
	if err := a.Respond(t.Context(), yes(`"s-1"`)); err != nil {
		t.Fatal(err)
	}
	m, err := a.Next(t.Context())
	wants{}.check(t, m, err)
	if got := x.fake.of(""); len(got) != 2 || got[1].header.Get("Authorization") != "Bearer token-2" {
		t.Errorf("responses: %v", got)
	}

	x = asker(t, 1, elicit)
	x.target.Client.Elicitation = true
	token := x.target.Token
	var lost atomic.Bool
	x.target.Token = func(ctx context.Context) (string, error) {
		if lost.Load() {
			return "", fmt.Errorf("%w: signed out", ErrLoginLost)
		}
		return token(ctx)
	}
	a, _ = x.open(t, false)
	lost.Store(true)
	err = a.Respond(t.Context(), yes(`"s-1"`))
	wants{LoginLost, false}.check(t, nil, err)
	if err := a.Respond(t.Context(), yes(`"s-1"`)); err != ErrNotAsked {
		t.Errorf("the request was open again: %v", err)
	}
}

func TestRespondEndsWithTheUser(t *testing.T) {
	t.Parallel()
	working := make(chan struct{})
	x := newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		switch {
		case m.IsResponse():
			close(working)
			<-r.Context().Done()
			return true
		case m.Method == "tools/call":
			stream(w, elicit)
			<-r.Context().Done()
			return true
		}
		return false
	})
	x.target.Client.Elicitation = true
	a, _ := x.open(t, false)
	go func() { <-working; x.Forget("acme", "005A") }()
	err := a.Respond(t.Context(), yes(`"s-1"`))
	wants{Canceled, true}.check(t, nil, err)
	if !errors.Is(err, ErrForgotten) {
		t.Errorf("err = %v, want ErrForgotten", err)
	}
}

func TestLogMessagesPass(t *testing.T) {
	t.Parallel()
	log := func(level string) string {
		return `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"` + level + `","data":1.0}}`
	}
	for level, want := range map[string][]string{"": nil, "warning": {log("error")}, "debug": {log("debug"), log("error")}} {
		x := asker(t, 0, log("debug"), log("error"), log("loud"))
		x.target.Client.LogLevel = level
		a, err := x.Call(t.Context(), x.target, toolCall, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for {
			m, err := a.Next(t.Context())
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.IsNotification() {
				got = append(got, string(jsonrpc.Encode(m)))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("level %q (-want +got):\n%s", level, diff)
		}
	}
}
