package upstream

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// errorBodyBytes is how much of an error's body is looked at.
const errorBodyBytes = 64 << 10

// judge looks at the head of a response. It completes x if that can be an answer;
// otherwise it closes the body.
func (c *call) judge(resp *http.Response, x *exchange) *fault {
	if resp.StatusCode == http.StatusOK {
		return c.judgeOK(resp, x)
	}
	body := errorBody(resp)
	if resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusNotFound {
		// The request itself was refused, in the protocol: that is an answer.
		m, err := jsonrpc.DecodeAnswer(body)
		if err == nil && m.IsResponse() && bytes.Equal(m.ID, x.id) && !sessionMissing.In(body) && !c.sessionLost(resp.StatusCode, m.Error) {
			x.whole = m
			return nil
		}
	}
	return c.refusal(resp, body)
}

// sessionLost reports whether an error in the protocol says that the session is gone: by
// 404, as a server should (MCP 2025-06-18, session management), or by 400 in words. Codes
// that speak of the request are taken at their word, and so is what is said a second time.
func (c *call) sessionLost(status int, e *jsonrpc.Error) bool {
	const resourceNotFound jsonrpc.Code = -32002
	if e == nil || c.slot == nil || c.reopened {
		return false
	}
	switch e.Code {
	case jsonrpc.MethodNotFound, jsonrpc.InvalidParams, jsonrpc.InternalError, resourceNotFound:
		return false
	}
	return status == http.StatusNotFound || sessionNamed.In([]byte(e.Message))
}

// errorBody reads the body of a response that is no answer, as far as it is looked at.
func errorBody(resp *http.Response) []byte {
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, errorBodyBytes))
	return body
}

// judgeOK sets up x to read the body of a 200.
func (c *call) judgeOK(resp *http.Response, x *exchange) *fault {
	x.sessionID = resp.Header.Get("Mcp-Session-Id")
	x.input = &capped{r: resp.Body, left: c.pool.cfg.ResponseBytes}
	x.length = max(resp.ContentLength, 0)
	broken := ""
	kind := mediaType(resp.Header.Get("Content-Type"))
	encoding := resp.Header.Get("Content-Encoding")
	switch {
	case encoding != "" && encoding != "identity":
		broken = "answer is encoded, which was not asked for"
	case resp.ContentLength == 0:
		resp.Body.Close()
		return emptyAnswer(resp.StatusCode)
	case resp.ContentLength > c.pool.cfg.ResponseBytes:
		broken = "answer is too large"
	case kind == "application/json":
	case kind == "text/event-stream":
		x.events = newEventReader(x.input, c.pool.cfg.ResponseBytes)
	default:
		if n, _ := io.ReadFull(resp.Body, make([]byte, 1)); n == 0 {
			resp.Body.Close()
			return emptyAnswer(resp.StatusCode)
		}
		broken = "answer is of the wrong type"
	}
	if broken == "" {
		return nil
	}
	resp.Body.Close()
	return &fault{Error: Error{Kind: Broken, MayHaveHappened: true, Status: resp.StatusCode, Reason: broken}}
}

// mediaType is the type that a Content-Type names, "" if it cannot be read.
func mediaType(header string) string {
	if header == "application/json" || header == "text/event-stream" {
		return header // most are written so
	}
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return kind
}

// emptyAnswer is what Salesforce sends to a session that it does not take for
// initialized, so what is repeatable gets a new one.
func emptyAnswer(status int) *fault {
	return &fault{cure: repeatAnew,
		Error: Error{Kind: Broken, MayHaveHappened: true, Status: status, Reason: "answer is empty"}}
}

// refusal words a status other than 200. A token or a session is refused by the gateway
// in JSON or plain text. A page comes from something in between, which may have put it
// in the place of an answer: it is no reason to send a write again.
func (c *call) refusal(resp *http.Response, body []byte) *fault {
	f := c.judgeStatus(resp, body)
	if (f.cure == renewToken || f.cure == reopenSession) && !c.repeatable && isPage(resp, body) {
		return &fault{Error: Error{Kind: Broken, MayHaveHappened: true, Status: resp.StatusCode, Reason: "answer is a web page"}}
	}
	return f
}

func isPage(resp *http.Response, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "text/html" || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// judgeStatus takes the status at its word. Where it says MayHaveHappened false, it is
// one by which Salesforce's gateway refuses before a server sees the request.
func (c *call) judgeStatus(resp *http.Response, body []byte) *fault {
	f := &fault{Error: Error{Kind: Broken, MayHaveHappened: true, Status: resp.StatusCode, Reason: "unexpected status"}}
	refused := func(kind Kind, reason string, next cure) *fault {
		f.Kind, f.Reason, f.cure, f.MayHaveHappened = kind, reason, next, false
		return f
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return refused(LoginLost, "token was refused", renewToken)
	case code == http.StatusForbidden && LimitExceeded.In(body), code == http.StatusTooManyRequests:
		f.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), c.pool.cfg.Now())
		return refused(Limited, "a limit of the org is reached", noCure)
	case code == http.StatusForbidden:
		return refused(Forbidden, "the user may not use this server", noCure)
	case code == http.StatusMethodNotAllowed, code == http.StatusNotFound && serverUnknown.In(body):
		return refused(ServerInactive, "server is not active", noCure)
	case code == http.StatusNotFound && c.slot == nil: // seen now and then at initialize
		return refused(ServerInactive, "server was not found", repeat)
	case code == http.StatusNotFound:
		return refused(ServerInactive, "session or server was not found", reopenSession)
	case code == http.StatusBadRequest && c.slot != nil && sessionNamed.In(body):
		return refused(Unavailable, "session was refused", reopenSession)
	case code == http.StatusBadRequest: // what else it may mean is known of reads only
		f.Reason, f.cure = "request was refused", repeatAnew
	case code == http.StatusNotAcceptable, code == http.StatusUnsupportedMediaType, code == http.StatusRequestEntityTooLarge:
		return refused(Broken, "request was refused", noCure)
	case code >= 500:
		f.Kind, f.Reason, f.cure, f.down = Unavailable, "salesforce reported a fault", repeat, true
		if f.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), c.pool.cfg.Now()); f.RetryAfter > 0 {
			f.cure = noCure // the time of our own repetition is not what it asks for
		}
	case code/100 == 2:
		f.Reason, f.cure = "answer is empty", repeatAnew
	}
	return f
}

// retryAfter reads Retry-After (RFC 9110 10.2.3), seconds or a date; 0 if there is
// none, at most a day.
func retryAfter(value string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), 24*time.Hour)
}
