package mcpforward

import (
	"context"
	"net/http"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/limit"
	"sfmcp-proxy/mcpforward/stream"
	"sfmcp-proxy/mcpforward/traces"
)

// request is one HTTP request on its way through the handler. Its steps, see
// [request.serve], fill it in from top to bottom.
type request struct {
	*Handler
	http    *http.Request
	out     *stream.Writer
	started time.Time
	lasting context.Context // of the request without its end: for what is to be known however it ends

	name     string // of the endpoint, as the path has it
	token    string // the access token that came
	admitted access.Caller
	server   *access.Server // these are the caller's
	grant    *grant.Grant
	who      policy.Principal

	msg       *jsonrpc.Message
	params    jsonrpc.Object
	stateless bool           // it belongs to the era without sessions
	client    declared       // what the client says of itself
	session   *session       // nil in the stateless era and for initialize
	inputs    jsonrpc.Object // what it answers to what we asked, see ask.go

	operation  string       // method of a message that is measured, see watch.go; empty: it is none
	problem    string       // what is wrong with the answer
	toolFailed bool         // the answer is a tool result that says so
	span       *traces.Span // nil: there is none

	waiting context.Context // of a counted request: ends with its client, its access, or when it is cancelled
	leave   func()          // gives its turn back; nil: it has none
}

// serveStream is for requests without a message: GET opens a stream of notifications,
// DELETE ends a session. In the stateless era there is neither.
func (r *request) serveStream() (result, error) {
	sessions := r.http.Header.Get(versionHeader) != statelessVersion
	switch {
	case r.http.Method == http.MethodGet && sessions:
		return r.openStream()
	case r.http.Method == http.MethodDelete && sessions:
		return r.closeSession()
	}
	r.out.Header().Set("Allow", "POST, GET, DELETE")
	return result{}, &refusal{status: http.StatusMethodNotAllowed, message: "use POST"}
}

// user is whose limits the request counts against.
func (r *request) user() limit.User { return limit.User{Org: r.grant.Org, Subject: r.grant.Subject} }

// done gives back what the request holds until its answer is out.
func (r *request) done() {
	r.tellWatcher() // watch.go
	if r.leave != nil {
		r.leave()
	}
}
