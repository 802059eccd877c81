// Package tunneltest is a forward proxy for tests: it connects as it should (RFC 9110
// 9.3.6), or fails in one of the ways that forward proxies do.
package tunneltest

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Config says how it behaves; the zero value connects whoever asks to whatever they name.
type Config struct {
	// User and Password must be given, if User is not empty; else the answer is 407.
	User, Password string
	// Answer is written in place of connecting, if it is not empty, and the connection closed.
	Answer string
	// Hang lets those who ask wait for ever; Close hangs up on them.
	Hang, Close bool
	// Resolve gives the address that is dialed for what was asked for; nil: that itself.
	Resolve func(address string) string
}

// Proxy is one that runs.
type Proxy struct {
	// Address is its host:port.
	Address string

	config Config
	mu     sync.Mutex
	asked  []string
}

// Start runs it until the test ends.
func Start(t testing.TB, c Config) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: l.Addr().String(), config: c}
	var open sync.Map
	t.Cleanup(func() {
		l.Close()
		open.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(conn, nil)
			go func() {
				defer open.Delete(conn)
				defer conn.Close()
				p.serve(conn)
			}()
		}
	}()
	return p
}

// Asked are the addresses that were asked for, in order, also those that were refused.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

func (p *Proxy) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	req, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, req.Host)
	p.mu.Unlock()
	c := p.config
	wanted := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.User+":"+c.Password))
	switch {
	case c.Close:
		return
	case c.Hang:
		io.Copy(io.Discard, r) // until the other side gives up
		return
	case c.Answer != "":
		io.WriteString(conn, c.Answer)
		return
	case req.Method != http.MethodConnect:
		io.WriteString(conn, "HTTP/1.1 405 Method Not Allowed\r\n\r\n")
		return
	case c.User != "" && req.Header.Get("Proxy-Authorization") != wanted:
		io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n")
		return
	}
	address := req.Host
	if c.Resolve != nil {
		address = c.Resolve(address)
	}
	target, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	defer target.Close()
	io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		io.Copy(target, r)
		target.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(conn, target)
}
