package upstream

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

type respond func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message)

// onCall answers tools/call with f.
func onCall(f respond) func(http.ResponseWriter, *http.Request, *jsonrpc.Message) bool {
	return onMethod("tools/call", f)
}

// onMethod answers a method with f, and leaves the rest to the fake.
func onMethod(method string, f respond) func(http.ResponseWriter, *http.Request, *jsonrpc.Message) bool {
	return func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.Method == method {
			f(w, r, m)
		}
		return m.Method == method
	}
}

func status(code int, body string) respond {
	return func(w http.ResponseWriter, _ *http.Request, _ *jsonrpc.Message) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

// raw answers 200 with the given type and body, in which ID stands for the id.
func raw(kind, body string) respond {
	return func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
		w.Header().Set("Content-Type", kind)
		io.WriteString(w, strings.ReplaceAll(body, "ID", string(m.ID)))
	}
}

// cut announces more than it sends and closes the connection.
func cut(kind, body string) respond {
	return func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
		w.Header().Set("Content-Length", "1000")
		raw(kind, body)(w, r, m)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

const good = `{"jsonrpc":"2.0","id":ID,"result":{"ok":true}}`

const kindJSON, kindSSE = "application/json", "text/event-stream"

// trouble is one way for a tool call to go wrong.
type trouble struct {
	name    string
	respond respond
	want    wants
	reads   int // attempts of a repeatable call; a write is always sent once
}

// strike lets each strike a write and a read, and counts how often they reach Salesforce.
func strike(t *testing.T, troubles []trouble) {
	t.Helper()
	t.Parallel()
	for _, tt := range troubles {
		for _, repeatable := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s repeatable %v", tt.name, repeatable), func(t *testing.T) {
				t.Parallel()
				x := newFixture(t, onCall(tt.respond))
				m, err := x.ask(t, repeatable)
				tt.want.check(t, m, err)
				times := 1
				if repeatable {
					times = tt.reads
				}
				if got := x.fake.count("tools/call"); got != times {
					t.Errorf("%d calls reached salesforce, want %d", got, times)
				}
			})
		}
	}
}

// TestFaultFT22Limits: a limit is told, and nothing is sent again.
func TestFaultFT22Limits(t *testing.T) {
	strike(t, []trouble{
		{"429", status(429, ""), wants{Limited, false}, 1},
		{"403 limit", status(403, `[{"errorCode":"REQUEST_LIMIT_EXCEEDED"}]`), wants{Limited, false}, 1},
	})
}

