package mcpforward

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// renderer puts the answer to a request on the wire, as JSON or as the end of an event
// stream, in the form of the client's era.
type renderer struct{ *request }

// render answers the request with what its steps came to: res, or what err says. It is the
// only place that does; what precedes a response in an event stream has gone out before.
func (r renderer) render(res result, err error) {
	switch {
	case err != nil:
		r.renderError(err)
	case res.status != 0:
		r.out.Status(res.status)
	case res.value == nil:
	case res.forwarded:
		r.respond(jsonrpc.Forward(r.msg.ID, res.value))
	default:
		r.respond(jsonrpc.Reply(r.msg.ID, r.complete(res.value)))
	}
}

func (r renderer) renderError(err error) {
	var (
		c    *challenge
		rpc  *rpcError
		text answerText
		held *notApproved
		e    *refusal
	)
	switch {
	case errors.As(err, &c):
		r.renderChallenge(c)
	case errors.As(err, &rpc):
		r.respond(rpc.response(r.msg.ID))
	case errors.As(err, &text):
		r.renderText(string(text))
	case errors.As(err, &held):
		r.respond(jsonrpc.Forward(r.msg.ID, held.answer))
	case r.http.Context().Err() != nil: // what failed, failed for that
		r.renderRefusal(&refusal{status: http.StatusServiceUnavailable, message: "the client went away"})
	case errors.As(err, &e):
		if e.cause != nil {
			r.Log.ErrorContext(r.http.Context(), "request refused", "why", e.message, "error", e.cause)
		}
		r.renderRefusal(e)
	case db.Passes(err):
		r.Log.ErrorContext(r.http.Context(), "request failed", "error", err)
		r.renderRefusal(&refusal{status: http.StatusServiceUnavailable, code: jsonrpc.InternalError, message: textNotStored, retry: failurePause})
	default:
		r.Log.ErrorContext(r.http.Context(), "request failed", "error", err)
		r.renderRefusal(&refusal{status: http.StatusInternalServerError, code: jsonrpc.InternalError, message: "internal error"})
	}
}

// renderText puts a sentence in the place of a result.
func (r renderer) renderText(text string) {
	if r.msg.Method == "tools/call" {
		r.respond(jsonrpc.Reply(r.msg.ID, r.complete(toolResult(text, true))))
		return
	}
	r.respond(jsonrpc.Failure(r.msg.ID, jsonrpc.InternalError, text))
}

// renderChallenge demands a good token: by HTTP status, or by an error where an event
// stream has begun.
func (r renderer) renderChallenge(c *challenge) {
	if r.out.Streaming() {
		r.renderRefusal(&refusal{code: jsonrpc.InternalError, message: textNoAccess})
		return
	}
	r.out.Header().Set("WWW-Authenticate", r.header(c, r.name))
	if r.isNavigation() {
		r.renderAddressPage(c)
		return
	}
	r.plain(c.status(), c.body())
}

// isNavigation reports whether somebody has opened the address in a browser. No client asks
// for HTML.
func (r renderer) isNavigation() bool {
	mode := r.http.Header.Get("Sec-Fetch-Mode")
	return r.http.Method == http.MethodGet && (mode == "" || mode == "navigate") && strings.Contains(r.http.Header.Get("Accept"), "text/html")
}

// renderAddressPage says to a person that the address is one for programs. Status and
// challenge are those that a program gets.
func (r renderer) renderAddressPage(c *challenge) {
	err := r.Site.Render(r.http.Context(), r.out.HTTP(), c.status(), ui.MessagePage{
		Title:  "This address is for your assistant",
		Text:   "Programs such as ChatGPT or Claude use it to reach Salesforce. There is nothing to see here in a browser.",
		Detail: "Paste it into the program as the URL of an MCP server.",
		Links:  []ui.Link{{Text: "How to connect, step by step", Path: "/connect/" + r.name}, {Text: "Your account", Path: "/account"}},
	})
	if err != nil {
		r.Log.ErrorContext(r.http.Context(), "page not rendered", "error", err)
		r.plain(c.status(), c.body())
	}
}

// renderRefusal refuses by HTTP status. Where an event stream has begun there is no status
// to choose: an error in the place of the response ends it, so that nobody takes the end
// for a connection that broke.
func (r renderer) renderRefusal(e *refusal) {
	var id jsontext.Value // null if the message could not be read
	if r.msg != nil {
		id = r.msg.ID
	}
	rpc := rpcError{code: e.code, message: e.message, data: e.data}
	if r.out.Streaming() {
		if rpc.code == 0 {
			rpc.code = jsonrpc.InternalError
		}
		if r.msg != nil && r.msg.IsRequest() {
			r.respond(rpc.response(id))
		}
		return
	}
	if e.retry > 0 {
		r.out.Header().Set("Retry-After", strconv.Itoa(int(e.retry.Seconds())+1))
	}
	if e.code == 0 {
		r.plain(e.status, `{"error":`+string(jsonrpc.Quote(e.message))+`}`)
		return
	}
	r.plain(e.status, string(jsonrpc.Encode(rpc.response(id))))
}

// respond sends the response to the request. That a client has gone is not an error.
func (r renderer) respond(m *jsonrpc.Message) { r.unread(r.out.Finish(m)) }

func (r renderer) plain(status int, body string) { r.unread(r.out.Plain(status, body)) }

func (r renderer) unread(err error) {
	if err != nil {
		r.Log.DebugContext(r.http.Context(), "client went away", "error", err)
	}
}

// survive turns a panic into a generic answer. The log gets the place, not the
// values, which may hold what the client sent.
func (r renderer) survive() {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	r.Log.ErrorContext(r.http.Context(), "panic while forwarding", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	r.renderError(errors.New("panic"))
}

// How long a client of the stateless era may take an answer for current. What the
// policy lets it see can change any time; calls are judged anew whatever it has seen.
const (
	listFreshMS     = 60_000
	discoverFreshMS = 300_000
)

// freshness of the results that must say it (MCP 2026-07-28, caching), in milliseconds. A
// resource may be any record: it is never fresh.
func freshness(method string) (ms int, said bool) {
	switch method {
	case "server/discover":
		return discoverFreshMS, true
	case "tools/list", "prompts/list", "resources/list", "resources/templates/list":
		return listFreshMS, true
	case "resources/read":
		return 0, true
	}
	return 0, false
}

// complete adds to a result what the client's era demands of every result. All that
// can be cached is private: it was filtered for this caller.
func (r *request) complete(value jsontext.Value) jsontext.Value {
	if !r.stateless {
		return value
	}
	o, err := jsonrpc.ParseObject(value)
	if err != nil {
		return value // built by us or checked before: it is an object
	}
	o.Set("resultType", jsontext.Value(`"complete"`))
	if ms, said := freshness(r.msg.Method); said {
		o.Set("ttlMs", fmt.Append(nil, ms))
		o.Set("cacheScope", jsontext.Value(`"private"`))
	}
	meta, _ := o.Object("_meta")
	meta.Set(protocolPrefix+"serverInfo", r.serverInfo())
	o.Set("_meta", meta.Encode())
	return o.Encode()
}

// passed is a result as it stands in the response: the audit log has the digest of that.
func (r *request) passed(value jsontext.Value) jsontext.Value {
	return jsonrpc.OneLine(r.complete(value))
}
