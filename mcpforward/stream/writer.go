package stream

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// QuietTime is how long an event stream stays without a byte. Load balancers close
// what is silent for longer, often after a minute.
const QuietTime = 15 * time.Second

// Writer is the HTTP response to one request. It is safe for concurrent use, because a
// timer writes to it as well (see [Writer.KeepAlive]).
type Writer struct {
	w          http.ResponseWriter
	control    *http.ResponseController
	takesJSON  bool
	takesEvent bool

	mu        sync.Mutex
	streaming bool // an event stream has begun
	begun     bool // the status is out
	finished  bool // the response is out
	// silence is how long nothing was written, while somebody watches that; nil: nobody does.
	silence *time.Timer
	every   time.Duration // it may last
}

// New returns the response to r.
func New(w http.ResponseWriter, r *http.Request) *Writer {
	accept := r.Header.Values("Accept")
	return &Writer{
		w: w, control: http.NewResponseController(w),
		takesJSON:  len(accept) == 0 || accepts(accept, "application/json"),
		takesEvent: accepts(accept, "text/event-stream"),
	}
}

// Header is the response's, to be set before anything is written.
func (p *Writer) Header() http.Header { return p.w.Header() }

// HTTP is what lies beneath, for [http.MaxBytesReader].
func (p *Writer) HTTP() http.ResponseWriter { return p.w }

// Acceptable reports whether the client takes any form of an answer.
func (p *Writer) Acceptable() bool { return p.takesJSON || p.takesEvent }

// TakesEvents reports whether the client takes an event stream.
func (p *Writer) TakesEvents() bool { return p.takesEvent }

// Streaming reports whether an event stream has begun, so that there is no status to
// choose.
func (p *Writer) Streaming() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.streaming
}

// Status answers without a body.
func (p *Writer) Status(code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun, p.finished = true, true
	p.w.WriteHeader(code)
}

// Plain answers outside of JSON-RPC, or with a status of its own. Once something is
// out it does nothing.
func (p *Writer) Plain(code int, body string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun {
		return nil
	}
	p.begun, p.finished = true, true
	p.w.Header().Set("Content-Type", "application/json")
	p.w.WriteHeader(code)
	return p.write([]byte(body))
}

// contentJSON is the value of a header that answers share.
var contentJSON = []string{"application/json"}

// Finish sends the response, unless one is out.
func (p *Writer) Finish(m *jsonrpc.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finished {
		return nil
	}
	p.finished = true
	if p.streaming || !p.takesJSON {
		return p.event(m)
	}
	body := encoded(m, "", "")
	p.begun = true
	p.w.Header()["Content-Type"] = contentJSON
	p.w.Header()["Content-Length"] = []string{strconv.Itoa(len(*body))}
	p.w.WriteHeader(http.StatusOK)
	return p.writeBuffer(body)
}

// writeBuffer sends a message and gives its buffer back. After an error the server may still
// be at it (golang.org/issue/20704), so that buffer is not used again.
func (p *Writer) writeBuffer(b *buffer) error {
	err := p.write(*b)
	if err == nil {
		b.free()
	}
	return err
}

// write sends bytes.
func (p *Writer) write(b []byte) error {
	_, err := p.w.Write(b)
	return err
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
