package mcpforward

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// answer sends the response to the request. That a client has gone is not an error.
func (x *exchange) answer(m *jsonrpc.Message) error {
	if err := x.reply.Finish(m); err != nil {
		x.Log.DebugContext(x.r.Context(), "client went away", "error", err)
	}
	return nil
}

// forwarded sends a result of Salesforce's, which was checked when it came.
func (x *exchange) forwarded(v jsontext.Value) error {
	if x.stateless {
		return x.result(v)
	}
	return x.answer(jsonrpc.Forward(x.msg.ID, v))
}

func (x *exchange) result(v jsontext.Value) error {
	return x.answer(jsonrpc.Reply(x.msg.ID, x.complete(v)))
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

func (e *refusal) Error() string { return e.message }
func (e *refusal) Unwrap() error { return e.cause }

func badRequest(code jsonrpc.Code, message string) error {
	return &refusal{status: http.StatusBadRequest, code: code, message: message}
}

// unavailable refuses because something that must be known cannot be found out. If that
// is for a fault of ours, it may soon be another time.
func unavailable(message string, cause error) error {
	e := &refusal{status: http.StatusServiceUnavailable, code: jsonrpc.InternalError, message: message, cause: cause}
	if cause != nil {
		e.retry = faultPause
	}
	return e
}

// fail renders an error. Unknown ones get a generic text.
func (x *exchange) fail(err error) {
	var c *challenge
	var e *refusal
	switch {
	case errors.As(err, &c):
	case x.r.Context().Err() != nil: // the client went away: what failed, failed for that
		e = &refusal{status: http.StatusServiceUnavailable, message: "the client went away"}
	case errors.As(err, &e):
		if e.cause != nil {
			x.Log.ErrorContext(x.r.Context(), "request refused", "why", e.message, "error", e.cause)
		}
	default:
		x.Log.ErrorContext(x.r.Context(), "request failed", "error", err)
		e = &refusal{status: http.StatusInternalServerError, code: jsonrpc.InternalError, message: "internal error"}
	}
	switch {
	case x.reply.Streaming():
		x.failLate(c, e)
	case c != nil:
		x.reply.Header().Set("WWW-Authenticate", x.header(c, x.name))
		x.reply.Plain(c.status(), c.body())
	default:
		x.refuse(e)
	}
}

// failLate ends an event stream with an error in the place of the response, so that
// nobody takes the end of it for a connection that broke.
func (x *exchange) failLate(c *challenge, e *refusal) {
	if x.msg == nil || !x.msg.IsRequest() {
		return
	}
	if c != nil {
		e = &refusal{message: sayNoAccess}
	}
	if e.code == 0 {
		e.code = jsonrpc.InternalError
	}
	x.answer(e.failure(x.msg.ID))
}

func (x *exchange) refuse(e *refusal) {
	if e.retry > 0 {
		x.reply.Header().Set("Retry-After", strconv.Itoa(int(e.retry.Seconds())+1))
	}
	if e.code == 0 {
		x.reply.Plain(e.status, `{"error":`+string(jsonrpc.Quote(e.message))+`}`)
		return
	}
	var id jsontext.Value // null if the message could not be read
	if x.msg != nil {
		id = x.msg.ID
	}
	x.reply.Plain(e.status, string(jsonrpc.Encode(e.failure(id))))
}

// failure is the refusal as JSON-RPC has it.
func (e *refusal) failure(id jsontext.Value) *jsonrpc.Message {
	m := jsonrpc.Failure(id, e.code, e.message)
	m.Error.Data = e.data
	return m
}
