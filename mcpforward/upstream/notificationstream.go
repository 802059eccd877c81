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

// notificationStream is a slot's listening connection (GET), which its listeners share. It
// uses the token of the oldest listener: each of them has the user's, but may lose it on
// its own. Pool.mu guards listeners and disconnect.
type notificationStream struct {
	pool       *Pool
	slot       *sessionSlot
	ctx        context.Context // ends with the last listener, and with the user
	cancel     context.CancelCauseFunc
	connected  chan struct{}           // closed when the server first took a connection
	listeners  []*Listener             // oldest first
	disconnect context.CancelCauseFunc // ends the connection; nil: there was none yet
}

var errSessionReplaced = errors.New("session was replaced")

// reconnect ends the connection, so that another one is made. It is called with p.mu held.
func (s *notificationStream) reconnect() {
	if s.disconnect != nil {
		s.disconnect(errSessionReplaced)
	}
}

// run makes connections until nobody listens any more.
func (s *notificationStream) run() {
	defer s.cancel(nil)
	for idle := 0; s.ctx.Err() == nil; {
		l := s.oldest()
		if l == nil {
			break
		}
		began := s.pool.cfg.Now()
		got, err := s.connect(l)
		switch {
		case s.ctx.Err() != nil, err == errSessionReplaced, err != nil && s.fatal(l, err):
			continue
		}
		if idle++; got.anything || err == nil && s.pool.cfg.Now().Sub(began) >= steady {
			idle = 0
		}
		pause := min(max(got.retry, shortestPause), longestRetry)
		pause = max(pause, min(pause<<min(idle, 10), longestPause))
		_ = s.pool.cfg.Sleep(s.ctx, pause+jitter()) // the loop looks at ctx
	}
	s.dismissAll(&ended(s.ctx).Error)
}

func (s *notificationStream) oldest() *Listener {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if len(s.listeners) == 0 {
		return nil
	}
	return s.listeners[0]
}

// fatal dismisses whom an error before the head of an answer concerns, and reports
// whether there was anybody: everybody if nothing is offered, else the listener whose
// target was used. A server that was up before is waited for.
func (s *notificationStream) fatal(l *Listener, err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Kind: Unavailable, Reason: "stream was not opened", Err: err}
	}
	passing := e.Kind == Unavailable || e.Kind == TimedOut || e.Kind == Limited
	switch {
	case e.Kind == NotOffered:
		s.dismissAll(e)
	case passing && !ofTarget(e) && s.isConnected():
		return false
	default:
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		s.dismiss(l, e)
	}
	return true
}

// ofTarget reports whether an error is of a Target's function.
func ofTarget(e *Error) bool { return e.Kind == Unavailable && e.Err != nil }

func (s *notificationStream) isConnected() bool {
	select {
	case <-s.connected:
		return true
	default:
		return false
	}
}

func (s *notificationStream) dismissAll(err *Error) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for len(s.listeners) > 0 {
		s.dismiss(s.listeners[0], err)
	}
}

// connection is what one connection brought.
type connection struct {
	retry    time.Duration // after which the server wants to be asked again; 0: it did not say
	anything bool          // an event
}

// connect makes one connection as a listener and relays what comes until it ends. The
// error is that there was no connection, or errSessionReplaced.
func (s *notificationStream) connect(l *Listener) (connection, error) {
	c := &call{pool: s.pool, target: l.target, hosted: s.pool.hostedOf(l.target), slot: s.slot, repeatable: true}
	c.ctx, c.cancel = context.WithCancelCause(s.ctx)
	defer c.cancel(nil)
	late := time.AfterFunc(s.pool.cfg.OpenTimeout, func() { c.cancel(errTimedOut) })
	defer late.Stop()
	for {
		resp, f := c.openStream()
		switch {
		case f != nil:
			if err := c.retry(f); err != nil {
				return connection{}, notExecuted(err)
			}
		case late.Stop():
			return s.relay(c, resp)
		default:
			resp.Body.Close()
			return connection{}, &ended(c.ctx).Error
		}
	}
}

// openStream sends a GET and returns the answer if it is an event stream.
func (c *call) openStream() (*http.Response, *failure) {
	if f := c.prepare(); f != nil {
		return nil, f
	}
	a := c.on(c.session)
	resp, f := a.without(c.ctx, http.MethodGet)
	if f != nil {
		return nil, f
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode == http.StatusOK && kind == "text/event-stream" {
		return resp, nil
	}
	body := errorBody(resp)
	f = a.refusal(resp, body)
	if code := resp.StatusCode; code/100 == 2 || code == http.StatusNotFound || code == http.StatusMethodNotAllowed ||
		code == http.StatusNotAcceptable || code == http.StatusNotImplemented {
		// A session that is not known is 404, too, so another one is tried.
		f.Kind, f.Reason = NotOffered, "server offers no stream to listen to"
	}
	return nil, f
}

// relay passes on what comes until the connection ends.
func (s *notificationStream) relay(c *call, resp *http.Response) (connection, error) {
	var got connection
	defer resp.Body.Close()
	if !s.open(c) {
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
		got.anything = true
		m, err := jsonrpc.DecodeAnswer(e.data)
		switch {
		case err != nil, m.IsResponse():
			s.pool.cfg.Log.Debug("salesforce sent no notification to listeners; dropped", "server", c.target.Server)
		case m.IsRequest():
			c.refuseOutsideCall(m)
		case forListeners[m.Method], m.Method == "notifications/message" && c.target.Client.wants(m):
			s.pool.broadcast(s.slot, m)
		}
	}
}

// open says that the server took a connection, unless its session was replaced
// meanwhile. What changed while there was none was not told, so the tools are listed
// anew.
func (s *notificationStream) open(c *call) bool {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.slot.session != c.session {
		return false
	}
	s.disconnect = c.cancel
	s.slot.forgetLists()
	if !s.isConnected() {
		close(s.connected)
	}
	return true
}

// refuseOutsideCall answers a request that comes outside of any call: nobody knows whom it
// concerns, so nobody is asked. It is answered before more is read.
func (c *call) refuseOutsideCall(m *jsonrpc.Message) {
	answer := jsonrpc.Failure(m.ID, jsonrpc.MethodNotFound, "nothing is asked outside of a call")
	if m.Method == "ping" {
		answer = jsonrpc.Reply(m.ID, jsontext.Value(`{}`))
	}
	ctx, stop := context.WithTimeout(c.ctx, asideTimeout)
	defer stop()
	if f := c.on(c.session).sendOneWay(ctx, answer); f != nil {
		c.pool.cfg.Log.Debug("salesforce was not answered", "kind", f.Kind.String())
	}
}
