package mcpforward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
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
// is out or after an event stream has begun, and what is measured of it.
func rendered(h *Handler, method string, stateless, streaming bool, res result, err error) (got *httptest.ResponseRecorder, problem string) {
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
	if errors.Is(err, context.Canceled) {
		ctx, leave := context.WithCancel(r.Context())
		leave()
		x.http = r.WithContext(ctx)
	}
	renderer{x}.render(res, err)
	return rec, x.problem
}

// seen is what is wrong with an answer as it is on the wire.
func seen(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	if rec.Code >= http.StatusBadRequest {
		return strconv.Itoa(rec.Code)
	}
	body := rec.Body.Bytes()
	if _, data, streamed := bytes.Cut(body, []byte("data: ")); streamed {
		body, _, _ = bytes.Cut(data, []byte("\n"))
	}
	if len(body) == 0 {
		return ""
	}
	var answer struct {
		Error  *struct{ Code int }
		Result struct{ IsError bool }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	switch {
	case answer.Error != nil && answer.Error.Code == -31999:
		return otherProblem
	case answer.Error != nil:
		return strconv.Itoa(answer.Error.Code)
	case answer.Result.IsError:
		return toolError
	}
	return ""
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
	again := func(result string) error {
		a := &approval.Request{ID: "apr_1", State: approval.Spent, Outcome: approval.Done, Result: []byte(result)}
		return &notApproved{a, approvalResult(a, "https://proxy.example/approvals/apr_1")}
	}
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
		"result":                 {res: result{value: jsontext.Value(`{"a":1}`)}, status: 200, json: `"id":7,"result":{"a":1}`},
		"stateless result":       {res: result{value: jsontext.Value(`{"a":1}`)}, stateless: true, status: 200, json: `"result":{"a":1,"resultType":"complete","_meta":`},
		"forwarded":              {res: result{value: jsontext.Value(`{"a": 1}`), forwarded: true}, status: 200, json: `"result":{"a": 1}`},
		"fresh list":             {res: result{value: jsontext.Value(`{}`), forwarded: true}, method: "tools/list", stateless: true, status: 200, json: `"ttlMs":60000,"cacheScope":"private"`},
		"fresh discovery":        {res: result{value: jsontext.Value(`{}`)}, method: "server/discover", stateless: true, status: 200, json: `"ttlMs":300000,"cacheScope":"private"`},
		"text of a tool":         {err: answerText("No."), status: 200, json: `"result":{"content":[{"type":"text","text":"No."}],"isError":true}`},
		"text of a list":         {err: answerText("No."), method: "tools/list", status: 200, json: `"error":{"code":-32603,"message":"No."}`},
		"JSON-RPC error":         {err: &rpcError{code: -32602, message: "bad", data: jsontext.Value(`{"uri":"x"}`)}, status: 200, json: `"error":{"code":-32602,"message":"bad","data":{"uri":"x"}}`},
		"held":                   {err: held, status: 200, json: `"sfmcp-proxy/approval":{"id":"apr_1","state":"pending"`},
		"challenge":              {err: &challenge{invalid: true}, status: 401, json: `{"error":"invalid_token"}`, stream: textNoAccess, header: []string{"WWW-Authenticate", `error="invalid_token"`}},
		"scope missing":          {err: &challenge{insufficient: true}, status: 403, json: `{"error":"insufficient_scope"}`, stream: textNoAccess, header: []string{"WWW-Authenticate", `error="insufficient_scope"`}},
		"refusal":                {err: &refusal{status: 415, message: "wrong type", cause: secret}, status: 415, json: `{"error":"wrong type"}`, stream: `"error":{"code":-32603,"message":"wrong type"}`},
		"JSON-RPC refusal":       {err: badRequest(jsonrpc.InvalidRequest, "no session"), status: 400, json: `"id":7,"error":{"code":-32600,"message":"no session"}`},
		"unavailable":            {err: unavailable("not now", secret), status: 503, json: `"message":"not now"`, header: []string{"Retry-After", "2"}},
		"any other failure":      {err: secret, status: 500, json: `"error":{"code":-32603,"message":"internal error"}`},
		"a failure that passes":  {err: fmt.Errorf("private cause: %w", context.DeadlineExceeded), status: 503, json: `"error":{"code":-32603,"message":"` + textNotStored, header: []string{"Retry-After", "2"}},
		"the client has gone":    {err: fmt.Errorf("private cause: %w", context.Canceled), status: 503, json: `{"error":"the client went away"}`, stream: `"error":{"code":-32603,"message":"the client went away"}`},
		"a code of Salesforce's": {err: &rpcError{code: -31999, message: "odd"}, status: 200, json: `"error":{"code":-31999,"message":"odd"}`},
		"made before":            {err: again(`{"content":[{"type":"text","text":"made"}],"isError":false}`), status: 200, json: "made"},
		"made before, stateless": {err: again(`{"content":[{"type":"text","text":"made"}],"isError":false}`), stateless: true, status: 200, json: "made"},
		"failed before":          {err: again(`{"content":[{"type":"text","text":"no"}],"isError":true}`), status: 200, json: `"isError":true`},
		"asked to open a page":   {err: &notApproved{waiting, jsontext.Value(`{"inputRequests":{},"resultType":"input_required"}`)}, stateless: true, status: 200, json: "input_required"},
		"one within another":     {err: errors.Join(secret, fmt.Errorf("sending: %w", held)), status: 200, json: `"state":"pending"`},
	} {
		if c.method == "" {
			c.method = "tools/call"
		}
		rec, problem := rendered(h, c.method, c.stateless, false, c.res, c.err)
		if want := seen(t, rec); problem != want {
			t.Errorf("%s: measured as %q, and the client sees %q", name, problem, want)
		}
		if body := rec.Body.String(); rec.Code != c.status || !strings.Contains(body, c.json) || strings.Contains(body, "private cause") {
			t.Errorf("%s: %d %s", name, rec.Code, body)
		}
		if c.header != nil && !strings.Contains(rec.Header().Get(c.header[0]), c.header[1]) {
			t.Errorf("%s: %s is %q", name, c.header[0], rec.Header().Get(c.header[0]))
		}
		if c.stream == "" {
			c.stream = c.json
		}
		rec, problem = rendered(h, c.method, c.stateless, true, c.res, c.err)
		if want := seen(t, rec); problem != want {
			t.Errorf("%s, in an event stream: measured as %q, and the client sees %q", name, problem, want)
		}
		if body := rec.Body.String(); rec.Code != http.StatusOK || strings.Count(body, "data: ") != 1 || !strings.Contains(body, c.stream) || strings.Contains(body, "private cause") {
			t.Errorf("%s, in an event stream: %d %s", name, rec.Code, body)
		}
	}
	if rec, _ := rendered(h, "ping", false, false, result{status: http.StatusAccepted}, nil); rec.Code != http.StatusAccepted || rec.Body.Len() != 0 {
		t.Errorf("no body: %d %s", rec.Code, rec.Body)
	}
	if rec, _ := rendered(h, "subscriptions/listen", true, true, result{}, nil); rec.Body.Len() != 0 {
		t.Errorf("a stream that has said everything: %s", rec.Body)
	}
}

