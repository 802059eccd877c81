// Package clientdoctest publishes client documents for tests: over TLS with a
// certificate authority of its own, on 127.0.0.2, where nothing else listens, and with
// a name server that leads every name there.
package clientdoctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Address is where every site listens, AddressNetwork what a proxy must allow for it.
const (
	Address        = "127.0.0.2"
	AddressNetwork = Address + "/32"
)

// Site is a host that publishes documents.
type Site struct {
	// CA is the authority that signed its certificate, PEM; Roots the same.
	CA    []byte
	Roots *x509.CertPool
	// Resolver is the host:port of a DNS server that answers every name with Address.
	Resolver string

	server *httptest.Server
	mu     sync.Mutex
	pages  map[string]http.HandlerFunc
	hits   map[string]int
}

// Start starts a site whose certificate is good for Address and for names.
func Start(t testing.TB, names ...string) *Site {
	t.Helper()
	s := &Site{pages: map[string]http.HandlerFunc{}, hits: map[string]int{}}
	listener, err := net.Listen("tcp", Address+":0")
	if err != nil {
		t.Fatal(err)
	}
	s.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(s.serve)},
		TLS: &tls.Config{Certificates: []tls.Certificate{s.certificate(t, names)}}}
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that hang up are what tests are about
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	s.Resolver = resolve(t)
	return s
}

// Stop takes the site down; the port stays unused.
func (s *Site) Stop() { s.server.Close() }

// URL is the address of a path under one of the names.
func (s *Site) URL(name, path string) string {
	_, port, _ := net.SplitHostPort(s.server.Listener.Addr().String())
	return "https://" + net.JoinHostPort(name, port) + path
}

// Publish answers a path with JSON and headers, which come in pairs.
func (s *Site) Publish(path, body string, headers ...string) {
	s.Handle(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Write([]byte(body))
	})
}

// Handle answers a path; an unknown one is 404.
func (s *Site) Handle(path string, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = h
}

// Hits is how often a path was asked for.
func (s *Site) Hits(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits[path]
}

func (s *Site) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.hits[r.URL.Path]++
	h := s.pages[r.URL.Path]
	s.mu.Unlock()
	if h == nil {
		h = http.NotFound
	}
	h(w, r)
}

// certificate is a self-signed one that is its own authority.
func (s *Site) certificate(t testing.TB, names []string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client documents"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names, IPAddresses: []net.IP{net.ParseIP(Address)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.Roots = x509.NewCertPool()
	s.Roots.AppendCertsFromPEM(s.CA)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// resolve runs a name server over UDP (RFC 1035 4): every question for an A record is
// answered with Address, every other one with nothing.
func resolve(t testing.TB) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := answer(buf[:n]); reply != nil {
				conn.WriteTo(reply, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

func answer(query []byte) []byte {
	end := 12
	for end < len(query) && query[end] != 0 { // the labels of the name
		end += 1 + int(query[end])
	}
	end += 5 // the root label, type, class
	if end > len(query) {
		return nil
	}
	reply := append([]byte{}, query[:end]...)
	reply[2], reply[3] = 0x84, 0x80                  // an authoritative answer, no error
	clear(reply[6:12])                               // no answers yet, no other sections
	if binary.BigEndian.Uint16(query[end-4:]) != 1 { // not A
		return reply
	}
	reply[7] = 1
	reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4) // the name, A, IN, 1 s, 4 bytes
	return append(reply, net.ParseIP(Address).To4()...)
}
