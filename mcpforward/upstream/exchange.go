package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// maxEvents bounds what one answer may hold, the response included. Comments, which
// keep a connection alive, are bounded by the answer's bytes alone.
const maxEvents = 10_000

// exchange is the reading side of one attempt.
type exchange struct {
	id            jsontext.Value // ours
	session       *Session
	progressToken jsontext.Value // the request's, nil if it had none
	sessionID     string
	ctx           context.Context
	body          io.ReadCloser
	whole         *jsonrpc.Message // already read
	input         *capped
	length        int64        // of the body, if that was told
	events        *eventReader // nil: the body is one JSON message
	count, asked  int          // events, and requests among them
	strayed       bool         // a message that belongs elsewhere was reported; more are not
}

func (x *exchange) close() { x.body.Close() }

// next returns the next message that passes: what concerns this request and is wanted,
// or its response.
func (x *exchange) next(c *call) (*jsonrpc.Message, *fault) {
	if x.whole != nil {
		return x.whole, nil
	}
	if x.events == nil {
		return x.nextWhole()
	}
	for {
		e, err := x.events.next()
		if err != nil {
			return nil, x.lost(err)
		}
		if len(e.data) == 0 || e.name != "" && e.name != "message" {
			continue // MCP 2025-11-25 primes a stream with an event without data
		}
		if x.count++; x.count > maxEvents {
			return nil, x.broken("answer has too many events")
		}
		m, err := jsonrpc.DecodeAnswer(e.data)
		switch {
		case err != nil: // it may have been the response
			return nil, x.broken("answer has an event that is not a message")
		case m.IsResponse() && bytes.Equal(m.ID, x.id):
			return m, nil
		case m.IsResponse():
			x.stray(c)
		case m.IsNotification():
			if m = c.notification(x, m); m != nil {
				return m, nil
			}
		default:
			if x.asked++; x.asked > maxQuestions {
				return nil, x.broken("answer asks too much")
			}
			if c.asked(x, m) {
				return m, nil
			}
		}
	}
}

// notification returns m as the caller gets it, nil if it is not for this caller. That
// a list has changed is for those who listen.
func (c *call) notification(x *exchange, m *jsonrpc.Message) *jsonrpc.Message {
	switch {
	case m.Method == "notifications/progress":
		return c.progress(x, m)
	case m.Method == "notifications/message" && c.target.Client.wants(m):
		return m
	case m.Method == "notifications/cancelled":
		c.questions.withdraw(m)
	case forListeners[m.Method]:
		c.pool.broadcast(c.slot, m)
	}
	return nil
}

// stray reports that a message belongs elsewhere, once.
func (x *exchange) stray(c *call) {
	if !x.strayed {
		x.strayed = true
		c.pool.cfg.Log.Warn("salesforce sent messages that do not belong to the request; dropped",
			"server", c.target.Server)
	}
}

// nextWhole reads a body that is one JSON message.
func (x *exchange) nextWhole() (*jsonrpc.Message, *fault) {
	body := bytes.NewBuffer(make([]byte, 0, x.length+bytes.MinRead))
	if _, err := body.ReadFrom(x.input); err != nil {
		return nil, x.lost(err)
	}
	return x.readWhole(body.Bytes())
}

func (x *exchange) readWhole(body []byte) (*jsonrpc.Message, *fault) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, emptyAnswer(200)
	}
	m, err := jsonrpc.DecodeAnswer(body)
	switch {
	case err != nil:
		return nil, x.broken("answer is not a message")
	case !m.IsResponse() || !bytes.Equal(m.ID, x.id):
		return nil, x.broken("answer belongs to another request")
	}
	return m, nil
}

// lost is the fault of a body that ended early.
func (x *exchange) lost(err error) *fault {
	switch {
	case x.ctx.Err() != nil:
		f := ended(x.ctx)
		f.MayHaveHappened, f.down = true, f.Kind == TimedOut
		return f
	case errors.Is(err, errTooLarge):
		return x.broken("answer is too large")
	case err == io.EOF && x.input.read == 0:
		return emptyAnswer(200)
	}
	f := x.broken("answer breaks off")
	f.cure, f.down = repeat, true
	return f
}

func (x *exchange) broken(reason string) *fault {
	return &fault{Error: Error{Kind: Broken, MayHaveHappened: true, Status: 200, Reason: reason}}
}

// drain reads a body to its end, if that is near, so that the connection can be used
// again, and closes it.
func drain(body io.ReadCloser) {
	defer body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(body, errorBodyBytes))
}

var errTooLarge = errors.New("answer is too large")

// capped reads at most left bytes and fails if there are more.
type capped struct {
	r          io.Reader
	left, read int64
}

// Read fails with errTooLarge instead of going beyond the cap.
func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	c.read += int64(n)
	if c.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
