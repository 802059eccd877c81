package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

func TestCall(t *testing.T) {
	t.Parallel()
	x := newFixture(t, nil)
	for range 2 {
		m, err := x.ask(t, false)
		wants{}.check(t, m, err)
		if got, want := string(m.Result), `{"content":[{"type":"text","text":"done"}]}`; got != want {
			t.Errorf("result = %s, want %s", got, want)
		}
	}
	var methods []string
	for _, r := range x.fake.seen {
		methods = append(methods, r.message.Method)
	}
	if diff := cmp.Diff([]string{"initialize", "notifications/initialized", "tools/call", "tools/call"}, methods); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	want := `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"sfmcp-proxy","version":"dev"}}`
	if got := x.fake.seen[0].message.Params.String(); got != want {
		t.Errorf("initialize params = %s, want %s", got, want)
	}
	calls := x.fake.of("tools/call")
	if a, b := calls[0].message.ID, calls[1].message.ID; string(a) == string(b) || string(a) == string(toolCall.ID) {
		t.Errorf("ids at Salesforce are %s and %s", a, b)
	}
	if got, want := calls[0].message.Params.String(), toolCall.Params.String(); got != want {
		t.Errorf("params = %s, want %s", got, want)
	}
}

func TestFW13HeadersAreOurs(t *testing.T) {
	t.Parallel()
	x := newFixture(t, nil)
	x.target.RequestID = "r1"
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	want := http.Header{
		"Accept":               {"application/json, text/event-stream"},
		"Accept-Encoding":      {"identity"},
		"Authorization":        {"Bearer token-1"},
		"Content-Length":       {fmt.Sprint(len(x.fake.of("tools/call")[0].body))},
		"Content-Type":         {"application/json"},
		"Mcp-Protocol-Version": {"2025-06-18"},
		"Mcp-Session-Id":       {"session-1"},
		"User-Agent":           {"sfmcp-proxy/dev"},
		"X-Request-Id":         {"r1"},
	}
	if diff := cmp.Diff(want, x.fake.of("tools/call")[0].header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if h := x.fake.of("initialize")[0].header; h.Get("Mcp-Session-Id")+h.Get("MCP-Protocol-Version") != "" {
		t.Errorf("initialize carries session headers: %v", h)
	}
}

func TestUICapability(t *testing.T) {
	t.Parallel()
	x := newFixture(t, nil)
	plain := x.target
	for _, ui := range []bool{false, true, false, true} {
		x.target = plain
		x.target.Client.UI = ui
		m, err := x.ask(t, false)
		wants{}.check(t, m, err)
	}
	opened := x.fake.of("initialize")
	if len(opened) != 2 || !strings.Contains(opened[1].body, `"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}`) {
		t.Errorf("initialize came %d times: %v", len(opened), opened)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	for _, token := range []string{`"p"`, `""`, `0`, `9007199254740993`} {
		x := newFixture(t, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
			if m.Method != "tools/call" {
				return false
			}
			progress := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%s}}`
			stream(w, fmt.Sprintf(progress, m.ID, "1"), fmt.Sprintf(progress, token, "2"), fmt.Sprintf(progress, "999", "3"),
				fmt.Sprintf(progress, m.ID, "4.0"), fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, m.ID))
			return true
		})
		req := jsonrpc.Request(toolCall.ID, "tools/call", jsontext.Value(`{"name":"a","_meta":{"traceparent":"00-1","progressToken":`+token+`}}`))
		a, err := x.Call(t.Context(), x.target, req, false)
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
			got = append(got, string(jsonrpc.Encode(m)))
		}
		a.Close()
		progress := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":`
		want := []string{progress + "1}}", progress + "4.0}}", `{"jsonrpc":"2.0","id":"c-1","result":{}}`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("token %s (-want +got):\n%s", token, diff)
		}
		sent := x.fake.of("tools/call")[0].message
		if got, want := string(sent.Params), `{"name":"a","_meta":{"traceparent":"00-1","progressToken":`+string(sent.ID)+`}}`; got != want {
			t.Errorf("sent params %s, want %s", got, want)
		}
	}
}

// Progress never goes back, also where the request is made a second time.
func TestProgressIncreases(t *testing.T) {
	t.Parallel()
	times := 0
	x := newFixture(t, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		if m.Method != "tools/call" {
			return false
		}
		times++
		var all []string
		for _, at := range []string{"0", "1", "1.0", "0.5", `"2"`, "2"} {
			all = append(all, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`+string(m.ID)+`,"progress":`+at+`}}`)
		}
		if times > 1 {
			all = append(all, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{}}`)
		} else {
			all = all[:2] // and the stream ends
		}
		stream(w, all...)
		return true
	})
	a, err := x.Call(t.Context(), x.target, jsonrpc.Request(toolCall.ID, "tools/call", jsontext.Value(`{"name":"a","_meta":{"progressToken":7}}`)), true)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var got []string
	for {
		m, err := a.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m.IsResponse() {
			break
		}
		params, _ := jsonrpc.ParseObject(m.Params)
		at, _ := params.Get("progress")
		got = append(got, string(at))
	}
	if diff := cmp.Diff([]string{"0", "1", "2"}, got); diff != "" || times != 2 {
		t.Errorf("%d attempts (-want +got):\n%s", times, diff)
	}
}

