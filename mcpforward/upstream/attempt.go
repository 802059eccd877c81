package upstream

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// maxEvents bounds what one answer may hold, the response included. Comments, which
// keep a connection alive, are bounded by the answer's bytes alone.
const maxEvents = 10_000

// attempt is one HTTP request of a call as it is sent, and its answer as it is read. What is tried after a failed one is for the call to say.
type attempt struct {
	call          *call
	session       *Session         // nil: initialize
	id            jsontext.Value   // ours
	progressToken jsontext.Value   // the client's, nil if it gave none
	sessionID     string           // that the answer gave
	body          io.ReadCloser    // of the answer
	whole         *jsonrpc.Message // the answer, if it is read already
	input         capped
	length        int64        // of the body, if that was told
	events        *eventReader // nil: the body is one JSON message
	count         int          // of events
	asked         int          // requests among them
	strayed       bool         // a message that belongs elsewhere was reported; more are not
}

// send sends the call's request under the attempt's own id, and waits for the head of an
// answer.
func (a *attempt) send() *failure {
	c := a.call
	params, token := replaceProgressToken(c.request.Params, a.id)
	a.progressToken = token
	resp, f := a.post(c.ctx, c.request.Under(a.id, params))
	if f != nil {
		if f.MayHaveHappened {
			c.atWork = a.id
		}
		return f
	}
	c.atWork, a.body = a.id, resp.Body
	if f = a.judge(resp); f != nil {
		c.atWork = nil // Salesforce is done with it
	}
	return f
}

func (a *attempt) close() { a.body.Close() }

// isRead reports whether the body was read to its end, as one JSON message always is.
func (a *attempt) isRead() bool { return a.events == nil || a.events.err == io.EOF }

// next returns the next message that passes: what concerns this request and is wanted,
// or its response.
func (a *attempt) next() (*jsonrpc.Message, *failure) {
	if a.whole != nil {
		return a.whole, nil
	}
	if a.events == nil {
		return a.nextWhole()
	}
	for {
		e, err := a.events.next()
		if err != nil {
			return nil, a.lost(err)
		}
		if len(e.data) == 0 || e.name != "" && e.name != "message" {
			continue // MCP 2025-11-25 primes a stream with an event without data
		}
		if a.count++; a.count > maxEvents {
			return nil, a.broken("answer has too many events")
		}
		m, err := jsonrpc.DecodeAnswer(e.data)
		switch {
		case err != nil: // it may have been the response
			return nil, a.broken("answer has an event that is not a message")
		case m.IsResponse() && bytes.Equal(m.ID, a.id):
			return m, nil
		case m.IsResponse():
			a.stray()
		case m.IsNotification():
			if m = a.notification(m); m != nil {
				return m, nil
			}
		default:
			if a.asked++; a.asked > maxServerRequests {
				return nil, a.broken("answer asks too much")
			}
			if a.serverRequest(m) {
				return m, nil
			}
		}
	}
}

// notification returns m as the caller gets it, nil if it is not for this caller. That
// a list has changed is for those who listen.
func (a *attempt) notification(m *jsonrpc.Message) *jsonrpc.Message {
	c := a.call
	switch {
	case m.Method == "notifications/progress":
		return a.progress(m)
	case m.Method == "notifications/message" && c.target.Client.wants(m):
		return m
	case m.Method == "notifications/cancelled":
		c.requests.withdraw(m)
	case forListeners[m.Method]:
		c.pool.broadcast(c.slot, m)
	}
	return nil
}

// stray reports that a message belongs elsewhere, once.
func (a *attempt) stray() {
	if !a.strayed {
		a.strayed = true
		a.call.pool.cfg.Log.Warn("salesforce sent messages that do not belong to the request; dropped",
			"server", a.call.target.Server)
	}
}

// nextWhole reads a body that is one JSON message.
func (a *attempt) nextWhole() (*jsonrpc.Message, *failure) {
	if a.length > 0 { // what is read is the message: its parts share the memory
		body := bytes.NewBuffer(make([]byte, 0, a.length+bytes.MinRead))
		if _, err := body.ReadFrom(&a.input); err != nil {
			return nil, a.lost(err)
		}
		return a.readWhole(body.Bytes())
	}
	body := bodies.Get().(*bytes.Buffer)
	defer func() {
		if body.Cap() <= maxKept {
			body.Reset()
			bodies.Put(body)
		}
	}()
	if _, err := body.ReadFrom(&a.input); err != nil {
		return nil, a.lost(err)
	}
	return a.readWhole(bytes.Clone(body.Bytes()))
}

// bodies take bodies whose length was not told, until they are read to the end: what grew to
// hold them would be thrown away otherwise. One of more than maxKept bytes is.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const maxKept = 256 << 10

func (a *attempt) readWhole(body []byte) (*jsonrpc.Message, *failure) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, emptyAnswer(200)
	}
	m, err := jsonrpc.DecodeAnswer(body)
	switch {
	case err != nil:
		return nil, a.broken("answer is not a message")
	case !m.IsResponse() || !bytes.Equal(m.ID, a.id):
		return nil, a.broken("answer belongs to another request")
	}
	return m, nil
}

// lost is the failure of a body that ended early.
func (a *attempt) lost(err error) *failure {
	switch {
	case a.call.ctx.Err() != nil:
		f := ended(a.call.ctx)
		f.MayHaveHappened, f.down = true, f.Kind == TimedOut
		return f
	case errors.Is(err, errTooLarge):
		return a.broken("answer is too large")
	case err == io.EOF && a.input.read == 0:
		return emptyAnswer(200)
	}
	f := a.broken("answer breaks off")
	f.retry, f.down = repeat, true
	return f
}

func (a *attempt) broken(reason string) *failure {
	return &failure{Error: Error{Kind: Broken, MayHaveHappened: true, Status: 200, Reason: reason}}
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
