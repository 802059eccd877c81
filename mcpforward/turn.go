package mcpforward

import (
	"context"
	"errors"
	"net/http"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// takeTurn counts the request against the limits of its user and of the server, and waits
// where too many are under way. From here on it can be cancelled and cut off: what is
// cancelled before its turn must not be made later. The turn is given back when the answer
// is out, so that who reads slowly keeps nobody's place but its own.
func (r *request) takeTurn(m method) error {
	if !m.limited() {
		return nil
	}
	waiting, unregister := r.register(r.http.Context())
	r.waiting, r.leave = waiting, unregister
	leave, ok := r.allowances.Enter(waiting, r.user(), r.server.Name)
	switch {
	case ok:
		r.leave = func() { leave(); unregister() }
		return nil
	case waiting.Err() != nil:
		return r.interrupted()
	}
	return r.overLimit()
}

// interrupted says why a request ended before it was forwarded.
func (r *request) interrupted() error {
	switch cause := context.Cause(r.waiting); {
	case errors.Is(cause, errStopped):
		return answerText(textStopAll)
	case errors.Is(cause, errCutOff):
		return &challenge{invalid: true}
	case errors.Is(cause, errUnchecked):
		return unavailable("access could not be checked", cause)
	case errors.Is(cause, errCancelled):
		return answerText(textCancelled + " It was not carried out.")
	}
	return unavailable("the client went away", nil)
}

// overLimit refuses a request beyond the user's limits, or those of the server, not too
// fast.
func (r *request) overLimit() error {
	r.recordLimited()
	r.allowances.Of(r.user()).HoldBack(r.http.Context())
	if r.msg != nil && r.msg.Method == "tools/call" {
		return answerText(textLimit)
	}
	return &refusal{status: http.StatusTooManyRequests, code: jsonrpc.InvalidRequest, retry: limitPause, message: textLimit}
}
