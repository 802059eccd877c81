package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sfmcp-proxy/authproxy/tunnel"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// ownTransport returns a transport of our own after the given client's: no environment
// proxy, no timeout but the context's (an initialize may take 45 s), no decompression (a
// small answer must not grow in here). It is used without a client, which would only add
// redirects and cookies.
func ownTransport(given *http.Client) http.RoundTripper {
	var rt http.RoundTripper
	if given != nil {
		rt = given.Transport
	}
	t, ok := rt.(*http.Transport)
	switch {
	case ok:
		t = t.Clone()
	case rt != nil:
		return rt
	default:
		t = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 10 * time.Second,
			ForceAttemptHTTP2:   true,
		}
	}
	t.Proxy = nil
	t.DisableCompression = true
	t.ResponseHeaderTimeout = 0
	t.MaxResponseHeaderBytes = 64 << 10
	t.MaxIdleConnsPerHost, t.MaxIdleConns = 512, 1024 // all users share one host
	t.ReadBufferSize = 16 << 10                       // many answers come whole
	t.IdleConnTimeout = 30 * time.Second
	if t.HTTP2 == nil { // a stream that is silent for long may have lost its connection
		t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second}
	}
	return t
}

// Header values that all requests share; nobody changes a value in its place.
var (
	acceptAnswer = []string{"application/json, text/event-stream"}
	acceptPlain  = []string{"identity"}
	sendJSON     = []string{"application/json"}
)

// post sends one message. On success the response's body is open.
func (a *attempt) post(ctx context.Context, m *jsonrpc.Message) (*http.Response, *failure) {
	if a.call.hosted.request == nil {
		return nil, &failure{Error: Error{Kind: Unavailable, Reason: "configured URL is not usable"}}
	}
	encoded := jsonrpc.Encode(m)
	out := &outgoing{tls: a.call.hosted.request.URL.Scheme == "https"}
	req := a.call.hosted.request.WithContext(out.begin(ctx, encoded))
	req.Body = out.body()
	req.ContentLength = int64(len(encoded))
	own := []string{"Bearer " + a.call.token, a.call.target.RequestID}
	req.Header = http.Header{ // names as net/http writes them
		"Accept":          acceptAnswer,
		"Accept-Encoding": acceptPlain,
		"Authorization":   own[:1:1],
		"Content-Type":    sendJSON,
		"User-Agent":      a.call.pool.userAgent,
	}
	if own[1] != "" {
		req.Header["X-Request-Id"] = own[1:]
	}
	if s := a.session; s != nil {
		req.Header["Mcp-Protocol-Version"] = s.versionHeader
		if s.id != "" {
			req.Header["Mcp-Session-Id"] = s.idHeader
		}
	}
	resp, err := a.call.pool.wire.RoundTrip(req)
	if err == nil {
		return resp, nil
	}
	return nil, unanswered(ctx, err, out.left())
}

// requestTo returns the request that all to url are copies of, without header and body; nil:
// url is not usable. It has no GetBody: the transport must not send anything twice.
func requestTo(url string) *http.Request {
	req, err := http.NewRequest(http.MethodPost, url, nil)
	if err != nil {
		return nil
	}
	return req
}

// outgoing is the body of a request, and knows whether any of it may have left this process,
// to be asked when no answer came. Without TLS net/http writes head and body in one go, if it
// knows the body to be in memory; then what is known is only whether there was a connection.
// Over TLS the body itself knows better.
type outgoing struct {
	tls       bool
	data      bytes.Reader
	payload   payload
	trace     httptrace.ClientTrace
	connected atomic.Bool
}

// begin takes the body and returns the context of its request.
func (o *outgoing) begin(ctx context.Context, encoded []byte) context.Context {
	o.data.Reset(encoded)
	if o.tls {
		o.payload.data = &o.data
		return ctx
	}
	o.trace.GotConn = func(httptrace.GotConnInfo) { o.connected.Store(true) }
	return httptrace.WithClientTrace(ctx, &o.trace)
}

func (o *outgoing) body() io.ReadCloser {
	if o.tls {
		return &o.payload
	}
	return io.NopCloser(&o.data)
}

// left reports whether any of the body may have left, and sees to it that nothing will where
// that is in our hands.
func (o *outgoing) left() bool {
	if o.tls {
		return !o.payload.neverRead()
	}
	return o.connected.Load()
}

// without sends a request that has no body: GET and DELETE.
func (a *attempt) without(ctx context.Context, method string) (*http.Response, *failure) {
	req, err := http.NewRequestWithContext(ctx, method, a.call.target.URL, nil)
	if err != nil {
		return nil, &failure{Error: Error{Kind: Unavailable, Reason: "configured URL is not usable"}}
	}
	req.Header = http.Header{
		"Accept":               {"text/event-stream"},
		"Accept-Encoding":      acceptPlain,
		"Authorization":        {"Bearer " + a.call.token},
		"User-Agent":           a.call.pool.userAgent,
		"Mcp-Protocol-Version": {a.session.version},
	}
	if id := a.session.id; id != "" {
		req.Header.Set("Mcp-Session-Id", id)
	}
	if id := a.call.target.RequestID; id != "" {
		req.Header.Set("X-Request-Id", id)
	}
	resp, err := a.call.pool.wire.RoundTrip(req)
	if err == nil {
		return resp, nil
	}
	return nil, unanswered(ctx, err, false)
}

// unanswered is the failure of a request to which no head of an answer came.
func unanswered(ctx context.Context, err error, sent bool) *failure {
	f := &failure{Error: Error{Kind: Unavailable, Reason: transportReason(err)}, retry: repeat, down: true}
	if ctx.Err() != nil {
		f = ended(ctx)
		f.down = f.Kind == TimedOut
	}
	f.MayHaveHappened = sent
	return f
}

// sendOneWay sends a message that has no answer: a notification, or a response.
func (a *attempt) sendOneWay(ctx context.Context, m *jsonrpc.Message) *failure {
	resp, f := a.post(ctx, m)
	if f != nil {
		return f
	}
	drain(resp.Body)
	if resp.StatusCode/100 != 2 {
		return a.refusal(resp, nil)
	}
	return nil
}

// transportReason classes an error of the transport. Its text is not used: it may
// quote what the other side sent, which may quote our token.
func transportReason(err error) string {
	var op *net.OpError
	if refused, ok := errors.AsType[*tunnel.Error](err); ok {
		return refused.Error() // the company's forward proxy: its text quotes nobody
	}
	switch {
	case isType[*net.DNSError](err):
		return "host name was not resolved"
	case isType[*tls.CertificateVerificationError](err):
		return "certificate was not accepted"
	case isType[tls.AlertError](err), isType[tls.RecordHeaderError](err):
		return "TLS failed"
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection was lost"
	}
	return "HTTP failed"
}

func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// payload is a request body that knows whether any of it was taken to be sent. A
// request of which no body byte left cannot have been acted on.
type payload struct {
	mu           sync.Mutex
	data         *bytes.Reader
	read, sealed bool
}

var errSealed = errors.New("request was given up")

// Read hands out the body, unless neverRead has been called.
func (b *payload) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sealed {
		return 0, errSealed
	}
	b.read = true
	return b.data.Read(p)
}

// Close does nothing: the transport may close a body before it is done with it.
func (b *payload) Close() error { return nil }

// neverRead reports whether nothing of the body was read, and sees to it that
// nothing will be: the transport may still be at it when its caller has an error.
func (b *payload) neverRead() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
	return !b.read
}
