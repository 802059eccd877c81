package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// request is a call as the load generator sends it.
func request(message string) []byte {
	return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: stub\r\nContent-Length: %d\r\n\r\n%s", len(message), message)
}

// The load generator reads every kind of answer of the stub, and counts it.
func TestLoadReadsEveryVariant(t *testing.T) {
	for _, v := range variants {
		stub := httptest.NewServer(newStub(v))
		defer stub.Close()
		for _, message := range []string{callMessage, listMessage} {
			c, err := dial(stub.Listener.Addr().String(), request(message))
			if err != nil {
				t.Fatal(err)
			}
			defer c.conn.Close()
			for range 3 { // on one connection
				if err := c.once(); err != nil {
					t.Fatalf("%s: %v", v.name, err)
				}
			}
			if message == callMessage && (len(c.body) < v.bytes || len(c.body) > v.bytes+300) {
				t.Errorf("%s: an answer has %d bytes", v.name, len(c.body))
			}
		}
		for _, rate := range []float64{0, 500} {
			c, err := dial(stub.Listener.Addr().String(), request(callMessage))
			if err != nil {
				t.Fatal(err)
			}
			defer c.conn.Close()
			got, err := drive([]*connection{c}, 100*time.Millisecond, rate)
			if err != nil || got.Requests == 0 || got.Lost != 0 || got.P99 < got.P50 || rate > 0 && got.Requests > 51 {
				t.Errorf("%s at %v a second: %+v, %v", v.name, rate, got, err)
			}
		}
	}
}

// An answer that breaks off is lost, not fast; a refusal ends the run, or is counted.
func TestLoadCountsWhatIsLost(t *testing.T) {
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "half")
	}))
	defer broken.Close()
	c, err := dial(broken.Listener.Addr().String(), request(callMessage))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.conn.Close() }()
	for range 3 {
		if err := c.count(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if c.lost != 3 || len(c.took) != 0 {
		t.Errorf("%d lost, %d timed", c.lost, len(c.took))
	}
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	if c, err = dial(refusing.Listener.Addr().String(), request(callMessage)); err != nil {
		t.Fatal(err)
	}
	if _, err := drive([]*connection{c}, time.Second, 0); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a refusal: %v", err)
	}
}

// Where wrong answers are tolerated they are counted, and neither timed nor taken for good
// ones. What repeats the question, or is an error within a good status, is wrong.
func TestLoadCountsWhatIsWrong(t *testing.T) {
	good, bad := newStub(variants[0]), []string{
		`{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"cannot do ` + "SELECT Id FROM Account" + `"}}`,
		`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"no Account 7"}],"isError":true}}`,
		``,
	}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked%4 == 0 {
			good.ServeHTTP(w, r)
			return
		}
		fmt.Fprint(w, bad[asked%4-1])
	}))
	defer server.Close()
	c, err := dial(server.Listener.Addr().String(), request(callMessage))
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	c.tolerant = true
	for range 8 {
		if err := c.count(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if c.wrong != 6 || len(c.took) != 2 || c.lost != 0 || !strings.Contains(c.example, "cannot do") {
		t.Errorf("%d wrong, %d timed, %d lost, for example %q", c.wrong, len(c.took), c.lost, c.example)
	}
	asked = 0
	c.tolerant = false
	if err := c.count(time.Now()); err == nil {
		t.Error("a wrong answer passed")
	}
}

func TestProcessFigures(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	used, err := cpu(os.Getpid())
	for end := time.Now().Add(time.Minute); err == nil && used == 0 && time.Now().Before(end); used, err = cpu(os.Getpid()) {
		_, _ = net.ParseMAC("") // something to do
	}
	if err != nil || used <= 0 || used > time.Hour {
		t.Errorf("cpu %v, %v", used, err)
	}
	size, err := resident(os.Getpid())
	if err != nil || size < 1<<20 || size > 1<<34 {
		t.Errorf("resident %d, %v", size, err)
	}
}
