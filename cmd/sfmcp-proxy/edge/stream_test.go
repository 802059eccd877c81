package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// served puts a handler behind the middleware and the server's real settings, over
// HTTP/1.1 or HTTP/2. The time of one write is the edge's.
func served(t *testing.T, e *Edge, h http.Handler, overHTTP2 bool) (url string, client *http.Client) {
	t.Helper()
	settings := e.Server(e.Middleware(h))
	s := httptest.NewUnstartedServer(nil)
	s.Config = settings
	s.EnableHTTP2 = overHTTP2
	if overHTTP2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL, s.Client()
}

var httpVersions = map[string]bool{"HTTP/1.1": false, "HTTP/2": true}

// pipes is a listener whose connections are in memory, so that a test can let the time of
// both sides pass at once (see synctest).
type pipes struct {
	net.Listener // nil
	dialed       chan net.Conn
	closed       chan struct{}
}

// onPipes serves a handler as the product's public listener would, until the test ends.
func onPipes(t *testing.T, e *Edge, s *http.Server, overHTTP2 bool) *pipes {
	t.Helper()
	l := &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
	bound := e.Bound(s, l)
	ended := make(chan error, 1)
	if overHTTP2 {
		dir := t.TempDir()
		certified(t, dir, 1, time.Now(), time.Now().Add(24*time.Hour))
		s.TLSConfig = &tls.Config{SessionTicketsDisabled: true} // nobody reads them while the client begins
		go func() { ended <- s.ServeTLS(bound, dir+"/cert.pem", dir+"/key.pem") }()
	} else {
		go func() { ended <- s.Serve(bound) }()
	}
	t.Cleanup(func() {
		s.Close()
		<-ended
	})
	return l
}

// Dial is the client's side.
func (l *pipes) Dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	l.dialed <- far
	return near, nil
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-l.dialed:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { close(l.closed); return nil }
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// FT-49: neither an event stream that is quiet for long nor a call that takes long is cut
// by the server's own times. The handler is quiet for more than any of them.
func TestFaultFT49LongAnswersAreNotCut(t *testing.T) {
	t.Parallel()
	for name, overHTTP2 := range httpVersions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEdge(t, nil)
				settings := e.Server(nil)
				quiet := time.Second + max(settings.ReadTimeout, settings.ReadHeaderTimeout, settings.IdleTimeout, e.WriteTime,
					settings.HTTP2.SendPingTimeout+settings.HTTP2.PingTimeout)
				settings.Handler = e.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					control := http.NewResponseController(w)
					for i := range 3 {
						fmt.Fprintf(w, "data: %d\n\n", i)
						if err := control.Flush(); err != nil {
							t.Errorf("event %d: %v", i, err)
						}
						control.SetWriteDeadline(time.Now().Add(e.WriteTime)) // as a handler might, and never lift it
						select {
						case <-r.Context().Done():
							t.Errorf("the request ended after event %d: %v", i, context.Cause(r.Context()))
							return
						case <-time.After(quiet):
						}
					}
				}))
				transport := &http.Transport{DialContext: onPipes(t, e, settings, overHTTP2).Dial, ForceAttemptHTTP2: overHTTP2,
					TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				defer transport.CloseIdleConnections()
				client, url := &http.Client{Transport: transport}, "http://x/"
				if overHTTP2 {
					url = "https://x/"
				}
				for range 2 { // the second on a connection that is used already
					resp, err := client.Post(url, "application/json", strings.NewReader(`{}`))
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if want := "data: 0\n\ndata: 1\n\ndata: 2\n\n"; string(body) != want || err != nil || (resp.ProtoMajor == 2) != overHTTP2 {
						t.Errorf("%s %q, %v", resp.Proto, body, err)
					}
				}
			})
		})
	}
}

// AV-01, FT-50: a client that does not read its answer is given up after the time of one
// write, whatever the answer is, and the handler learns of it.
func TestFaultFT50SlowReadersAreGivenUp(t *testing.T) {
	t.Parallel()
	for name, overHTTP2 := range httpVersions {
		for kind, write := range map[string]func(http.ResponseWriter) error{
			"one result": func(w http.ResponseWriter) error {
				_, err := w.Write(make([]byte, 32<<20))
				return err
			},
			"events": func(w http.ResponseWriter) error {
				for range 10_000 {
					if _, err := w.Write(make([]byte, 4000)); err != nil {
						return err
					}
					if err := http.NewResponseController(w).Flush(); err != nil {
						return err
					}
				}
				return nil
			},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				e := newEdge(t, func(c *Config) { c.WriteTime = defaultWriteTime / 100 })
				ended := make(chan error, 1)
				url, _ := served(t, e, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { ended <- write(w) }), overHTTP2)
				conn := slowReader(t, url, overHTTP2)
				begun := time.Now()
				select {
				case err := <-ended:
					if err == nil {
						t.Error("all of it was written, with nobody reading: the test tests nothing")
					}
					if took := time.Since(begun); took > defaultWriteTime {
						t.Errorf("given up after %s, for one write %s", took, e.WriteTime)
					}
				case <-time.After(plenty):
					t.Fatal("the handler still waits for a client that does not read")
				}
				conn.Close()
				eventually(t, plenty, "the request has ended", func() bool { return e.Requests() == 0 })
			})
		}
	}
}

