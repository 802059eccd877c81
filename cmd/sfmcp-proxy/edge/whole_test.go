package edge

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countedWrites is a listener whose connections count what is written to them.
type countedWrites struct {
	net.Listener
	writes atomic.Int64
}

func (l *countedWrites) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countedConn{conn, &l.writes}, err
}

type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// An answer leaves with one write where it fits, with and without TLS, and is whole however long it is.
func TestAnswersLeaveInOnePiece(t *testing.T) {
	t.Parallel()
	for _, over := range []string{"TCP", "TLS"} {
		e := newEdge(t, nil)
		body := make(chan []byte, 1)
		settings := e.Server(e.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write(<-body)
		})))
		plain, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l := &countedWrites{Listener: plain}
		var certificate *Certificate
		if over == "TLS" {
			dir := certifiedUntil(t, time.Now().Add(time.Hour))
			if certificate, err = e.Certificate(dir+"/cert.pem", dir+"/key.pem"); err != nil {
				t.Fatal(err)
			}
		}
		go Serve(settings, e.Bound(settings, l), certificate)
		t.Cleanup(func() { settings.Close() })
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // of HTTP/1.1
		t.Cleanup(client.CloseIdleConnections)
		url := map[string]string{"TCP": "http://", "TLS": "https://"}[over] + plain.Addr().String()
		for _, size := range []int{1, 100, wholeFrom, 16 << 10, 1, wholeMost - 1<<10, wholeMost, wholeMost + 1, 1 << 20, 16 << 10} {
			want := bytes.Repeat([]byte{byte(size), 'a', 'b'}, size/3+1)[:size]
			before := l.writes.Load()
			body <- want
			resp, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s: %d bytes of %d, %v", over, len(got), size, err)
			}
			// The first answer over TLS has a handshake before it. What is chunked has its end in a write of its own.
			if n := l.writes.Load() - before; size == 16<<10 && n > 2 {
				t.Errorf("%s: %d bytes left in %d writes", over, size, n)
			}
		}
	}
}

// Of a client that does not take the held answer in its time nothing is expected any more: what came
// next would stand behind half an answer.
func TestConnectionEndsWithAnAnswerThatIsNotTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, nil)
		failed := make(chan error, 2)
		settings := e.Server(e.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := w.Write(make([]byte, 16<<10))
			failed <- err
		})))
		conn, err := onPipes(t, e, settings, false).Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		begun := time.Now()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 5000)); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; err == nil || time.Since(begun) != e.WriteTime {
			t.Errorf("the handler is told %v after %s", err, time.Since(begun))
		}
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
			t.Errorf("%d bytes follow, %v", len(rest), err)
		}
	})
}
