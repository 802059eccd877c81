package upstream

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

const (
	// listenerQueue is how many notifications wait for a listener before it is dropped.
	listenerQueue = 64
	// listenerBytes bounds them likewise, but for one that is larger alone.
	listenerBytes = 1 << 20
)

// forListeners are the notifications that concern nobody's call.
var forListeners = map[string]bool{
	"notifications/tools/list_changed": true, "notifications/prompts/list_changed": true,
	"notifications/resources/list_changed": true, "notifications/resources/updated": true,
}

// Listener gets a server's notifications. It is not safe for
// concurrent use, except that Close may be called at any time.
type Listener struct {
	pool   *Pool
	stream *notificationStream
	target Target
	queue  chan *jsonrpc.Message
	queued atomic.Int64  // bytes in it
	gone   chan struct{} // closed at the end, after err was set
	err    error
	unlink func() bool
}

// Listen opens a stream of the notifications that concern no call:
// notifications/tools, prompts and resources/list_changed, notifications/resources/updated
// and, if the client wants them ([ClientCapabilities]), notifications/message. All listeners of one session share one
// connection, which lasts as long as there is one. It returns once the server has taken
// the first; a server without such a stream is an [*Error] of Kind [NotOffered], and
// other failures are errors, too. After that a connection that ends is made again, and
// what was sent in between is lost.
//
// The end of ctx ends the stream. Otherwise it has to be closed.
func (p *Pool) Listen(ctx context.Context, t Target) (*Listener, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	s := p.enter(t)
	l := &Listener{pool: p, target: t, queue: make(chan *jsonrpc.Message, listenerQueue), gone: make(chan struct{})}
	if err := p.join(s, l); err != nil {
		p.leave(s)
		return nil, err
	}
	l.unlink = context.AfterFunc(ctx, func() { l.end(&ended(ctx).Error) })
	select {
	case <-l.stream.connected:
		return l, nil
	case <-l.gone:
		l.unlink()
		return nil, l.err
	}
}

// Next returns the next notification. After the end of the stream it returns an
// [*Error]: Kind Canceled if it was closed, or ended by [Pool.Forget] or [Pool.Close],
// Broken if the listener was so slow that notifications were lost. The end of ctx ends
// the waiting alone.
func (l *Listener) Next(ctx context.Context) (*jsonrpc.Message, error) {
	select {
	case m := <-l.queue:
		return l.took(m), nil
	default:
	}
	select {
	case m := <-l.queue:
		return l.took(m), nil
	case <-ctx.Done():
		return nil, &ended(ctx).Error
	case <-l.gone:
	}
	select {
	case m := <-l.queue: // it came before the end
		return l.took(m), nil
	default:
		return nil, l.err
	}
}

func (l *Listener) took(m *jsonrpc.Message) *jsonrpc.Message {
	l.queued.Add(-int64(len(m.Params)))
	return m
}

// offer queues a notification, if there is room.
func (l *Listener) offer(m *jsonrpc.Message) bool {
	size := int64(len(m.Params))
	if queued := l.queued.Add(size); queued == size || queued <= listenerBytes {
		select {
		case l.queue <- m:
			return true
		default:
		}
	}
	l.queued.Add(-size)
	return false
}

// Close ends the stream, and the connection if nobody else listens.
func (l *Listener) Close() {
	l.unlink()
	l.end(&Error{Kind: Canceled, Reason: "stream was closed", Err: context.Canceled})
}

func (l *Listener) end(err *Error) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	l.stream.dismiss(l, err)
}

// join adds a listener to the slot's stream, which it begins if there is none.
func (p *Pool) join(slot *sessionSlot, l *Listener) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slot.stream == nil {
		s := &notificationStream{pool: p, slot: slot, connected: make(chan struct{})}
		s.ctx, s.cancel = context.WithCancelCause(slot.user.ctx)
		if !p.backgroundLocked(s.run) {
			s.cancel(nil)
			return &Error{Kind: Canceled, Reason: "stream was ended", Err: ErrClosed}
		}
		slot.stream = s
	}
	l.stream = slot.stream
	l.stream.listeners = append(l.stream.listeners, l)
	return nil
}

// dismiss ends a listener, and the stream with the last one. It is called with p.mu held.
func (s *notificationStream) dismiss(l *Listener, err error) {
	i := slices.Index(s.listeners, l)
	if i < 0 {
		return // it has ended already
	}
	s.listeners = slices.Delete(s.listeners, i, i+1)
	l.err = err
	close(l.gone)
	s.pool.leaveLocked(s.slot)
	if len(s.listeners) > 0 {
		return
	}
	s.cancel(nil)
	if s.slot.stream == s {
		s.slot.stream = nil
	}
}

// broadcast gives a notification to all who listen on a slot. One who does not keep up
// is dropped: nobody waits for anybody.
func (p *Pool) broadcast(slot *sessionSlot, m *jsonrpc.Message) {
	if slot == nil {
		return // an opening session has no listeners yet
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasSuffix(m.Method, "/list_changed") {
		slot.forgetLists()
	}
	if slot.stream == nil {
		return
	}
	for _, l := range slices.Clone(slot.stream.listeners) {
		if !l.offer(m) {
			slot.stream.dismiss(l, &Error{Kind: Broken, Reason: "listener did not keep up"})
		}
	}
}
