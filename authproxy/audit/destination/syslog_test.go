package destination

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// identity is a certificate for this machine, which signs itself.
type identity struct {
	pair          tls.Certificate
	roots         *x509.CertPool
	certFile, key string
}

func newIdentity(t *testing.T) *identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	id := &identity{roots: x509.NewCertPool(), certFile: filepath.Join(t.TempDir(), "cert.pem"), key: filepath.Join(t.TempDir(), "key.pem")}
	for path, block := range map[string]*pem.Block{id.certFile: {Type: "CERTIFICATE", Bytes: der}, id.key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if id.pair, err = tls.LoadX509KeyPair(id.certFile, id.key); err != nil {
		t.Fatal(err)
	}
	id.roots.AddCert(id.pair.Leaf)
	return id
}

// collect reads messages of RFC 5425 until the sender ends its side.
func collect(from io.Reader) (all []string, err error) {
	r := bufio.NewReader(from)
	for {
		length, err := r.ReadString(' ')
		if err == io.EOF && length == "" {
			return all, nil
		}
		n, wrong := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err = errors.Join(err, wrong); err != nil {
			return all, err
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(r, message); err != nil {
			return all, err
		}
		all = append(all, string(message))
	}
}

// received is what a syslog receiver got of one connection.
type received struct {
	messages []string
	err      error
}

// listenSyslog is a receiver on this machine; behave gets each connection.
func listenSyslog(t *testing.T, settings *tls.Config, behave func(*tls.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() }) // and not when nobody knows of it any more
			go func() { behave(tls.Server(conn, settings)) }()
		}
	}()
	return l.Addr().String()
}

// RFC 5424 and 5425: each message has its length before it, and says what happened; what a header may not
// have is left out of it.
func TestSyslogMessages(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	got := make(chan received, 1)
	address := listenSyslog(t, &tls.Config{Certificates: []tls.Certificate{id.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: id.roots}, func(c *tls.Conn) {
		defer c.Close()
		messages, err := collect(c)
		got <- received{messages, err}
	})
	d := NewSyslog(SyslogConfig{Address: address, Hostname: "proxy.example", CertFile: id.certFile, KeyFile: id.key, Allow: loopback, Roots: id.roots})
	b := batch(1, 2)
	b.Records[1].Event, b.Records[1].Severity = "evil \n<1>"+strings.Repeat("x", 50), Critical
	if err := d.Send(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	r := <-got
	want := []string{
		"<109>1 2026-03-01T12:00:00.123Z proxy.example sfmcp-proxy - tool.call - \xEF\xBB\xBF" + b.texts()[0],
		"<106>1 2026-03-01T12:00:00.123Z proxy.example sfmcp-proxy - evil<1>" + strings.Repeat("x", 25) + " - \xEF\xBB\xBF" + b.texts()[1],
	}
	if r.err != nil || !slices.Equal(r.messages, want) {
		t.Errorf("%q, %v\nwant %q", r.messages, r.err, want)
	}
	nobody := NewSyslog(SyslogConfig{Address: address, Allow: loopback, Roots: id.roots})
	if err := nobody.Send(t.Context(), b); err == nil {
		t.Error("a receiver that wants a certificate has taken a batch without one")
	}
}

// AU-12: what a receiver has not read to the end, it has not taken, whatever was written.
func TestAU12SyslogReceiversMisbehave(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	settings := &tls.Config{Certificates: []tls.Certificate{id.pair}}
	large := batch(1)
	large.Records[0].Text = []byte(strings.Repeat("x", 4<<20)) // more than the buffers of a connection
	for name, behave := range map[string]func(*tls.Conn){
		"ends before the handshake": func(c *tls.Conn) { c.NetConn().Close() },
		"speaks no TLS":             func(c *tls.Conn) { _, _ = io.WriteString(c.NetConn(), "220 hello\r\n"); c.NetConn().Close() },
		"breaks off in the middle": func(c *tls.Conn) {
			_, _ = io.ReadFull(c, make([]byte, 100))
			_ = c.NetConn().(*net.TCPConn).SetLinger(0)
			c.NetConn().Close()
		},
		"reads nothing":    func(c *tls.Conn) { _ = c.Handshake() },
		"reads half":       func(c *tls.Conn) { _, _ = io.ReadFull(c, make([]byte, 1<<20)) },
		"does not end":     func(c *tls.Conn) { _, _ = io.Copy(io.Discard, c) },
		"talks for ever":   func(c *tls.Conn) { go func() { _, _ = io.Copy(io.Discard, c) }(); _, _ = io.Copy(c, forever{}) },
		"another identity": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			roots := id.roots
			if behave == nil {
				roots = newIdentity(t).roots
				behave = func(c *tls.Conn) { _, _ = collect(c); c.Close() }
			}
			d := NewSyslog(SyslogConfig{Address: listenSyslog(t, settings, behave), Allow: loopback, Roots: roots})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := d.Send(ctx, large); err == nil {
				t.Error("a batch was taken")
			}
		})
	}
}

