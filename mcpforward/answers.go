package mcpforward

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Every step of a request ends in one of these: a result, or an error that says which
// other answer the client gets. How they look on the wire is in render.go. Any other
// error is a failure of ours, of which the answer says nothing.

// result is what a request is answered with if nothing stands against it. The zero value
// has nothing to say: a stream of notifications has said everything before.
type result struct {
	value     jsontext.Value // of the JSON-RPC response
	forwarded bool           // value is what request.passed returned
	status    int            // answers without a body, in the place of value; 0: none
}

// refusal is an answer by HTTP status, before or beside JSON-RPC.
type refusal struct {
	status  int
	code    jsonrpc.Code   // 0: the body is not JSON-RPC
	message string         // public
	data    jsontext.Value // of the JSON-RPC error; nil: none
	retry   time.Duration  // Retry-After
	cause   error          // private
}

// Error is the public text.
func (e *refusal) Error() string { return e.message }

// Unwrap returns the private cause.
func (e *refusal) Unwrap() error { return e.cause }

func badRequest(code jsonrpc.Code, message string) error {
	return &refusal{status: http.StatusBadRequest, code: code, message: message}
}

// unavailable refuses because something that must be known cannot be found out. If that
// is for a failure of ours, it may soon be another time.
func unavailable(message string, cause error) error {
	e := &refusal{status: http.StatusServiceUnavailable, code: jsonrpc.InternalError, message: message, cause: cause}
	if cause != nil {
		e.retry = failurePause
	}
	return e
}

// rpcError is a JSON-RPC error under HTTP 200, which clients of these protocol versions
// expect for all that is wrong beyond the transport.
type rpcError struct {
	code    jsonrpc.Code
	message string
	data    jsontext.Value // nil: none
}

// Error is the public text.
func (e *rpcError) Error() string { return e.message }

// response is the error as JSON-RPC has it.
func (e *rpcError) response(id jsontext.Value) *jsonrpc.Message {
	m := jsonrpc.Failure(id, e.code, e.message)
	m.Error.Data = e.data
	return m
}

func invalidParams(message string) error {
	return &rpcError{code: jsonrpc.InvalidParams, message: message}
}

// answerText is a sentence in the place of a result: a tool result that a model can pass
// on, with isError, or a JSON-RPC error where there are no tool results.
type answerText string

// Error is the public text.
func (e answerText) Error() string { return string(e) }

// notApproved is the answer to a call that waits for a person, was denied by one, or was
// carried out before.
type notApproved struct {
	request *approval.Request
	answer  jsontext.Value // what request.passed returned
}

// Error names the state of the approval.
func (e *notApproved) Error() string { return "the approval is " + string(e.request.State) }