// Every kind of error that this package makes is one that answerTo knows, or never reaches it: a new one is to be put there, and
// into the table above.
func TestEveryKindOfErrorHasAnAnswer(t *testing.T) {
	t.Parallel()
	answered := map[string]bool{"challenge": true, "rpcError": true, "answerText": true, "notApproved": true, "refusal": true}
	elsewhere := map[string]string{"errNotRead": "of a page, and not of a client's request", "stopError": "of a request on its way to Salesforce: deliver.go says it as a text"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name != "Error" || n.Recv == nil {
					return true
				}
				of := n.Recv.List[0].Type
				if star, ok := of.(*ast.StarExpr); ok {
					of = star.X
				}
				kind := of.(*ast.Ident).Name
				if !answered[kind] && elsewhere[kind] == "" {
					t.Errorf("%s: nothing says what %s is answered with", name, kind)
				}
				delete(elsewhere, kind)
			case *ast.ValueSpec: // var held *notApproved, to ask for it
				if star, ok := n.Type.(*ast.StarExpr); ok && name != "erroranswer.go" {
					if kind, ok := star.X.(*ast.Ident); ok && answered[kind.Name] && len(n.Values) == 0 {
						t.Errorf("%s tells errors apart by %s, as erroranswer.go does", name, kind.Name)
					}
				}
			}
			return true
		})
	}
	for kind := range elsewhere {
		t.Errorf("there is no %s", kind)
	}
}
