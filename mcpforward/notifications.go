package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// streamLife is how long a stream of notifications lasts. Its client then opens another,
// and shows its right to it again.
const streamLife = time.Hour

// The causes for which a stream ends from this side.
var (
	errDraining   = errors.New("the proxy is shutting down")
	errStreamOver = errors.New("the stream has lasted its time")
)

// accept acknowledges a notification that needs nothing done.
func accept(r *request) (result, error) { return result{status: http.StatusAccepted}, nil }

// cancelCall ends the call that the client names, if it is its own (same grant and
// session). A write that was sent is recorded as of unknown outcome. In the stateless
// era a client cancels by going away.
func cancelCall(r *request) (result, error) {
	if id, ok := r.params.Get("requestId"); ok {
		r.calls.cancel(r.grant.ID, r.session.hash, string(id))
	}
	return accept(r)
}

// listener is one client that waits for notifications which belong to no call.
type listener struct {
	*request
	wants        map[string]bool // notifications, by method
	subscription jsontext.Value  // id that marks them (2026-07-28); nil: none
}

// listChanges are the notifications that lists have changed, by the name under which a
// stateless client asks for them.
var listChanges = map[string]string{
	"toolsListChanged":     "notifications/tools/list_changed",
	"promptsListChanged":   "notifications/prompts/list_changed",
	"resourcesListChanged": "notifications/resources/list_changed",
}

// logMessage is the notification with a text of the hosted server's.
const logMessage = "notifications/message"

// mayTellOfRecords reports whether rules ask for anything of what a text tells of records. One on a stream
// belongs to no call: nobody could hide fields in it, or note that people outside wrote it.
func (r *request) mayTellOfRecords() bool {
	return r.server.Policy.HidesFields() || r.watchOutside[r.grant.Org]
}

// openStream is GET of a client with a session: the hosted server's notifications, if
// it offers any. Salesforce does not (HTTP 405).
func (r *request) openStream() (result, error) {
	if !r.out.TakesEvents() {
		return result{}, &refusal{status: http.StatusNotAcceptable, message: "Accept must allow text/event-stream"}
	}
	if err := r.findSession(); err != nil {
		return result{}, err
	}
	l := listener{request: r, wants: map[string]bool{logMessage: r.client.logLevel != "" && !r.mayTellOfRecords()}}
	for _, method := range listChanges {
		l.wants[method] = true
	}
	return l.listen(func(offered bool) error {
		if !offered {
			r.out.Header().Set("Allow", "POST, DELETE")
			return &refusal{status: http.StatusMethodNotAllowed, message: "the hosted server offers no stream"}
		}
		return r.out.Open()
	})
}

// subscribe is subscriptions/listen. Which of the wanted notifications will come is
// acknowledged first; those about single resources never do.
func subscribe(r *request) (result, error) {
	if !r.out.TakesEvents() {
		return result{}, &refusal{status: http.StatusNotAcceptable, code: jsonrpc.InvalidRequest, message: "Accept must allow text/event-stream"}
	}
	filter, ok := r.params.Object("notifications")
	if !ok {
		return result{}, invalidParams("notifications is missing")
	}
	l := listener{request: r, wants: map[string]bool{}, subscription: r.msg.ID}
	var honoured jsonrpc.Object
	for name, method := range listChanges {
		if wanted, _ := filter.Get(name); string(wanted) == "true" {
			l.wants[method] = true
			honoured.Set(name, jsonrpc.Bool(true))
		}
	}
	return l.listen(func(offered bool) error {
		if !offered {
			honoured = jsonrpc.Object{}
		}
		params := fmt.Appendf(nil, `{"notifications":%s}`, honoured.Encode())
		return r.out.Notify(l.mark(jsonrpc.Request(nil, "notifications/subscriptions/acknowledged", params)))
	})
}

// mark adds the id of the subscription to a notification.
func (l *listener) mark(m *jsonrpc.Message) *jsonrpc.Message {
	if l.subscription == nil {
		return m
	}
	params, _ := jsonrpc.ParseObject(m.Params)
	meta, _ := params.Object("_meta")
	meta.Set(protocolPrefix+"subscriptionId", l.subscription)
	params.Set("_meta", meta.Encode())
	return jsonrpc.Request(nil, m.Method, params.Encode())
}

