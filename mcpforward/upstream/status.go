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

// judge looks at the head of a response. It completes a if that can be an answer;
// otherwise it closes the body.
func (a *attempt) judge(resp *http.Response) *failure {
	if resp.StatusCode == http.StatusOK {
		return a.judgeOK(resp)
	}
	body := errorBody(resp)
	if resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusNotFound {
		// The request itself was refused, in the protocol: that is an answer.
		m, err := jsonrpc.DecodeAnswer(body)
		if err == nil && m.IsResponse() && bytes.Equal(m.ID, a.id) && !sessionMissing.In(body) && !a.sessionLost(resp.StatusCode, m.Error) {
			a.whole = m
			return nil
		}
	}
	return a.refusal(resp, body)
}

// sessionLost reports whether an error in the protocol says that the session is gone: by
// 404, as a server should (MCP 2025-06-18, session management), or by 400 in words. Codes
// that speak of the request are taken at their word, and so is what is said a second time.
func (a *attempt) sessionLost(status int, e *jsonrpc.Error) bool {
	const resourceNotFound jsonrpc.Code = -32002
	if e == nil || a.call.slot == nil || a.call.reopened {
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

// judgeOK sets up a to read the body of a 200.
func (a *attempt) judgeOK(resp *http.Response) *failure {
	a.sessionID = resp.Header.Get("Mcp-Session-Id")
	a.input = capped{r: resp.Body, left: a.call.pool.cfg.ResponseBytes}
	a.length = max(resp.ContentLength, 0)
	broken := ""
	kind := mediaType(resp.Header.Get("Content-Type"))
	encoding := resp.Header.Get("Content-Encoding")
	switch {
	case encoding != "" && encoding != "identity":
		broken = "answer is encoded, which was not asked for"
	case resp.ContentLength == 0:
		resp.Body.Close()
		return emptyAnswer(resp.StatusCode)
	case resp.ContentLength > a.call.pool.cfg.ResponseBytes:
		broken = "answer is too large"
	case kind == "application/json":
	case kind == "text/event-stream":
		a.events = newEventReader(&a.input, a.call.pool.cfg.ResponseBytes)
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
	return &failure{Error: Error{Kind: Broken, MayHaveHappened: true, Status: resp.StatusCode, Reason: broken}}
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
func emptyAnswer(status int) *failure {
	return &failure{retry: repeatOnNewSession,
		Error: Error{Kind: Broken, MayHaveHappened: true, Status: status, Reason: "answer is empty"}}
}

// refusal words a status other than 200. A token or a session is refused by the gateway
// in JSON or plain text. A page comes from something in between, which may have put it
// in the place of an answer: it is no reason to send a write again.
func (a *attempt) refusal(resp *http.Response, body []byte) *failure {
	f := a.judgeStatus(resp, body)
	if (f.retry == renewToken || f.retry == reopenSession) && !a.call.repeatable && isPage(resp, body) {
		return &failure{Error: Error{Kind: Broken, MayHaveHappened: true, Status: resp.StatusCode, Reason: "answer is a web page"}}
	}
	return f
}

func isPage(resp *http.Response, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "text/html" || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// judgeStatus takes the status at its word. Where it says MayHaveHappened false, it is
// one by which Salesforce's gateway refuses before a server sees the request.
func (a *attempt) judgeStatus(resp *http.Response, body []byte) *failure {
	f := &failure{Error: Error{Kind: Broken, MayHaveHappened: true, Status: resp.StatusCode, Reason: "unexpected status"}}
	refused := func(kind Kind, reason string, next retry) *failure {
		f.Kind, f.Reason, f.retry, f.MayHaveHappened = kind, reason, next, false
		return f
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return refused(LoginLost, "token was refused", renewToken)
	case code == http.StatusForbidden && LimitExceeded.In(body), code == http.StatusTooManyRequests:
		f.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), a.call.pool.cfg.Now())
		return refused(Limited, "a limit of the org is reached", noRetry)
	case code == http.StatusForbidden:
		return refused(Forbidden, "the user may not use this server", noRetry)
	case code == http.StatusMethodNotAllowed, code == http.StatusNotFound && serverUnknown.In(body):
		return refused(ServerInactive, "server is not active", noRetry)
	case code == http.StatusNotFound && a.call.slot == nil: // seen now and then at initialize
		return refused(ServerInactive, "server was not found", repeat)
	case code == http.StatusNotFound:
		return refused(ServerInactive, "session or server was not found", reopenSession)
	case code == http.StatusBadRequest && a.call.slot != nil && sessionNamed.In(body):
		return refused(Unavailable, "session was refused", reopenSession)
	case code == http.StatusBadRequest: // what else it may mean is known of reads only
		f.Reason, f.retry = "request was refused", repeatOnNewSession
	case code == http.StatusNotAcceptable, code == http.StatusUnsupportedMediaType, code == http.StatusRequestEntityTooLarge:
		return refused(Broken, "request was refused", noRetry)
	case code >= 500:
		f.Kind, f.Reason, f.retry, f.down = Unavailable, "salesforce reported an error of its own", repeat, true
		if f.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), a.call.pool.cfg.Now()); f.RetryAfter > 0 {
			f.retry = noRetry // the time of our own repetition is not what it asks for
		}
	case code/100 == 2:
		f.Reason, f.retry = "answer is empty", repeatOnNewSession
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
