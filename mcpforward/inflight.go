package mcpforward

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// errCutOff is the cause of a context whose access was taken away; errUnchecked, of one for which
// nobody can find out whether it was; errStopped, of one that the kill switch ended; errCancelled,
// of one that the client cancelled. Only the first gets the challenge: a client throws away a
// token that it is told is bad.
var (
	errCutOff    = errors.New("access was taken away")
	errUnchecked = errors.New("it cannot be found out whether access still holds")
	errStopped   = errors.New("everything was stopped")
	errCancelled = errors.New("the client cancelled the call")
)

// inFlight knows the calls that are being forwarded, or wait for their turn. The zero
// value is ready.
type inFlight struct {
	mu    sync.Mutex
	calls map[*registration]struct{}
}

// registration is one call.
type registration struct {
	grant, session, id string
	end                context.CancelCauseFunc
}

// idKey is the id of a call as a cancellation names it: params are read in the shortest
// form, an id is kept as it came.
func idKey(id jsontext.Value) string {
	if bytes.IndexByte(id, '\\') < 0 {
		return string(id)
	}
	shortest, _ := jsonrpc.Canonical(id) // it was decoded, so it is JSON
	return string(shortest)
}

// register makes a call known until unregister is called, and returns its context, which
// ends when the call is to end.
func (f *inFlight) register(ctx context.Context, grantID, session, id string) (_ context.Context, unregister func()) {
	ctx, end := context.WithCancelCause(ctx)
	c := &registration{grantID, session, id, end}
	f.mu.Lock()
	if f.calls == nil {
		f.calls = map[*registration]struct{}{}
	}
	f.calls[c] = struct{}{}
	f.mu.Unlock()
	return ctx, func() {
		f.mu.Lock()
		delete(f.calls, c)
		f.mu.Unlock()
		end(nil)
	}
}

// grants lists the grants that have calls in flight.
func (f *inFlight) grants() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[string]bool{}
	var ids []string
	for c := range f.calls {
		if !seen[c.grant] {
			seen[c.grant] = true
			ids = append(ids, c.grant)
		}
	}
	return ids
}

// stop ends every call.
func (f *inFlight) stop() { f.each(errStopped, func(*registration) bool { return true }) }

// end ends the calls of the grants for which cause has one.
func (f *inFlight) end(cause func(grantID string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.calls {
		if err := cause(c.grant); err != nil {
			c.end(err)
		}
	}
}

// cancel ends the call with that id of one session.
func (f *inFlight) cancel(grantID, session, id string) {
	f.each(errCancelled, func(c *registration) bool { return c.grant == grantID && c.session == session && c.id == id })
}

// endSession ends every call of a session.
func (f *inFlight) endSession(grantID, session string) {
	f.each(errCancelled, func(c *registration) bool { return c.grant == grantID && c.session == session })
}

func (f *inFlight) each(cause error, match func(*registration) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.calls {
		if match(c) {
			c.end(cause)
		}
	}
}

// register makes the request one that can be cut off and cancelled.
func (r *request) register(ctx context.Context) (_ context.Context, unregister func()) {
	session, id := "", ""
	if r.session != nil {
		session = r.session.hash
	}
	if r.msg != nil {
		id = idKey(r.msg.ID)
	}
	return r.calls.register(ctx, r.grant.ID, session, id)
}

// begin gives the call the context in which it is forwarded. A read ends with its
// client. A write that may already be under way at Salesforce does not: its outcome has
// to be recorded (SR-FW-9).
func (c *call) begin() (_ context.Context, unregister func()) {
	if c.reads() {
		return c.waiting, func() {}
	}
	return c.register(context.WithoutCancel(c.http.Context()))
}
