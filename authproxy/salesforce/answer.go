package salesforce

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"sfmcp-proxy/authproxy/tunnel"
)

// answerLimit bounds an answer of the login host. A token answer has some 3 kB.
const answerLimit = 256 << 10

// answers is the transport below the OAuth library. The library reads answers
// leniently (any content type, member names in any case, the last duplicate wins, a
// long body cut short); here an answer is read whole, strictly and once, and every
// failure becomes an [*Error] that knows whether the request may have taken effect.
// Only a 2xx answer with one well-formed JSON object gets past it.
type answers struct {
	base http.RoundTripper
	now  func() time.Time
}

// RoundTrip implements [http.RoundTripper].
func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent atomic.Bool
	// The transport tries another connection for a POST only where it knows that
	// nothing reached the first; so only the last attempt counts.
	trace := &httptrace.ClientTrace{
		GetConn:      func(string) { sent.Store(false) },
		WroteHeaders: func() { sent.Store(true) },
	}
	req = req.Clone(httptrace.WithClientTrace(req.Context(), trace))
	// No connection is kept: one that the peer closed while idle would lose an answer
	// in doubt, and token requests are too rare to gain from reuse.
	req.Close = true
	held := hold(req)
	res, err := a.base.RoundTrip(req)
	if err != nil && held != nil && held.refused.Load() {
		return nil, NewError(notHeld, "not sent: the lease of the refresh token has ended")
	}
	if err != nil {
		return nil, networkError(err, sent.Load())
	}
	body, err := ReadAll(res.Body, answerLimit)
	res.Body.Close()
	switch {
	case errors.Is(err, ErrTooLarge):
		e := NewError(malformedAnswer, "answer is too large")
		e.Status = res.StatusCode
		return nil, e
	case err != nil:
		e := networkError(err, true)
		e.Status = res.StatusCode
		return nil, e
	}
	if err := a.failure(res, body); err != nil {
		return nil, err
	}
	res.Header.Set("Content-Type", "application/json")
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// failure classifies a whole answer; nil means a JSON object without an error.
func (a answers) failure(res *http.Response, body []byte) error {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		// What accept reads: of another type it would count as absent there.
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		TokenType    string `json:"token_type"`
		Scope        string `json:"scope"`
	}
	// Strict: a duplicate member, another type, invalid UTF-8 or trailing text is an error.
	parsed := json.Unmarshal(body, &answer) == nil && len(bytes.TrimSpace(body)) > 0 && bytes.TrimSpace(body)[0] == '{'
	ok := res.StatusCode >= 200 && res.StatusCode <= 299
	var e *Error
	switch status := res.StatusCode; {
	case ok && parsed && answer.Error == "":
		return nil
	case status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout:
		e = NewError(unavailable, http.StatusText(status))
	case parsed && answer.Error != "":
		e = ErrorFor(answer.Error, answer.Description)
	case ok && len(body) == 0:
		e = NewError(emptyAnswer, "answer is empty")
	case status >= 300 && status <= 399:
		e = NewError(redirected, "redirects are not followed")
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		e = NewError(wrongHost, "the host has no such endpoint")
	default:
		// A whole page that is no token answer: maintenance, a filter on the way. The
		// token endpoint did not speak, so nothing says that the token is spent.
		e = NewError(malformedAnswer, "answer is not of an OAuth endpoint")
	}
	e.Status = res.StatusCode
	e.RetryAfter = a.retryAfter(res.Header.Get("Retry-After"))
	return e
}

// retryAfter reads both forms of RFC 9110 section 10.2.3.
func (a answers) retryAfter(value string) time.Duration {
	var d time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		d = time.Duration(min(max(seconds, 0), int(MaxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(a.now())
	}
	return min(max(d, 0), MaxRetryAfter)
}

// networkError names the step that failed. Text of the error below stays out of the
// description: it may quote a peer.
func networkError(err error, sent bool) *Error {
	var (
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		host        x509.HostnameError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		refused     *tunnel.Error
	)
	code, description := network, "connection failed"
	switch {
	case errors.As(err, &refused): // before Salesforce had any part in it
		code, description = outboundProxy, refused.Error()
	case errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &host), errors.As(err, &record), errors.As(err, &alert):
		code, description = tlsFailed, "TLS verification failed"
	case errors.As(err, &dns):
		code, description = nameUnresolved, "host name does not resolve"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		description = "no answer in time"
	case errors.Is(err, context.Canceled):
		description = "request was cancelled"
	case sent:
		description = "connection ended before the answer was complete"
	}
	e := NewError(code, description)
	if sent {
		e = NewLost(description)
		e.Code = code
	}
	e.cause = err
	return e
}