// forever has no end.
type forever struct{}

func (forever) Read(b []byte) (int, error) { return len(b), nil }

// required reports whether a test must not be skipped for want of that.
func required(part string) bool {
	return slices.Contains(strings.Split(os.Getenv("SFMCP_TEST_REQUIRE"), ","), part)
}

// rsyslogd finds rsyslog with its TLS driver.
func rsyslogd(t *testing.T) (program string) {
	t.Helper()
	program, err := exec.LookPath("rsyslogd")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/rsyslogd")
	}
	drivers, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_gtls.so")
	if err != nil || len(drivers) == 0 {
		if required("rsyslog") {
			t.Fatal("rsyslog is required and missing: Debian packages rsyslog and rsyslog-gnutls")
		}
		t.Skip("no rsyslog here: Debian packages rsyslog and rsyslog-gnutls")
	}
	return program
}

// rsyslog takes what is sent over TLS, with a certificate of ours, in the order in which it is sent.
func TestRsyslog(t *testing.T) {
	t.Parallel()
	program, id, dir := rsyslogd(t), newIdentity(t), t.TempDir()
	settings, lines, port := filepath.Join(dir, "rsyslog.conf"), filepath.Join(dir, "lines"), filepath.Join(dir, "port")
	if err := os.WriteFile(settings, fmt.Appendf(nil, `global(workDirectory=%[1]q maxMessageSize="64k" DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile=%[2]q
  DefaultNetstreamDriverCertFile=%[2]q DefaultNetstreamDriverKeyFile=%[3]q)
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
template(name="raw" type="string" string="%%pri%% %%hostname%% %%app-name%% %%msgid%% %%msg%%\n")
input(type="imtcp" port="0" listenPortFileName=%[4]q address="127.0.0.1")
action(type="omfile" file=%[5]q template="raw")
`, dir, id.certFile, id.key, port, lines), 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	daemon := exec.Command(program, "-n", "-f", settings, "-i", filepath.Join(dir, "pid"))
	daemon.Stderr = &said
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = daemon.Process.Kill(); _ = daemon.Wait() }()
	number := ""
	for deadline := time.Now().Add(2 * time.Minute); number == "" && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(port)
		number = strings.TrimSpace(string(text))
	}
	d := NewSyslog(SyslogConfig{Address: "127.0.0.1:" + number, Hostname: "proxy.example", CertFile: id.certFile, KeyFile: id.key, Allow: loopback, Roots: id.roots})
	var want []string
	for i := range int64(20) {
		b := batch(10*i, 10*i+1, 10*i+2)
		if err := d.Send(t.Context(), b); err != nil {
			t.Fatalf("%v; rsyslog says %s", err, said.String())
		}
		for _, text := range b.texts() {
			want = append(want, "109 proxy.example sfmcp-proxy tool.call \xEF\xBB\xBF"+text)
		}
	}
	var got []string
	for deadline := time.Now().Add(2 * time.Minute); len(got) < len(want) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(lines)
		got = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d came; the first is %q, want %q; rsyslog says %s", len(got), len(want), got[0], want[0], said.String())
	}
}
