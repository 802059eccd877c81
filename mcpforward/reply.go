package mcpforward

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// quietTime is how long an event stream stays without a byte. Load balancers close
// what is silent for longer, often after a minute.
const quietTime = 15 * time.Second

// reply is the HTTP response to one request: one JSON message, or an event stream if
// something precedes the response. A timer writes to it as well, so it is locked.
type reply struct {
	w       http.ResponseWriter
	control *http.ResponseController
	json    bool // the client accepts JSON
	stream  bool // the client accepts an event stream

	mu        sync.Mutex
	streaming bool // an event stream has begun
	begun     bool // the status is out
	finished  bool // the response is out
}

func newReply(w http.ResponseWriter, r *http.Request) *reply {
	p := &reply{w: w, control: http.NewResponseController(w)}
	accept := r.Header.Values("Accept")
	p.json = len(accept) == 0 || accepts(accept, "application/json")
	p.stream = accepts(accept, "text/event-stream")
	return p
}

// accepts reads Accept leniently: a range that names or covers kind, whatever its weight.
func accepts(headers []string, kind string) bool {
	group, _, _ := strings.Cut(kind, "/")
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ",") {
			accepted, _, _ := strings.Cut(part, ";")
			accepted = strings.ToLower(strings.TrimSpace(accepted))
			all, isGroup := strings.CutSuffix(accepted, "/*")
			if accepted == kind || isGroup && (all == group || all == "*") {
				return true
			}
		}
	}
	return false
}

func (p *reply) acceptable() bool { return p.json || p.stream }

// status answers without a body.
func (p *reply) status(code int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun, p.finished = true, true
	p.w.WriteHeader(code)
	return nil
}

// plain answers outside of JSON-RPC, or with a status of its own. Once something is
// out it does nothing.
func (p *reply) plain(code int, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun {
		return
	}
	p.begun, p.finished = true, true
	p.w.Header().Set("Content-Type", "application/json")
	p.w.WriteHeader(code)
	p.write([]byte(body))
}

// notify sends a message ahead of the response. A client that takes no event stream
// does without.
func (p *reply) notify(m *jsonrpc.Message) error {
	if !p.stream {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.event(m)
}

// finish sends the response.
func (p *reply) finish(m *jsonrpc.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finished {
		return nil
	}
	p.finished = true
	if p.streaming || !p.json {
		return p.event(m)
	}
	body := jsonrpc.Encode(m)
	p.begun = true
	p.w.Header().Set("Content-Type", "application/json")
	p.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	p.w.WriteHeader(http.StatusOK)
	return p.write(body)
}

// keepAlive writes a comment into the event stream every quietTime until stop is
// called, and so begins one if the response takes its time. A client that takes only
// JSON has to wait in silence.
func (p *reply) keepAlive(every time.Duration) (stop func()) {
	if !p.stream {
		return func() {}
	}
	var timer *time.Timer
	var ended bool
	p.mu.Lock()
	defer p.mu.Unlock()
	timer = time.AfterFunc(every, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if ended || p.finished || p.comment() != nil {
			return
		}
		timer.Reset(every)
	})
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		ended = true
		timer.Stop()
	}
}

// open begins an event stream that has nothing to say yet.
func (p *reply) open() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.comment()
}

// comment sends what every reader of an event stream skips.
func (p *reply) comment() error {
	p.begin()
	if err := p.write([]byte(": wait\n\n")); err != nil {
		return err
	}
	return ignoreUnsupported(p.control.Flush())
}

// event sends m as one event; encoded messages hold no line break.
func (p *reply) event(m *jsonrpc.Message) error {
	p.begin()
	if err := p.write(append(append([]byte("event: message\ndata: "), jsonrpc.Encode(m)...), "\n\n"...)); err != nil {
		return err
	}
	return ignoreUnsupported(p.control.Flush())
}

// begin begins an event stream.
func (p *reply) begin() {
	if p.streaming {
		return
	}
	p.streaming, p.begun = true, true
	p.w.Header().Set("Content-Type", "text/event-stream")
	p.w.Header().Set("X-Accel-Buffering", "no") // else nginx holds events back
	p.w.WriteHeader(http.StatusOK)
}

