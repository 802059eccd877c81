package upstream

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"math/big"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// drainTimeout is how long a connection is kept for the end of an answer.
const drainTimeout = time.Second

// call is one request on its way, over all its attempts.
type call struct {
	pool       *Pool
	target     Target
	request    *jsonrpc.Message
	repeatable bool
	slot       *slot // nil: initialize, and what needs no other session than it has
	hosted     *hosted
	ctx        context.Context
	cancel     context.CancelCauseFunc
	stop       []func()
	leave      func()

	session   *Session
	token     string
	questions questions
	answered  *exchange      // whose head has arrived
	atWork    jsontext.Value // our id of a request that Salesforce may be working on
	maybe     bool           // some attempt may have acted
	moved     bool           // progress was passed on,
	at        float64        // up to here
	probe     bool           // this attempt is to show whether the server is up again

	renewed, reopened, repeated bool // each cure is tried once
}

// Call sends req, a request, and returns its answer once Salesforce has begun
// to send it. A call that is repeatable has the same effect when made twice; only
// such a call is sent again after Salesforce may have acted. Errors are [*Error].
// The answer has to be closed. The end of ctx ends the call, also later on.
func (p *Pool) Call(ctx context.Context, t Target, req *jsonrpc.Message, repeatable bool) (*Answer, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if !req.IsRequest() {
		return nil, &Error{Kind: Broken, Reason: "message is not a request"}
	}
	s := p.enter(t)
	c := p.newCall(ctx, t, req)
	c.repeatable = repeatable
	c.slot = s
	unlink := context.AfterFunc(s.user.ctx, func() { c.cancel(context.Cause(s.user.ctx)) })
	c.stop = append(c.stop, func() { unlink() })
	c.leave = func() { p.leave(s) }
	if err := context.Cause(s.user.ctx); err != nil {
		c.cancel(err) // AfterFunc does it too, but on its own time
	}
	if err := c.begin(); err != nil {
		c.end(err)
		return nil, err
	}
	return &Answer{call: c}, nil
}

func (p *Pool) newCall(ctx context.Context, t Target, req *jsonrpc.Message) *call {
	c := &call{pool: p, target: t, request: req, hosted: p.hostedOf(t), leave: func() {}}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	timer := time.AfterFunc(t.timeout(), func() { c.cancel(errTimedOut) })
	c.stop = []func(){func() { timer.Stop() }}
	return c
}

// begin makes attempts until the head of an answer has arrived.
func (c *call) begin() error {
	for {
		x, f := c.attempt()
		if f == nil {
			c.answered = x
			return nil
		}
		if err := c.cure(f); err != nil {
			return err
		}
	}
}

// attempt sends the request once, with an id of its own: an answer to an earlier
// attempt must not be taken for one to this.
func (c *call) attempt() (*exchange, *fault) {
	if c.ctx.Err() != nil {
		return nil, ended(c.ctx)
	}
	if c.slot != nil {
		s, err := c.pool.session(c.ctx, c.slot, c.target)
		if err != nil {
			return nil, &fault{Error: *harmless(err)}
		}
		c.session = s
	}
	if c.token == "" {
		var err error
		if c.token, err = c.target.Token(c.ctx); err != nil {
			return nil, tokenFault(c.ctx, err)
		}
	}
	if f := c.pool.admit(c); f != nil {
		return nil, f
	}
	x, f := c.exchange()
	if f != nil {
		c.pool.note(c, f)
	}
	return x, f
}

// exchange sends the request and waits for the head of an answer.
func (c *call) exchange() (*exchange, *fault) {
	id := jsontext.Value(strconv.FormatInt(c.pool.lastID.Add(1), 10))
	params, token := replaceProgressToken(c.request.Params, id)
	resp, f := c.post(c.ctx, c.session, c.request.Under(id, params))
	if f != nil {
		if f.MayHaveHappened {
			c.atWork = id
		}
		return nil, f
	}
	c.atWork = id
	x := &exchange{id: id, session: c.session, progressToken: token, ctx: c.ctx, body: resp.Body}
	if f = c.judge(resp, x); f != nil {
		c.atWork = nil // Salesforce is done with it
		return nil, f
	}
	return x, nil
}

