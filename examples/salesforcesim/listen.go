package salesforcesim

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Running is a simulator that listens.
type Running struct {
	*Sim
	ControlURL string // of the control API

	servers []*http.Server
	done    chan error
}

// Listen starts a simulator on Config.Listen and Config.ControlListen. Stop it with Close.
func Listen(cfg Config) (*Running, error) {
	salesforce, err := net.Listen("tcp", cmp.Or(cfg.Listen, "127.0.0.1:0"))
	if err != nil {
		return nil, fmt.Errorf("listening as Salesforce: %w", err)
	}
	if at, _ := salesforce.Addr().(*net.TCPAddr); cfg.BaseURL == "" && at.IP.IsUnspecified() {
		salesforce.Close()
		return nil, fmt.Errorf("listening as Salesforce: %s is every address of this machine: the base URL must say which one clients use", cfg.Listen)
	}
	control, err := net.Listen("tcp", cmp.Or(cfg.ControlListen, "127.0.0.1:0"))
	if err != nil {
		salesforce.Close()
		return nil, fmt.Errorf("listening for control: %w", err)
	}
	if cfg.BaseURL == "" {
		scheme := "http"
		if cfg.TLS != nil {
			scheme = "https"
		}
		cfg.BaseURL = scheme + "://" + salesforce.Addr().String()
	}
	sim, err := New(cfg)
	if err != nil {
		salesforce.Close()
		control.Close()
		return nil, err
	}
	if cfg.TLS != nil {
		salesforce = tls.NewListener(salesforce, cfg.TLS)
	}
	r := &Running{Sim: sim, ControlURL: "http://" + control.Addr().String(), done: make(chan error, 2)}
	r.serve(salesforce, sim.Handler())
	r.serve(control, sim.ControlHandler())
	return r, nil
}

func (r *Running) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	r.servers = append(r.servers, server)
	go func() { r.done <- server.Serve(listener) }()
}

// Describe writes what a person needs to use the simulator: its URLs, apps and users with
// their secrets and passwords, which are public.
func (r *Running) Describe(w io.Writer) {
	fmt.Fprintf(w, "simulated Salesforce at %s, control at %s\n", r.BaseURL(), r.ControlURL)
	for _, o := range r.Orgs() {
		fmt.Fprintf(w, "org %s: login URL %s, org id %s, %s\n", o.Name, r.LoginURL(o.Name), o.ID, o.Kind)
		for _, app := range o.Apps {
			client := "public client"
			if app.Secret != "" {
				client = "consumer secret " + app.Secret
			}
			fmt.Fprintf(w, "  consumer key %s (%s)\n", app.ClientID, client)
		}
		for _, u := range o.Users {
			fmt.Fprintf(w, "  user %s, password %s\n", u.Username, u.Password)
		}
	}
}

// Wait blocks until ctx ends or a listener fails, then closes the simulator. The error
// is the listener's.
func (r *Running) Wait(ctx context.Context) error {
	select {
	case err := <-r.done:
		return errors.Join(err, r.Close())
	case <-ctx.Done():
		return r.Close()
	}
}

// Close stops both listeners and breaks what is still open, as a Salesforce that is suddenly gone.
func (r *Running) Close() error {
	var errs []error
	for _, server := range r.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}
