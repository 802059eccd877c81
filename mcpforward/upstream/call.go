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
	slot       *sessionSlot // nil: initialize, and what needs no other session than it has
	counted    bool         // it is one of the calls of its slot and user
	hosted     *hosted
	caller     context.Context // of whoever waits for the answer
	ctx        context.Context // ends with caller, with the user, after the target's time, or by cancel
	cancel     context.CancelCauseFunc
	timer      *time.Timer
	began      time.Time
	code       jsonrpc.Code // of an error that is the response

	session      *Session
	token        string
	requests     serverRequests
	answered     *attempt // whose answer has begun to arrive
	answer       Answer
	atWork       jsontext.Value // our id of a request that Salesforce may be working on
	mayHaveActed bool           // some attempt may
	progressed   bool           // progress was passed on,
	progress     float64        // up to here
	probe        bool           // this attempt is to show whether the server is up again

	renewed, reopened, repeated bool // each is tried once
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
	c := p.newCall(ctx, t, req)
	c.repeatable = repeatable
	p.enterCall(c)
	if err := c.begin(); err != nil {
		c.end(err)
		return nil, err
	}
	c.answer.call = c
	return &c.answer, nil
}

func (p *Pool) newCall(ctx context.Context, t Target, req *jsonrpc.Message) *call {
	c := &call{pool: p, target: t, request: req, hosted: p.hostedOf(t), caller: ctx, began: p.cfg.Now()}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.timer = time.AfterFunc(t.timeout(), func() { c.cancel(errTimedOut) })
	return c
}

// begin makes attempts until the head of an answer has arrived.
func (c *call) begin() error {
	for {
		a, f := c.try()
		if f == nil {
			c.answered = a
			return nil
		}
		if err := c.retry(f); err != nil {
			return err
		}
	}
}

// try makes one attempt, with an id of its own: an answer to an earlier attempt must not
// be taken for one to this.
func (c *call) try() (*attempt, *failure) {
	if c.ctx.Err() != nil {
		return nil, ended(c.ctx)
	}
	if f := c.prepare(); f != nil {
		return nil, f
	}
	if f := c.pool.admit(c); f != nil {
		return nil, f
	}
	a := c.on(c.session)
	a.id = jsontext.Value(strconv.FormatInt(c.pool.lastID.Add(1), 10))
	if f := a.send(); f != nil {
		c.pool.note(c, f)
		return nil, f
	}
	return a, nil
}

// prepare sees to it that the call has a token, and a session if it needs one.
func (c *call) prepare() *failure {
	if c.slot != nil {
		s, err := c.pool.session(c.ctx, c.slot, c.target)
		if err != nil {
			return &failure{Error: *notExecuted(err)}
		}
		c.session = s
	}
	if c.token != "" {
		return nil
	}
	token, err := c.target.Token(c.ctx)
	if err != nil {
		return tokenFailure(c.ctx, err)
	}
	c.token = token
	return nil
}

// on returns an attempt of the call on a session.
func (c *call) on(s *Session) *attempt { return &attempt{call: c, session: s} }

// retry prepares the next attempt after f, if what f says may be tried and was not tried
// yet; otherwise it returns the call's error.
func (c *call) retry(f *failure) error {
	c.mayHaveActed = c.mayHaveActed || f.MayHaveHappened
	f.MayHaveHappened = c.mayHaveActed
	switch {
	case c.ctx.Err() != nil:
		return c.over(f)
	case f.retry == renewToken && !c.renewed:
		c.renewed = true
		return c.renew()
	case f.retry == reopenSession && !c.reopened:
		c.reopened = true
		c.pool.drop(c.slot, c.session)
		return nil
	case (f.retry == repeat || f.retry == repeatOnNewSession) && !c.repeated && (c.mayRepeat() || !c.mayHaveActed):
		c.repeated = true
		if f.retry == repeatOnNewSession {
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
func (c *call) mayRepeat() bool { return c.repeatable && !c.requests.any() }

// over is the error of a call that ended, whatever failure came of that.
func (c *call) over(f *failure) error {
	end := ended(c.ctx)
	end.MayHaveHappened, end.Status = c.mayHaveActed, f.Status
	return &end.Error
}

// renew gets another token for the one that Salesforce refused.
func (c *call) renew() error {
	token, err := c.target.Refused(c.ctx, c.token)
	if err != nil {
		f := tokenFailure(c.ctx, err)
		f.MayHaveHappened = c.mayHaveActed
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
	c.requests.clear()
	e, ok := errors.AsType[*Error](err)
	if ok && c.slot != nil && c.atWork != nil && (e.Kind == TimedOut || e.Kind == Canceled) {
		c.sendAside(c.session, jsonrpc.Request(nil, "notifications/cancelled", jsontext.Value(`{"requestId":`+string(c.atWork)+`}`)))
	}
	c.tellWatcher(err)
	c.pool.leaveCall(c)
	if c.answered != nil && !c.answered.isRead() && err == io.EOF && c.pool.background(c.drain) {
		return
	}
	c.free()
}

func (c *call) free() {
	if c.answered != nil {
		c.answered.close()
	}
	c.cancel(nil)
	c.timer.Stop()
}

// drain reads what Salesforce may send after a response, which is nothing, so that the
// connection can be used again, and does not wait for it for long.
func (c *call) drain() {
	late := time.AfterFunc(c.pool.linger, func() { c.cancel(nil) })
	defer late.Stop()
	drain(c.answered.body)
	c.free()
}

// sendAside sends a message beside the call: to a server of this era a closed
// connection alone is not a cancellation. A user who was forgotten has no token any
// more, so nothing is sent then.
func (c *call) sendAside(s *Session, m *jsonrpc.Message) {
	owner := c.slot.user.ctx
	if owner.Err() != nil {
		return
	}
	aside := &call{pool: c.pool, target: c.target, hosted: c.hosted, slot: c.slot, token: c.token}
	c.pool.background(func() {
		ctx, stop := context.WithTimeout(owner, asideTimeout)
		defer stop()
		if f := aside.on(s).sendOneWay(ctx, m); f != nil {
			c.pool.cfg.Log.Debug("a message beside a call did not reach salesforce", "method", m.Method, "kind", f.Kind.String())
		}
	})
}
