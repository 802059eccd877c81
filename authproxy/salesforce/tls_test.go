package salesforce_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/salesforce"
)

// certificate is one for 127.0.0.1 that signs itself and is valid for the given time.
func certificate(t *testing.T, from, until time.Duration) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "login"}, NotBefore: now.Add(from), NotAfter: now.Add(until),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signingKey.Public(), signingKey)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: signingKey}, roots
}

// CL-07: whatever is wrong with the certificate or the protocol of the login host, no
// request reaches it on any leg, neither there nor in the clear.
func TestCL07TLS(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from, until time.Duration
		trusted     bool
		host        string
		newest      uint16
	}{
		"unknown authority": {-time.Hour, time.Hour, false, "127.0.0.1", tls.VersionTLS13},
		"wrong host":        {-time.Hour, time.Hour, true, "localhost", tls.VersionTLS13},
		"expired":           {-2 * time.Hour, -time.Hour, true, "127.0.0.1", tls.VersionTLS13},
		"not yet valid":     {time.Hour, 2 * time.Hour, true, "127.0.0.1", tls.VersionTLS13},
		"TLS 1.1":           {-time.Hour, time.Hour, true, "127.0.0.1", tls.VersionTLS11},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var reached atomic.Bool
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			own, roots := certificate(t, tc.from, tc.until)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS10, MaxVersion: tc.newest}
			server.StartTLS()
			t.Cleanup(server.Close)
			if !tc.trusted {
				roots = nil
			}
			c, err := salesforce.New(salesforce.Config{HTTP: salesforce.NewHTTPClient(roots, nil), RedirectURI: redirectURI, Log: slog.New(slog.DiscardHandler),
				Orgs: []salesforce.Org{{Name: "acme", LoginURL: strings.Replace(server.URL, "127.0.0.1", tc.host, 1), OrgID: orgID, ClientID: clientID}}})
			if err != nil {
				t.Fatal(err)
			}
			for leg, call := range map[string]func() error{
				"exchange": func() error { _, err := c.Exchange(t.Context(), "acme", "code", "verifier"); return err }, // its keys come first
				"refresh":  func() error { _, err := c.Refresh(t.Context(), "acme", "5Aep"); return err },
				"revoke":   func() error { return c.Revoke(t.Context(), "acme", "5Aep") },
			} {
				e := failureOf(t, call())
				told := e.Code == "tls" || e.Code == "keys_unavailable" || tc.newest < tls.VersionTLS12 && e.Code == "network" // the alert comes from the other side
				if e.Kind != salesforce.Transient || !told || e.Lost {
					t.Errorf("%s: %+v", leg, e)
				}
			}
			if reached.Load() {
				t.Error("a request was answered")
			}
		})
	}

	// With nothing wrong it is reached: the cases above fail for their reason.
	var reached atomic.Bool
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	own, roots := certificate(t, -time.Hour, time.Hour)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{own}}
	server.StartTLS()
	t.Cleanup(server.Close)
	c, err := salesforce.New(salesforce.Config{HTTP: salesforce.NewHTTPClient(roots, nil), RedirectURI: redirectURI, Log: slog.New(slog.DiscardHandler),
		Orgs: []salesforce.Org{{Name: "acme", LoginURL: server.URL, OrgID: orgID, ClientID: clientID}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Revoke(t.Context(), "acme", "5Aep"); err != nil || !reached.Load() {
		t.Errorf("a good certificate: %v", err)
	}
}