// listen passes notifications on until the client goes, its access ends, or the stream
// has lasted its time. begin opens the client's stream; it is told whether the hosted
// server offers notifications at all.
func (l *listener) listen(begin func(offered bool) error) (result, error) {
	if !l.allowances.Of(l.user()).Allow() {
		return result{}, l.overLimit()
	}
	leave, ok := l.streams.Enter(l.user())
	if !ok {
		return result{}, l.overLimit()
	}
	defer leave()
	if _, err := l.Audit.Append(l.http.Context(), l.entry(audit.StreamOpen, audit.OK)); err != nil {
		return result{}, unavailable("the stream could not be recorded, so it was not opened", err)
	}
	// From here on Recheck sees the stream; what has ended before is seen by the next steps.
	ctx, unregister := l.register(l.http.Context())
	defer unregister()
	if err := l.authorize(ctx); err != nil {
		return result{}, err
	}
	if stop := l.stopped(true); stop != "" {
		return result{}, unavailable(stop, nil)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, streamLife, errStreamOver)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer context.AfterFunc(l.draining, func() { end(errDraining) })()
	if l.draining.Err() != nil { // end may still wait for its turn
		return result{}, l.notOpened(ctx, errDraining)
	}

	next, err := l.notifications(ctx)
	if err != nil {
		return result{}, l.notOpened(ctx, err)
	}
	if err := begin(next != nil); err != nil {
		return result{}, err
	}
	return l.pass(ctx, next)
}

// pass passes on what comes from next, if it is not nil, until ctx ends.
func (l *listener) pass(ctx context.Context, next nextNotification) (result, error) {
	defer l.out.KeepAlive(l.quiet)()
	for next != nil {
		m, err := next(ctx)
		if err != nil {
			return l.end(ctx)
		}
		if m.Method != logMessage { // its name says all there is to say
			m = jsonrpc.Request(nil, m.Method, nil)
		}
		if l.wants[m.Method] && l.out.Notify(l.mark(m)) != nil {
			return result{}, nil // the client has gone
		}
	}
	<-ctx.Done()
	return l.end(ctx)
}

// nextNotification waits for a notification of the hosted server.
type nextNotification func(context.Context) (*jsonrpc.Message, error)

// notifications opens the hosted server's stream; nil: it has none, or nothing that it
// sends is wanted. While the Salesforce login is lost there is none for GET either: clients
// ask for a sign-in when a call is answered with the challenge, and at a stream some give the
// whole session up (MCP Inspector 2).
func (l *listener) notifications(ctx context.Context) (nextNotification, error) {
	if len(l.wants) == 0 {
		return nil, nil
	}
	stream, err := l.Pool.Listen(ctx, l.target())
	var e *upstream.Error
	if errors.As(err, &e) && (e.Kind == upstream.NotOffered || e.Kind == upstream.LoginLost && l.subscription == nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, stream.Close)
	return stream.Next, nil
}

// notOpened is the answer when a stream could not be opened at Salesforce, or was ended
// from this side before that.
func (l *listener) notOpened(ctx context.Context, err error) error {
	var e *upstream.Error
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errCutOff), errors.Is(err, errCutOff), errors.As(err, &e) && e.Kind == upstream.LoginLost:
		return &challenge{invalid: true}
	case errors.Is(cause, errUnchecked), errors.Is(err, errUnchecked):
		return unavailable("access could not be checked", errUnchecked)
	case errors.Is(cause, errStopped):
		return unavailable(textStopAll, nil)
	case errors.Is(cause, errDraining), errors.Is(err, errDraining):
		return unavailable("the proxy is shutting down", nil)
	}
	return &refusal{status: http.StatusBadGateway, code: jsonrpc.InternalError, message: textFor(upstream.Unavailable), cause: err}
}

// end ends a client's stream: with a result, where it is the answer to a request
// (MCP 2026-07-28, subscriptions, graceful closure), unless access has ended.
func (l *listener) end(ctx context.Context) (result, error) {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errCutOff):
		return result{}, &challenge{invalid: true}
	case errors.Is(cause, errUnchecked):
		return result{}, unavailable("access could not be checked", cause)
	case errors.Is(cause, errStopped):
		return result{}, unavailable(textStopAll, nil)
	case l.http.Context().Err() != nil || l.subscription == nil:
		return result{}, nil
	}
	return result{value: fmt.Appendf(nil, `{"_meta":{%q:%s}}`, protocolPrefix+"subscriptionId", l.subscription)}, nil
}

// Drain ends the streams of notifications, which would last for an hour. Calls go on
// to their end.
func (h *Handler) Drain() { h.drain() }
