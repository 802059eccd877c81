package mcpforward

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/outside"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/mcpforward/limit"
	"sfmcp-proxy/mcpforward/schema"
	"sfmcp-proxy/mcpforward/stream"
	"sfmcp-proxy/mcpforward/traces"
	"sfmcp-proxy/mcpforward/upstream"
)

// Links gives Salesforce tokens. An error that wraps [upstream.ErrLoginLost] says
// that the user has to sign in again.
type Links interface {
	Token(ctx context.Context, org, subject string) (string, error)
	Refused(ctx context.Context, org, subject, token string) (string, error)
}

// Limits bound what one client or user can ask for; a zero field gets its default.
type Limits struct {
	RequestBytes    int64 // of one body; 0: 1 MiB
	CallsPerMinute  int   // of one user; 0: 120
	ConcurrentCalls int   // of one user; 0: 16
}

// hostWarningPause is the least time between two warnings of a wrong Host header.
const hostWarningPause = 10 * time.Minute

// Config is what a Handler works with. Every field must be set, but AllowedOrigins, Site, Limits,
// Counters, Watch, Traces, Now and Version.
type Config struct {
	Access    *access.Control
	DB        *db.DB // holds mcp_sessions
	Links     Links
	Approvals *approval.Store
	Audit     *audit.Log
	// Definitions says under which definitions calls may pass.
	Definitions *definition.Store
	Pool        *upstream.Pool
	// Budgets counts for Counters, those of each server by its name; a server without any is
	// not asked about.
	Budgets  *budget.Store
	Counters map[string][]*budget.Counter
	Outside  *outside.Store
	// AllowedOrigins are the web origins whose pages may call, as browsers write them in
	// Origin; empty: none but our own.
	AllowedOrigins []string

	// ApprovalWait is how long the first answer to a call that waits for a person is held back
	// for a quick decision; 0: not at all.
	ApprovalWait time.Duration

	// Watch hears of every MCP request of a client that was answered; nil: nobody does.
	Watch func(Answered)
	// Traces makes spans of those; nil: there are none.
	Traces *traces.Tracer

	Site    ui.Site // what pages show
	Limits  Limits
	Version string // of this program, for initialize
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Handler serves /mcp/{server} of every configured server. It is safe for concurrent use.
type Handler struct {
	Config
	admit          func(ctx context.Context, token, server string) (access.Caller, error) // Access.Admit
	origin         string                                                                 // scheme and host of the public URL
	host           string
	hostWarnings   *rate.Limiter // of requests for another host
	sessions       sessionStore
	calls          *inFlight
	serverRequests *serverRequests
	waits          waits
	streams        limit.Streams
	pages          *pages
	schemas        *schema.Store
	// seen are lists with what was accepted when they were compared with that.
	seen             *lru.Cache[*upstream.List, *definition.Pins]
	quarantinedCalls atomic.Int64
	// asked are questions for operations with the names of what was found.
	asked        *lru.Cache[string, map[string]bool]
	allowances   *limit.Allowances
	watchOutside map[string]bool // by org
	quiet        time.Duration   // see [stream.QuietTime]
	draining     context.Context // ends with Drain
	drain        func()
}

// New returns a handler, or says what c lacks.
func New(c Config) (*Handler, error) {
	if c.Access == nil || c.DB == nil || c.Links == nil || c.Approvals == nil || c.Audit == nil || c.Definitions == nil || c.Pool == nil || c.Budgets == nil || c.Outside == nil || c.Log == nil {
		return nil, errors.New("forwarding: a dependency is missing")
	}
	scheme, host, _ := strings.Cut(c.Access.PublicURL(), "://")
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Limits = c.Limits.withDefaults()
	h := &Handler{
		Config:   c,
		admit:    c.Access.Admit,
		origin:   c.Access.PublicURL(),
		host:     hostOf(host, scheme),
		sessions: newSessionStore(c.DB, c.Now),
		calls:    &inFlight{}, serverRequests: &serverRequests{},
		hostWarnings: rate.NewLimiter(rate.Every(hostWarningPause), 1),
		quiet:        stream.QuietTime,
		pages:        newPages(),
		schemas:      schema.New(c.Now),
		watchOutside: watchOutside(c),
	}
	var err error
	if h.seen, err = lru.New[*upstream.List, *definition.Pins](seenLists); err != nil {
		return nil, err
	}
	if h.asked, err = lru.New[string, map[string]bool](askedQuestions); err != nil {
		return nil, err
	}
	h.draining, h.drain = context.WithCancel(context.Background())
	limits := map[string]limit.Limits{}
	for _, s := range c.Access.Servers() {
		limits[s.Name] = limit.Limits{CallsPerMinute: s.CallsPerMinute, ConcurrentCalls: s.ConcurrentCalls}
	}
	h.allowances = limit.New(limit.Config{
		User:    limit.Limits{CallsPerMinute: c.Limits.CallsPerMinute, ConcurrentCalls: c.Limits.ConcurrentCalls},
		Servers: limits, Now: c.Now,
	})
	return h, nil
}

func (l Limits) withDefaults() Limits {
	if l.RequestBytes == 0 {
		l.RequestBytes = 1 << 20
	}
	if l.CallsPerMinute == 0 {
		l.CallsPerMinute = 120
	}
	if l.ConcurrentCalls == 0 {
		l.ConcurrentCalls = 16
	}
	return l
}

// TakeOver makes h know the calls that are under way at previous, so that clients can cancel
// them and answer what they ask. It must be called before h is used.
func (h *Handler) TakeOver(previous *Handler) {
	h.calls, h.serverRequests = previous.calls, previous.serverRequests
}

// Values of headers that answers share; nobody changes a value in its place.
var noStore, noSniff = []string{"no-store"}, []string{"nosniff"}

// Forget drops what was learned from a user's answers.
func (h *Handler) Forget(org, subject string) { h.schemas.Forget(org, subject) }

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Cache-Control"], w.Header()["X-Content-Type-Options"] = noStore, noSniff
	x := &request{Handler: h, http: r, out: stream.New(w, r), started: h.Now(), lasting: context.WithoutCancel(r.Context()), problem: panicked}
	defer x.done()
	answer := renderer{x}
	defer answer.survive()
	answer.render(x.serve())
}

