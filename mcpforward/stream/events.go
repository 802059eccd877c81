package stream

import (
	"net/http"
	"time"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Open begins an event stream that has nothing to say yet.
func (p *Writer) Open() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.comment()
}

// Notify sends a message ahead of the response. A client that takes no event stream
// does without.
func (p *Writer) Notify(m *jsonrpc.Message) error {
	if !p.takesEvent {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.event(m)
}

// KeepAlive writes a comment into the event stream each time that long has passed, until
// stop is called, and so begins one if the response takes its time. A client that takes
// only JSON has to wait in silence. It is called again only after stop.
func (p *Writer) KeepAlive(every time.Duration) (stop func()) {
	if !p.takesEvent {
		return func() {}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.every, p.silence = every, time.AfterFunc(every, p.breakSilence)
	return p.endSilence
}

// breakSilence writes a comment, and sees to the next one.
func (p *Writer) breakSilence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silence == nil || p.finished || p.comment() != nil {
		return
	}
	p.silence.Reset(p.every)
}

func (p *Writer) endSilence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silence.Stop()
	p.silence = nil
}

// comment sends what every reader of an event stream skips. p.mu is held.
func (p *Writer) comment() error {
	p.begin()
	if err := p.write([]byte(": wait\n\n")); err != nil {
		return err
	}
	return ignoreUnsupported(p.control.Flush())
}

// event sends m as one event; encoded messages hold no line break. p.mu is held.
func (p *Writer) event(m *jsonrpc.Message) error {
	p.begin()
	if err := p.writeBuffer(encoded(m, "event: message\ndata: ", "\n\n")); err != nil {
		return err
	}
	return ignoreUnsupported(p.control.Flush())
}

var contentEvents, unbuffered = []string{"text/event-stream"}, []string{"no"}

// begin begins an event stream. p.mu is held.
func (p *Writer) begin() {
	if p.streaming {
		return
	}
	p.streaming, p.begun = true, true
	p.w.Header()["Content-Type"] = contentEvents
	p.w.Header()["X-Accel-Buffering"] = unbuffered // else nginx holds events back
	p.w.WriteHeader(http.StatusOK)
}
