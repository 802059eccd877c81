package companysim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Running is a provider that listens. Stop it with Close.
type Running struct {
	*Provider
	server *http.Server
}

// Listen starts a provider on an address; its issuer is that address. Beside the provider,
// /control/faults on the same address takes (PUT) and shows (GET) its [Faults] as JSON, and
// PUT /control/users adds or changes a [User]. Nobody is asked who they are there: let
// nobody else reach the address.
func Listen(address string, c Config) (*Running, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening as the company's identity provider: %w", err)
	}
	c.Issuer = "http://" + listener.Addr().String()
	p, err := New(c)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	m := http.NewServeMux()
	m.Handle("/control/", p.control())
	m.Handle("/", p.Handler())
	r := &Running{p, &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = r.server.Serve(listener) }() // ends with Close
	return r, nil
}

// Close stops it.
func (r *Running) Close() error { return r.server.Close() }

// Describe writes what a person needs to use the provider: its issuer, its client and its users
// with their passwords, which are public.
func (r *Running) Describe(w io.Writer) {
	fmt.Fprintf(w, "simulated identity provider at %s, faults at %[1]s/control/faults\n  client %s, secret %s, acr with a second factor %s\n", r.Issuer(), r.config.ClientID, r.config.ClientSecret, MFA)
	for _, u := range r.config.Users {
		fmt.Fprintf(w, "  user %s, password %s, subject %s, groups %v\n", u.Username, u.Password, u.Subject, u.Groups)
	}
}

// control serves the switches.
func (p *Provider) control() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /control/faults", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		writeJSON(w, http.StatusOK, p.faults)
	})
	m.HandleFunc("PUT /control/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Faults
		if read(w, r, &f) {
			p.SetFaults(f)
		}
	})
	m.HandleFunc("PUT /control/users", func(w http.ResponseWriter, r *http.Request) {
		var u User
		if read(w, r, &u) {
			p.SetUser(u)
		}
	})
	return m
}

// read decodes a body; what is not understood is answered with what is wrong.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}
