package mcpforward

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Answered is an MCP request of a client with a good token that was answered, for whoever
// measures.
type Answered struct {
	Server string // name of the endpoint
	Method string // of MCP, one of those that are handled here
	// Problem is what was wrong with it: "tool_error" for a tool result that says so, the code of
	// a JSON-RPC error, an HTTP status, "panic". Empty: nothing. There are few.
	Problem string
	Took    time.Duration
}

// Problems that are not numbers.
const (
	toolError    = "tool_error" // OpenTelemetry's word for a tool result with isError
	panicked     = "panic"
	otherProblem = "other" // a code that Salesforce made up
)

// isOperation reports whether the request is one that is measured. A stream of notifications is
// none: how long somebody listens says nothing.
func (r *request) isOperation(m method) bool {
	return !m.notification && !r.msg.IsResponse() && r.msg.Method != "subscriptions/listen"
}

// tellWatcher tells that the request was answered, if it is one that is measured.
func (r *request) tellWatcher() {
	if r.operation == "" || r.Watch == nil {
		return
	}
	r.Watch(Answered{Server: r.server.Name, Method: r.operation, Problem: r.problem, Took: r.Now().Sub(r.started)})
}

// problemOf says in one word what is wrong with the answer that err leads to, see [renderer].
func (r *request) problemOf(err error) string {
	switch {
	case err != nil:
		return r.problemOfError(err)
	case r.toolFailed:
		return toolError
	}
	return ""
}

func (r *request) problemOfError(err error) string {
	var (
		c    *challenge
		rpc  *rpcError
		text answerText
		held *notApproved
		e    *refusal
	)
	switch {
	case errors.As(err, &held):
		return toolError
	case errors.As(err, &c):
		return strconv.Itoa(c.status())
	case errors.As(err, &rpc):
		return codeName(rpc.code)
	case errors.As(err, &text) && r.operation == "tools/call":
		return toolError
	case errors.As(err, &text):
		return codeName(jsonrpc.InternalError)
	case errors.As(err, &e):
		return strconv.Itoa(e.status)
	}
	return strconv.Itoa(http.StatusInternalServerError)
}

// codeName is a code of JSON-RPC or MCP as a problem.
func codeName(code jsonrpc.Code) string {
	switch code {
	case jsonrpc.ParseError, jsonrpc.InvalidRequest, jsonrpc.MethodNotFound, jsonrpc.InvalidParams, jsonrpc.InternalError,
		headerMismatch, missingCapability, unsupportedVersion, elicitationRequired:
		return strconv.Itoa(int(code))
	}
	return otherProblem
}
