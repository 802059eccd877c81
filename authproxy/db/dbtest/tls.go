package dbtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Authority signs certificates of servers in tests.
type Authority struct {
	File string // its own certificate, for sslrootcert

	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// NewAuthority returns one that nobody else trusts.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{File: filepath.Join(t.TempDir(), "authority.pem"), certificate: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, &a.key.PublicKey, a.key)
	if err == nil {
		err = os.WriteFile(a.File, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Sign returns a certificate for a server at an address or of a name, good until a time.
func (a *Authority) Sign(t testing.TB, host string, until time.Time) tls.Certificate {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server of a test"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until}
	if ip := net.ParseIP(host); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{host}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TLS puts a database of [Postgres] behind TLS at an address of this machine, as the server does that
// has a certificate. It returns the URL without sslmode, until t ends.
func TLS(t testing.TB, database string, certificate tls.Certificate) *url.URL {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")
	from, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { from.Close(); all.Wait() })
	all.Go(func() {
		for {
			client, err := from.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serveTLS(client, socket, certificate) })
		}
	})
	u.Host, u.RawQuery = from.Addr().String(), ""
	return u
}

// serveTLS answers the client's request for TLS (PostgreSQL's protocol, SSLRequest: eight bytes) and
// forwards what comes through it.
func serveTLS(client net.Conn, socket string, certificate tls.Certificate) {
	defer client.Close()
	if _, err := io.ReadFull(client, make([]byte, 8)); err != nil {
		return
	}
	if _, err := client.Write([]byte("S")); err != nil {
		return
	}
	secured := tls.Server(client, &tls.Config{Certificates: []tls.Certificate{certificate}})
	if secured.Handshake() != nil {
		return
	}
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(server, secured); _ = server.Close() })
	_, _ = io.Copy(secured, server)
	_ = client.Close()
	both.Wait()
}
