package mcpforward

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"sfmcp-proxy/authproxy/access"
)

// asking is a hosted server that does what Salesforce's do not: its tool "ask" asks the
// client by the method that its argument names and answers with what it was told, its
// tool "log" sends log messages, and it offers a stream of notifications.
type asking struct {
	*httptest.Server
	mu       sync.Mutex
	sessions map[string]*askingSession // by Mcp-Session-Id
	posted   []string                  // bodies of all messages
	beside   string                    // members beside the tools that it lists, with a comma behind each
	changes  chan string               // notifications for the streams, by method, with params after a space
}

type askingSession struct {
	capabilities string // as declared at initialize
	level        string
	answers      chan json.RawMessage
}

func newAsking(t *testing.T) *asking {
	a := &asking{sessions: map[string]*askingSession{}, changes: make(chan string)}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// withAsking is a world with the server /mcp/asking in front of it.
func withAsking(t *testing.T, passed ...string) (*world, *asking) {
	a := newAsking(t)
	return newWorld(t, func(c *setup) {
		c.Servers = append(c.Servers, access.Server{Name: "asking", Org: "acme", URL: a.URL + "/platform/mcp/v1/custom/Asking", Policy: allowAll(),
			Groups: []string{"*"}, ServerRequests: passed})
	}), a
}

func (a *asking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	s := a.sessions[r.Header.Get("Mcp-Session-Id")]
	a.mu.Unlock()
	if r.Method == http.MethodGet {
		a.stream(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct {
			Name         string
			Level        string
			Arguments    struct{ Method, Params string }
			Capabilities json.RawMessage
		}
		Result, Error json.RawMessage
	}
	json.Unmarshal(body, &m)
	a.mu.Lock()
	a.posted = append(a.posted, string(body))
	a.mu.Unlock()
	reply := func(result string) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
	}
	switch {
	case m.Method == "initialize":
		a.mu.Lock()
		id := fmt.Sprint("session-", len(a.sessions))
		a.sessions[id] = &askingSession{capabilities: string(m.Params.Capabilities), answers: make(chan json.RawMessage, 9)}
		a.mu.Unlock()
		w.Header().Set("Mcp-Session-Id", id)
		reply(`{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"logging":{}},"serverInfo":{"name":"asking","version":"1"}}`)
	case m.Method == "" && m.ID != nil:
		s.answers <- append(slices.Clone(m.Result), m.Error...)
		w.WriteHeader(http.StatusAccepted)
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "logging/setLevel":
		s.level = m.Params.Level
		reply(`{}`)
	case m.Method == "tools/list":
		reply(`{` + a.beside + `"tools":[{"name":"ask","inputSchema":{"type":"object"}},{"name":"log","inputSchema":{"type":"object"}},{"name":"lack","inputSchema":{"type":"object"}},{"name":"withdraw","inputSchema":{"type":"object"}}]}`)
	case m.Params.Name == "ask":
		w.Header().Set("Content-Type", "text/event-stream")
		params := m.Params.Arguments.Params
		if params == "" {
			params = "{}"
		}
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":%q,\"params\":%s}\n\n", m.Params.Arguments.Method, params)
		w.(http.Flusher).Flush()
		select {
		case answer := <-s.answers:
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":%q}]}}\n\n", m.ID, answer)
		case <-r.Context().Done():
		}
	case m.Params.Name == "withdraw":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\",\"params\":{}}\n\n")
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n\n")
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":1}}\n\n", m.ID)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case m.Params.Name == "lack":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":1}}\n\n", m.ID)
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32021,\"message\":\"no\",\"data\":{\"requiredCapabilities\":{\"elicitation\":{}}}}}\n\n", m.ID)
	case m.Params.Name == "log":
		w.Header().Set("Content-Type", "text/event-stream")
		if s.level != "" {
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"wanted %s\"}}\n\n", s.level)
		}
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[]}}\n\n", m.ID)
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}`, m.ID)
	}
}

func (a *asking) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		select {
		case method := <-a.changes:
			method, params, _ := strings.Cut(method, " ")
			if params != "" {
				params = `,"params":` + params
			}
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":%q%s}\n\n", method, params)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// declaredTo lists the capabilities that sessions were opened with.
func (a *asking) declaredTo() (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sessions {
		all = append(all, s.capabilities)
	}
	slices.Sort(all)
	return all
}

// answers reports whether some message of the client's with that text reached it.
func (a *asking) got(text string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.posted, func(body string) bool { return strings.Contains(body, text) })
}