// TestFaultFT23CutAnswers: 5xx and answers that break off: a read is made once more, a write is not.
func TestFaultFT23CutAnswers(t *testing.T) {
	strike(t, []trouble{
		{"cut in JSON", cut(kindJSON, `{"jsonrpc":"2.0",`), wants{Broken, true}, 2},
		{"cut before body", cut(kindJSON, ""), wants{Broken, true}, 2},
		{"500", status(500, "<html>"), wants{Unavailable, true}, 2},
		{"502", status(502, "<html>"), wants{Unavailable, true}, 2},
		{"503", status(503, "<html>"), wants{Unavailable, true}, 2},
		{"504", status(504, "<html>"), wants{Unavailable, true}, 2},
		{"head alone", func(w http.ResponseWriter, _ *http.Request, _ *jsonrpc.Message) {
			w.Header().Set("Content-Type", kindSSE)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, wants{Broken, true}, 2},
	})
}

// TestFaultFT24CutStreams: a stream that ends before the response is no answer.
func TestFaultFT24CutStreams(t *testing.T) {
	strike(t, []trouble{
		{"cut in event", cut(kindSSE, "data: {\"jsonrpc\":"), wants{Broken, true}, 2},
		{"ended in event", raw(kindSSE, "data: "+good), wants{Broken, true}, 2},
		{"event not ended by a line", raw(kindSSE, "data: "+good+"\n"), wants{Broken, true}, 2},
		{"ended before response", raw(kindSSE, ": ping\n\n"), wants{Broken, true}, 2},
		{"reset in stream", func(w http.ResponseWriter, _ *http.Request, _ *jsonrpc.Message) {
			stream(w, `{"jsonrpc":"2.0","method":"m"}`)
			panic(http.ErrAbortHandler)
		}, wants{Broken, true}, 2},
		{"ended by CR alone", raw(kindSSE, "data: "+good+"\r"), wants{Broken, true}, 2},
		{"ended after another's response", raw(kindSSE, "data: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n\n"), wants{Broken, true}, 2},
	})
}

// TestFaultFT25NoAnswers: what comes with status 200 and is no answer.
func TestFaultFT25NoAnswers(t *testing.T) {
	strike(t, []trouble{
		{"empty JSON", raw(kindJSON, ""), wants{Broken, true}, 2},
		{"white space", raw(kindJSON, " \n"), wants{Broken, true}, 2},
		{"empty SSE", raw(kindSSE, ""), wants{Broken, true}, 2},
		{"HTML", raw("text/html", "<html>"), wants{Broken, true}, 1},
		{"HTML as JSON", raw(kindJSON, "<html>"), wants{Broken, true}, 1},
		{"HTML as event", raw(kindSSE, "data: <html>\n\n"), wants{Broken, true}, 1},
		{"wrong id", raw(kindJSON, `{"jsonrpc":"2.0","id":0,"result":{}}`), wants{Broken, true}, 1},
		{"id as text", raw(kindJSON, `{"jsonrpc":"2.0","id":"ID","result":{}}`), wants{Broken, true}, 1},
		{"request as answer", raw(kindJSON, `{"jsonrpc":"2.0","id":ID,"method":"sampling/createMessage"}`), wants{Broken, true}, 1},
		{"batch", raw(kindJSON, "["+good+"]"), wants{Broken, true}, 1},
		{"two values", raw(kindJSON, good+good), wants{Broken, true}, 1},
		{"gzip garbage", func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
			w.Header().Set("Content-Encoding", "gzip")
			raw(kindJSON, good)(w, r, m)
		}, wants{Broken, true}, 1},
		{"isError UNKNOWN_EXCEPTION", raw(kindJSON, `{"jsonrpc":"2.0","id":ID,"result":{"isError":true,"content":[{"type":"text","text":"[{\"errorCode\":\"UNKNOWN_EXCEPTION\"}]"}]}}`), wants{}, 1},
		{"no type", raw("", good), wants{Broken, true}, 1},
	})
}

// TestFaultFT31Refusals: of what stands before the server, and of the server itself.
func TestFaultFT31Refusals(t *testing.T) {
	strike(t, []trouble{
		{"403 HTML", status(403, "<html>blocked"), wants{Forbidden, false}, 1},
		{"404 deactivated", status(404, "Server definition not found for: sales"), wants{ServerInactive, false}, 1},
		{"405", status(405, ""), wants{ServerInactive, false}, 1},
	})
}

// TestFW35OnlyAnotherId: the response to something else is none.
func TestFW35OnlyAnotherId(t *testing.T) {
	strike(t, []trouble{
		{"only another id", raw(kindSSE, "data: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n\n"), wants{Broken, true}, 2},
	})
}

