package upstream

import (
	"context"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// maxQuestions bounds what Salesforce may ask within one answer.
const maxQuestions = 100

// questions are the requests of Salesforce's that one answer has shown and that wait
// for the client. They are never found by another answer, so a response reaches only
// whom it was asked by (FW-35, FW-36).
type questions struct {
	mu    sync.Mutex
	open  map[string]question
	shown bool
}

type question struct {
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

// add opens a question, unless one of its id is open.
func (q *questions) add(id jsontext.Value, s *Session) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, twice := q.open[key(id)]; twice {
		return false
	}
	if q.open == nil {
		q.open = map[string]question{}
	}
	q.open[key(id)], q.shown = question{id, s}, true
	return true
}

// take closes a question and returns it if it was open.
func (q *questions) take(id jsontext.Value) (question, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	found, ok := q.open[key(id)]
	delete(q.open, key(id))
	return found, ok
}

// withdraw closes the question that Salesforce says it has cancelled.
func (q *questions) withdraw(cancelled *jsonrpc.Message) {
	params, _ := jsonrpc.ParseObject(cancelled.Params)
	id, _ := params.Get("requestId")
	q.take(id)
}

// clear closes all questions.
func (q *questions) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.open)
}

// any reports whether a question was shown.
func (q *questions) any() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.shown
}

// asked takes a request of Salesforce's and reports whether the caller gets it. What
// nobody declared is refused in the protocol, so that the server does not wait for it.
func (c *call) asked(x *exchange, m *jsonrpc.Message) bool {
	refusal := c.target.Client.refusal(m)
	switch {
	case c.slot == nil: // an opening session: nobody can be asked yet, nor told
	case m.Method == "ping":
		c.later(x.session, jsonrpc.Reply(m.ID, jsontext.Value(`{}`)))
	case refusal != nil:
		c.later(x.session, &jsonrpc.Message{ID: m.ID, Error: refusal})
	default:
		return c.questions.add(m.ID, x.session)
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
	q, ok := c.questions.take(m.ID)
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
		return &tokenFault(ctx, err).Error
	}
	// A call of its own: Next may be at work with the other.
	d := &call{pool: c.pool, target: c.target, slot: c.slot, ctx: ctx, session: q.session, token: token}
	for {
		f := d.tell(ctx, q.session, &jsonrpc.Message{ID: q.id, Result: m.Result, Error: m.Error})
		if f == nil {
			return nil
		}
		if f.cure == reopenSession { // nobody waits for it on another one
			f.cure = noCure
		}
		if err := d.cure(f); err != nil {
			return err
		}
	}
}
