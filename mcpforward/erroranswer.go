package mcpforward

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// errorAnswer is what an error leads to: what the client is answered, what is measured of it, and what the log says.
type errorAnswer struct {
	// One of these, or none: the end of an event stream.
	challenge *challenge
	refusal   *refusal
	response  *jsonrpc.Message

	problem string // as [Answered] has it: of what the client gets
	logged  string // at the level of an error, with what it is about; empty: nothing is said
	about   []any
}

// answerTo decides what an error leads to. Nobody else tells the kinds of errors apart.
func (r *request) answerTo(err error) errorAnswer {
	var (
		c    *challenge
		rpc  *rpcError
		text answerText
		held *notApproved
		e    *refusal
	)
	switch {
	case errors.As(err, &c) && r.out.Streaming():
		return r.refused(&refusal{message: textNoAccess})
	case errors.As(err, &c):
		return errorAnswer{challenge: c, problem: strconv.Itoa(c.status())}
	case errors.As(err, &rpc):
		return errorAnswer{response: rpc.response(r.msg.ID), problem: codeName(rpc.code)}
	case errors.As(err, &text):
		return r.textAnswer(string(text))
	case errors.As(err, &held):
		return errorAnswer{response: jsonrpc.Forward(r.msg.ID, held.answer), problem: problemOfResult(held.answer)}
	case r.http.Context().Err() != nil: // what failed, failed for that
		return r.refused(&refusal{status: http.StatusServiceUnavailable, message: "the client went away"})
	case errors.As(err, &e):
		a := r.refused(e)
		if e.cause != nil {
			a.logged, a.about = "request refused", []any{"why", e.message, "error", e.cause}
		}
		return a
	}
	a := r.refused(&refusal{status: http.StatusInternalServerError, code: jsonrpc.InternalError, message: "internal error"})
	if db.Passes(err) {
		a = r.refused(&refusal{status: http.StatusServiceUnavailable, code: jsonrpc.InternalError, message: textNotStored, retry: failurePause})
	}
	a.logged, a.about = "request failed", []any{"error", err}
	return a
}

// textAnswer puts a sentence in the place of a result.
func (r *request) textAnswer(text string) errorAnswer {
	if r.msg.Method == "tools/call" {
		return errorAnswer{response: jsonrpc.Reply(r.msg.ID, r.complete(toolResult(text, true))), problem: toolError}
	}
	return errorAnswer{response: jsonrpc.Failure(r.msg.ID, jsonrpc.InternalError, text), problem: codeName(jsonrpc.InternalError)}
}

// refused refuses by HTTP status. Where an event stream has begun there is no status
// to choose: an error in the place of the response ends it, so that nobody takes the end
// for a connection that broke.
func (r *request) refused(e *refusal) errorAnswer {
	if !r.out.Streaming() {
		return errorAnswer{refusal: e, problem: strconv.Itoa(e.status)}
	}
	rpc := e.rpc()
	rpc.code = cmp.Or(rpc.code, jsonrpc.InternalError)
	a := errorAnswer{problem: codeName(rpc.code)}
	if r.msg != nil && r.msg.IsRequest() {
		a.response = rpc.response(r.msg.ID)
	}
	return a
}

// rpc is the refusal as JSON-RPC has it.
func (e *refusal) rpc() *rpcError { return &rpcError{code: e.code, message: e.message, data: e.data} }

// problemOfResult is what is wrong with a result that was not forwarded just now: of a call that was made before it is
// what Salesforce said then.
func problemOfResult(value jsontext.Value) string {
	o, err := jsonrpc.ParseObject(value)
	if err != nil {
		return toolError
	}
	if failed, _ := o.Get("isError"); string(failed) == "true" {
		return toolError
	}
	return ""
}
