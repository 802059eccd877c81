package upstream

import (
	"context"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// maxServerRequests bounds what Salesforce may ask within one answer.
const maxServerRequests = 100

// serverRequests are the requests of Salesforce's that one answer has shown and that wait
// for the client. They are never found by another answer, so a response reaches only
// whom it was asked by (FW-35, FW-36).
type serverRequests struct {
	mu    sync.Mutex
	open  map[string]serverRequest
	shown bool
}

type serverRequest struct {
	id      jsontext.Value // as Salesforce wrote it
	session *Session
}

// key makes ids equal that mean the same: clients write strings in their own way.
func key(id jsontext.Value) string {
	if text, ok := jsonrpc.Unquote(id); ok {
		return `"` + text
	}
	return string(id)
}

// add opens a request, unless one of its id is open.
func (r *serverRequests) add(id jsontext.Value, s *Session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, twice := r.open[key(id)]; twice {
		return false
	}
	if r.open == nil {
		r.open = map[string]serverRequest{}
	}
	r.open[key(id)], r.shown = serverRequest{id, s}, true
	return true
}

// take closes a request and returns it if it was open.
func (r *serverRequests) take(id jsontext.Value) (serverRequest, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.open[key(id)]
	delete(r.open, key(id))
	return found, ok
}

// withdraw closes the request that Salesforce says it has cancelled.
func (r *serverRequests) withdraw(cancelled *jsonrpc.Message) {
	params, _ := jsonrpc.ParseObject(cancelled.Params)
	id, _ := params.Get("requestId")
	r.take(id)
}

// clear closes all requests.
func (r *serverRequests) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.open)
}

// any reports whether a request was shown.
func (r *serverRequests) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown
}

// serverRequest takes a request of Salesforce's and reports whether the caller gets it.
// What the client did not declare is refused in the protocol, so that the server does not
// wait for it.
func (a *attempt) serverRequest(m *jsonrpc.Message) bool {
	c := a.call
	refusal := c.target.Client.refusal(m)
	switch {
	case c.slot == nil: // an opening session: nobody can be asked yet, nor told
	case m.Method == "ping":
		c.sendAside(a.session, jsonrpc.Reply(m.ID, jsontext.Value(`{}`)))
	case refusal != nil:
		c.sendAside(a.session, &jsonrpc.Message{ID: m.ID, Error: refusal})
	default:
		return c.requests.add(m.ID, a.session)
	}
	return false
}

// Respond sends the client's response to a request that Next has returned, with that
// request's id. Each request takes one response, while the answer has not ended; else
// the error is [ErrNotAsked]. Other errors are [*Error], and the request stays answered:
// Salesforce may have the response.
func (a *Answer) Respond(ctx context.Context, m *jsonrpc.Message) error {
	c := a.call
	if !m.IsResponse() {
		return ErrNotAsked
	}
	asked, ok := c.requests.take(m.ID)
	if !ok {
		return ErrNotAsked
	}
	// Not the call's own context: it ends with the call, which the response may bring about.
	ctx, stop := context.WithTimeoutCause(ctx, c.target.timeout(), errTimedOut)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	owner := c.slot.user.ctx
	unlink := context.AfterFunc(owner, func() { cancel(context.Cause(owner)) })
	defer unlink()
	token, err := c.target.Token(ctx)
	if err != nil {
		return &tokenFailure(ctx, err).Error
	}
	// A call of its own: Next may be at work with the other.
	d := &call{pool: c.pool, target: c.target, hosted: c.hosted, slot: c.slot, ctx: ctx, session: asked.session, token: token}
	for {
		f := d.on(asked.session).sendOneWay(ctx, &jsonrpc.Message{ID: asked.id, Result: m.Result, Error: m.Error})
		if f == nil {
			return nil
		}
		if f.retry == reopenSession { // nobody waits for it on another one
			f.retry = noRetry
		}
		if err := d.retry(f); err != nil {
			return err
		}
	}
}
