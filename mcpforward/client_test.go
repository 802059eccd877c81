package mcpforward

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"sfmcp-proxy/examples/salesforcesim"
)

// client is one MCP client of a user, connected to one server.
type client struct {
	*world
	url, grant, token, session string
	ids                        int
}

// connect signs a client in and opens its session.
func (w *world) connect(subject, clientID, server string) *client {
	w.t.Helper()
	c := &client{world: w, url: w.server.URL + "/mcp/" + server}
	c.grant, c.token = w.token(subject, clientID, server)
	c.initialize()
	return c
}

func (c *client) initialize() {
	c.t.Helper()
	a := c.post(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
	if a.status != http.StatusOK || a.header.Get(sessionHeader) == "" {
		c.t.Fatalf("initialize: %d %s", a.status, a.body)
	}
	c.session = a.header.Get(sessionHeader)
	if a := c.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`); a.status != http.StatusAccepted {
		c.t.Fatalf("notifications/initialized: %d %s", a.status, a.body)
	}
}

func rep(w *world) *client { return w.connect(salesforcesim.RepID, "chatgpt", "sales") }

// answer is an HTTP response, read.
type answer struct {
	status int
	header http.Header
	body   string
	// of the last message in the body:
	ID     json.RawMessage `json:"id"`
	Result *toolAnswer     `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	messages []string // of an event stream
}

// toolAnswer has the members that tests look at, of any result.
type toolAnswer struct {
	Content []struct {
		Text string `json:"text"`
	} `json:"content"`
	IsError         bool                       `json:"isError"`
	Meta            map[string]json.RawMessage `json:"_meta"`
	ProtocolVersion string                     `json:"protocolVersion"`
	NextCursor      *string                    `json:"nextCursor"`
	Tools           []map[string]any           `json:"tools"`
	Prompts         []map[string]any           `json:"prompts"`
	Resources       []map[string]any           `json:"resources"`
}

// text is all text of the answer.
func (a *answer) text() string {
	var all []string
	if a.Result != nil {
		for _, c := range a.Result.Content {
			all = append(all, c.Text)
		}
	}
	if a.Error != nil {
		all = append(all, a.Error.Message)
	}
	return strings.Join(all, "\n")
}

func (a *answer) failed() bool { return a.Result == nil || a.Result.IsError }

// request builds a POST of the client.
func (c *client) request(body io.Reader, change ...func(*http.Request)) *http.Request {
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url, body)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.session != "" {
		r.Header.Set(sessionHeader, c.session)
	}
	for _, f := range change {
		f(r)
	}
	return r
}

func (c *client) post(body string, change ...func(*http.Request)) *answer {
	c.t.Helper()
	return c.send(c.request(strings.NewReader(body), change...))
}

// send makes a request and reads the answer.
func (c *client) send(r *http.Request) *answer {
	c.t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // a stream that is cut off has no error to show
	a := &answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	last := a.body
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		for scan := bufio.NewScanner(bytes.NewReader(body)); scan.Scan(); {
			if message, ok := strings.CutPrefix(scan.Text(), "data: "); ok {
				a.messages = append(a.messages, message)
				last = message
			}
		}
	}
	json.Unmarshal([]byte(last), a) // a body that is no message leaves it empty
	return a
}

// call makes one request of a method; params is JSON.
func (c *client) call(method, params string, change ...func(*http.Request)) *answer {
	c.t.Helper()
	c.ids++
	return c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, c.ids, method, params), change...)
}

func (c *client) tool(name, arguments string, change ...func(*http.Request)) *answer {
	c.t.Helper()
	return c.call("tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, name, arguments), change...)
}
