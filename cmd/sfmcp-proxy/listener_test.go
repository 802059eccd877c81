package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
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
	"testing"
	"time"
)

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

// serving runs the product on a configuration until the test ends.
func serving(t *testing.T, text string, change func(*app)) *app {
	t.Helper()
	a, _ := configured(t, text)
	if change != nil {
		change(a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- a.serve(ctx, func() { close(ready) }) }()
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
	return a
}

// overTLS is twoOrgs with a certificate.
func overTLS(t *testing.T, until time.Time) (text, dir string) {
	dir = t.TempDir()
	certified(t, dir, 1, time.Now().Add(-time.Hour), until)
	return twoOrgs + "tls: {cert_file: " + dir + "/cert.pem, key_file: " + dir + "/key.pem}\n", dir
}

func (m *metrics) text(t *testing.T) string {
	t.Helper()
	families, err := m.registry.Gather()
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

// SC-05: what is negotiated on the wire, whatever the client asks for.
func TestSC05TLSVersionsAndSuitesOnTheWire(t *testing.T) {
	t.Parallel()
	text, _ := overTLS(t, time.Now().Add(90*24*time.Hour))
	a := serving(t, text, nil)
	shake := func(c *tls.Config) (tls.ConnectionState, error) {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", a.publicAddress, c)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		return conn.ConnectionState(), nil
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if s, err := shake(&tls.Config{MinVersion: version, MaxVersion: version}); err == nil {
			t.Errorf("%s was negotiated: %s", tls.VersionName(version), tls.CipherSuiteName(s.CipherSuite))
		}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if s, err := shake(&tls.Config{MinVersion: version, MaxVersion: version}); err != nil || s.Version != version {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	for _, suite := range append(tls.InsecureCipherSuites(), tls.CipherSuites()...) {
		weak := suite.Insecure || strings.HasPrefix(suite.Name, "TLS_RSA_")
		s, err := shake(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		if weak && err == nil {
			t.Errorf("%s was negotiated: %s", suite.Name, tls.CipherSuiteName(s.CipherSuite))
		}
	}
	for offer, want := range map[string]string{"h2": "h2", "http/1.1": "http/1.1"} {
		if s, err := shake(&tls.Config{NextProtos: []string{offer}}); err != nil || s.NegotiatedProtocol != want {
			t.Errorf("ALPN %s: %s, %v", offer, s.NegotiatedProtocol, err)
		}
	}
	if err := speakPlainly(a.publicAddress); err == nil {
		t.Error("the listener answers 200 without TLS")
	}
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

// FT-57: a new certificate is taken without dropping a connection, a bad one is not, and
// the end of one is announced.
func TestFT57CertificateIsReloaded(t *testing.T) {
	t.Parallel()
	text, dir := overTLS(t, time.Now().Add(90*24*time.Hour))
	var log lockedBuffer
	a := serving(t, text, func(a *app) { a.log = slog.New(slog.NewJSONHandler(&log, nil)) })
	serial := func() int64 {
		conn, err := tls.Dial("tcp", a.publicAddress, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	kept, err := tls.Dial("tcp", a.publicAddress, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if n := serial(); n != 1 {
		t.Fatalf("serial %d", n)
	}
	now, month := time.Now(), 30*24*time.Hour
	for _, step := range []struct {
		name   string
		change func()
		want   int64
		log    string
	}{
		{"a new pair", func() { certified(t, dir, 2, now.Add(-time.Hour), now.Add(3*month)) }, 2, "certificate reloaded"},
		{"the key of another", func() {
			key, err := os.ReadFile(filepath.Join(dir, "key.pem"))
			certified(t, dir, 3, now.Add(-time.Hour), now.Add(3*month))
			if err != nil || os.WriteFile(filepath.Join(dir, "key.pem"), key, 0o600) != nil {
				t.Fatal(err)
			}
		}, 2, "private key does not match"},
		{"an expired one", func() { certified(t, dir, 4, now.Add(-month), now.Add(-time.Hour)) }, 2, "it has expired"},
		{"one of tomorrow", func() { certified(t, dir, 5, now.Add(time.Hour), now.Add(month)) }, 2, "it is not valid before"},
		{"half a file", func() { os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("-----BEGIN CERT"), 0o600) }, 2, "failed to find any PEM data"},
		{"no file", func() { os.Remove(filepath.Join(dir, "cert.pem")) }, 2, "no such file"},
		{"one that ends in two weeks", func() { certified(t, dir, 6, now.Add(-time.Hour), now.Add(14*24*time.Hour)) }, 6, "ends soon"},
	} {
		step.change()
		a.certificate.reload()
		if n := serial(); n != step.want {
			t.Errorf("%s: serial %d, want %d", step.name, n, step.want)
		}
		if !strings.Contains(log.String(), step.log) {
			t.Errorf("%s: the log does not say %q:\n%s", step.name, step.log, log.String())
		}
	}
	m := a.metrics.text(t)
	for _, want := range []string{"sfmcp_reloads_total{outcome=ok,what=certificate} 2", "sfmcp_reloads_total{outcome=failed,what=certificate} 5", "sfmcp_certificate_expiry_timestamp_seconds"} {
		if !strings.Contains(m, want) {
			t.Errorf("metrics lack %q:\n%s", want, m)
		}
	}
	fmt.Fprintf(kept, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(kept), nil); err != nil {
		t.Errorf("a connection from before: %v", err)
	}
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
	t.Parallel()
	a := serving(t, twoOrgs, nil)
	settings := a.server(nil)
	if settings.ReadHeaderTimeout > 10*time.Second || settings.ReadTimeout > 30*time.Second {
		t.Errorf("headers may take %s, a body %s", settings.ReadHeaderTimeout, settings.ReadTimeout)
	}
	for name, c := range map[string]struct {
		begin, drip string
		time        time.Duration // after which it is closed
	}{
		"headers": {"POST /oauth/token HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n", settings.ReadHeaderTimeout},
		"nothing": {"", "", settings.ReadHeaderTimeout},
		"body":    {"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000\r\n\r\n", "a", settings.ReadTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", a.publicAddress)
			if err != nil {
				t.Fatal(err)
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
				t.Errorf("closed after %s: %.80q %v", took, answer, err)
			}
			if speakPlainly(a.publicAddress) != nil {
				t.Error("others are not answered")
			}
		})
	}
}

// AV-08: what is too large is refused, and costs one answer.
func TestAV08LargeHeaders(t *testing.T) {
	t.Parallel()
	a := serving(t, twoOrgs, nil)
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
			answer, err := raw(t, a.publicAddress, c.request)
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
	a := serving(t, twoOrgs, nil)
	for name, c := range map[string]struct{ request, want string }{
		"h2c by upgrade":   {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "HTTP/1.1 200 "},
		"websocket":        {"GET /mcp/sales HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", "HTTP/1.1 4"},
		"h2c begun":        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + string(frame(frameSettings, 0, 0, nil)), "HTTP/1.1 "},
		"TRACE":            {"TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Secret: canary\r\n\r\n", "HTTP/1.1 4"},
		"CONNECT":          {"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\nConnection: close\r\n\r\n", "HTTP/1.1 4"},
		"length and chunk": {"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 4"},
		"two lengths":      {"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", "HTTP/1.1 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, err := raw(t, a.publicAddress, c.request)
			if !strings.HasPrefix(answer, c.want) || strings.HasPrefix(answer, "HTTP/1.1 101") || strings.Contains(answer, "canary") {
				t.Errorf("%.200q, %v", answer, err)
			}
			if n := strings.Count(answer, "HTTP/1.1 "); n != 1 {
				t.Errorf("%d answers", n)
			}
		})
	}
}