// slowReader asks for the answer and reads nothing of it.
func slowReader(t *testing.T, url string, overHTTP2 bool) net.Conn {
	t.Helper()
	address := url[strings.Index(url, "//")+2:]
	if !overHTTP2 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).SetReadBuffer(4096)
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		return conn
	}
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	// A window as large as can be: it is the connection that stalls, not flow control.
	conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameSettings, 0, 0, []byte{0, 4, 0x7f, 0xff, 0xff, 0xff})...))
	conn.Write(frame(frameHeaders, flagEndHeaders|flagEndStream, 1, getRoot))
	return conn
}

// A deadline of one answer must not reach the next on the same connection, where the
// server itself answers what it cannot read.
func TestDeadlineEndsWithItsAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, nil)
		conn, err := onPipes(t, e, e.Server(e.Middleware(page)), false).Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		read := bufio.NewReader(conn)
		for i, request := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"} {
			time.Sleep(time.Duration(i) * 2 * e.WriteTime)
			fmt.Fprint(conn, request)
			resp, err := http.ReadResponse(read, nil)
			if err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
			io.Copy(io.Discard, resp.Body)
		}
	})
}

// stalled is a reader of the log that does not read until it is let.
type stalled struct {
	lockedBuffer
	let chan struct{}
}

func (s *stalled) Write(p []byte) (int, error) {
	<-s.let
	return s.lockedBuffer.Write(p)
}

// FT-48: nobody reads the log. Requests are answered as before, what does not fit is
// counted, and the log says so when it is read again.
func TestFaultFT48LogThatNobodyReads(t *testing.T) {
	t.Parallel()
	out := &stalled{let: make(chan struct{})}
	records := NewLogWriter(out)
	log := slog.New(slog.NewJSONHandler(records, nil))
	e := serving(t, "", func(c *Config) { c.Log = log })
	e.Metrics.CountDropped(records)
	long := strings.Repeat("x", 20_000)
	for records.Dropped() == 0 { // until the queue is full
		log.Info(long)
	}
	for range 50 {
		begun := time.Now()
		if !speakPlainlyOnce(e.address) || time.Since(begun) > plenty { // it would wait for ever
			t.Fatalf("a request waited %s for the log", time.Since(begun))
		}
	}
	waiting := func() int {
		records.mu.Lock()
		defer records.mu.Unlock()
		return len(records.waiting)
	}
	if n := waiting(); n > logSize {
		t.Errorf("%d bytes wait", n)
	}
	if m := e.Metrics.text(t); strings.Contains(m, "sfmcp_log_records_dropped_total{} 0\n") || !strings.Contains(m, "sfmcp_log_records_dropped_total") {
		t.Errorf("metrics do not show the loss:\n%s", m)
	}
	close(out.let)
	eventually(t, plenty, "the log tells of the loss", func() bool { return strings.Contains(out.String(), "records were dropped") })
	eventually(t, plenty, "there is room again", func() bool { return waiting() == 0 })
	log.Info("afterwards")
	records.Close(plenty)
	if !strings.Contains(out.String(), "afterwards") {
		t.Error("what was logged last is lost")
	}
}

// FT-48: a real pipe of a real process, which nobody reads.
func TestFaultFT48PipeThatNobodyReads(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	e := serving(t, "", func(c *Config) { c.Log = slog.New(slog.NewJSONHandler(NewLogWriter(write), nil)) })
	for range 1000 { // 1000 records of 300 bytes: the pipe holds 64 KiB
		if !speakPlainlyOnce(e.address) {
			t.Fatal("not answered")
		}
	}
}

// FT-12: a panic costs its own request: in a handler, in a stream that has begun, and in
// work beside requests. Nobody is told what it said.
func TestFaultFT12PanicsAreSurvived(t *testing.T) {
	t.Parallel()
	const secret = "sfa_canary"
	var log lockedBuffer
	records := NewLogWriter(&log)
	e := newEdge(t, func(c *Config) { c.Log = slog.New(slog.NewJSONHandler(records, nil)) })
	for name, overHTTP2 := range httpVersions {
		url, client := served(t, e, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stream" {
				fmt.Fprint(w, "data: 1\n\n")
				http.NewResponseController(w).Flush()
			}
			if r.URL.Path != "/fine" {
				panic(secret)
			}
		}), overHTTP2)
		resp, err := client.Get(url + "/page")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusInternalServerError || strings.Contains(string(body), secret) || strings.Contains(string(body), ".go:") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
		if resp, err = client.Get(url + "/stream"); err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		if err == nil {
			t.Errorf("%s: a stream that broke off looks whole", name)
		}
		if resp, err = client.Get(url + "/fine"); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: afterwards %v", name, err)
		}
	}
	if err := e.Survive(func() error { panic(secret) }); err == nil || err.Error() != "panic" {
		t.Errorf("a panic became %v", err)
	}
	if err := e.Survive(func() error { return errors.New("usual") }); err == nil || err.Error() != "usual" {
		t.Errorf("an error became %v", err)
	}
	records.Close(plenty)
	if text := log.String(); strings.Contains(text, secret) || strings.Count(text, `"msg":"panic"`) != 5 {
		t.Errorf("the log: %s", text)
	}
	if m := e.Metrics.text(t); !strings.Contains(m, "sfmcp_panics_total{} 5") {
		t.Errorf("metrics:\n%s", m)
	}
}
