package upstream

import (
	"context"
	"io"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Answer is what Salesforce sends to one request. It is not safe for concurrent use,
// except that Respond may be called while Next waits. No header of Salesforce's comes
// with it.
type Answer struct {
	call *call
	err  error // after the end
}

// Next returns what Salesforce sends as it comes: progress notifications of the request
// and, if the client can take them ([ClientCapabilities]), log messages (notifications/message) and requests to the client
// (sampling/createMessage, elicitation/create, roots/list), which [Answer.Respond]
// answers. Then it returns the response, then io.EOF. Id and progress token are the
// request's; the ids of Salesforce's requests are Salesforce's. If the answer breaks off,
// a repeatable request is sent again in here, once; other errors are [*Error]. The end of
// ctx ends the whole call.
func (a *Answer) Next(ctx context.Context) (*jsonrpc.Message, error) {
	if a.err != nil {
		return nil, a.err
	}
	if ctx != a.call.caller { // whose end is the call's already
		stop := context.AfterFunc(ctx, func() { a.call.cancel(context.Cause(ctx)) })
		defer stop()
	}
	m, f := a.call.next()
	switch {
	case f != nil:
		a.finish(&f.Error)
		return nil, a.err
	case m.IsResponse():
		if m.Error != nil {
			a.call.code = m.Error.Code
		}
		a.finish(io.EOF)
	}
	return m, nil
}

// Close ends the call, if it has not ended, and frees what it holds.
func (a *Answer) Close() {
	if a.err == nil {
		a.finish(&Error{Kind: Canceled, MayHaveHappened: true, Reason: "call was ended", Err: context.Canceled})
	}
}

func (a *Answer) finish(err error) {
	a.err = err
	a.call.end(err)
}

// only makes the call and returns its response, skipping notifications.
func (c *call) only() (*jsonrpc.Message, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	for {
		m, f := c.next()
		if f != nil {
			return nil, &f.Error
		}
		if m.IsResponse() {
			return m, nil
		}
	}
}

// next returns the next message for the caller, through as many attempts as are due.
func (c *call) next() (*jsonrpc.Message, *failure) {
	for {
		m, f := c.answered.next()
		if f != nil || m.IsResponse() {
			c.pool.note(c, f)
		}
		if f == nil && m.IsResponse() {
			c.atWork = nil
			if f = c.unexpected(m); f == nil {
				return m.Answering(c.request.ID), nil
			}
		}
		if f == nil {
			return m, nil
		}
		c.answered.close()
		if err := c.retry(f); err != nil {
			return nil, asFailure(err)
		}
		c.atWork = nil
		if err := c.begin(); err != nil {
			return nil, asFailure(err)
		}
	}
}

// unexpected looks for the way in which Salesforce reports a tool call on a
// session that it has lost, among other failures. The session is not used again.
// What is repeatable is repeated; a write may have happened, so its answer stands.
func (c *call) unexpected(m *jsonrpc.Message) *failure {
	if c.request.Method != "tools/call" || !isToolFailure(m.Result) {
		return nil
	}
	c.pool.drop(c.slot, c.session)
	if c.repeated || !c.mayRepeat() {
		return nil
	}
	return &failure{retry: repeatOnNewSession, Error: Error{Kind: Broken, MayHaveHappened: true, Reason: "salesforce failed in the tool"}}
}
