package mcpforward

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/stream"
)

// rendered is what a client gets of an answer to a request of the method, before anything
// is out or after an event stream has begun.
func rendered(h *Handler, method string, stateless, streaming bool, res result, err error) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/mcp/sales", nil)
	r.Header.Set("Accept", "application/json, text/event-stream")
	x := &request{Handler: h, http: r, out: stream.New(rec, r), name: "sales", stateless: stateless, server: &access.Server{Name: "sales"},
		msg: &jsonrpc.Message{ID: jsontext.Value("7"), Method: method}}
	if streaming {
		x.out.Open()
		rec.Body.Reset()
	}
	if res.forwarded {
		res.value = x.passed(res.value)
	}
	renderer{x}.render(res, err)
	return rec
}

// Each kind of answer in each form that it can have on the wire. What is ours to keep, the
// cause of an error, never shows.
func TestEveryAnswerIsRenderedInOnePlace(t *testing.T) {
	t.Parallel()
	h := newWorld(t, nil).handler
	h.Log = slog.New(slog.DiscardHandler)
	secret := errors.New("a private cause")
	waiting := &approval.Request{ID: "apr_1", State: approval.Pending, ExpiresAt: time.Unix(1_800_000_000, 0)}
	held := &notApproved{waiting, approvalResult(waiting, "https://proxy.example/approvals/apr_1")}
	for name, c := range map[string]struct {
		res       result
		err       error
		method    string // "": tools/call
		stateless bool
		status    int
		json      string   // in the answer, if nothing is out
		stream    string   // in the answer, if an event stream has begun; "": as json
		header    []string // name and what it holds, if nothing is out
	}{
		"result":            {res: result{value: jsontext.Value(`{"a":1}`)}, status: 200, json: `"id":7,"result":{"a":1}`},
		"stateless result":  {res: result{value: jsontext.Value(`{"a":1}`)}, stateless: true, status: 200, json: `"result":{"a":1,"resultType":"complete","_meta":`},
		"forwarded":         {res: result{value: jsontext.Value(`{"a": 1}`), forwarded: true}, status: 200, json: `"result":{"a": 1}`},
		"fresh list":        {res: result{value: jsontext.Value(`{}`), forwarded: true}, method: "tools/list", stateless: true, status: 200, json: `"ttlMs":60000,"cacheScope":"private"`},
		"fresh discovery":   {res: result{value: jsontext.Value(`{}`)}, method: "server/discover", stateless: true, status: 200, json: `"ttlMs":300000,"cacheScope":"private"`},
		"text of a tool":    {err: answerText("No."), status: 200, json: `"result":{"content":[{"type":"text","text":"No."}],"isError":true}`},
		"text of a list":    {err: answerText("No."), method: "tools/list", status: 200, json: `"error":{"code":-32603,"message":"No."}`},
		"JSON-RPC error":    {err: &rpcError{code: -32602, message: "bad", data: jsontext.Value(`{"uri":"x"}`)}, status: 200, json: `"error":{"code":-32602,"message":"bad","data":{"uri":"x"}}`},
		"held":              {err: held, status: 200, json: `"sfmcp-proxy/approval":{"id":"apr_1","state":"pending"`},
		"challenge":         {err: &challenge{invalid: true}, status: 401, json: `{"error":"invalid_token"}`, stream: textNoAccess, header: []string{"WWW-Authenticate", `error="invalid_token"`}},
		"scope missing":     {err: &challenge{insufficient: true}, status: 403, json: `{"error":"insufficient_scope"}`, stream: textNoAccess, header: []string{"WWW-Authenticate", `error="insufficient_scope"`}},
		"refusal":           {err: &refusal{status: 415, message: "wrong type", cause: secret}, status: 415, json: `{"error":"wrong type"}`, stream: `"error":{"code":-32603,"message":"wrong type"}`},
		"JSON-RPC refusal":  {err: badRequest(jsonrpc.InvalidRequest, "no session"), status: 400, json: `"id":7,"error":{"code":-32600,"message":"no session"}`},
		"unavailable":       {err: unavailable("not now", secret), status: 503, json: `"message":"not now"`, header: []string{"Retry-After", "2"}},
		"any other failure": {err: secret, status: 500, json: `"error":{"code":-32603,"message":"internal error"}`},
	} {
		if c.method == "" {
			c.method = "tools/call"
		}
		rec := rendered(h, c.method, c.stateless, false, c.res, c.err)
		if body := rec.Body.String(); rec.Code != c.status || !strings.Contains(body, c.json) || strings.Contains(body, "private cause") {
			t.Errorf("%s: %d %s", name, rec.Code, body)
		}
		if c.header != nil && !strings.Contains(rec.Header().Get(c.header[0]), c.header[1]) {
			t.Errorf("%s: %s is %q", name, c.header[0], rec.Header().Get(c.header[0]))
		}
		if c.stream == "" {
			c.stream = c.json
		}
		rec = rendered(h, c.method, c.stateless, true, c.res, c.err)
		if body := rec.Body.String(); rec.Code != http.StatusOK || strings.Count(body, "data: ") != 1 || !strings.Contains(body, c.stream) || strings.Contains(body, "private cause") {
			t.Errorf("%s, in an event stream: %d %s", name, rec.Code, body)
		}
	}
	if rec := rendered(h, "ping", false, false, result{status: http.StatusAccepted}, nil); rec.Code != http.StatusAccepted || rec.Body.Len() != 0 {
		t.Errorf("no body: %d %s", rec.Code, rec.Body)
	}
	if rec := rendered(h, "subscriptions/listen", true, true, result{}, nil); rec.Body.Len() != 0 {
		t.Errorf("a stream that has said everything: %s", rec.Body)
	}
}
