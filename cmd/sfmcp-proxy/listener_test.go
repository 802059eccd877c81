package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// serving runs the product on a configuration until the test ends.
func serving(t *testing.T, text string) *process {
	t.Helper()
	p, _ := configured(t, text)
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- p.serve(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

// speakPlainly asks for a page without TLS; nil: it came.
func speakPlainly(address string) error {
	resp, err := http.Get("http://" + address + "/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// speakPlainlyOnce asks on a connection of its own that is closed afterwards.
func speakPlainlyOnce(address string) bool {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + "/")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// raw opens a connection, sends text, which may be more than the server takes, and reads
// until the server closes.
func raw(t *testing.T, address, text string) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, text)
	conn.SetReadDeadline(time.Now().Add(plenty))
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// AV-01: the real server settings close what is slow, and no later than they promise.
func TestAV01SlowHeadersAndBodiesAreClosed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 30 s")
	}
	p := serving(t, twoOrgs)
	settings := p.edge.Server(nil)
	if settings.ReadHeaderTimeout > 10*time.Second || settings.ReadTimeout > 30*time.Second {
		t.Errorf("headers may take %s, a body %s", settings.ReadHeaderTimeout, settings.ReadTimeout)
	}
	// The time runs from here, while tests that run alone go on, and not from this test's turn
	// among those that run beside each other.
	var wg sync.WaitGroup
	for name, c := range map[string]struct {
		begin, drip string
		time        time.Duration // after which it is closed
	}{
		"headers": {"POST /oauth/token HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n", settings.ReadHeaderTimeout},
		"nothing": {"", "", settings.ReadHeaderTimeout},
		"body":    {"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000\r\n\r\n", "a", settings.ReadTimeout},
	} {
		wg.Go(func() {
			conn, err := net.Dial("tcp", p.publicAddress)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			defer conn.Close()
			begun := time.Now()
			io.WriteString(conn, c.begin)
			go func() {
				for c.drip != "" {
					if _, err := io.WriteString(conn, c.drip); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			// What drips takes hours. A busy machine takes longer than the server's time, but
			// not so much that headers had the time of a body.
			conn.SetReadDeadline(begun.Add(plenty))
			answer, err := io.ReadAll(conn)
			if took := time.Since(begun); took > c.time+15*time.Second {
				t.Errorf("%s: closed after %s: %.80q %v", name, took, answer, err)
			}
			if speakPlainly(p.publicAddress) != nil {
				t.Errorf("%s: others are not answered", name)
			}
		})
	}
	t.Parallel()
	wg.Wait()
}

// AV-08: what is too large is refused, and costs one answer.
func TestAV08LargeHeaders(t *testing.T) {
	t.Parallel()
	p := serving(t, twoOrgs)
	for name, c := range map[string]struct{ request, want string }{
		"1 MB header":        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", " 431 "},
		"1 MB path":          {"GET /" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", " 431 "},
		"10 000 cookies":     {"GET /account HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: " + strings.Repeat("a=b; ", 10_000) + "\r\n\r\n", " 303 "},
		"100 000 parameters": {"GET /oauth/authorize?" + strings.Repeat("a&", 100_000) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", " 431 "},
		"30 000 parameters":  {"GET /oauth/authorize?" + strings.Repeat("a&", 30_000) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", " 400 "},
		"form of 2 MB":       {"POST /oauth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("a&", 1_000_000), " 4"},
		"message of 2 MB":    {"POST /mcp/sales HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("a", 2_000_000), " 4"},
		"chunk extensions":   {"POST /oauth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 1<<20) + "\r\na\r\n0\r\n\r\n", " 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, err := raw(t, p.publicAddress, c.request)
			if line, _, _ := strings.Cut(answer, "\r\n"); !strings.Contains(line, c.want) {
				t.Errorf("%q, %v", line, err)
			}
		})
	}
}

// FW-12, FW-40: what is no request of HTTP/1.1 or HTTP/2 over TLS is not one of ours:
// another protocol that is asked for, or begun, and methods that lead elsewhere.
func TestFW12OtherProtocolsAreNotSpoken(t *testing.T) {
	t.Parallel()
	p := serving(t, twoOrgs)
	for name, c := range map[string]struct{ request, want string }{
		"h2c by upgrade":   {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "HTTP/1.1 200 "},
		"websocket":        {"GET /mcp/sales HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", "HTTP/1.1 4"},
		"h2c begun":        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00", "HTTP/1.1 "},
		"TRACE":            {"TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Secret: canary\r\n\r\n", "HTTP/1.1 4"},
		"CONNECT":          {"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\nConnection: close\r\n\r\n", "HTTP/1.1 4"},
		"length and chunk": {"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 4"},
		"two lengths":      {"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", "HTTP/1.1 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, err := raw(t, p.publicAddress, c.request)
			if !strings.HasPrefix(answer, c.want) || strings.HasPrefix(answer, "HTTP/1.1 101") || strings.Contains(answer, "canary") {
				t.Errorf("%.200q, %v", answer, err)
			}
			if n := strings.Count(answer, "HTTP/1.1 "); n != 1 {
				t.Errorf("%d answers", n)
			}
		})
	}
}