// TestFW38OversizedAnswers: an answer is bounded in bytes and events, and never unpacked.
func TestFW38OversizedAnswers(t *testing.T) {
	strike(t, []trouble{
		{"long JSON", raw(kindJSON, `{"jsonrpc":"2.0","id":ID,"result":{"a":"`+strings.Repeat("x", 2<<20)+`"}}`), wants{Broken, true}, 1},
		{"announced long JSON", func(w http.ResponseWriter, _ *http.Request, _ *jsonrpc.Message) {
			w.Header().Set("Content-Type", kindJSON)
			w.Header().Set("Content-Length", strconv.Itoa(500<<20))
			w.WriteHeader(200)
		}, wants{Broken, true}, 1},
		{"endless event", endless(kindSSE, "data: "), wants{Broken, true}, 1},
		{"tiny events", endless(kindSSE, "data: {\"jsonrpc\":\"2.0\",\"method\":\"m\"}\n\n"), wants{Broken, true}, 1},
		{"endless comments", endless(kindSSE, ": ping\n"), wants{Broken, true}, 1},
		{"gzip bomb", func(w http.ResponseWriter, _ *http.Request, _ *jsonrpc.Message) {
			w.Header().Set("Content-Type", kindJSON)
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 64<<20))
			z.Close()
		}, wants{Broken, true}, 1},
		{"10 000 events and the response", events(maxEvents, kindSSE), wants{Broken, true}, 1},
		{"9 999 events and the response", events(maxEvents-1, kindSSE), wants{}, 1},
		{"many comments and the response", raw(kindSSE, strings.Repeat(":\n", 3*maxEvents)+"data: "+good+"\n\n"), wants{}, 1},
	})
}

// TestOtherStatuses: of which nothing is known but that they are no answer.
func TestOtherStatuses(t *testing.T) {
	strike(t, []trouble{
		{"406", status(406, ""), wants{Broken, false}, 1},
		{"redirect", func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, wants{Broken, true}, 1},
		{"redirect to GET", func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, wants{Broken, true}, 1},
		{"202", status(202, ""), wants{Broken, true}, 2},
	})
}

// events sends so many and then the response.
func events(n int, kind string) respond {
	return raw(kind, strings.Repeat("data: {\"jsonrpc\":\"2.0\",\"method\":\"m\"}\n\n", n)+"data: "+good+"\n\n")
}

// FT-23: a page of something between us and Salesforce does not say that a write was
// refused, so the write is not sent again.
func TestFaultFT23PageIsNoRefusalOfAWrite(t *testing.T) {
	t.Parallel()
	for code, body := range map[int]string{400: "<html>your session", 401: "<html>", 404: " \n<!doctype html>"} {
		x := newFixture(t, onCall(status(code, body)))
		m, err := x.ask(t, false)
		wants{Broken, true}.check(t, m, err)
		if got := x.fake.count("tools/call"); got != 1 {
			t.Errorf("%d: %d calls reached salesforce", code, got)
		}
	}
}

// endless repeats a piece until the other side has enough.
func endless(kind, piece string) respond {
	return func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) {
		w.Header().Set("Content-Type", kind)
		block := strings.Repeat(piece, 1000)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	}
}

func TestRepeatSucceeds(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]respond{"502": status(502, ""), "cut": cut("text/event-stream", "data: ")} {
		var x *fixture
		x = newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
			if m.Method == "tools/call" && x.fake.count("tools/call") == 1 {
				first(w, r, m)
				return true
			}
			return false
		})
		m, err := x.ask(t, true)
		wants{}.check(t, m, err)
		if x.slept != 1 {
			t.Errorf("%s: waited %d times", name, x.slept)
		}
	}
}

// TestMaybeIsKept: an attempt that may have acted is not undone by a later one
// that was refused.
func TestMaybeIsKept(t *testing.T) {
	t.Parallel()
	var x *fixture
	x = newFixture(t, onCall(func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
		code := 403
		if x.fake.count("tools/call") == 1 {
			code = 502
		}
		status(code, "")(w, r, m)
	}))
	m, err := x.ask(t, true)
	wants{Forbidden, true}.check(t, m, err)
}

func TestFaultFT22RetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "99999999999": 0, "2000000": 24 * time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:03:05 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", value, got, want)
		}
	}
	x := newFixture(t, onCall(func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
		w.Header().Set("Retry-After", "30")
		status(429, "")(w, r, m)
	}))
	_, err := x.ask(t, true)
	if e, ok := errors.AsType[*Error](err); !ok || e.RetryAfter != 30*time.Second || e.Status != 429 {
		t.Errorf("err = %#v, want RetryAfter 30 s", err)
	}
}

