package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
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

// listener is one client that waits for notifications which belong to no call.
type listener struct {
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

// openStream is GET of a client with a session: the hosted server's notifications, if
// it offers any. Salesforce does not (HTTP 405).
func (x *exchange) openStream() error {
	if !x.reply.TakesEvents() {
		return &refusal{status: http.StatusNotAcceptable, message: "Accept must allow text/event-stream"}
	}
	if err := x.findSession(); err != nil {
		return err
	}
	l := listener{wants: map[string]bool{"notifications/message": x.client.logLevel != ""}}
	for _, method := range listChanges {
		l.wants[method] = true
	}
	return x.listen(l, func(offered bool) error {
		if !offered {
			x.reply.Header().Set("Allow", "POST, DELETE")
			return &refusal{status: http.StatusMethodNotAllowed, message: "the hosted server offers no stream"}
		}
		return x.reply.Open()
	})
}

// subscribe is subscriptions/listen. Which of the wanted notifications will come is
// acknowledged first; those about single resources never do.
func (x *exchange) subscribe() error {
	if !x.reply.TakesEvents() {
		return &refusal{status: http.StatusNotAcceptable, code: jsonrpc.InvalidRequest, message: "Accept must allow text/event-stream"}
	}
	raw, _ := x.params.Get("notifications")
	filter, err := jsonrpc.ParseObject(raw)
	if err != nil {
		return x.answer(x.invalid("notifications is missing"))
	}
	l := listener{wants: map[string]bool{}, subscription: x.msg.ID}
	var honoured jsonrpc.Object
	for name, method := range listChanges {
		if wanted, _ := filter.Get(name); string(wanted) == "true" {
			l.wants[method] = true
			honoured.Set(name, boolean(true))
		}
	}
	return x.listen(l, func(offered bool) error {
		if !offered {
			honoured = jsonrpc.Object{}
		}
		params := fmt.Appendf(nil, `{"notifications":%s}`, honoured.Encode())
		return x.reply.Notify(l.mark(jsonrpc.Request(nil, "notifications/subscriptions/acknowledged", params)))
	})
}

// mark adds the id of the subscription to a notification.
func (l listener) mark(m *jsonrpc.Message) *jsonrpc.Message {
	if l.subscription == nil {
		return m
	}
	params, _ := jsonrpc.ParseObject(m.Params)
	raw, _ := params.Get("_meta")
	meta, _ := jsonrpc.ParseObject(raw)
	meta.Set(protocolPrefix+"subscriptionId", l.subscription)
	params.Set("_meta", meta.Encode())
	return jsonrpc.Request(nil, m.Method, params.Encode())
}

// listen passes notifications on until the client goes, its access ends, or the stream
// has lasted its time. begin opens the client's stream; it is told whether the hosted
// server offers notifications at all.
func (x *exchange) listen(l listener, begin func(offered bool) error) error {
	if !x.budgets.Of(x.user()).Allow() {
		return x.overLimit()
	}
	leave, ok := x.streams.Enter(x.user())
	if !ok {
		return x.overLimit()
	}
	defer leave()
	if _, err := x.Audit.Append(x.r.Context(), x.entry("stream.open", audit.OK)); err != nil {
		return unavailable("the stream could not be recorded, so it was not opened", err)
	}
	reading := &call{decision: policy.Decision{Class: policy.Read}}
	// From here on Recheck sees the stream; what has ended before is seen by the next steps.
	ctx, land := x.board(x.r.Context())
	defer land()
	if err := x.authorize(ctx); err != nil {
		return err
	}
	if stop := x.stopped(reading); stop != "" {
		return unavailable(stop, nil)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, streamLife, errStreamOver)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer context.AfterFunc(x.draining, func() { end(errDraining) })()

	next, err := x.notifications(ctx, l)
	if err != nil {
		return x.noStream(ctx, err)
	}
	if err := begin(next != nil); err != nil {
		return err
	}
	defer x.reply.KeepAlive(x.quiet)()
	for next != nil {
		m, err := next(ctx)
		if err != nil {
			break
		}
		if l.wants[m.Method] && x.reply.Notify(l.mark(m)) != nil {
			return nil // the client has gone
		}
	}
	if next == nil {
		<-ctx.Done()
	}
	return x.endStream(ctx, l)
}

// notifications opens the hosted server's stream; nil: it has none, or nothing that it
// sends is wanted.
func (x *exchange) notifications(ctx context.Context, l listener) (func(context.Context) (*jsonrpc.Message, error), error) {
	if len(l.wants) == 0 {
		return nil, nil
	}
	stream, err := x.Pool.Listen(ctx, x.target())
	var e *upstream.Error
	if errors.As(err, &e) && e.Kind == upstream.NotOffered {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, stream.Close)
	return stream.Next, nil
}

// noStream answers a client whose stream could not be opened at Salesforce, or was ended
// from this side before that.
func (x *exchange) noStream(ctx context.Context, err error) error {
	var e *upstream.Error
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errCutOff), errors.Is(err, errCutOff), errors.As(err, &e) && e.Kind == upstream.LoginLost:
		return &challenge{invalid: true}
	case errors.Is(cause, errStopped):
		return unavailable(sayStopAll, nil)
	case errors.Is(cause, errDraining):
		return unavailable("the proxy is shutting down", nil)
	}
	return &refusal{status: http.StatusBadGateway, code: jsonrpc.InternalError, message: "Salesforce cannot be reached at the moment.", cause: err}
}

// endStream ends a client's stream: with a result, where it is the answer to a request
// (MCP 2026-07-28, subscriptions, graceful closure), unless access has ended.
func (x *exchange) endStream(ctx context.Context, l listener) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errCutOff):
		return &challenge{invalid: true}
	case errors.Is(cause, errStopped):
		return unavailable(sayStopAll, nil)
	case x.r.Context().Err() != nil || l.subscription == nil:
		return nil
	}
	return x.result(fmt.Appendf(nil, `{"_meta":{%q:%s}}`, protocolPrefix+"subscriptionId", l.subscription))
}

// Drain ends the streams of notifications, which would last for an hour. Calls go on
// to their end.
func (h *Handler) Drain() { h.drain() }
