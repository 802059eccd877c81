package mcpforward

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/limit"
	"sfmcp-proxy/mcpforward/stream"
)

// exchange is one HTTP request on its way through the handler. Its steps fill it in
// from top to bottom.
type exchange struct {
	*Handler
	r       *http.Request
	reply   *stream.Writer
	started time.Time

	name   string // of the endpoint, as the path has it
	token  string // the access token that came
	server *access.Server
	grant  *grant.Grant
	who    policy.Principal

	msg       *jsonrpc.Message
	params    jsonrpc.Object
	stateless bool     // it belongs to the era without sessions
	client    declared // what the client says of itself
	session   *session // nil in the stateless era and for initialize

	waiting context.Context // of a counted request: ends with its client, its access, or when it is cancelled
}

// serve takes the request through the steps that every one takes.
func (x *exchange) serve() error {
	if err := x.guard(); err != nil {
		return err
	}
	if err := x.authenticate(); err != nil {
		return err
	}
	sessions := x.r.Header.Get(versionHeader) != statelessVersion
	switch {
	case x.r.Method == http.MethodPost:
		return x.post()
	case x.r.Method == http.MethodGet && sessions:
		return x.openStream()
	case x.r.Method == http.MethodDelete && sessions:
		return x.closeSession()
	}
	x.reply.Header().Set("Allow", "POST, GET, DELETE")
	return &refusal{status: http.StatusMethodNotAllowed, message: "use POST"}
}

// post handles one message.
func (x *exchange) post() error {
	if err := x.read(); err != nil {
		return err
	}
	if err := x.era(); err != nil {
		if e, ok := errors.AsType[*refusal](err); ok && e.code == headerMismatch { // whoever reads only headers was to see something else
			x.recordMalformed(e.message)
		}
		return err
	}
	if !x.stateless && x.msg.Method != "initialize" {
		if err := x.findSession(); err != nil {
			return err
		}
	}
	m, known := methods[x.msg.Method]
	known = known && (m.era == bothEras || (m.era == statelessEra) == x.stateless)
	switch {
	case x.msg.IsResponse():
		return x.takeAnswer()
	case x.msg.IsNotification() && (!known || !m.notification):
		return badRequest(jsonrpc.MethodNotFound, "no such notification")
	case x.msg.IsRequest() && (!known || m.notification):
		return x.noMethod()
	}
	if m.forwarded { // waits for its turn, for a login, for a session, for the answer
		defer x.reply.KeepAlive(x.quiet)()
	}
	if m.counted {
		var land func()
		x.waiting, land = x.board(x.r.Context()) // what is cancelled before its turn must not be made later
		defer land()
		leave, ok := x.budgets.Enter(x.waiting, x.user(), x.server.Name)
		switch {
		case !ok && x.waiting.Err() != nil:
			return x.interrupted()
		case !ok:
			return x.overLimit()
		}
		defer leave()
	}
	return m.handle(x)
}

// noMethod answers a request of a method that is not handled. In the stateless era the
// HTTP status says so, too.
func (x *exchange) noMethod() error {
	if x.stateless {
		return &refusal{status: http.StatusNotFound, code: jsonrpc.MethodNotFound, message: "no such method"}
	}
	return x.answer(jsonrpc.Failure(x.msg.ID, jsonrpc.MethodNotFound, "no such method"))
}

// method is how one MCP method is handled.
type method struct {
	handle       func(*exchange) error
	era          era
	notification bool
	counted      bool // against the user's limits
	forwarded    bool // to Salesforce, so that it can take long from its first step on
}

// era says in which of the protocol's eras a method exists.
type era int

const (
	bothEras era = iota
	sessionEra
	statelessEra
)

// methods is every method that is handled; all others are refused (SR-FW-2). It is
// filled by init because the handlers lead back to it.
var methods map[string]method

func init() {
	methods = map[string]method{
		"initialize":       {handle: (*exchange).initialize, era: sessionEra, counted: true},
		"ping":             {handle: (*exchange).ping, era: sessionEra},
		"logging/setLevel": {handle: (*exchange).setLogLevel, era: sessionEra, counted: true},

		"notifications/initialized":        {handle: (*exchange).accept, era: sessionEra, notification: true},
		"notifications/progress":           {handle: (*exchange).accept, era: sessionEra, notification: true},
		"notifications/roots/list_changed": {handle: (*exchange).accept, era: sessionEra, notification: true},
		"notifications/cancelled":          {handle: (*exchange).cancelCall, era: sessionEra, notification: true},

		"server/discover":      {handle: (*exchange).discover, era: statelessEra, counted: true},
		"subscriptions/listen": {handle: (*exchange).subscribe, era: statelessEra},

		"tools/list":               {handle: (*exchange).list, counted: true, forwarded: true},
		"tools/call":               {handle: (*exchange).callTool, counted: true, forwarded: true},
		"prompts/list":             {handle: (*exchange).list, counted: true, forwarded: true},
		"prompts/get":              {handle: (*exchange).getPrompt, counted: true, forwarded: true},
		"resources/list":           {handle: (*exchange).list, counted: true, forwarded: true},
		"resources/templates/list": {handle: (*exchange).list, counted: true, forwarded: true},
		"resources/read":           {handle: (*exchange).readResource, counted: true, forwarded: true},
		"completion/complete":      {handle: (*exchange).completeArgument, counted: true, forwarded: true},
	}
}

// accept acknowledges a notification that needs nothing done.
func (x *exchange) accept() error {
	x.reply.Status(http.StatusAccepted)
	return nil
}

// cancelCall ends the call that the client names, if it is its own (same grant and
// session). A write that was sent is recorded as of unknown outcome. In the stateless
// era a client cancels by going away.
func (x *exchange) cancelCall() error {
	if id, ok := x.params.Get("requestId"); ok {
		x.calls.cancel(x.grant.ID, x.session.hash, string(id))
	}
	return x.accept()
}

func (x *exchange) ping() error { return x.result(jsonrpc.Object{}.Encode()) }

// user is whose limits the request counts against.
func (x *exchange) user() limit.User { return limit.User{Org: x.grant.Org, Subject: x.grant.Subject} }