func TestReplaceProgressToken(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{
		{``, ``, ``},
		{`{"a":1}`, `{"a":1}`, ``},
		{`{"_meta":{}}`, `{"_meta":{}}`, ``},
		{`{"_meta":{"progressToken":{"a":1},"x":1}}`, `{"_meta":{"x":1}}`, ``},
		{`{"_meta":{"progressToken":null}}`, `{"_meta":{}}`, ``},
		{`{"_meta":{"progressToken":"t"},"a":1.0}`, `{"_meta":{"progressToken":7},"a":1.0}`, `"t"`},
	} {
		params, token := replaceProgressToken(jsontext.Value(tt[0]), jsontext.Value("7"))
		if string(params) != tt[1] || string(token) != tt[2] {
			t.Errorf("%s became %s with token %s", tt[0], params, token)
		}
	}
}

func TestIncompleteTarget(t *testing.T) {
	t.Parallel()
	x := newFixture(t, nil)
	for name, spoil := range map[string]func(*Target){
		"org": func(t *Target) { t.Org = "" }, "subject": func(t *Target) { t.Subject = "" }, "URL": func(t *Target) { t.URL = "" },
		"token": func(t *Target) { t.Token = nil }, "refused": func(t *Target) { t.Refused = nil },
	} {
		target := x.target
		spoil(&target)
		if _, err := x.Call(t.Context(), target, toolCall, true); err == nil {
			t.Errorf("call without %s succeeded", name)
		}
		if _, err := x.List(t.Context(), target, "tools/list", 0); err == nil {
			t.Errorf("list without %s succeeded", name)
		}
	}
	if _, err := x.Call(t.Context(), x.target, jsonrpc.Request(nil, "notifications/x", nil), true); err == nil {
		t.Error("a notification was taken for a call")
	}
	if len(x.fake.seen) != 0 {
		t.Errorf("salesforce got %v", x.fake.seen)
	}
}

func TestTokenFails(t *testing.T) {
	t.Parallel()
	cause := errors.New("database is away")
	for _, tt := range []struct {
		name string
		err  error
		want Kind
	}{{"lost", fmt.Errorf("%w: %w", ErrLoginLost, cause), LoginLost}, {"other", cause, Unavailable}} {
		x := newFixture(t, nil)
		refused := x.target
		x.target.Token = func(context.Context) (string, error) { return "", tt.err }
		m, err := x.ask(t, false)
		wants{tt.want, false}.check(t, m, err)
		if !errors.Is(err, cause) || len(x.fake.seen) != 0 {
			t.Errorf("%s: err %v, salesforce got %d requests", tt.name, err, len(x.fake.seen))
		}
		x.target = refused
		x.fake.valid = nil
		x.target.Refused = func(context.Context, string) (string, error) { return "", tt.err }
		m, err = x.ask(t, false)
		wants{tt.want, false}.check(t, m, err)
	}
}

func TestFaultFT21Cancel(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"call", "next", "close", "timeout"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			working, gone := make(chan struct{}), make(chan struct{})
			x := newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
				if m.Method != "tools/call" {
					return false
				}
				if end != "call" && end != "timeout" {
					stream(w, `{"jsonrpc":"2.0","method":"notifications/message","params":{}}`)
				}
				close(working)
				<-r.Context().Done()
				close(gone)
				return true
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			want := Canceled
			if end == "timeout" {
				if _, err := x.Capabilities(ctx, x.target); err != nil { // there is a session
					t.Fatal(err)
				}
				x.target.Timeout, want = soon, TimedOut
			}
			if end != "timeout" {
				go func() { <-working; cancel() }()
			}
			callCtx := ctx
			if end == "next" || end == "close" {
				callCtx = t.Context()
			}
			a, err := x.Call(callCtx, x.target, toolCall, true)
			if err == nil {
				if end == "close" {
					<-working
					a.Close()
				}
				_, err = a.Next(ctx)
				a.Close()
			}
			wants{want, true}.check(t, nil, err)
			select {
			case <-gone:
			case <-time.After(plenty):
				t.Error("cancellation did not reach salesforce")
			}
			x.Pool.running.Wait()
			told := x.fake.of("notifications/cancelled")
			if len(told) != 1 || told[0].message.Params.String() != `{"requestId":`+string(x.fake.of("tools/call")[0].message.ID)+`}` {
				t.Errorf("notifications/cancelled: %v", told)
			}
			if n := x.fake.count("tools/call"); n != 1 {
				t.Errorf("%d calls reached salesforce", n)
			}
		})
	}
}

