package authproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/ui"
)

// Profiles finds out how people know a user; what it needs it takes from the user's
// link. It is asked once after each login, and may fail.
type Profiles interface {
	Profile(ctx context.Context, org, subject string) (name, username string, err error)
}

// Config is what a [Server] needs. All fields are required but for Company, People, Profiles, Site, Log and Now.
type Config struct {
	// Access has the public URL, which is the issuer, the orgs and the servers.
	Access     *access.Control
	Clients    *client.Store
	Grants     *grant.Store
	Links      *link.Store
	Salesforce *salesforce.Client
	Sessions   *ui.Sessions
	Company    *company.SignIn // with People; nil: nobody signs in with a company
	People     *people.Store
	Cookies    ui.Cookies
	Marks      ui.Marks
	Audit      *audit.Log
	Cutoff     *Cutoff
	Profiles   Profiles
	Site       ui.Site // what all pages show
	Log        *slog.Logger
	Now        func() time.Time
}

// Server is the authorization server.
type Server struct {
	Config
	issuer   string // the public URL
	guard    *ui.Guard
	refusals refusals
}

// New returns the authorization server, or an error that names what c lacks.
func New(c Config) (*Server, error) {
	if c.Access == nil || c.Clients == nil || c.Grants == nil || c.Links == nil || c.Salesforce == nil || c.Sessions == nil || c.Marks.Ring == nil || c.Audit == nil || c.Cutoff == nil {
		return nil, errors.New("authorization server: a part is missing")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	guard, err := ui.NewGuard(c.Access.PublicURL())
	if err != nil {
		return nil, fmt.Errorf("authorization server: %w", err)
	}
	return &Server{Config: c, issuer: c.Access.PublicURL(), guard: guard}, nil
}

// Register mounts all paths of the authorization server on m, which must not clean or
// decode paths (mux's SkipClean and UseEncodedPath).
func (s *Server) Register(m *mux.Router) {
	e := endpoints{s}
	for _, end := range []string{"", "/"} { // clients put the well-known part before a path of "/", too
		m.HandleFunc("/.well-known/oauth-authorization-server"+end, e.serverMetadata)
		m.HandleFunc("/.well-known/openid-configuration"+end, e.serverMetadata)
		m.HandleFunc("/.well-known/oauth-protected-resource"+end, e.rootMetadata)
		m.HandleFunc("/.well-known/oauth-protected-resource/mcp/{server}"+end, e.resourceMetadata)
	}
	m.HandleFunc("/oauth/authorize", inWindow(s.page(http.MethodGet, s.authorize)))
	m.HandleFunc("/oauth/consent", inWindow(s.page(http.MethodPost, s.consent)))
	m.HandleFunc("/oauth/callback", inWindow(s.page(http.MethodGet, s.callback)))
	m.HandleFunc("/oauth/token", openToScripts(e.endpoint(e.token)))
	m.HandleFunc("/oauth/revoke", openToScripts(e.endpoint(e.revoke)))
	if s.Clients.AcceptsRegistration() {
		m.HandleFunc("/oauth/register", openToScripts(e.register))
	}
	m.HandleFunc("/signin", signing{s}.signIn)
	if len(s.providers()) > 0 {
		m.HandleFunc("/signin/company", s.page(http.MethodGet, companySigning{s}.startCompany))
		m.HandleFunc("/oauth/company/callback", s.page(http.MethodGet, companySigning{s}.finishCompany))
		m.HandleFunc("/account/link", s.page(http.MethodPost, companySigning{s}.linkPerson))
	}
	m.HandleFunc("/signout", s.page(http.MethodPost, signing{s}.signOut))
}

// endpoints are what programs call: metadata, registration, tokens, revocation. The rest of
// the server is pages, which a person goes through in a browser.
type endpoints struct{ *Server }

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