// A server that says when it is back is not asked again before.
func TestFaultFT22RetryAfterOfAFault(t *testing.T) {
	t.Parallel()
	x := newFixture(t, onCall(func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
		w.Header().Set("Retry-After", "30")
		status(503, "")(w, r, m)
	}))
	_, err := x.ask(t, true)
	if e, ok := errors.AsType[*Error](err); !ok || e.RetryAfter != 30*time.Second || e.Status != 503 {
		t.Errorf("err = %#v, want RetryAfter 30 s", err)
	}
	if n := x.fake.count("tools/call"); n != 1 {
		t.Errorf("%d calls reached salesforce, want 1", n)
	}
}

// TestErrorInTheProtocol: a JSON-RPC error with our id is an answer, whatever the
// status.
func TestErrorInTheProtocol(t *testing.T) {
	t.Parallel()
	const failure = `{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"Unknown tool: sessionTool","data":{"a":1.0}}}`
	for _, code := range []int{200, 400, 404} {
		x := newFixture(t, onCall(func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			io.WriteString(w, strings.ReplaceAll(failure, "ID", string(m.ID)))
		}))
		m, err := x.ask(t, true)
		wants{}.check(t, m, err)
		if got, want := string(jsonrpc.Encode(m)), strings.ReplaceAll(failure, "ID", `"c-1"`); got != want {
			t.Errorf("%d: got %s, want %s", code, got, want)
		}
	}
}

func TestFW35OnlyTheResponsePasses(t *testing.T) {
	t.Parallel()
	x := newFixture(t, onCall(func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) {
		stream(w,
			`{"jsonrpc":"2.0","id":0,"result":{"evil":1}}`,
			`{"jsonrpc":"2.0","id":"`+string(m.ID)+`","result":{"evil":2}}`,
			`{"jsonrpc":"2.0","id":`+string(m.ID)+`,"method":"sampling/createMessage","params":{}}`,
			`{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"url":"https://evil.example"}}`,
			`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"evil"}}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`+string(m.ID)+`,"progress":1}}`,
			"",
			`{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{"text":"\n\nevent: message\ndata: evil"}}`,
			`{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{"evil":3}}`)
		fmt.Fprint(w, "event: evil\ndata: {}\n\n")
	}))
	a, err := x.Call(t.Context(), x.target, toolCall, false)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	m, err := a.Next(t.Context()) // no progress was asked for: this is the response
	wants{}.check(t, m, err)
	if got, want := string(m.Result), `{"text":"\n\nevent: message\ndata: evil"}`; got != want {
		t.Errorf("result = %s, want %s", got, want)
	}
	if m, err := a.Next(t.Context()); err != io.EOF {
		t.Errorf("a second message passed: %v, %v", m, err)
	}
	x.Pool.running.Wait()
	want := []string{ // nobody declared to be able to, so the server need not wait
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"not declared by this client"}}`,
		`{"jsonrpc":"2.0","id":` + string(x.fake.of("tools/call")[0].message.ID) + `,"error":{"code":-32601,"message":"not declared by this client"}}`,
	}
	if diff := cmp.Diff(want, x.fake.responses()); diff != "" {
		t.Errorf("answers to requests of salesforce (-want +got):\n%s", diff)
	}
}

func TestFaultFT24StallEndsWithTheTime(t *testing.T) {
	t.Parallel()
	x := newFixture(t, onCall(func(w http.ResponseWriter, r *http.Request, _ *jsonrpc.Message) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil { // keep-alives do not extend it
			fmt.Fprint(w, ": ping\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}))
	if _, err := x.Capabilities(t.Context(), x.target); err != nil { // there is a session
		t.Fatal(err)
	}
	x.target.Timeout = soon
	start := time.Now()
	m, err := x.ask(t, true)
	wants{TimedOut, true}.check(t, m, err)
	if d := time.Since(start); d < soon || d > plenty { // or never
		t.Errorf("took %v", d)
	}
}
