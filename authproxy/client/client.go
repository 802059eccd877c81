package client

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/clientdoc"
)

// Kind is how a client came to be known.
type Kind string

const (
	Configured Kind = "user-defined"      // in the configuration
	Document   Kind = "metadata document" // its id is the URL of its Client ID Metadata Document
	Dynamic    Kind = "dynamic"           // registered itself (RFC 7591)
)

// Client is an OAuth client (RFC 6749 2). User-defined and dynamic ones are public:
// they have no secret, PKCE binds their codes.
type Client struct {
	// ID is the client_id, Name what people read. The name is verified for Configured
	// ones only.
	ID, Name string
	// RedirectURIs are https URLs, or http URLs on 127.0.0.1, [::1] or localhost.
	RedirectURIs []string
	// Server is the name of the one server that the client is for. It need not name a
	// resource then, as programs before RFC 8707 do not; empty: it is for all servers.
	Server string
	// Kind is set by the store.
	Kind Kind
	// Host is that of a Document client's id, which its document was fetched from.
	Host string
	// ReadAt is when a Document client's document was fetched, or a Dynamic one registered.
	ReadAt time.Time

	methods  []string // of Document clients
	asserted bool     // it has authenticated with private_key_jwt
	metadata *clientdoc.Metadata
	own      *url.URL // the proxy's origin
}

// Allows says whether the client may authenticate with a method at the token endpoint.
// One that can sign, and once did, may not go on without (SR-AS-8: no downgrade).
func (c Client) Allows(method string) bool {
	if c.Kind != Document {
		return method == clientdoc.MethodNone
	}
	if method == clientdoc.MethodNone && c.asserted && slices.Contains(c.methods, clientdoc.MethodPrivateKeyJWT) {
		return false
	}
	return slices.Contains(c.methods, method)
}

// Problem is one thing that is wrong with a client of the configuration.
type Problem struct {
	// Key is the setting, with the position in a list: name, redirect_uris[0].
	Key string
	// Found is what stands there, in a few words.
	Found string
	// Want is what was expected; "" where Found says all of it.
	Want string
}

func (p Problem) String() string {
	if p.Want == "" {
		return p.Key + ": " + p.Found
	}
	return fmt.Sprintf("%s: found %s, expected %s", p.Key, p.Found, p.Want)
}

// Validate returns every problem of the client, nil if there is none: an id or name that
// is missing or not plain, no redirect URI, or one that both
// [ValidateRedirectURI] and [ValidatePrivateUseURI] refuse.
func (c Client) Validate(publicURL string, salesforceHosts []string) []Problem {
	var problems []Problem
	add := func(key, found, want string) { problems = append(problems, Problem{key, found, want}) }
	if !validID(c.ID) {
		add("id", strconv.Quote(c.ID), "visible ASCII without spaces (RFC 6749 A.1)")
	}
	if strings.TrimSpace(c.Name) == "" {
		add("name", "nothing", "the name that the consent page shows")
	}
	if len(c.RedirectURIs) == 0 {
		add("redirect_uris", "nothing", "at least one redirect URI")
	}
	for i, uri := range c.RedirectURIs {
		err := ValidateRedirectURI(uri, publicURL, salesforceHosts)
		if err != nil && ValidatePrivateUseURI(uri) == nil {
			err = nil // named by whoever runs the proxy, and compared exactly
		}
		if err != nil {
			add(fmt.Sprintf("redirect_uris[%d]", i), err.Error(), "")
		}
	}
	return problems
}

// validID reports whether a client_id is visible ASCII (RFC 6749 A.1), without the
// space that the grammar allows and nobody sees.
func validID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}
