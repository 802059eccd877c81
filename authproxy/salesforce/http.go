package salesforce

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"sfmcp-proxy/authproxy/tunnel"
)

// ErrTooLarge says that an answer is longer than its reader allows.
var ErrTooLarge = errors.New("answer is too large")

// NewHTTPClient returns the client for every request to Salesforce, also those of the
// MCP leg. It connects through the forward proxy of via (nil: there is none). It follows
// no redirect (a token would follow it), takes no proxy from the environment, verifies TLS of at least 1.2 against roots (nil: the system's) and
// limits each step of a connection. It has no limit for a whole request, since answers
// may stream: callers bound a request by its context and a body by [ReadAll].
func NewHTTPClient(roots *x509.CertPool, via *tunnel.Dialer) *http.Client {
	dial := (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	if via != nil {
		dial = via.DialContext // below TLS: who is reached is verified as without it
	}
	return &http.Client{
		CheckRedirect: noRedirect,
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dial,
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  5 * time.Minute, // outermost; requests carry their own, shorter limit
			ExpectContinueTimeout:  time.Second,
			IdleConnTimeout:        90 * time.Second,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    64, // all users share a handful of hosts
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// ReadAll reads an answer of at most limit bytes; a longer one is [ErrTooLarge], not
// cut short, because half a document can parse as another one.
func ReadAll(body io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, ErrTooLarge
	}
	return b, nil
}
