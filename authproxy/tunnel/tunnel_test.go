package tunnel

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/tunnel/tunneltest"
)

// failed returns the error that a connection through the proxy must end with.
func failed(t *testing.T, d *Dialer) *Error {
	t.Helper()
	conn, err := d.DialContext(t.Context(), "tcp", "login.example:443")
	if err == nil {
		conn.Close()
		t.Fatal("it connected")
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%T %v is not about the forward proxy", err, err)
	}
	for _, secret := range []string{"hunter2", "cGVyc29uOmh1bnRlcjI=", "echoed"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q is in %q", secret, err)
		}
	}
	return e
}

// Whatever the forward proxy does in place of connecting is told as its doing, in words
// that lead to the setting, without credentials and without what it wrote.
func TestU19ForwardProxyFails(t *testing.T) {
	t.Parallel()
	const echo = "echoed hunter2 cGVyc29uOmh1bnRlcjI="
	for name, tt := range map[string]struct {
		proxy  tunneltest.Config
		user   string
		status int
		reason string
	}{
		"asks for credentials":    {proxy: tunneltest.Config{User: "person", Password: "hunter2"}, status: 407, reason: "asks for a user and password"},
		"refuses the credentials": {proxy: tunneltest.Config{User: "person", Password: "other"}, user: "person", status: 407, reason: "refused the user or password"},
		"forbids":                 {proxy: tunneltest.Config{Answer: "HTTP/1.1 403 " + echo + "\r\nX: " + echo + "\r\n\r\n" + echo}, status: 403, reason: "refused to connect"},
		"cannot connect":          {proxy: tunneltest.Config{Answer: "HTTP/1.1 502 Bad Gateway\r\n\r\n"}, status: 502, reason: "could not connect"},
		"redirects":               {proxy: tunneltest.Config{Answer: "HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n"}, status: 302, reason: "did not connect"},
		"closes":                  {proxy: tunneltest.Config{Close: true}, reason: "closed the connection"},
		"breaks off":              {proxy: tunneltest.Config{Answer: "HTTP/1.1 200 OK\r\nX: "}, reason: "closed the connection"},
		"answers garbage":         {proxy: tunneltest.Config{Answer: "SSH-2.0-" + echo + "\r\n\r\n"}, reason: "does not answer as a proxy"},
		"answers with TLS":        {proxy: tunneltest.Config{Answer: "\x15\x03\x01\x00\x02\x02\x46\r\n\r\n"}, reason: "does not answer as a proxy"},
		"answers without end":     {proxy: tunneltest.Config{Answer: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", headLimit)}, reason: "does not answer as a proxy"},
		"speaks first":            {proxy: tunneltest.Config{Answer: "HTTP/1.1 200 OK\r\n\r\n" + echo}, reason: "more than an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Config{Address: tunneltest.Start(t, tt.proxy).Address, User: tt.user}
			if tt.user != "" {
				c.Password = "hunter2"
			}
			if e := failed(t, New(c)); e.Status != tt.status || !strings.Contains(e.Error(), tt.reason) {
				t.Errorf("%d %q, want %d %q", e.Status, e, tt.status, tt.reason)
			}
		})
	}
}

// Nobody there, and an answer that does not come: the caller's time is kept.
func TestU19ForwardProxyIsAbsent(t *testing.T) {
	t.Parallel()
	// Nobody is given this port; one that was free a moment ago may be another test's by now.
	if e := failed(t, New(Config{Address: "127.0.0.1:1"})); !strings.Contains(e.Error(), "cannot be reached") {
		t.Error(e)
	}
	d := New(Config{Address: tunneltest.Start(t, tunneltest.Config{Hang: true}).Address})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := d.DialContext(ctx, "tcp", "login.example:443")
	if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(e.Error(), "in time") {
		t.Errorf("%v", err)
	}
}

// Through the proxy, with credentials, TLS is with the host that was named; exceptions, and
// nothing else, go past it, and the environment decides nothing.
func TestU19Connects(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("ALL_PROXY", "http://127.0.0.1:1")
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the proxy's credentials reach the target")
		}
		io.WriteString(w, "hello")
	}))
	target.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer target.Close()
	at := target.Listener.Addr().String()
	proxy := tunneltest.Start(t, tunneltest.Config{User: "person", Password: "hunter2", Resolve: func(string) string { return at }})
	d := New(Config{Address: proxy.Address, User: "person", Password: "hunter2", Except: []string{"127.0.0.1", ".inside.example"}})
	transport := target.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = d.DialContext
	client := &http.Client{Transport: transport}
	for _, url := range []string{"https://example.com/", target.URL} { // the certificate is good for both
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "hello" {
			t.Errorf("%q, %v", body, err)
		}
		res.Body.Close()
	}
	if asked := proxy.Asked(); len(asked) != 1 || asked[0] != "example.com:443" {
		t.Errorf("the proxy was asked for %q", asked)
	}
	if _, err := client.Get("https://other.example/"); err == nil {
		t.Error("another host than the certificate's was believed")
	}
	for host, want := range map[string]bool{"127.0.0.1": true, "a.inside.example": true, "A.Inside.Example": true, "inside.example": false,
		"xinside.example": false, "127.0.0.10": false, "inside.example.com": false, "": false} {
		if d.Excepts(host) != want {
			t.Errorf("%s: excepted %t", host, !want)
		}
	}
}
