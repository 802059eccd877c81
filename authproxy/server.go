package authproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/ui"
)

// Org is a Salesforce org as the pages need it.
type Org struct {
	Name string
	// LoginURL is where people are sent, Issuer what its responses name in iss (RFC
	// 9207) if they name anything; "" means LoginURL.
	LoginURL, Issuer string
	// Scopes are the ones asked of Salesforce, for people to read.
	Scopes []string
}

// MCPServer is one configured endpoint, a protected resource at PublicURL/mcp/Name.
type MCPServer struct {
	Name, Title, Description string
	// Org is the name of the org that it fronts.
	Org string
	// Allows says whether a user of that org may connect; username is lower case, ""
	// while unknown. nil: nobody may.
	Allows func(subject, username string) bool
	// Summary says, for the consent page, what the policy lets a client do; the user is
	// not known by then. nil: the page says that nothing is allowed.
	Summary func(clientID string) policy.Summary
}

// Profiles finds out how people know a user; what it needs it takes from the user's
// link. It is asked once after each login, and may fail.
type Profiles interface {
	Profile(ctx context.Context, org, subject string) (name, username string, err error)
}

// Config is what a [Server] needs. All fields are required but for Profiles, Log and Now.
type Config struct {
	// PublicURL is the issuer and the base of every URL: https, or http on a loopback
	// host; no path, query or final slash.
	PublicURL  string
	Orgs       []Org
	Servers    []MCPServer
	Grants     *grant.Store
	Links      *link.Store
	Salesforce *salesforce.Client
	Sessions   *ui.Sessions
	Cookies    ui.Cookies
	Audit      *audit.Log
	Cutoff     *Cutoff
	Profiles   Profiles
	Log        *slog.Logger
	Now        func() time.Time
}

// Server is the authorization server.
type Server struct {
	Config
	guard    *ui.Guard
	orgs     map[string]Org
	servers  map[string]MCPServer
	refusals refusals
}

var serverName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// New checks the configuration and reports all its faults.
func New(c Config) (*Server, error) {
	if c.Grants == nil || c.Links == nil || c.Salesforce == nil || c.Sessions == nil || c.Audit == nil || c.Cutoff == nil {
		return nil, errors.New("authorization server: a part is missing")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Server{Config: c, orgs: map[string]Org{}, servers: map[string]MCPServer{}}
	faults := []error{validatePublicURL(c.PublicURL)}
	for _, o := range c.Orgs {
		if o.Issuer == "" {
			o.Issuer = o.LoginURL
		}
		s.orgs[o.Name] = o
	}
	for _, m := range c.Servers {
		if !serverName.MatchString(m.Name) {
			faults = append(faults, fmt.Errorf("server %q: expected a name of a-z, 0-9 and hyphens", m.Name))
		}
		if _, twice := s.servers[m.Name]; twice {
			faults = append(faults, fmt.Errorf("server %q: name is used twice", m.Name))
		}
		if _, known := s.orgs[m.Org]; !known {
			faults = append(faults, fmt.Errorf("server %q: org %q is not configured", m.Name, m.Org))
		}
		s.servers[m.Name] = m
	}
	if len(s.orgs) == 0 || len(s.servers) == 0 {
		faults = append(faults, errors.New("expected at least one org and one server"))
	}
	var err error
	if s.guard, err = ui.NewGuard(c.PublicURL); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("authorization server: %w", err)
	}
	return s, nil
}

func validatePublicURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != text {
		return fmt.Errorf("public URL %q: expected scheme and host alone, such as https://mcp.example.com", text)
	}
	addr, err := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback) {
		return fmt.Errorf("public URL %q: expected https (http on a loopback host only)", text)
	}
	return nil
}

// Resource is the URL of a server's endpoint: the resource of RFC 8707 and 9728.
func (s *Server) Resource(server string) string { return s.PublicURL + "/mcp/" + server }

// Register mounts all paths of the authorization server on m, which must not clean or
// decode paths (mux's SkipClean and UseEncodedPath).
func (s *Server) Register(m *mux.Router) {
	for _, end := range []string{"", "/"} { // clients put the well-known part before a path of "/", too
		m.HandleFunc("/.well-known/oauth-authorization-server"+end, s.serverMetadata)
		m.HandleFunc("/.well-known/openid-configuration"+end, s.serverMetadata)
		m.HandleFunc("/.well-known/oauth-protected-resource"+end, s.rootMetadata)
		m.HandleFunc("/.well-known/oauth-protected-resource/mcp/{server}"+end, s.resourceMetadata)
	}
	m.HandleFunc("/oauth/authorize", inWindow(s.page(http.MethodGet, s.authorize)))
	m.HandleFunc("/oauth/consent", inWindow(s.page(http.MethodPost, s.consent)))
	m.HandleFunc("/oauth/callback", inWindow(s.page(http.MethodGet, s.callback)))
	m.HandleFunc("/oauth/token", openToScripts(s.endpoint(s.token)))
	m.HandleFunc("/oauth/revoke", openToScripts(s.endpoint(s.revoke)))
	if s.Grants.AcceptsRegistration() {
		m.HandleFunc("/oauth/register", openToScripts(s.register))
	}
	m.HandleFunc("/signin", s.signIn)
	m.HandleFunc("/signout", s.page(http.MethodPost, s.signOut))
}

// inWindow is for what a client's window goes through.
func inWindow(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ui.KeepOpener(w.Header())
		h(w, r)
	}
}

// record appends to the audit log what has happened or was refused; it cannot undo it,
// so a failure is logged and no more.
func (s *Server) record(ctx context.Context, e audit.Entry) {
	if _, err := s.Audit.Append(context.WithoutCancel(ctx), e); err != nil {
		s.Log.ErrorContext(ctx, "audit entry is lost", "action", e.Action, "outcome", e.Outcome, "error", err)
	}
}
