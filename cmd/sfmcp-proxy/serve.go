package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

const (
	// drainTime is how long calls in flight may take after a signal.
	drainTime = 25 * time.Second
	// accessPoll is how often a running proxy looks for access that another process
	// took away; cutting off must hold within a second.
	accessPoll = 250 * time.Millisecond
	sweepEvery = time.Minute
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "serve", Short: "Run the proxy", Args: usageArgs(cobra.NoArgs)}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(cmd)
		if err != nil {
			return err
		}
		log := logger(cmd.ErrOrStderr())
		for _, warning := range c.Warnings() {
			log.Warn(warning)
		}
		a, err := openApp(cmd.Context(), c, log)
		if err != nil {
			return err
		}
		defer a.close()
		return a.serve(cmd.Context(), func() {
			log.Info("serving", "version", version, "public_url", c.PublicURL, "listen", a.publicAddress, "admin_listen", a.privateAddress)
		})
	}
	configFlag(cmd)
	return cmd
}

func logger(w io.Writer) *slog.Logger {
	return slog.New(originHandler{slog.NewJSONHandler(w, nil)})
}

// quiet is the logger of commands that print their own result.
func quiet(cmd *cobra.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError}))
}

// serve listens, calls ready once both listeners answer, and runs until ctx ends;
// then it lets calls in flight finish.
func (a *app) serve(ctx context.Context, ready func()) error {
	public, err := a.listen(a.config.Listen)
	if err != nil {
		return err
	}
	defer public.Close()
	private, err := a.listen(a.config.AdminListen)
	if err != nil {
		return err
	}
	defer private.Close()
	a.publicAddress, a.privateAddress = public.Addr().String(), private.Addr().String()

	publicServer := a.server(a.publicHandler())
	privateServer := a.server(a.privateHandler())
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()

	// A listener that fails ends the rest too: a proxy that answers nothing must not live on.
	ctx, end := context.WithCancel(ctx)
	defer end()
	var g errgroup.Group
	g.Go(func() error { defer end(); return a.run(publicServer, public) })
	g.Go(func() error { defer end(); return ignoreClosed(privateServer.Serve(private)) })
	g.Go(func() error { a.links.RunRevocations(background); return nil })
	g.Go(func() error { a.db.WatchAccess(background, accessPoll, a.accessChanged); return nil })
	g.Go(func() error { a.sweepLoop(background); return nil })
	g.Go(func() error {
		<-ctx.Done()
		a.draining.Store(true)
		drain, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		err := publicServer.Shutdown(drain)
		if errors.Is(err, context.DeadlineExceeded) {
			a.log.Warn("calls still in flight were cut off", "after", drainTime)
			err = publicServer.Close()
		}
		stopBackground()
		return errors.Join(err, privateServer.Close())
	})
	ready()
	return g.Wait()
}

// listen listens at address, unless that was done before.
func (a *app) listen(address string) (net.Listener, error) {
	if l := a.listening[address]; l != nil {
		return l, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return l, nil
}

// run serves the public listener, with TLS where a certificate is configured.
func (a *app) run(s *http.Server, l net.Listener) error {
	if a.config.TLS.CertFile == "" {
		return ignoreClosed(s.Serve(l))
	}
	s.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	return ignoreClosed(s.ServeTLS(l, a.config.TLS.CertFile, a.config.TLS.KeyFile))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// server has no WriteTimeout: event streams live long. The handlers that stream set
// a deadline for each write instead.
func (a *app) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// sweepLoop deletes what can no longer have an effect.
func (a *app) sweepLoop(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		for _, s := range a.sweepers {
			if err := s(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("sweeping", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
