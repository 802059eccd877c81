package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/cmd/sfmcp-proxy/edge"
	"sfmcp-proxy/cmd/sfmcp-proxy/signals"
	"sfmcp-proxy/config"
)

const (
	// longestDrain is how long calls in flight may take after a signal, and shutdown_delay.
	longestDrain = 25 * time.Second
	// flushTime is how long an ending process waits for the reader of its log. With longestDrain and
	// closeTime it stays below the 30 s that orchestrators give; shutdown_delay comes on top.
	flushTime = 500 * time.Millisecond
)

// drainTime is longestDrain, and less in tests of what happens when it is over.
var drainTime = longestDrain

// process is what stays through reloads: listeners, middleware, metrics, signals, log. What
// answers is the current product.
type process struct {
	config  *config.Config // that it was started on; of a later one only what fixed does not name counts
	log     *slog.Logger
	edge    *edge.Edge
	signals *signals.Signals
	current atomic.Pointer[product]
	// unsettled are approved calls whose outcomes are still to be recorded, through all products.
	unsettled *approval.Unsettled
	// waits ends when the process does, by endWaits: whoever waits for a database that does not answer does so for one more
	// second at most then, in every product. How calls ended has to be in the audit log before.
	waits    context.Context
	endWaits context.CancelFunc
	asked    singleflight.Group // for metrics, what cannot be told to end
	closings sync.WaitGroup     // see closeBeside

	reread      func() (*config.Config, error) // reads the configuration again; nil: it is fixed
	certificate *edge.Certificate              // nil: without TLS
	draining    atomic.Bool
	halt        atomic.Pointer[context.CancelFunc] // ends what serve does, as a signal would; nil: it does not serve

	listening                     map[string]net.Listener // by address, those that are there already
	publicAddress, privateAddress string                  // once serving
}

// openProcess opens the first product. Nothing is listened to yet.
func openProcess(ctx context.Context, c *config.Config, log *slog.Logger) (*process, error) {
	trusted, err := config.Networks(c.TrustedProxies)
	if err != nil {
		return nil, err
	}
	p := &process{config: c, log: log, unsettled: &approval.Unsettled{}}
	p.waits, p.endWaits = context.WithCancel(context.WithoutCancel(ctx))
	p.edge = edge.New(edge.Config{
		TrustedProxies: trusted, RequestBytes: int64(c.Limits.RequestBytes), Connections: c.Limits.Connections, Log: log,
		Unable: func(w http.ResponseWriter, r *http.Request, status int) { p.current.Load().unable.answer(w, r, status) },
	})
	p.signals = signals.New(signals.Config{Registry: p.edge.Metrics.Registry, KnownServer: p.knowsServer})
	first, err := openProduct(ctx, c, p)
	if err != nil {
		return nil, err
	}
	if err := first.checkRole(ctx); err != nil {
		return nil, errors.Join(err, first.close())
	}
	p.current.Store(first)
	return p, nil
}

// closeBeside closes a product that answers no more while serve and close do what they have to do: when the process ends, each that
// is left has [closeTime] at the same time, and not one after the other.
func (p *process) closeBeside(closeIt func() error) {
	p.closings.Go(func() {
		if err := closeIt(); err != nil {
			p.log.Error("what answered on another configuration was not closed in order", "error", err)
		}
	})
}

// close closes the current product, and waits for those that closeBeside closes.
func (p *process) close() error {
	p.endWaits()
	err := p.current.Load().close()
	p.closings.Wait()
	if left := p.unsettled.Len(); left > 0 {
		p.log.Error("how approved calls ended was not recorded with their approvals: people are asked what became of them", "calls", left)
	}
	return err
}

// enter counts a request in where it will be answered.
func (p *process) enter() *product {
	for {
		current := p.current.Load()
		current.requests.Begin()
		if p.current.Load() == current {
			return current
		}
		current.requests.End() // another took over in between, and it may be closed already
	}
}

// publicHandler is what the public listener answers.
func (p *process) publicHandler() http.Handler {
	return p.edge.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		current := p.enter()
		defer current.requests.End()
		if p.draining.Load() {
			w.Header().Set("Connection", "close") // the next request goes to another process
		}
		// What nobody has told us, or what we cannot read, we would decide against.
		if err := cmp.Or(current.db.CheckInTouch(), current.db.CheckKeys()); err != nil {
			p.log.WarnContext(r.Context(), "nothing is decided", "error", err)
			w.Header().Set("Retry-After", "1")
			current.unable.answer(w, r, http.StatusServiceUnavailable)
			return
		}
		current.routes.ServeHTTP(w, r)
	}))
}

// privateHandler is what the private listener answers, and nothing else.
func (p *process) privateHandler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	m.HandleFunc("GET /readyz", p.ready)
	m.Handle("GET /metrics", p.edge.Metrics.Handler())
	return m
}

