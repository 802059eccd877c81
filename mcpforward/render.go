package mcpforward

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// renderer puts the answer to a request on the wire, as JSON or as the end of an event
// stream, in the form of the client's era.
type renderer struct{ *request }

// render answers the request with what its steps came to: res, or what err leads to ([request.answerTo]), and notes what is
// wrong with the answer. It is the only place that does; what precedes a response in an event stream has gone out before.
func (r renderer) render(res result, err error) {
	if err != nil {
		a := r.answerTo(err)
		r.problem = a.problem
		r.renderErrorAnswer(a)
		return
	}
	if r.problem = ""; r.toolFailed {
		r.problem = toolError
	}
	switch {
	case res.status != 0:
		r.out.Status(res.status)
	case res.value == nil:
	case res.forwarded:
		r.respond(jsonrpc.Forward(r.msg.ID, res.value))
	default:
		r.respond(jsonrpc.Reply(r.msg.ID, r.complete(res.value)))
	}
}

// renderErrorAnswer answers as was decided, and says in the log what is to be said of it.
func (r renderer) renderErrorAnswer(a errorAnswer) {
	if a.logged != "" {
		r.Log.ErrorContext(r.http.Context(), a.logged, a.about...)
	}
	switch {
	case a.challenge != nil:
		r.renderChallenge(a.challenge)
	case a.refusal != nil:
		r.renderRefusal(a.refusal)
	case a.response != nil:
		r.respond(a.response)
	}
}

// renderChallenge demands a good token.
func (r renderer) renderChallenge(c *challenge) {
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

// renderRefusal refuses by HTTP status.
func (r renderer) renderRefusal(e *refusal) {
	if e.retry > 0 {
		r.out.Header().Set("Retry-After", strconv.Itoa(int(e.retry.Seconds())+1))
	}
	if e.code == 0 {
		r.plain(e.status, `{"error":`+string(jsonrpc.Quote(e.message))+`}`)
		return
	}
	var id jsontext.Value // null if the message could not be read
	if r.msg != nil {
		id = r.msg.ID
	}
	r.plain(e.status, string(jsonrpc.Encode(e.rpc().response(id))))
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
	r.renderErrorAnswer(r.answerTo(errors.New("panic"))) // what is measured stays a panic
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
	o.DeleteLookalikes("resultType", "ttlMs", "cacheScope", "_meta") // or some clients would read these instead
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
