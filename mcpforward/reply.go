package mcpforward

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// writeTime is how long a client may take to accept one message. There is no time
// for a whole stream.
const writeTime = 30 * time.Second

// reply is the HTTP response to one request: one JSON message, or an event stream if
// something precedes the response.
type reply struct {
	w         http.ResponseWriter
	control   *http.ResponseController
	json      bool // the client accepts JSON
	stream    bool // the client accepts an event stream
	streaming bool // one has begun
	begun     bool // the status is out
	bytes     int64
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
	for _, part := range strings.Split(strings.Join(headers, ","), ",") {
		accepted, _, err := mime.ParseMediaType(part)
		if err == nil && (accepted == kind || accepted == "*/*" || accepted == group+"/*") {
			return true
		}
	}
	return false
}

func (p *reply) acceptable() bool { return p.json || p.stream }

// status answers without a body.
func (p *reply) status(code int) error {
	p.begun = true
	p.w.WriteHeader(code)
	return nil
}

// plain answers outside of JSON-RPC.
func (p *reply) plain(code int, body string) {
	p.begun = true
	p.w.Header().Set("Content-Type", "application/json")
	p.w.WriteHeader(code)
	p.write([]byte(body))
}

// notify sends a notification ahead of the response. A client that takes no event
// stream does without.
func (p *reply) notify(m *jsonrpc.Message) error {
	if !p.stream {
		return nil
	}
	return p.event(m)
}

// finish sends the response.
func (p *reply) finish(status int, m *jsonrpc.Message) error {
	if p.streaming || !p.json {
		return p.event(m)
	}
	body := jsonrpc.Encode(m)
	p.begun = true
	p.w.Header().Set("Content-Type", "application/json")
	p.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	p.w.WriteHeader(status)
	return p.write(body)
}

// event sends m as one event; encoded messages hold no line break.
func (p *reply) event(m *jsonrpc.Message) error {
	if !p.streaming {
		p.streaming, p.begun = true, true
		p.w.Header().Set("Content-Type", "text/event-stream")
		p.w.Header().Set("X-Accel-Buffering", "no") // else nginx holds events back
		p.w.WriteHeader(http.StatusOK)
	}
	if err := p.write(append(append([]byte("event: message\ndata: "), jsonrpc.Encode(m)...), "\n\n"...)); err != nil {
		return err
	}
	return ignoreUnsupported(p.control.Flush())
}

func (p *reply) write(b []byte) error {
	if err := ignoreUnsupported(p.control.SetWriteDeadline(time.Now().Add(writeTime))); err != nil {
		return err
	}
	n, err := p.w.Write(b)
	p.bytes += int64(n)
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
	if err := x.reply.finish(http.StatusOK, m); err != nil {
		x.Log.DebugContext(x.r.Context(), "client went away", "error", err)
	}
	return nil
}

func (x *exchange) result(v jsontext.Value) error { return x.answer(jsonrpc.Reply(x.msg.ID, v)) }

// refusal is an answer by HTTP status, before or beside JSON-RPC.
type refusal struct {
	status  int
	code    jsonrpc.Code  // 0: the body is not JSON-RPC
	message string        // public
	retry   time.Duration // Retry-After
	cause   error         // private
}

func (e *refusal) Error() string { return e.message }
func (e *refusal) Unwrap() error { return e.cause }

func badRequest(code jsonrpc.Code, message string) error {
	return &refusal{status: http.StatusBadRequest, code: code, message: message}
}

// unavailable refuses because something that must be known cannot be found out.
func unavailable(message string, cause error) error {
	return &refusal{status: http.StatusServiceUnavailable, code: jsonrpc.InternalError, message: message, cause: cause}
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
	case x.reply.begun: // too late for a status: the stream just ends
	case c != nil:
		x.reply.w.Header().Set("WWW-Authenticate", x.header(c, x.name))
		x.reply.plain(c.status(), c.body())
	default:
		x.refuse(e)
	}
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
	x.reply.plain(e.status, string(jsonrpc.Encode(jsonrpc.Failure(id, e.code, e.message))))
}
