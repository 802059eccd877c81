package edge

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// SC-05: what is negotiated on the wire, whatever the client asks for.
func TestSC05TLSVersionsAndSuitesOnTheWire(t *testing.T) {
	t.Parallel()
	e := serving(t, certifiedUntil(t, time.Now().Add(90*24*time.Hour)), nil)
	shake := func(c *tls.Config) (tls.ConnectionState, error) {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", e.address, c)
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
	if err := speakPlainly(e.address); err == nil {
		t.Error("the listener answers 200 without TLS")
	}
}

// FT-57: a new certificate is taken without dropping a connection, a bad one is not, and
// the end of one is announced.
func TestFaultFT57CertificateIsReloaded(t *testing.T) {
	t.Parallel()
	dir := certifiedUntil(t, time.Now().Add(90*24*time.Hour))
	var log lockedBuffer
	e := serving(t, dir, func(c *Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	serial := func() int64 {
		conn, err := tls.Dial("tcp", e.address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	kept, err := tls.Dial("tcp", e.address, &tls.Config{InsecureSkipVerify: true})
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
		e.certificate.Reload()
		if n := serial(); n != step.want {
			t.Errorf("%s: serial %d, want %d", step.name, n, step.want)
		}
		if !strings.Contains(log.String(), step.log) {
			t.Errorf("%s: the log does not say %q:\n%s", step.name, step.log, log.String())
		}
	}
	m := e.Metrics.text(t)
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
