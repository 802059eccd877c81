package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/limit"
	"sfmcp-proxy/mcpforward/stream"
	"sfmcp-proxy/mcpforward/upstream"
)

// scope is the one scope that opens an MCP endpoint.
const scope = "mcp"

// Server is one MCP endpoint in front of one hosted MCP server of Salesforce.
type Server struct {
	Name    string         // last path segment: /mcp/NAME
	Title   string         // for people
	Org     string         // name of the org it belongs to
	URL     string         // of the hosted MCP server
	Timeout time.Duration  // of one call; 0: 60 s
	Policy  *policy.Policy // what may be called
	Groups  []string       // who may use it; "*": every user of the org; empty: nobody
	// ServerRequests are what the hosted server may ask of a client that can answer, by
	// capability: sampling, elicitation, roots. Empty: nothing.
	ServerRequests []string

	CallsPerMinute  int // of all users together; 0: no limit of its own
	ConcurrentCalls int // of all users together; 0: no limit of its own
}

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

// Config is what a Handler works with. Every field must be set, but Limits, Now and
// Version.
type Config struct {
	PublicURL string // base of every URL of ours, without a slash at its end
	Servers   []Server
	DB        *db.DB // holds mcp_sessions
	Grants    *grant.Store
	Links     Links
	Approvals *approval.Store
	Audit     *audit.Log
	Pool      *upstream.Pool
	// Groups names the configured groups that a user is in.
	Groups  func(org, subject, username string) []string
	Limits  Limits
	Version string // of this program, for initialize
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Handler serves /mcp/{server} of every configured server. It is safe for concurrent use.
type Handler struct {
	Config
	servers   map[string]*Server
	origin    string // scheme and host of PublicURL
	host      string
	sessions  sessionStore
	calls     *inFlight
	questions *questions
	streams   limit.Streams
	budgets   *limit.Budgets
	quiet     time.Duration   // see [stream.QuietTime]
	draining  context.Context // ends with Drain
	drain     func()
}

// New returns a handler, or says what c lacks.
func New(c Config) (*Handler, error) {
	base, err := url.Parse(c.PublicURL)
	if err != nil || base.Host == "" || strings.HasSuffix(c.PublicURL, "/") {
		return nil, errors.New("forwarding: public URL must be absolute and not end in a slash")
	}
	if c.DB == nil || c.Grants == nil || c.Links == nil || c.Approvals == nil || c.Audit == nil || c.Pool == nil || c.Groups == nil || c.Log == nil {
		return nil, errors.New("forwarding: a dependency is missing")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Limits = c.Limits.withDefaults()
	h := &Handler{
		Config:   c,
		servers:  map[string]*Server{},
		origin:   base.Scheme + "://" + hostOf(base.Host, base.Scheme),
		host:     hostOf(base.Host, base.Scheme),
		sessions: newSessionStore(c.DB, c.Now),
		calls:    &inFlight{}, questions: &questions{},
		quiet: stream.QuietTime,
	}
	h.draining, h.drain = context.WithCancel(context.Background())
	limits := map[string]limit.Limits{}
	for _, s := range c.Servers {
		if !isServerName(s.Name) || s.Org == "" || s.URL == "" || s.Policy == nil || h.servers[s.Name] != nil {
			return nil, fmt.Errorf("forwarding: server %q needs a name of its own, an org, a URL and a policy", s.Name)
		}
		if i := slices.IndexFunc(s.ServerRequests, func(name string) bool { return !slices.Contains(slices.Collect(maps.Values(serverRequests)), name) }); i >= 0 {
			return nil, fmt.Errorf("forwarding: server %q: %q is no request that can be passed", s.Name, s.ServerRequests[i])
		}
		s.Policy = s.Policy.For(s.URL)
		h.servers[s.Name] = &s
		limits[s.Name] = limit.Limits{CallsPerMinute: s.CallsPerMinute, ConcurrentCalls: s.ConcurrentCalls}
	}
	h.budgets = limit.New(limit.Config{
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

// admits reports whether a member of groups may use s.
func (s *Server) admits(groups []string) bool {
	return slices.Contains(s.Groups, "*") || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(s.Groups, g) })
}

// passes reports whether the hosted server may ask a client for what the capability
// names.
func (s *Server) passes(capability string) bool { return slices.Contains(s.ServerRequests, capability) }

// resource is the URL of an endpoint, which its tokens are bound to (RFC 8707).
func (h *Handler) resource(server string) string { return h.PublicURL + "/mcp/" + server }

// Succeed makes h know the calls that are under way at former, so that clients can cancel
// them and answer what they ask. It must be called before h is used.
func (h *Handler) Succeed(former *Handler) { h.calls, h.questions = former.calls, former.questions }

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	x := &exchange{Handler: h, r: r, reply: stream.New(w, r), started: h.Now()}
	defer x.survive()
	if err := x.serve(); err != nil {
		x.fail(err)
	}
}

// survive turns a panic into a generic answer. The log gets the place, not the
// values, which may hold what the client sent.
func (x *exchange) survive() {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	x.Log.ErrorContext(x.r.Context(), "panic while forwarding", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	x.fail(errors.New("panic"))
}

// Spared returns for each server, by its name, whether its calls are held back because
// Salesforce failed several times in a row.
func (h *Handler) Spared() map[string]bool {
	spared := make(map[string]bool, len(h.servers))
	for name, s := range h.servers {
		spared[name] = h.Pool.Spared(s.Org, s.URL)
	}
	return spared
}

// Recheck ends the requests in flight whose grant is not alive any more, or all of
// them when everything is stopped. Not knowing counts as not alive.
func (h *Handler) Recheck(ctx context.Context) {
	if mode, err := h.Grants.StopMode(ctx); mode == grant.StopAll {
		h.Log.InfoContext(ctx, "ending all calls in flight", "error", err)
		h.calls.stop()
		return
	}
	dead := map[string]bool{}
	for _, id := range h.calls.grants() {
		alive, err := h.Grants.Alive(ctx, id)
		dead[id] = err != nil || !alive
	}
	h.calls.end(func(id string) bool { return dead[id] })
}

// Sweep removes sessions that are over and counters that nobody needs.
func (h *Handler) Sweep(ctx context.Context) error {
	h.budgets.Sweep()
	return h.sessions.sweep(ctx)
}

// Limited returns how many calls were refused since the start because of the limits of
// a "user" or of a "server".
func (h *Handler) Limited(by string) int64 {
	user, server := h.budgets.Refused()
	if by == "server" {
		return server
	}
	return user
}
