package company

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/seal"
)

// Errors of a sign-in.
var (
	// ErrOtherBrowser: the answer came to another browser than the one that began.
	ErrOtherBrowser = errors.New("the sign-in was begun in another browser")
	// ErrOver: the sign-in took longer than [AttemptLifetime].
	ErrOver = errors.New("the sign-in took too long")
	// ErrUnavailable: the provider, or its keys, cannot be reached, or answers with an error of
	// its own.
	ErrUnavailable = errors.New("the identity provider does not answer")
	// ErrRefused: the answer is not to be believed, or the provider refused.
	ErrRefused = errors.New("the answer of the identity provider is refused")
	// ErrLoginRequired: asked to sign somebody in without a page, the provider could not.
	ErrLoginRequired = errors.New("the identity provider wants the person to sign in")
	// ErrUnknownProvider: no provider has that issuer.
	ErrUnknownProvider = errors.New("no such identity provider is configured")
)

// AttemptLifetime is how long a person may take at the provider.
const AttemptLifetime = 10 * time.Minute

// FreshFor is how old a fresh sign-in may be when its answer comes.
const FreshFor = 5 * time.Minute

// Provider is one identity provider and our client there.
type Provider struct {
	Name         string // for people
	Issuer       string // URL, exactly as its tokens say it
	ClientID     string
	ClientSecret string   // empty: a public client, which PKCE alone protects
	Scopes       []string // beside openid
	GroupsClaim  string   // name of the claim that lists groups; empty: groups are not read
	// ACR is the way of signing in that counts as fresh and strong (acr); empty: none does.
	ACR string
}

// Role says who holds a role: whoever is any of these, at that provider.
type Role struct {
	Role, Issuer string
	Subjects     []string
	Groups       []string
	Emails       []string // only an address that the provider says it has verified
}

// Config is what [New] needs.
type Config struct {
	Providers   []Provider
	Roles       []Role
	RedirectURI string
	HTTP        *http.Client // follows no redirect, verifies TLS
	Ring        *seal.KeyRing
	Now         func() time.Time // nil: time.Now
	Log         *slog.Logger     // nil: slog.Default
}

// SignIn signs people in. It is safe for concurrent use.
type SignIn struct {
	config    Config
	providers []*provider
}

// New makes no request.
func New(c Config) (*SignIn, error) {
	if c.Ring == nil || c.HTTP == nil || c.HTTP.Transport == nil || c.RedirectURI == "" {
		return nil, errors.New("company sign-in: ring, HTTP client with a transport and redirect URI are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s := &SignIn{config: c}
	for _, p := range c.Providers {
		if _, err := s.provider(p.Issuer); err == nil {
			return nil, fmt.Errorf("company sign-in: provider %s is there twice", p.Issuer)
		}
		s.providers = append(s.providers, newProvider(p, &s.config))
	}
	return s, nil
}

// Providers are those that people may sign in with.
func (s *SignIn) Providers() (all []Provider) {
	for _, p := range s.providers {
		all = append(all, p.Provider)
	}
	return all
}

func (s *SignIn) provider(issuer string) (*provider, error) {
	for _, p := range s.providers {
		if p.Issuer == issuer {
			return p, nil
		}
	}
	return nil, ErrUnknownProvider
}

// Identity is who signed in, as the provider says.
type Identity struct {
	Issuer, Subject string
	Name            string // for people; may be empty
	// Email is empty unless the provider says that it has verified it.
	Email string
	// Groups are those that a role names; no others are kept.
	Groups   []string
	AuthTime time.Time // zero: not known
	ACR      string
	// CheckedAt is when the provider said so.
	CheckedAt time.Time
}

// Human names the human behind a company sign-in, over all browsers.
func Human(issuer, subject string) string { return humanPrefix + issuer + " " + subject }

const humanPrefix = "company "

// ParseHuman reads what Human returns; false if the human is somebody else.
func ParseHuman(human string) (issuer, subject string, ok bool) {
	rest, company := strings.CutPrefix(human, humanPrefix)
	issuer, subject, found := strings.Cut(rest, " ") // an issuer has no space
	return issuer, subject, company && found
}

// Roles are those that an identity holds by the present configuration, sorted. Claims may be
// older than they may count: whoever asks sees to that first.
func (s *SignIn) Roles(i Identity) (roles []string) {
	for _, r := range s.config.Roles {
		if r.Issuer != i.Issuer || i.Subject == "" || slices.Contains(roles, r.Role) {
			continue
		}
		if slices.Contains(r.Subjects, i.Subject) || slices.ContainsFunc(r.Groups, func(g string) bool { return slices.Contains(i.Groups, g) }) ||
			i.Email != "" && slices.ContainsFunc(r.Emails, func(e string) bool { return strings.EqualFold(e, i.Email) }) {
			roles = append(roles, r.Role)
		}
	}
	slices.Sort(roles)
	return roles
}

// named are the groups of a provider that give a role.
func (c *Config) named(issuer string) (groups []string) {
	for _, r := range c.Roles {
		if r.Issuer == issuer {
			groups = append(groups, r.Groups...)
		}
	}
	return groups
}
