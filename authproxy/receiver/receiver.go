// Package receiver posts to HTTP receivers that the operator names: webhooks, chats, log
// collectors.
//
// What a receiver can do to us is bounded here, once: redirects are not followed, addresses
// in special-use networks are connected to only where the configuration allows them
// ([tunnel.Guard]), answers are read up to [AnswerLimit], and no error has the address, which
// may be a secret, or a word of the answer.
package receiver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"sfmcp-proxy/authproxy/tunnel"
)

// AnswerLimit is how much of an answer is read, in bytes.
const AnswerLimit = 64 << 10

// dialTime bounds a connection and its handshake.
const dialTime = 10 * time.Second

// Config says how receivers are reached.
type Config struct {
	// Allow are special-use networks that may be connected to; AnyPort lets other ports than
	// 443 of public addresses be connected to.
	Allow   []netip.Prefix
	AnyPort bool
	Roots   *x509.CertPool // nil: the system's
	Via     *tunnel.Dialer // nil: no forward proxy
	// HeadTime bounds the wait for the beginning of an answer.
	HeadTime time.Duration
	Now      func() time.Time
}

// Client sends requests to receivers. It is safe for concurrent use.
type Client struct {
	http *http.Client
	now  func() time.Time
}

// New makes no connection yet.
func New(c Config) *Client {
	guard := tunnel.NewGuard(tunnel.GuardConfig{Allow: c.Allow, AnyPort: c.AnyPort, Via: c.Via, Timeout: dialTime})
	return &Client{now: c.Now, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            guard.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
			TLSHandshakeTimeout:    dialTime,
			ResponseHeaderTimeout:  c.HeadTime,
			MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        time.Minute,
		},
	}}
}

// HTTP is the client for whoever reads answers by rules of their own.
func (c *Client) HTTP() *http.Client { return c.http }

// ErrRefused: the receiver will not take this, however often it is sent.
var ErrRefused = errors.New("refused for good")

// Refused is an [ErrRefused] with the status that says so.
type Refused struct{ Status int }

// Error has the status.
func (r *Refused) Error() string {
	return fmt.Sprintf("%v: answered with status %d", ErrRefused, r.Status)
}

// Unwrap returns [ErrRefused].
func (r *Refused) Unwrap() error { return ErrRefused }

// RetryAfter is an error with the time after which the receiver wants to be asked again.
type RetryAfter struct {
	After time.Duration
	Err   error
}

// Error is that of Err.
func (r *RetryAfter) Error() string {
	return fmt.Sprintf("%v, to be tried again after %v", r.Err, r.After)
}

// Unwrap returns Err.
func (r *RetryAfter) Unwrap() error { return r.Err }

// Do sends a request and returns the answer to one that succeeded. 2xx is success; 408, 425,
// 429 and 5xx may pass, with a [RetryAfter] where the receiver says when; every other status
// is a [Refused], a redirect as well. An answer that is cut off is an error, whatever its
// status: nobody knows what its end would have said.
func (c *Client) Do(r *http.Request) (answer []byte, err error) {
	r.Header.Set("User-Agent", "sfmcp-proxy")
	res, err := c.http.Do(r)
	if err != nil {
		return nil, withoutAddress(err)
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, AnswerLimit))
	switch {
	case res.StatusCode/100 == 2 && err != nil:
		return nil, fmt.Errorf("the answer was cut off: %w", withoutAddress(err))
	case res.StatusCode/100 == 2:
		return answer, nil
	case res.StatusCode == http.StatusRequestTimeout, res.StatusCode == http.StatusTooEarly, res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= 500:
		err := fmt.Errorf("answered with status %d", res.StatusCode)
		if after, ok := retryAfter(res.Header.Get("Retry-After"), c.now()); ok {
			return nil, &RetryAfter{after, err}
		}
		return nil, err
	}
	return nil, &Refused{res.StatusCode}
}

// withoutAddress takes the address out of an error of net/http.
func withoutAddress(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, tunnel.ErrBlocked) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// retryAfter reads Retry-After (RFC 9110 10.2.3).
func retryAfter(header string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return at.Sub(now), true
	}
	return 0, false
}
