package upstream

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a [Pool] runs on. The zero Config works.
type Config struct {
	// HTTP reaches Salesforce. Redirects, cookies, environment proxies and
	// timeouts that would cut a slow answer are switched off in a copy of it.
	HTTP *http.Client
	Log  *slog.Logger     // nil: discarded
	Now  func() time.Time // nil: time.Now
	// Sleep waits before a request is repeated; nil: with a timer.
	Sleep func(context.Context, time.Duration) error
	// Version of this program, sent as User-Agent and clientInfo.
	Version string
	// IdleTimeout is how long a session stays unused before another one is
	// opened in its place; 0: 25 minutes (Salesforce drops them after about 30).
	IdleTimeout time.Duration
	// OpenTimeout bounds what several callers wait for: the opening of a session
	// and the listing of tools; 0: 2 minutes (Salesforce has taken 45 s to the
	// first byte of initialize).
	OpenTimeout time.Duration
	// ResponseBytes caps one answer; 0: 16 MiB.
	ResponseBytes int64
	// Watch hears of every request that is over, for whoever measures; nil: nobody does.
	Watch func(Ended)
}

// Target is where and as whom a call goes.
type Target struct {
	Org, Subject string             // whose session; both needed
	Server       string             // for logs
	URL          string             // configured URL of the hosted MCP server
	Timeout      time.Duration      // of the whole call with all its attempts; 0: 60 s
	Client       ClientCapabilities // what the client behind the call can do
	RequestID    string             // ours, as in the audit log: Salesforce gets it as X-Request-Id; "": none
	// Token returns the user's current Salesforce token. An error that wraps
	// [ErrLoginLost] becomes Kind LoginLost, any other Unavailable.
	Token func(context.Context) (string, error)
	// Refused says that Salesforce answered 401 to token and returns the one to
	// use instead. Errors as for Token.
	Refused func(ctx context.Context, token string) (string, error)
}

const defaultTimeout = 60 * time.Second

// check refuses what would mix up users.
func (t Target) check() error {
	if t.Org == "" || t.Subject == "" || t.URL == "" || t.Token == nil || t.Refused == nil || !t.Client.valid() {
		return &Error{Kind: Unavailable, Reason: "target is incomplete"}
	}
	return nil
}

func (t Target) timeout() time.Duration {
	if t.Timeout <= 0 {
		return defaultTimeout
	}
	return t.Timeout
}

// Pool holds the sessions with Salesforce. It is safe for concurrent use.
type Pool struct {
	cfg    Config
	wire   http.RoundTripper
	lastID atomic.Int64

	userAgent []string      // value of that header
	linger    time.Duration // drainTimeout

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	users   map[userKey]*user
	hosted  map[hostedKey]*hosted
	sweepAt time.Time
	closed  bool
	running sync.WaitGroup // goroutines of shared work and of what is told beside calls
}

// New returns a pool without sessions.
func New(cfg Config) *Pool {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Sleep == nil {
		cfg.Sleep = sleep
	}
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = 25 * time.Minute
	}
	if cfg.OpenTimeout == 0 {
		cfg.OpenTimeout = 2 * time.Minute
	}
	if cfg.ResponseBytes == 0 {
		cfg.ResponseBytes = 16 << 20
	}
	p := &Pool{
		cfg: cfg, wire: ownTransport(cfg.HTTP), linger: drainTimeout, userAgent: []string{"sfmcp-proxy/" + cfg.Version},
		users: map[userKey]*user{}, hosted: map[hostedKey]*hosted{},
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	return p
}

// Forget drops the sessions of a user and ends the user's calls and streams, whose
// error is [Canceled] with cause [ErrForgotten]. Later calls start afresh.
func (p *Pool) Forget(org, subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := userKey{org, subject}
	if u := p.users[key]; u != nil {
		delete(p.users, key)
		u.end(ErrForgotten)
	}
}

// Close ends all calls and streams and waits for what they left behind. Later calls fail.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.cancel(ErrClosed)
	for _, u := range p.users {
		u.end(ErrClosed)
	}
	p.mu.Unlock()
	p.running.Wait()
	if t, ok := p.wire.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// background runs f outside of any call, unless the pool is closed.
func (p *Pool) background(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.backgroundLocked(f)
}

func (p *Pool) backgroundLocked(f func()) bool {
	if p.closed {
		return false
	}
	p.running.Go(f)
	return true
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