// write sends bytes. How long a client may take for it is the listener's business.
func (p *reply) write(b []byte) error {
	_, err := p.w.Write(b)
	return err
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// answer sends the response to the request. That a client has gone is not an error.
func (x *exchange) answer(m *jsonrpc.Message) error {
	if err := x.reply.finish(m); err != nil {
		x.Log.DebugContext(x.r.Context(), "client went away", "error", err)
	}
	return nil
}

// forwarded sends a result of Salesforce's, which was checked when it came.
func (x *exchange) forwarded(v jsontext.Value) error {
	if x.stateless {
		return x.result(v)
	}
	return x.answer(jsonrpc.Forward(x.msg.ID, v))
}

func (x *exchange) result(v jsontext.Value) error {
	return x.answer(jsonrpc.Reply(x.msg.ID, x.complete(v)))
}

// refusal is an answer by HTTP status, before or beside JSON-RPC.
type refusal struct {
	status  int
	code    jsonrpc.Code   // 0: the body is not JSON-RPC
	message string         // public
	data    jsontext.Value // of the JSON-RPC error; nil: none
	retry   time.Duration  // Retry-After
	cause   error          // private
}

func (e *refusal) Error() string { return e.message }
func (e *refusal) Unwrap() error { return e.cause }

func badRequest(code jsonrpc.Code, message string) error {
	return &refusal{status: http.StatusBadRequest, code: code, message: message}
}

// unavailable refuses because something that must be known cannot be found out. If that
// is for a fault of ours, it may soon be another time.
func unavailable(message string, cause error) error {
	e := &refusal{status: http.StatusServiceUnavailable, code: jsonrpc.InternalError, message: message, cause: cause}
	if cause != nil {
		e.retry = faultPause
	}
	return e
}

// fail renders an error. Unknown ones get a generic text.
func (x *exchange) fail(err error) {
	var c *challenge
	var e *refusal
	switch {
	case errors.As(err, &c):
	case x.r.Context().Err() != nil: // the client went away: what failed, failed for that
		e = &refusal{status: http.StatusServiceUnavailable, message: "the client went away"}
	case errors.As(err, &e):
		if e.cause != nil {
			x.Log.ErrorContext(x.r.Context(), "request refused", "why", e.message, "error", e.cause)
		}
	default:
		x.Log.ErrorContext(x.r.Context(), "request failed", "error", err)
		e = &refusal{status: http.StatusInternalServerError, code: jsonrpc.InternalError, message: "internal error"}
	}
	switch {
	case x.reply.late():
		x.failLate(c, e)
	case c != nil:
		x.reply.w.Header().Set("WWW-Authenticate", x.header(c, x.name))
		x.reply.plain(c.status(), c.body())
	default:
		x.refuse(e)
	}
}

// late reports whether an event stream has begun, so that there is no status to choose.
func (p *reply) late() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.streaming
}

// failLate ends an event stream with an error in the place of the response, so that
// nobody takes the end of it for a connection that broke.
func (x *exchange) failLate(c *challenge, e *refusal) {
	if x.msg == nil || !x.msg.IsRequest() {
		return
	}
	if c != nil {
		e = &refusal{message: sayNoAccess}
	}
	if e.code == 0 {
		e.code = jsonrpc.InternalError
	}
	x.answer(e.failure(x.msg.ID))
}

func (x *exchange) refuse(e *refusal) {
	if e.retry > 0 {
		x.reply.w.Header().Set("Retry-After", strconv.Itoa(int(e.retry.Seconds())+1))
	}
	if e.code == 0 {
		x.reply.plain(e.status, `{"error":`+string(jsonrpc.Quote(e.message))+`}`)
		return
	}
	var id jsontext.Value // null if the message could not be read
	if x.msg != nil {
		id = x.msg.ID
	}
	x.reply.plain(e.status, string(jsonrpc.Encode(e.failure(id))))
}

// failure is the refusal as JSON-RPC has it.
func (e *refusal) failure(id jsontext.Value) *jsonrpc.Message {
	m := jsonrpc.Failure(id, e.code, e.message)
	m.Error.Data = e.data
	return m
}
