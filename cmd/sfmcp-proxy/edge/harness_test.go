package edge

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// newEdge is an edge of the default bounds that logs to the test.
func newEdge(t testing.TB, change func(*Config)) *Edge {
	t.Helper()
	c := Config{RequestBytes: 1 << 20, Connections: 10_000, Log: slog.New(slog.NewTextHandler(outputOf(t), nil))}
	if change != nil {
		change(&c)
	}
	return New(c)
}

// page reads what it is sent and answers 200.
var page = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	io.WriteString(w, "a page")
})

// server is an edge that answers.
type server struct {
	*Edge
	address     string
	certificate *Certificate
}

// serving answers page through an edge until the test ends, with the certificate of the
// folder dir, if that is given.
func serving(t *testing.T, dir string, change func(*Config)) *server {
	t.Helper()
	e := newEdge(t, change)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Edge: e, address: l.Addr().String()}
	if dir != "" {
		if s.certificate, err = e.Certificate(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")); err != nil {
			t.Fatal(err)
		}
	}
	settings := e.Server(e.Middleware(page))
	bound, ended := e.Bound(settings, l), make(chan error, 1)
	go func() { ended <- Serve(settings, bound, s.certificate) }()
	t.Cleanup(func() {
		settings.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// plenty is how long a test waits for what has no bound of its own. It only decides how
// long a broken program takes to fail, so it leaves room for a machine that is slow and
// busy.
const plenty = 2 * time.Minute

// eventually waits for what another goroutine does within a bound.
func eventually(t *testing.T, within time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// certified writes a certificate for 127.0.0.1 and its key.
func certified(t *testing.T, dir string, serial int64, from, until time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: from, NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, &x509.Certificate{SerialNumber: big.NewInt(serial)}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", der)
	writePEM(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", secret)
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certifiedUntil is a folder with a certificate.
func certifiedUntil(t *testing.T, until time.Time) (dir string) {
	dir = t.TempDir()
	certified(t, dir, 1, time.Now().Add(-time.Hour), until)
	return dir
}

// text is what the metrics say, one a line.
func (m *Metrics) text(t *testing.T) string {
	t.Helper()
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			var labels []string
			for _, l := range metric.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			fmt.Fprintf(&b, "%s{%s} %v\n", f.GetName(), strings.Join(labels, ","), metric.GetCounter().GetValue()+metric.GetGauge().GetValue())
		}
	}
	return b.String()
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

// output is that of a test while it runs. What a handler still writes once its test has ended, because its
// connection was cut, goes nowhere.
type output struct {
	mu    sync.Mutex
	to    io.Writer
	ended bool
}

// outputOf is to be asked for before a server is started: it ends behind what is cleaned up before it.
func outputOf(t testing.TB) io.Writer {
	o := &output{to: t.Output()}
	t.Cleanup(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.ended = true
	})
	return o
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return len(text), nil
	}
	return o.to.Write(text)
}