// ready says whether this process should get traffic: its database answers and has told lately
// what was taken away, its audit log can be written, and it is not shutting down. Further lines
// say what is stopped on this machine, and what waits for an administrator.
func (p *process) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	current := p.current.Load()
	stopped := ""
	if here, is := current.access.StoppedHere(); is { // which calls are told in a sentence: traffic may come
		stopped = "\n" + here.String()
	}
	if reason, err := p.unready(ctx); reason != "" {
		text := "not ready"
		if err != nil {
			text += ": " + err.Error()
		}
		http.Error(w, text+stopped, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready"+stopped)
	if waiting := waitingAt(current.forward.DefinitionsWaiting(ctx)); waiting != "" { // which is for people, and no reason to send no traffic
		fmt.Fprintf(w, "definitions wait for a person at %s: see 'tools list --quarantined'\n", waiting)
	}
}

// Why a process is not ready: the values of the metric sfmcp_not_ready.
const (
	unreadyDraining = "draining"  // it is shutting down
	unreadyDatabase = "database"  // it does not answer, or has not told lately what was taken away
	unreadyAudit    = "audit_log" // it cannot be written
	unreadyKeys     = "keys"      // the key file lacks one that the database is sealed with
)

// unready says for which reason this process should get no traffic; "": it is ready. The error is what is
// said of that, if anything more is.
func (p *process) unready(ctx context.Context) (reason string, err error) {
	current := p.current.Load()
	if p.draining.Load() {
		return unreadyDraining, nil
	}
	if current.db.Reads.PingContext(ctx) != nil {
		return unreadyDatabase, nil
	}
	if err := cmp.Or(current.audit.Halted(), current.audit.Unwritable()); err != nil {
		return unreadyAudit, err
	}
	if err := current.db.CheckInTouch(); err != nil {
		return unreadyDatabase, err
	}
	if err := current.db.CheckKeys(); err != nil {
		return unreadyKeys, err
	}
	return "", nil
}

// waitingAt names those that are true.
func waitingAt(is map[string]bool) string {
	maps.DeleteFunc(is, func(_ string, waiting bool) bool { return !waiting })
	return strings.Join(slices.Sorted(maps.Keys(is)), ", ")
}

// serve listens, calls ready once both listeners answer, and runs until ctx ends;
// then it lets calls in flight finish.
func (p *process) serve(ctx context.Context, ready func()) error {
	hangup := make(chan os.Signal, 1) // from now on SIGHUP does not end the process
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	stopping := make(chan os.Signal, 1)
	if len(stopSignals) > 0 {
		signal.Notify(stopping, stopSignals...)
		defer signal.Stop(stopping)
	}
	if err := p.current.Load().prepare(ctx); err != nil {
		return err
	}
	public, err := p.listen("listen", p.config.Listen)
	if err != nil {
		return err
	}
	defer public.Close()
	private, err := p.listen("admin_listen", p.config.AdminListen)
	if err != nil {
		return err
	}
	defer private.Close()
	p.publicAddress, p.privateAddress = public.Addr().String(), private.Addr().String()
	if p.certificate, err = p.edge.Certificate(p.config.TLS.CertFile, p.config.TLS.KeyFile); err != nil {
		return err
	}
	p.exposeState()
	publicServer, privateServer := p.edge.Server(p.publicHandler()), p.edge.Server(p.privateHandler())
	public = p.edge.Bound(publicServer, public)
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()

	// A listener that fails ends the rest too: a proxy that answers nothing must not live on.
	failed, end := context.WithCancel(background)
	defer end()
	p.halt.Store(&end)
	var g errgroup.Group
	g.Go(func() error { defer end(); return edge.Serve(publicServer, public, p.certificate) })
	g.Go(func() error { defer end(); return edge.Serve(privateServer, private, nil) })
	g.Go(func() error { p.edge.WatchMemory(background); return nil })
	g.Go(func() error { p.stopLoop(background, stopping); return nil })
	g.Go(func() error { p.reloadLoop(background, hangup, &g); return nil })
	p.current.Load().work(background, &g)
	g.Go(func() error {
		p.awaitEnd(ctx, failed)
		err := p.drain(publicServer)
		stopBackground()
		return errors.Join(err, privateServer.Close())
	})
	ready()
	return g.Wait()
}

// end has serve return, as a signal would.
func (p *process) end() {
	if halt := p.halt.Load(); halt != nil {
		(*halt)()
	}
}

// awaitEnd returns when the process must end: once failed is over, or when shutdown_delay has passed since it
// was asked to. Meanwhile /readyz says that no more requests are wanted, and those that come are answered: what
// sends them needs a moment to notice.
func (p *process) awaitEnd(asked, failed context.Context) {
	select {
	case <-failed.Done():
		return
	case <-asked.Done():
	}
	p.draining.Store(true)
	if p.config.ShutdownDelay == 0 {
		return
	}
	p.log.Info("asked to end: /readyz says so, and requests are answered for shutdown_delay", "shutdown_delay", p.config.ShutdownDelay.String())
	select {
	case <-failed.Done():
	case <-time.After(p.config.ShutdownDelay):
	}
}

// drain takes no more requests, ends the streams that only listen, and waits for the calls in flight. Those that still wait
// for a database that does not answer wait no longer then, because the time to close is short, and how they ended is to be in the audit log.
func (p *process) drain(public *http.Server) error {
	p.draining.Store(true)
	p.log.Info("draining", "requests", p.edge.Requests())
	if err := tellServiceManager("STOPPING=1"); err != nil {
		p.log.Warn("systemd does not learn that the proxy ends", "error", err)
	}
	p.current.Load().endStreams()
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err := public.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		p.log.Warn("calls still in flight were cut off", "after", drainTime, "requests", p.edge.Requests())
		err = public.Close()
	}
	p.endWaits()
	return err
}

// listen listens at address, which is the value of key, unless that was done before.
func (p *process) listen(key, address string) (net.Listener, error) {
	if l := p.listening[address]; l != nil {
		return l, nil
	}
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w; end the program that has it, or name another address under %s in the configuration", err, key)
	}
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return l, nil
}
