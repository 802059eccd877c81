package upstream

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

const (
	// notificationBytes bounds one event of a listening connection.
	notificationBytes = 1 << 20
	// A connection that ended is made again after what the stream asked for (retry),
	// within shortestPause and longestRetry; without that, after shortestPause, which
	// doubles up to longestPause while connections bring nothing.
	shortestPause, longestPause, longestRetry = time.Second, time.Minute, 5 * time.Minute
	// steady is how long a connection without events is good enough not to count as one
	// that brings nothing.
	steady = 30 * time.Second
)

// feed is a slot's listening connection (GET), which its listeners share. It uses the
// token of the oldest listener: each of them has the user's, but may lose it on its own.
// Pool.mu guards listeners and hangUp's function.
type feed struct {
	pool      *Pool
	slot      *slot
	ctx       context.Context // ends with the last listener, and with the user
	cancel    context.CancelCauseFunc
	up        chan struct{} // closed when the server first took a connection
	listeners []*Stream     // oldest first
	hung      context.CancelCauseFunc
}

var errSessionReplaced = errors.New("session was replaced")

// hangUp ends the connection, so that another one is made. It is called with p.mu held.
func (f *feed) hangUp() {
	if f.hung != nil {
		f.hung(errSessionReplaced)
	}
}

// run makes connections until nobody listens any more.
func (f *feed) run() {
	defer f.cancel(nil)
	for idle := 0; f.ctx.Err() == nil; {
		l := f.oldest()
		if l == nil {
			break
		}
		began := f.pool.cfg.Now()
		got, err := f.connect(l)
		switch {
		case f.ctx.Err() != nil, err == errSessionReplaced, err != nil && f.fatal(l, err):
			continue
		}
		if idle++; got.something || err == nil && f.pool.cfg.Now().Sub(began) >= steady {
			idle = 0
		}
		pause := min(max(got.retry, shortestPause), longestRetry)
		pause = max(pause, min(pause<<min(idle, 10), longestPause))
		_ = f.pool.cfg.Sleep(f.ctx, pause+jitter()) // the loop looks at ctx
	}
	f.dismissAll(&ended(f.ctx).Error)
}

func (f *feed) oldest() *Stream {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	if len(f.listeners) == 0 {
		return nil
	}
	return f.listeners[0]
}

// fatal dismisses whom an error before the head of an answer concerns, and reports
// whether there was anybody: everybody if nothing is offered, else the listener whose
// target was used. A server that was up before is waited for.
func (f *feed) fatal(l *Stream, err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Kind: Unavailable, Reason: "stream was not opened", Err: err}
	}
	passing := e.Kind == Unavailable || e.Kind == TimedOut || e.Kind == Limited
	switch {
	case e.Kind == NotOffered:
		f.dismissAll(e)
	case passing && !own(e) && f.isUp():
		return false
	default:
		f.pool.mu.Lock()
		defer f.pool.mu.Unlock()
		f.dismiss(l, e)
	}
	return true
}

// own reports whether an error is of a Target's function.
func own(e *Error) bool { return e.Kind == Unavailable && e.Err != nil }

func (f *feed) isUp() bool {
	select {
	case <-f.up:
		return true
	default:
		return false
	}
}

func (f *feed) dismissAll(err *Error) {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	for len(f.listeners) > 0 {
		f.dismiss(f.listeners[0], err)
	}
}

// heard is what a connection brought.
type heard struct {
	retry     time.Duration
	something bool
}

// connect makes one connection as a listener and relays what comes until it ends. The
// error is that there was no connection, or errSessionReplaced.
func (f *feed) connect(l *Stream) (heard, error) {
	c := &call{pool: f.pool, target: l.target, slot: f.slot, repeatable: true}
	c.ctx, c.cancel = context.WithCancelCause(f.ctx)
	defer c.cancel(nil)
	late := time.AfterFunc(f.pool.cfg.OpenTimeout, func() { c.cancel(errTimedOut) })
	defer late.Stop()
	for {
		resp, fault := c.listen()
		switch {
		case fault != nil:
			if err := c.cure(fault); err != nil {
				return heard{}, harmless(err)
			}
		case late.Stop():
			return f.relay(c, resp)
		default:
			resp.Body.Close()
			return heard{}, &ended(c.ctx).Error
		}
	}
}

// listen sends a GET and returns the answer if it is an event stream.
func (c *call) listen() (*http.Response, *fault) {
	session, err := c.pool.session(c.ctx, c.slot, c.target)
	if err != nil {
		return nil, &fault{Error: *harmless(err)}
	}
	c.session = session
	if c.token == "" {
		if c.token, err = c.target.Token(c.ctx); err != nil {
			return nil, tokenFault(c.ctx, err)
		}
	}
	resp, f := c.without(c.ctx, http.MethodGet, session)
	if f != nil {
		return nil, f
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode == http.StatusOK && kind == "text/event-stream" {
		return resp, nil
	}
	body := errorBody(resp)
	f = c.refusal(resp, body)
	if code := resp.StatusCode; code/100 == 2 || code == http.StatusNotFound || code == http.StatusMethodNotAllowed ||
		code == http.StatusNotAcceptable || code == http.StatusNotImplemented {
		// A session that is not known is 404, too, so another one is tried.
		f.Kind, f.Reason = NotOffered, "server offers no stream to listen to"
	}
	return nil, f
}

// relay passes on what comes until the connection ends.
func (f *feed) relay(c *call, resp *http.Response) (heard, error) {
	var got heard
	defer resp.Body.Close()
	if !f.open(c) {
		return got, errSessionReplaced
	}
	events := newEventReader(resp.Body, notificationBytes)
	for {
		e, err := events.next()
		got.retry = events.retry
		switch {
		case context.Cause(c.ctx) == errSessionReplaced:
			return got, errSessionReplaced
		case err != nil:
			return got, nil
		}
		if len(e.data) == 0 || e.name != "" && e.name != "message" {
			continue
		}
		got.something = true
		m, err := jsonrpc.DecodeAnswer(e.data)
		switch {
		case err != nil, m.IsResponse():
			f.pool.cfg.Log.Debug("salesforce sent no notification to listeners; dropped", "server", c.target.Server)
		case m.IsRequest():
			c.unheard(m)
		case forListeners[m.Method], m.Method == "notifications/message" && c.target.Client.wants(m):
			f.pool.broadcast(f.slot, m)
		}
	}
}

// open says that the server took a connection, unless its session was replaced
// meanwhile. What changed while there was none was not told, so the tools are listed
// anew.
func (f *feed) open(c *call) bool {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	if f.slot.session != c.session {
		return false
	}
	f.hung, f.slot.tools = c.cancel, nil
	if !f.isUp() {
		close(f.up)
	}
	return true
}

// unheard answers a request that comes outside of any call: nobody knows whom it
// concerns, so nobody is asked. It is answered before more is read.
func (c *call) unheard(m *jsonrpc.Message) {
	answer := jsonrpc.Failure(m.ID, jsonrpc.MethodNotFound, "nothing is asked outside of a call")
	if m.Method == "ping" {
		answer = jsonrpc.Reply(m.ID, jsontext.Value(`{}`))
	}
	ctx, stop := context.WithTimeout(c.ctx, asideTimeout)
	defer stop()
	if f := c.tell(ctx, c.session, answer); f != nil {
		c.pool.cfg.Log.Debug("salesforce was not answered", "kind", f.Kind.String())
	}
}
