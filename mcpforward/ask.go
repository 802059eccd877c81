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
// event stream of the very call. Its answer goes to that call and nowhere else.

// serverRequests are the requests that a server can be configured to pass, by the
// capability under which a client declares that it answers them. Elicitation by URL is
// not among them: the address would be nobody's here to vouch for.
var serverRequests = map[string]string{
	"sampling/createMessage": canSample, "elicitation/create": canBeAsked, "roots/list": canListRoots,
}

// declares is what Salesforce is told of the client: what it declared and the server's
// configuration lets pass.
func (x *exchange) declares() upstream.Declared {
	passes := func(name string) bool {
		return x.session != nil && x.client.capabilities.has(name) && x.server.MayRequest(name)
	}
	return upstream.Declared{
		UI: x.client.capabilities.has(canShowUI), LogLevel: x.client.logLevel,
		Sampling: passes(canSample), Elicitation: passes(canBeAsked), Roots: passes(canListRoots),
	}
}

// questions are the requests of hosted servers that clients have yet to answer. The
// zero value is ready.
type questions struct {
	mu   sync.Mutex
	open map[string]*question // by the id that the client sees
}

// question is one of them.
type question struct {
	grant, session string // whose it is
	method         string
	of             *call            // that it belongs to
	request        jsontext.Value   // id of that call
	call           *upstream.Answer // the same at the hosted server
	id             jsontext.Value   // as the hosted server gave it
}

func (q *questions) put(id string, one *question) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == nil {
		q.open = map[string]*question{}
	}
	q.open[id] = one
}

// take returns the question that a client answers, once, and only to the session that
// was asked.
func (q *questions) take(id, grantID, session string) *question {
	q.mu.Lock()
	defer q.mu.Unlock()
	one := q.open[id]
	if one == nil || one.grant != grantID || one.session != session {
		return nil
	}
	delete(q.open, id)
	return one
}

// forget drops what was asked for a call.
func (q *questions) forget(call *upstream.Answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, one := range q.open {
		if one.call == call {
			delete(q.open, id)
		}
	}
}

// pose passes a request of the hosted server on to the client. Where that is not
// possible the server is told, so that it does not wait.
func (x *exchange) pose(ctx context.Context, c *call, call *upstream.Answer, m *jsonrpc.Message) error {
	capability := serverRequests[m.Method]
	if capability == "" || x.session == nil || !x.server.MayRequest(capability) || !x.reply.TakesEvents() {
		return call.Respond(ctx, jsonrpc.Failure(m.ID, jsonrpc.MethodNotFound, "the client cannot be asked"))
	}
	e := x.entry("server.request", audit.OK)
	e.Object = m.Method
	if _, err := x.Audit.Append(ctx, e); err != nil {
		x.Log.ErrorContext(ctx, "a request of the hosted server could not be recorded, so it was refused", "method", m.Method, "error", err)
		return call.Respond(ctx, jsonrpc.Failure(m.ID, jsonrpc.InternalError, "the client cannot be asked now"))
	}
	id := rand.Text()
	x.questions.put(id, &question{grant: x.grant.ID, session: x.session.hash, method: m.Method, of: c, request: x.msg.ID, call: call, id: m.ID})
	return x.reply.Notify(jsonrpc.Request(jsonrpc.Quote(id), m.Method, m.Params))
}

var errNoQuestion = badRequest(jsonrpc.InvalidRequest, "no request is waiting for this response")

// takeAnswer takes a client's answer to a question and gives it to the hosted server.
func (x *exchange) takeAnswer() error {
	id, _ := jsonrpc.Unquote(x.msg.ID)
	var asked *question
	if x.session != nil {
		asked = x.questions.take(id, x.grant.ID, x.session.hash)
	}
	if asked == nil {
		return errNoQuestion
	}
	e := x.entry("server.answer", audit.OK)
	e.Object = asked.method
	if stop := x.stopped(asked.of); stop != "" { // the answer could be what a change waits for
		e.Outcome, e.Reason = audit.Denied, "stopped by the kill switch"
		x.record(e)
		x.calls.cancel(asked.grant, asked.session, idKey(asked.request))
		return unavailable(stop, nil)
	}
	if _, err := x.Audit.Append(x.r.Context(), e); err != nil {
		return unavailable("the answer could not be recorded, so it was not passed on", err)
	}
	m := &jsonrpc.Message{ID: asked.id, Result: x.msg.Result}
	if x.msg.Error != nil {
		m.Error = &jsonrpc.Error{Code: x.msg.Error.Code, Message: shortened(x.msg.Error.Message, 500)}
	}
	switch err := asked.call.Respond(x.r.Context(), m); {
	case errors.Is(err, upstream.ErrNotAsked): // withdrawn, or over with its call
		return errNoQuestion
	case err != nil:
		return &refusal{status: http.StatusBadGateway, message: "Salesforce did not take the answer", cause: err}
	}
	return x.accept()
}
