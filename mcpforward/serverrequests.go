package mcpforward

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// A hosted server may ask back while it works on a call: the client's model (sampling),
// its user (elicitation), or what it works on (roots). That passes only to a client
// with a session that declared it, at a server whose configuration allows it, in the
// event stream of the very call. Its response goes to that call and nowhere else.

// capabilityFor is the capability under which a client declares that it answers requests
// of that method; "" for those that no server can be configured to pass. Elicitation by
// URL is among these: nobody here vouches for the address.
func capabilityFor(method string) string {
	switch method {
	case "sampling/createMessage":
		return canSample
	case "elicitation/create":
		return canBeAsked
	case "roots/list":
		return canListRoots
	}
	return ""
}

// capabilitiesForServer are what Salesforce sees of the client: what it declared and the
// server's configuration lets pass.
func (r *request) capabilitiesForServer() upstream.ClientCapabilities {
	passes := func(name string) bool {
		return r.session != nil && r.client.capabilities.has(name) && r.server.MayRequest(name)
	}
	return upstream.ClientCapabilities{
		UI: r.client.capabilities.has(canShowUI), LogLevel: r.client.logLevel,
		Sampling: passes(canSample), Elicitation: passes(canBeAsked), Roots: passes(canListRoots),
	}
}

// serverRequests are the requests of hosted servers that clients have yet to answer. The
// zero value is ready.
type serverRequests struct {
	mu      sync.Mutex
	waiting map[string]*serverRequest // by the id that the client sees
}

// serverRequest is one of them.
type serverRequest struct {
	grant, session string // of the client that was asked
	method         string
	callID         jsontext.Value   // of the call that it belongs to, as the client gave it
	callReads      bool             // that call changes nothing
	answer         *upstream.Answer // to that call
	id             jsontext.Value   // as the hosted server gave it
}

func (s *serverRequests) put(id string, r *serverRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = map[string]*serverRequest{}
	}
	s.waiting[id] = r
}

// take returns the request that a client answers, once, and only to the session that
// was asked.
func (s *serverRequests) take(id, grantID, session string) *serverRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.waiting[id]
	if r == nil || r.grant != grantID || r.session != session {
		return nil
	}
	delete(s.waiting, id)
	return r
}

// forget drops what was asked for a call.
func (s *serverRequests) forget(answer *upstream.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, r := range s.waiting {
		if r.answer == answer {
			delete(s.waiting, id)
		}
	}
}

// forwardServerRequest passes a request of the hosted server on to the client. Where that
// is not possible the server gets an error, so that it does not wait.
func (c *call) forwardServerRequest(ctx context.Context, answer *upstream.Answer, m *jsonrpc.Message) error {
	capability := capabilityFor(m.Method)
	if capability == "" || c.session == nil || !c.server.MayRequest(capability) || !c.out.TakesEvents() || c.obligations.hides() {
		return answer.Respond(ctx, jsonrpc.Failure(m.ID, jsonrpc.MethodNotFound, "the client cannot be asked"))
	}
	e := c.entry(audit.ServerRequest, audit.OK)
	e.Object = m.Method
	if _, err := c.Audit.Append(ctx, e); err != nil {
		c.Log.ErrorContext(ctx, "a request of the hosted server could not be recorded, so it was refused", "method", m.Method, "error", err)
		return answer.Respond(ctx, jsonrpc.Failure(m.ID, jsonrpc.InternalError, "the client cannot be asked now"))
	}
	id := rand.Text()
	c.serverRequests.put(id, &serverRequest{
		grant: c.grant.ID, session: c.session.hash, method: m.Method,
		callID: c.msg.ID, callReads: c.reads(), answer: answer, id: m.ID,
	})
	return c.out.Notify(jsonrpc.Request(jsonrpc.Quote(id), m.Method, m.Params))
}

var errNotAsked = badRequest(jsonrpc.InvalidRequest, "no request is waiting for this response")

// receiveResponse takes a client's response to a request of the hosted server and gives it
// to the server.
func receiveResponse(r *request) (result, error) {
	id, _ := jsonrpc.Unquote(r.msg.ID)
	var asked *serverRequest
	if r.session != nil {
		asked = r.serverRequests.take(id, r.grant.ID, r.session.hash)
	}
	if asked == nil {
		return result{}, errNotAsked
	}
	e := r.entry(audit.ServerAnswer, audit.OK)
	e.Object = asked.method
	if stop := r.stopped(asked.callReads); stop != "" { // the response could be what a change waits for
		e.Outcome, e.Reason = audit.Denied, "stopped by the kill switch"
		r.Audit.Record(r.http.Context(), e)
		r.calls.cancel(asked.grant, asked.session, idKey(asked.callID))
		return result{}, unavailable(stop, nil)
	}
	if _, err := r.Audit.Append(r.http.Context(), e); err != nil {
		return result{}, unavailable("the answer could not be recorded, so it was not passed on", err)
	}
	m := &jsonrpc.Message{ID: asked.id, Result: r.msg.Result}
	if r.msg.Error != nil {
		m.Error = &jsonrpc.Error{Code: r.msg.Error.Code, Message: shortened(r.msg.Error.Message, 500)}
	}
	switch err := asked.answer.Respond(r.http.Context(), m); {
	case errors.Is(err, upstream.ErrNotAsked): // withdrawn, or over with its call
		return result{}, errNotAsked
	case err != nil:
		return result{}, &refusal{status: http.StatusBadGateway, message: "Salesforce did not take the answer", cause: err}
	}
	return accept(r)
}
