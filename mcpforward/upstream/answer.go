package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Answer is what Salesforce sends to one request. It is not safe for concurrent
// use. No header of Salesforce's comes with it.
type Answer struct {
	call *call
	err  error // after the end
}

// Next returns the progress notifications of the request as they come, then its
// response, then io.EOF. Ids and progress tokens are the request's. If the answer
// breaks off, a repeatable request is sent again in here, once; other errors are
// [*Error]. The end of ctx ends the whole call.
func (a *Answer) Next(ctx context.Context) (*jsonrpc.Message, error) {
	if a.err != nil {
		return nil, a.err
	}
	stop := context.AfterFunc(ctx, func() { a.call.cancel(context.Cause(ctx)) })
	defer stop()
	m, f := a.call.next()
	switch {
	case f != nil:
		a.finish(&f.Error)
		return nil, a.err
	case m.IsResponse():
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
func (c *call) next() (*jsonrpc.Message, *fault) {
	for {
		m, f := c.answered.next(c)
		if f == nil && m.IsResponse() {
			c.atWork = nil
			if f = c.unexpected(m); f == nil {
				return &jsonrpc.Message{ID: c.request.ID, Result: m.Result, Error: m.Error}, nil
			}
		}
		if f == nil {
			return m, nil
		}
		c.answered.close()
		if err := c.cure(f); err != nil {
			return nil, asFault(err)
		}
		c.atWork = nil
		if err := c.begin(); err != nil {
			return nil, asFault(err)
		}
	}
}

func asFault(err error) *fault {
	e, _ := errors.AsType[*Error](err)
	return &fault{Error: *e}
}

// unexpected looks for the way in which Salesforce reports a tool call on a
// session that it has lost, among other faults. The session is not used again.
// What is repeatable is repeated; a write may have happened, so its answer stands.
func (c *call) unexpected(m *jsonrpc.Message) *fault {
	if c.request.Method != "tools/call" || !isUnexpectedError(m.Result) {
		return nil
	}
	c.pool.drop(c.slot, c.session)
	if c.repeated || !c.repeatable {
		return nil
	}
	return &fault{cure: repeatAnew, Error: Error{Kind: Broken, MayHaveHappened: true, Reason: "salesforce failed in the tool"}}
}

func isUnexpectedError(v jsontext.Value) bool {
	result, _ := jsonrpc.ParseObject(v)
	if failed, _ := result.Get("isError"); string(failed) != "true" {
		return false
	}
	content, _ := result.Get("content")
	blocks, _ := jsonrpc.ParseArray(content)
	for _, b := range blocks {
		block, _ := jsonrpc.ParseObject(b)
		if text, _ := block.String("text"); strings.Contains(text, "Unexpected error while invoking tool") {
			return true
		}
	}
	return false
}

// exchange is the reading side of one attempt.
type exchange struct {
	id            jsontext.Value // ours
	progressToken jsontext.Value // the request's, nil if it had none
	sessionID     string
	ctx           context.Context
	body          io.Closer
	whole         *jsonrpc.Message // already read
	input         *capped
	events        *eventReader // nil: the body is one JSON message
	strayed       bool         // a message that belongs elsewhere was reported; more are not
}

func (x *exchange) close() { x.body.Close() }

// next returns the next message that passes: progress of this request, or its
// response.
func (x *exchange) next(c *call) (*jsonrpc.Message, *fault) {
	if x.whole != nil {
		return x.whole, nil
	}
	if x.events == nil {
		return x.nextWhole()
	}
	for {
		e, err := x.events.next()
		if err != nil {
			return nil, x.lost(err)
		}
		if len(e.data) == 0 || e.name != "" && e.name != "message" {
			continue // MCP 2025-11-25 primes a stream with an event without data
		}
		m, err := jsonrpc.DecodeAnswer(e.data)
		switch {
		case err != nil: // it may have been the response
			return nil, x.broken("answer has an event that is not a message")
		case m.IsResponse() && bytes.Equal(m.ID, x.id):
			return m, nil
		case m.IsNotification():
			if progress := c.progress(x, m); progress != nil {
				return progress, nil
			}
			if m.Method == "notifications/tools/list_changed" {
				c.pool.forgetTools(c.slot)
			}
		case !x.strayed:
			x.strayed = true
			c.pool.cfg.Log.Warn("salesforce sent messages that do not belong to the request; dropped",
				"server", c.target.Server, "request", m.IsRequest())
		}
	}
}

// nextWhole reads a body that is one JSON message.
func (x *exchange) nextWhole() (*jsonrpc.Message, *fault) {
	body, err := io.ReadAll(x.input)
	if err != nil {
		return nil, x.lost(err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, emptyAnswer(200)
	}
	m, err := jsonrpc.DecodeAnswer(body)
	switch {
	case err != nil:
		return nil, x.broken("answer is not a message")
	case !m.IsResponse() || !bytes.Equal(m.ID, x.id):
		return nil, x.broken("answer belongs to another request")
	}
	return m, nil
}

// lost is the fault of a body that ended early.
func (x *exchange) lost(err error) *fault {
	switch {
	case x.ctx.Err() != nil:
		f := ended(x.ctx)
		f.MayHaveHappened = true
		return f
	case errors.Is(err, errTooLarge):
		return x.broken("answer is too large")
	case err == io.EOF && x.input.read == 0:
		return emptyAnswer(200)
	}
	f := x.broken("answer breaks off")
	f.cure = repeat
	return f
}

func (x *exchange) broken(reason string) *fault {
	return &fault{Error: Error{Kind: Broken, MayHaveHappened: true, Status: 200, Reason: reason}}
}

var errTooLarge = errors.New("answer is too large")

// capped reads at most left bytes and fails if there are more.
type capped struct {
	r          io.Reader
	left, read int64
}

// Read fails with errTooLarge instead of going beyond the cap.
func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	c.read += int64(n)
	if c.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
