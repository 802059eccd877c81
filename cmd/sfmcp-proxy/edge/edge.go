package edge

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"sfmcp-proxy/authproxy/party"
)

// Config is what [New] needs. Log, RequestBytes and Connections must be set.
type Config struct {
	// TrustedProxies are the networks whose X-Forwarded-For counts.
	TrustedProxies []netip.Prefix
	// RequestBytes is the most that a request's body may have, in bytes.
	RequestBytes int64
	// Connections is how many may be open at a time.
	Connections int
	// WriteTime is how long a client may take to accept one write of an answer; 0 means
	// 30 s.
	WriteTime time.Duration
	Log       *slog.Logger
	// Unable answers a request that is refused because there is too much to do (503), or whose
	// handler panicked (500). It must cost little and ask nothing of others. nil: plain text.
	Unable func(w http.ResponseWriter, r *http.Request, status int)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Edge is the way into one process. It outlives reloads: connections, counters and limits
// stay what they are while what answers is replaced.
type Edge struct {
	Config
	// Metrics is what is counted; others may register what they count.
	Metrics *Metrics

	sources       sources
	load          load
	ids           requestIDs
	signIns       *party.Budgets[netip.Prefix]
	registrations *party.Budgets[netip.Prefix]
}

// New returns the way in. It listens to nothing yet.
func New(c Config) *Edge {
	c.WriteTime = cmp.Or(c.WriteTime, defaultWriteTime)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Unable == nil {
		c.Unable = func(w http.ResponseWriter, _ *http.Request, status int) {
			http.Error(w, http.StatusText(status), status)
		}
	}
	e := &Edge{Config: c, Metrics: newMetrics(), sources: c.TrustedProxies,
		signIns: party.NewBudgets[netip.Prefix](SignInsPerSecond, SignInBurst), registrations: party.NewBudgets[netip.Prefix](RegistrationsPerSecond, RegistrationBurst)}
	e.Metrics.gauge("sfmcp_http_requests_in_flight", "Requests that are being answered on the public listener.",
		func() float64 { return float64(e.load.Count()) })
	return e
}

// Requests is how many are being answered.
func (e *Edge) Requests() int64 { return e.load.Count() }

// Server is a server with the settings of both listeners.
//
// It has no WriteTimeout: event streams live long. The middleware gives a deadline to each
// write instead. ReadTimeout is for a request's header and body; it is over when they were
// read, however long the answer takes.
func (e *Edge) Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(e.Log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 100,
			SendPingTimeout:      30 * time.Second, // a peer that is gone is found out
			PingTimeout:          15 * time.Second,
			WriteByteTimeout:     e.WriteTime,
			CountError:           func(kind string) { e.Metrics.http2Errors.WithLabelValues(kind).Inc() },
		},
	}
}

// Bound lets no more connections into s through l than there may be: serve on what it
// returns.
func (e *Edge) Bound(s *http.Server, l net.Listener) net.Listener {
	bound := e.bound(l, e.connections())
	s.ConnState, s.ConnContext = bound.watch, withConnection
	return bound
}

// connections leaves half of what the system lets this process open to the database and
// to connections with Salesforce.
func (e *Edge) connections() int {
	if most := max(1, descriptors()/2); most < e.Connections {
		e.Log.Warn("fewer connections than limits.connections allows: the process may open too few files", "connections", most)
		return most
	}
	return e.Connections
}

// Serve answers on l until s is shut down, with TLS if there is a certificate.
func Serve(s *http.Server, l net.Listener, c *Certificate) error {
	var err error
	if c == nil {
		err = s.Serve(l)
	} else {
		s.TLSConfig = c.Config()
		err = s.ServeTLS(l, "", "")
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// WatchMemory refuses requests while memory is short, until ctx ends.
func (e *Edge) WatchMemory(ctx context.Context) { e.load.watchMemory(ctx, memoryLimit()) }
