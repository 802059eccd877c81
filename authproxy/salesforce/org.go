package salesforce

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Scopes that every org must grant: the hosted MCP servers, and a refresh token.
const (
	scopeMCP     = "mcp_api"
	scopeRefresh = "refresh_token"
)

// DefaultScopes are what a proxy needs and no more.
func DefaultScopes() []string { return []string{scopeMCP, scopeRefresh} }

// wideScopes reach beyond the hosted MCP servers. "api" also makes Salesforce issue
// an opaque token, which the MCP gateway answers with 401.
var wideScopes = []string{"api", "full", "web", "id", "profile", "email", "address", "phone"}

var orgName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Org is one Salesforce org and the External Client App that stands for the proxy in it.
type Org struct {
	// Name is what configuration and database call the org: lower case, digits, hyphens.
	Name string
	// LoginURL is the My Domain URL (or the login host) without trailing
	// slash. Authorize, token and revoke endpoints are below it.
	LoginURL string
	// OrgID is the org's id, 15 or 18 characters, 00D….
	OrgID string
	// ClientID is the consumer key of the External Client App.
	ClientID string
	// ClientSecret is its consumer secret; empty for a public client.
	ClientSecret string
	// Scopes to ask for; nil means [DefaultScopes]. A token with more is refused.
	Scopes []string
	// Issuer is the iss claim of access tokens; empty means LoginURL.
	Issuer string
	// JWKSURL is where the org's signing keys are; empty means Issuer + "/id/keys".
	JWKSURL string
	// Resource is sent as resource indicator (RFC 8707) when a person signs in, if
	// set. Salesforce ignores it today; MCP asks clients to send it.
	Resource string
	// InsecureHTTP allows http URLs on loopback addresses, for a simulated Salesforce.
	InsecureHTTP bool
}

// String names the org without its secret.
func (o Org) String() string { return fmt.Sprintf("org %s (%s, %s)", o.Name, o.OrgID, o.LoginURL) }

// GoString is [Org.String]; it keeps the secret out of %#v.
func (o Org) GoString() string { return o.String() }

// LogValue logs the org without its secret.
func (o Org) LogValue() slog.Value { return slog.StringValue(o.String()) }

// withDefaults fills what an operator may leave out.
func (o Org) withDefaults() Org {
	if o.Scopes == nil {
		o.Scopes = DefaultScopes()
	}
	if o.Issuer == "" {
		o.Issuer = o.LoginURL
	}
	if o.JWKSURL == "" {
		o.JWKSURL = o.Issuer + "/id/keys"
	}
	return o
}

// Validate reports every fault of the org at once, each with the field it is in.
func (o Org) Validate() error {
	o = o.withDefaults()
	var faults []error
	fault := func(field string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", field, err))
		}
	}
	if !orgName.MatchString(o.Name) {
		fault("name", fmt.Errorf("found %q, expected lower-case letters, digits and hyphens", o.Name))
	}
	fault("login_url", o.validateURL(o.LoginURL))
	fault("issuer", o.validateURL(o.Issuer))
	fault("jwks_url", o.validateURL(o.JWKSURL))
	if id, err := NormalizeID(o.OrgID); err != nil {
		fault("org_id", err)
	} else if !strings.HasPrefix(id, "00D") {
		fault("org_id", fmt.Errorf("found %q, expected an org id, which begins with 00D", o.OrgID))
	}
	fault("client_id", validateCredential(o.ClientID))
	if o.ClientSecret != "" {
		fault("client_secret", validateCredential(o.ClientSecret))
	}
	fault("scopes", validateScopes(o.Scopes))
	return errors.Join(faults...)
}

// validateURL accepts a plain origin or a URL below one. Whatever would let two readers
// disagree on host or path is refused.
func (o Org) validateURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return fmt.Errorf("found %q, expected an absolute URL such as https://acme.my.salesforce.com", raw)
	}
	switch host := u.Hostname(); {
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("found scheme %q, expected https", u.Scheme)
	case u.Scheme == "http" && !o.InsecureHTTP:
		return fmt.Errorf("found http, expected https (http needs insecure_http and a loopback address)")
	case u.Scheme == "http" && !isLoopback(host):
		return fmt.Errorf("found http to %s, expected https: insecure_http is for loopback addresses alone", host)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return fmt.Errorf("has user, query or fragment, expected none")
	case host == "" || host != strings.ToLower(host) || strings.HasSuffix(host, ".") || strings.ContainsAny(host, "%\\"):
		return fmt.Errorf("found host %q, expected it in lower case, without trailing dot", host)
	case strings.HasSuffix(raw, "/"):
		return fmt.Errorf("found a trailing slash, expected none: issuers are compared byte for byte")
	case strings.ContainsAny(u.EscapedPath(), "%;\\") || strings.Contains(u.Path, "//") || strings.Contains(u.Path, ".."):
		return fmt.Errorf("found path %q, expected one without '..', '//', '%%' or ';'", u.EscapedPath())
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func validateCredential(s string) error {
	if s == "" {
		return errors.New("is empty")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return errors.New("has a space, a line end or a control character")
	}
	return nil
}

func validateScopes(scopes []string) error {
	for _, need := range DefaultScopes() {
		if !slices.Contains(scopes, need) {
			return fmt.Errorf("%s is missing", need)
		}
	}
	for _, s := range scopes {
		if slices.Contains(wideScopes, s) {
			return fmt.Errorf("%s reaches beyond the MCP servers: remove it", s)
		}
		if err := validateCredential(s); err != nil {
			return fmt.Errorf("scope %q %w", s, err)
		}
	}
	return nil
}