func TestNothingSentIsTriedAgain(t *testing.T) {
	t.Parallel()
	x := newFixture(t, nil)
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	x.fake.Server.Close() // now every connection is refused
	x.wire.(*http.Transport).CloseIdleConnections()
	m, err = x.ask(t, false)
	wants{Unavailable, false}.check(t, m, err)
	if x.slept != 1 {
		t.Errorf("repeated %d times, want once", x.slept)
	}
	if !strings.Contains(err.Error(), "no connection") {
		t.Errorf("error does not name the cause: %v", err)
	}
}

func TestFaultFT30Refused(t *testing.T) {
	t.Parallel()
	t.Run("token replaced", func(t *testing.T) {
		t.Parallel()
		x := newFixture(t, nil)
		_, _ = x.ask(t, false)
		delete(x.fake.valid, "token-1")
		m, err := x.ask(t, false)
		wants{}.check(t, m, err)
		if x.refused != 1 || x.fake.count("tools/call") != 3 || x.fake.count("initialize") != 1 {
			t.Errorf("refused %d times, %d calls, %d sessions", x.refused, x.fake.count("tools/call"), x.fake.count("initialize"))
		}
	})
	t.Run("at initialize", func(t *testing.T) {
		t.Parallel()
		x := newFixture(t, nil)
		delete(x.fake.valid, "token-1")
		m, err := x.ask(t, false)
		wants{}.check(t, m, err)
		if x.refused != 1 || x.fake.count("initialize") != 2 {
			t.Errorf("refused %d times, %d sessions", x.refused, x.fake.count("initialize"))
		}
	})
	t.Run("always", func(t *testing.T) {
		t.Parallel()
		x := newFixture(t, nil)
		_, _ = x.ask(t, false)
		clear(x.fake.valid)
		m, err := x.ask(t, true)
		wants{LoginLost, false}.check(t, m, err)
		if x.refused != 1 || x.fake.count("tools/call") != 3 {
			t.Errorf("refused %d times, %d calls", x.refused, x.fake.count("tools/call"))
		}
	})
}

// TestCL13NothingOfSalesforcesText: bodies, headers and even status lines of
// Salesforce may echo the token.
func TestCL13NothingOfSalesforcesText(t *testing.T) {
	t.Parallel()
	const secret = "token-1"
	write := func(status int, header, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", header)
			w.Header().Set("X-Echo", secret)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	hijack := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, text)
			conn.Close()
		}
	}
	cases := []func(http.ResponseWriter){
		hijack("HTTP/1.1 " + secret + "\r\n\r\n"), hijack(secret), hijack("HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n"),
		write(200, secret, secret), write(200, "application/json", secret), write(200, "text/event-stream", "data: "+secret+"\n\n"),
		write(200, "application/json", `{"jsonrpc":"2.0","id":"`+secret+`","result":{}}`),
		write(307, "text/html", secret),
	}
	for _, status := range []int{400, 403, 404, 405, 406, 429, 500, 502} {
		cases = append(cases, write(status, "text/html", secret))
	}
	for i, respond := range cases {
		x := newFixture(t, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
			if m.Method == "tools/call" {
				respond(w)
			}
			return m.Method == "tools/call"
		})
		_, err := x.ask(t, false)
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("case %d: err = %v, want an *Error", i, err)
			continue
		}
		if text := fmt.Sprintf("%v %+v %#v", err, err, err) + x.log.String(); strings.Contains(text, secret) {
			t.Errorf("case %d: token in %s", i, text)
		}
	}
}

func TestConcurrentCallsShareOneSession(t *testing.T) {
	t.Parallel()
	const n = 20
	arrived := make(chan struct{}, n)
	release := make(chan struct{})
	x := newFixture(t, func(_ http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "tools/call" {
			arrived <- struct{}{}
			<-release
		}
		return false
	})
	errs := make(chan error, n)
	for i := range n {
		go func() {
			req := jsonrpc.Request(jsontext.Value(fmt.Sprint(i)), "tools/call", toolCall.Params)
			a, err := x.Call(t.Context(), x.target, req, false)
			if err == nil {
				var m *jsonrpc.Message
				if m, err = a.Next(t.Context()); err == nil && string(m.ID) != fmt.Sprint(i) {
					err = fmt.Errorf("call %d got the answer of %s", i, m.ID)
				}
				a.Close()
			}
			errs <- err
		}()
	}
	for range n {
		<-arrived // all at work at once
	}
	close(release)
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	var ids []string
	for _, r := range x.fake.of("tools/call") {
		ids = append(ids, string(r.message.ID))
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != n || x.fake.count("initialize") != 1 {
		t.Errorf("%d ids, %d sessions", len(slices.Compact(ids)), x.fake.count("initialize"))
	}
}
