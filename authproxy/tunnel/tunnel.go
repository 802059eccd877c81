// Package tunnel connects to other hosts through a company's forward proxy, by CONNECT
// (RFC 9110 9.3.6), for what has no other way out.
//
// It takes the place of a dialer, below TLS: the forward proxy sees the name of a host and
// ciphertext. A [Guard] connects to the public internet alone, with or without a forward
// proxy, where the address is somebody else's choice. An [Error] is about the forward proxy and nothing behind it, so that
// whoever looks for what is wrong looks at the right end. Nothing is taken from the
// environment, and no credentials are in an error.
package tunnel

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	dialTime    = 10 * time.Second
	connectTime = 20 * time.Second // for the answer to CONNECT: the other end dials meanwhile
	headLimit   = 16 << 10         // of that answer
)

// Config says where the forward proxy is, and what goes past it.
type Config struct {
	// Address is its host:port.
	Address string
	// User and Password are for Basic authentication (RFC 7617); both or none.
	User, Password string
	// Except are hosts that are connected to directly: a name or address as URLs have it,
	// or .example.com for every name below example.com.
	Except []string
}

// Dialer makes connections. It is safe for concurrent use.
type Dialer struct {
	config Config
	direct *net.Dialer
}

// New makes no connection yet.
func New(c Config) *Dialer {
	return &Dialer{config: c, direct: &net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second}}
}

// Error is what the forward proxy did instead of connecting. It says nothing about the
// host that was asked for.
type Error struct {
	// Status is what it answered, 0 if nothing that could be read.
	Status int
	// Reason says what is wrong, in words for an operator.
	Reason string
	cause  error
}

// Error says what is wrong, without credentials, and without text of the forward proxy's.
func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("%s, HTTP %d", e.Reason, e.Status)
	}
	return e.Reason
}

// Unwrap gives the network or context error behind, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// Excepts reports whether a host is connected to directly.
func (d *Dialer) Excepts(host string) bool {
	host = strings.ToLower(host)
	for _, except := range d.config.Except {
		if host == except || strings.HasPrefix(except, ".") && strings.HasSuffix(host, except) {
			return true
		}
	}
	return false
}

// DialContext connects to host:port, through the forward proxy unless the host is an
// exception. It has the signature that [http.Transport] wants.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	if d.Excepts(host) {
		return d.direct.DialContext(ctx, network, address)
	}
	return d.Connect(ctx, address)
}

// Connect connects to host:port through the forward proxy, which resolves the name. Errors
// are [*Error].
func (d *Dialer) Connect(ctx context.Context, address string) (net.Conn, error) {
	conn, err := d.direct.DialContext(ctx, "tcp", d.config.Address)
	if err != nil {
		return nil, &Error{Reason: "the outbound proxy cannot be reached", cause: err}
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	// Whoever gives up unblocks what reads or writes; a deadline alone would not hear of it.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	err = d.handshake(conn, address)
	if !stop() && err == nil {
		err = &Error{Reason: "the outbound proxy did not answer in time", cause: context.Cause(ctx)}
	}
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = &Error{Reason: "the outbound proxy did not answer in time", cause: context.Cause(ctx)}
		}
		return nil, err
	}
	return conn, nil
}

// handshake asks for the tunnel and reads the answer's head. After that every byte belongs
// to the tunnel, and the first of them is ours: a TLS client speaks first.
func (d *Dialer) handshake(conn net.Conn, address string) error {
	head := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: sfmcp-proxy\r\n"
	if c := d.config; c.User != "" {
		head += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(c.User+":"+c.Password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		return &Error{Reason: "the outbound proxy closed the connection", cause: err}
	}
	r := bufio.NewReader(io.LimitReader(conn, headLimit))
	res, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Reason: "the outbound proxy closed the connection without an answer", cause: err}
	case err != nil:
		// The error quotes what came: it stays out of the text, and of what is unwrapped.
		return &Error{Reason: "what is at the outbound proxy's address does not answer as a proxy"}
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusProxyAuthRequired && d.config.User == "":
		return &Error{Status: res.StatusCode, Reason: "the outbound proxy asks for a user and password"}
	case res.StatusCode == http.StatusProxyAuthRequired:
		return &Error{Status: res.StatusCode, Reason: "the outbound proxy refused the user or password"}
	case res.StatusCode == http.StatusForbidden:
		return &Error{Status: res.StatusCode, Reason: "the outbound proxy refused to connect to this host"}
	case res.StatusCode/100 == 5:
		return &Error{Status: res.StatusCode, Reason: "the outbound proxy could not connect to this host"}
	case res.StatusCode/100 != 2:
		return &Error{Status: res.StatusCode, Reason: "the outbound proxy did not connect"}
	case r.Buffered() > 0:
		return &Error{Reason: "the outbound proxy sent more than an answer"}
	}
	return nil
}