// cure prepares the next attempt after f; otherwise it returns the call's error.
func (c *call) cure(f *fault) error {
	c.maybe = c.maybe || f.MayHaveHappened
	f.MayHaveHappened = c.maybe
	switch {
	case c.ctx.Err() != nil:
		return c.over(f)
	case f.cure == renewToken && !c.renewed:
		c.renewed = true
		return c.renew()
	case f.cure == reopenSession && !c.reopened:
		c.reopened = true
		c.pool.drop(c.slot, c.session)
		return nil
	case (f.cure == repeat || f.cure == repeatAnew) && !c.repeated && (c.mayRepeat() || !c.maybe):
		c.repeated = true
		if f.cure == repeatAnew {
			c.pool.drop(c.slot, c.session)
		}
		if c.pool.cfg.Sleep(c.ctx, jitter()) != nil {
			return c.over(f)
		}
		return nil
	}
	return &f.Error
}

// mayRepeat reports whether it does not matter that the request is made twice. What a
// person or a model was asked on the way is not asked again.
func (c *call) mayRepeat() bool { return c.repeatable && !c.questions.any() }

// over is the error of a call that ended, whatever fault came of that.
func (c *call) over(f *fault) error {
	end := ended(c.ctx)
	end.MayHaveHappened, end.Status = c.maybe, f.Status
	return &end.Error
}

// renew gets another token for the one that Salesforce refused.
func (c *call) renew() error {
	token, err := c.target.Refused(c.ctx, c.token)
	if err != nil {
		f := tokenFault(c.ctx, err)
		f.MayHaveHappened = c.maybe
		return &f.Error
	}
	c.token = token
	return nil
}

// jitter is the wait before a repetition: 100 to 500 ms, so that calls that failed
// together do not come back together.
func jitter() time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(400*time.Millisecond)))
	if err != nil {
		return 500 * time.Millisecond
	}
	return 100*time.Millisecond + time.Duration(n.Int64())
}

// end gives up what the call holds. If err is that the call ended while
// Salesforce may be working on it, Salesforce is told.
func (c *call) end(err error) {
	c.questions.clear()
	c.pool.release(c)
	e, ok := errors.AsType[*Error](err)
	if ok && c.slot != nil && c.atWork != nil && (e.Kind == TimedOut || e.Kind == Canceled) {
		c.later(c.session, jsonrpc.Request(nil, "notifications/cancelled", jsontext.Value(`{"requestId":`+string(c.atWork)+`}`)))
	}
	c.leave()
	if c.answered != nil && c.answered.events != nil && err == io.EOF && c.pool.background(c.drain) {
		return
	}
	c.free()
}

func (c *call) free() {
	if c.answered != nil {
		c.answered.close()
	}
	c.cancel(nil)
	for _, stop := range c.stop {
		stop()
	}
	c.stop = nil
}

// drain reads what Salesforce may send after a response, which is nothing, so that the
// connection can be used again, and does not wait for it for long.
func (c *call) drain() {
	late := time.AfterFunc(c.pool.linger, func() { c.cancel(nil) })
	defer late.Stop()
	drain(c.answered.body)
	c.free()
}

// later tells Salesforce something beside the call: to a server of this era a closed
// connection alone is not a cancellation. A user who was forgotten has no token any
// more, so nothing is sent then.
func (c *call) later(s *Session, m *jsonrpc.Message) {
	owner := c.slot.user.ctx
	if owner.Err() != nil {
		return
	}
	aside := &call{pool: c.pool, target: c.target, slot: c.slot, token: c.token}
	c.pool.background(func() {
		ctx, stop := context.WithTimeout(owner, asideTimeout)
		defer stop()
		if f := aside.tell(ctx, s, m); f != nil {
			c.pool.cfg.Log.Debug("salesforce was not told of something", "method", m.Method, "kind", f.Kind.String())
		}
	})
}