// CircuitOpen returns for each server, by its name, whether its calls are refused for now
// because Salesforce failed several times in a row.
func (h *Handler) CircuitOpen() map[string]bool {
	open := map[string]bool{}
	for _, s := range h.Access.Servers() {
		open[s.Name] = h.Pool.CircuitOpen(s.Org, s.URL)
	}
	return open
}

// SalesforceSessions is how many sessions with Salesforce there are for each server, by its name.
func (h *Handler) SalesforceSessions() map[string]float64 {
	hosted, n := h.Pool.Sessions(), map[string]float64{}
	for _, s := range h.Access.Servers() {
		n[s.Name] = float64(hosted[upstream.Hosted{Org: s.Org, URL: s.URL}])
	}
	return n
}

// Recheck ends the requests in flight whose grant is not alive any more, or all of
// them when everything is stopped. Where it cannot be found out, they end too, and are told that.
func (h *Handler) Recheck(ctx context.Context) {
	mode, err := h.Access.StopMode(ctx)
	switch {
	case err != nil && !errors.Is(err, access.ErrStopAltered):
		h.Log.WarnContext(ctx, "ending all calls in flight: whether they are stopped is not known", "error", err)
		h.calls.end(func(string) error { return errUnchecked })
		return
	case mode == access.StopAll:
		h.Log.InfoContext(ctx, "ending all calls in flight", "error", err)
		h.calls.stop()
		return
	}
	over := map[string]error{}
	for _, id := range h.calls.grants() {
		switch alive, err := h.Access.Alive(ctx, id); {
		case err != nil:
			over[id] = errUnchecked
		case !alive:
			over[id] = errCutOff
		}
	}
	h.calls.end(func(id string) error { return over[id] })
}

// Sweep removes sessions that are over and counters that nobody needs.
func (h *Handler) Sweep(ctx context.Context) error {
	h.allowances.Sweep()
	return h.sessions.sweep(ctx)
}

// Limited returns how many calls were refused since the start because of the limits of
// a "user" or of a "server".
func (h *Handler) Limited(by string) int64 {
	user, server := h.allowances.Refused()
	if by == "server" {
		return server
	}
	return user
}
