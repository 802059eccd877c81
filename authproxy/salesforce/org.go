package salesforce

import (
	"fmt"
	"log/slog"
	"regexp"
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
