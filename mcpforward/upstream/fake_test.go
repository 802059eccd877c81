package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// received is one request that the fake Salesforce got. The message of a GET or DELETE
// has that as its method.
type received struct {
	header  http.Header
	body    string
	message *jsonrpc.Message
}

// fake is an MCP server as Salesforce's are, whose behaviour a test scripts with on.
type fake struct {
	*httptest.Server
	// on answers a request and returns true, or leaves it to the default.
	on func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool

	forgets bool // does not keep what came: for tests with many requests

	mu       sync.Mutex
	seen     []received
	valid    map[string]bool // bearer tokens
	sessions map[string]bool
	opened   int
}

func newFake(t *testing.T, on func(http.ResponseWriter, *http.Request, *jsonrpc.Message) bool) *fake {
	f := &fake{on: on, valid: map[string]bool{"token-1": true, "token-2": true}, sessions: map[string]bool{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Server.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m, err := jsonrpc.DecodeAnswer(body)
	if r.Method != http.MethodPost {
		m, err = &jsonrpc.Message{Method: r.Method}, nil
	}
	if err != nil {
		http.Error(w, "not JSON-RPC", http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	if !f.forgets {
		f.seen = append(f.seen, received{r.Header.Clone(), string(body), m})
	}
	authorized := f.valid[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	known := f.sessions[r.Header.Get("Mcp-Session-Id")]
	f.mu.Unlock()
	switch {
	case !authorized:
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"errors":[{"message":"Invalid token"}]}`)
	case f.on != nil && f.on(w, r, m):
	case m.Method == "initialize":
		f.mu.Lock()
		f.opened++
		id := fmt.Sprintf("session-%d", f.opened)
		f.sessions[id] = true
		f.mu.Unlock()
		w.Header().Set("Mcp-Session-Id", id)
		answer(w, m.ID, `{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"logging":{}},"serverInfo":{"name":"sobject-all","version":"1.0.0"}}`)
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case !known:
		sessionMissingAnswer(w)
	case !m.IsRequest():
		w.WriteHeader(http.StatusAccepted)
	default:
		answer(w, m.ID, `{"content":[{"type":"text","text":"done"}]}`)
	}
}

func sessionMissingAnswer(w http.ResponseWriter) {
	w.WriteHeader(http.StatusBadRequest)
	io.WriteString(w, `{"error":{"code":400,"message":"Invalid JSON-RPC message: Session Key missing, but it's not an initialize request"}}`)
}

// answer writes a JSON response.
func answer(w http.ResponseWriter, id jsontext.Value, result string) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result)
}

// stream writes an event stream of the given events' data.
func stream(w http.ResponseWriter, data ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, d := range data {
		fmt.Fprintf(w, "event: message\ndata: %s\n\n", d)
		w.(http.Flusher).Flush()
	}
}

// count returns how many requests of a method came.
func (f *fake) count(method string) int { return len(f.of(method)) }

// all returns what came so far.
func (f *fake) all() []received {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

func (f *fake) of(method string) []received {
	var all []received
	for _, r := range f.all() {
		if r.message.Method == method {
			all = append(all, r)
		}
	}
	return all
}

// responses returns what answers requests of the fake's.
func (f *fake) responses() []string {
	var all []string
	for _, r := range f.of("") {
		all = append(all, r.body)
	}
	slices.Sort(all)
	return all
}

// sessionsOf returns the sessions on which a method came.
func (f *fake) sessionsOf(method string) []string {
	var all []string
	for _, r := range f.of(method) {
		all = append(all, r.header.Get("Mcp-Session-Id"))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// kill makes all sessions unknown.
func (f *fake) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.sessions)
}

// plenty is how long a test waits for what has no bound of its own, and soon the time of
// a call that is to run out after it was sent. They leave room for a busy machine.
const plenty, soon = 2 * time.Minute, 2 * time.Second

// fixture is a pool in front of a fake.
type fixture struct {
	*Pool
	fake   *fake
	target Target
	log    *bytes.Buffer

	mu      sync.Mutex
	now     time.Time
	slept   int             // before repetitions
	pauses  []time.Duration // before listening again
	token   string
	refused int
}

func newFixture(t *testing.T, on func(http.ResponseWriter, *http.Request, *jsonrpc.Message) bool) *fixture {
	return fixtureWith(t, newFake(t, on), nil)
}

func fixtureWith(t *testing.T, f *fake, client *http.Client) *fixture {
	x := &fixture{fake: f, log: &bytes.Buffer{}, now: time.Now(), token: "token-1"}
	x.Pool = New(Config{
		HTTP: client,
		Log:  slog.New(slog.NewTextHandler(x.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:  func() time.Time { x.mu.Lock(); defer x.mu.Unlock(); return x.now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			x.mu.Lock()
			defer x.mu.Unlock()
			switch {
			case d >= shortestPause:
				x.pauses = append(x.pauses, d)
			case d < 100*time.Millisecond || d > 500*time.Millisecond:
				t.Errorf("wait of %v is outside of the jitter", d)
			default:
				x.slept++
			}
			return ctx.Err()
		},
		ResponseBytes: 1 << 20,
	})
	t.Cleanup(x.Close)
	x.target = Target{
		Org: "acme", Subject: "005A", Server: "sales", URL: f.URL, Timeout: plenty,
		Token: func(context.Context) (string, error) { x.mu.Lock(); defer x.mu.Unlock(); return x.token, nil },
		Refused: func(_ context.Context, token string) (string, error) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.refused++
			x.token = "token-2"
			return x.token, nil
		},
	}
	return x
}

func (x *fixture) pass(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.now = x.now.Add(d)
}

var toolCall = jsonrpc.Request(jsontext.Value(`"c-1"`), "tools/call", jsontext.Value(`{"name":"createSobjectRecord","arguments":{"n":1.0}}`))

// ask makes a call and returns its response.
func (x *fixture) ask(t *testing.T, repeatable bool) (*jsonrpc.Message, error) {
	t.Helper()
	a, err := x.Call(t.Context(), x.target, toolCall, repeatable)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	for {
		m, err := a.Next(t.Context())
		if err != nil {
			return nil, err
		}
		if m.IsResponse() {
			if _, err := a.Next(t.Context()); err != io.EOF {
				t.Errorf("after the response: %v, want io.EOF", err)
			}
			return m, nil
		}
	}
}

// wants is what an outcome has to be; the zero Kind means a response.
type wants struct {
	kind  Kind
	maybe bool
}

func (w wants) check(t *testing.T, m *jsonrpc.Message, err error) {
	t.Helper()
	if w.kind == 0 {
		if err != nil {
			t.Fatalf("err = %v, want a response", err)
		}
		if string(m.ID) != string(toolCall.ID) {
			t.Errorf("id = %s, want %s", m.ID, toolCall.ID)
		}
		return
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v, %v; want an *Error", m, err)
	}
	if e.Kind != w.kind || e.MayHaveHappened != w.maybe {
		t.Errorf("got %s, MayHaveHappened %v (%v); want %s, %v", e.Kind, e.MayHaveHappened, e, w.kind, w.maybe)
	}
}
