package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/config"
)

const (
	// drainTime is how long calls in flight may take after a signal.
	drainTime  = 25 * time.Second
	sweepEvery = time.Minute
	// flushTime is how long an ending process waits for the reader of its log. With
	// drainTime and closeTime it stays below the 30 s that orchestrators give.
	flushTime = 500 * time.Millisecond
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "serve", Short: "Run the proxy", Args: usageArgs(cobra.NoArgs)}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(cmd)
		if err != nil {
			return err
		}
		log, records := logTo(cmd.ErrOrStderr())
		defer records.close(flushTime)
		for _, warning := range c.Warnings() {
			log.Warn(warning)
		}
		a, err := openApp(cmd.Context(), c, log)
		if err != nil {
			return err
		}
		defer a.close()
		a.countDropped(records)
		a.reread = func() (*config.Config, error) { return loadConfig(cmd) }
		return a.serve(cmd.Context(), func() {
			log.Info("serving", "version", version, "public_url", c.PublicURL, "listen", a.publicAddress, "admin_listen", a.privateAddress)
		})
	}
	configFlag(cmd)
	return cmd
}

// logTo is the logger of a running proxy. Its sink has to be closed at the end.
func logTo(w io.Writer) (*slog.Logger, *sink) {
	s := newSink(w)
	return slog.New(originHandler{slog.NewJSONHandler(s, nil)}), s
}

// quiet is the logger of commands that print their own result.
func quiet(cmd *cobra.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError}))
}

// serve listens, calls ready once both listeners answer, and runs until ctx ends;
// then it lets calls in flight finish.
func (a *app) serve(ctx context.Context, ready func()) error {
	hangUp := make(chan os.Signal, 1) // from now on SIGHUP does not end the process
	signal.Notify(hangUp, syscall.SIGHUP)
	defer signal.Stop(hangUp)
	if err := a.bindOrgs(ctx); err != nil {
		return err
	}
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
	if a.config.TLS.CertFile != "" {
		if a.certificate, err = a.openCertificate(); err != nil {
			return err
		}
	}
	a.exposeCounters()
	bound := a.boundConnections(public, a.mostConnections())
	publicServer := a.server(a.publicHandler())
	publicServer.ConnState = bound.watch
	privateServer := a.server(a.privateHandler())
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()

	// A listener that fails ends the rest too: a proxy that answers nothing must not live on.
	ctx, end := context.WithCancel(ctx)
	defer end()
	var g errgroup.Group
	g.Go(func() error { defer end(); return a.run(publicServer, bound) })
	g.Go(func() error { defer end(); return ignoreClosed(privateServer.Serve(private)) })
	g.Go(func() error { a.load.watchMemory(background, memoryLimit()); return nil })
	g.Go(func() error { a.reloadLoop(background, hangUp, &g); return nil })
	a.work(background, &g)
	g.Go(func() error {
		<-ctx.Done()
		err := a.drain(publicServer)
		stopBackground()
		return errors.Join(err, privateServer.Close())
	})
	ready()
	return g.Wait()
}

// drain says that no more requests are wanted, ends the streams that only listen, and
// waits for the calls in flight.
func (a *app) drain(public *http.Server) error {
	a.draining.Store(true)
	a.log.Info("draining", "requests", a.load.requests.Load())
	a.current.Load().endListening()
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err := public.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.Warn("calls still in flight were cut off", "after", drainTime, "requests", a.load.requests.Load())
		err = public.Close()
	}
	return err
}

// exposeCounters shows what is counted elsewhere.
func (a *app) exposeCounters() {
	a.metrics.observe("sfmcp_http_requests_in_flight", "Requests that are being answered on the public listener.",
		func() float64 { return float64(a.load.requests.Load()) })
	a.metrics.perServer("sfmcp_circuit_open", "Whether the circuit of a hosted server is open: 1 while its calls are held back after faults in a row, until one is answered.",
		func() map[string]bool { return a.current.Load().forward.Spared() })
	for _, limit := range []string{"user", "server"} {
		a.metrics.total("sfmcp_calls_limited_total", "Calls refused because of the limits of their user or of their server.",
			func() float64 { return float64(a.current.Load().forward.Limited(limit)) }, "limit", limit)
	}
}

// mostConnections leaves half of what the system lets this process open to the
// database and to connections with Salesforce.
func (a *app) mostConnections() int {
	limit := a.config.Limits.Connections
	if most := max(1, descriptors()/2); most < limit {
		a.log.Warn("fewer connections than limits.connections allows: the process may open too few files", "connections", most)
		return most
	}
	return limit
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
	if a.certificate == nil {
		return ignoreClosed(s.Serve(l))
	}
	s.TLSConfig = a.certificate.config()
	return ignoreClosed(s.ServeTLS(l, "", ""))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// server has no WriteTimeout: event streams live long. The middleware gives a deadline
// to each write instead. ReadTimeout is for a request's header and body; it is over
// when they were read, however long the answer takes.
func (a *app) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 100,
			SendPingTimeout:      30 * time.Second, // a peer that is gone is found out
			PingTimeout:          15 * time.Second,
			WriteByteTimeout:     writeTime,
			CountError:           func(kind string) { a.metrics.http2Errors.WithLabelValues(kind).Inc() },
		},
	}
}

// sweepLoop deletes what can no longer have an effect.
func (a *app) sweepLoop(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		for _, s := range a.sweepers {
			if err := a.survive(func() error { return s(ctx) }); err != nil && ctx.Err() == nil {
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

// survive makes an error of a panic in background work, which will be tried again.
func (a *app) survive(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			a.panicked(context.Background(), p)
			err = errors.New("panic")
		}
	}()
	return work()
}
