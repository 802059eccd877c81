package grant

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/seal"
)

// ClientKind tells how a client came to be known.
type ClientKind string

const (
	Configured ClientKind = "user-defined"      // in the configuration
	Document   ClientKind = "metadata document" // its id is the URL of its Client ID Metadata Document
	Dynamic    ClientKind = "dynamic"           // registered itself (RFC 7591)
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
	Kind ClientKind
	// Host is that of a Document client's id, which its document was fetched from.
	Host string
	// ReadAt is when a Document client's document was fetched.
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

// Client returns the client of that id, or [ErrNoClient], which wraps an error of
// package clientdoc when the id is the URL of a document that cannot be had: an
// authorization begins only on a document that is current.
func (s *Store) Client(ctx context.Context, id string) (Client, error) {
	return s.lookUp(ctx, id, false)
}

// LastKnown is [Store.Client] for what goes on, such as a refresh: where a document
// cannot be had now, the last good one counts.
func (s *Store) LastKnown(ctx context.Context, id string) (Client, error) {
	return s.lookUp(ctx, id, true)
}

func (s *Store) lookUp(ctx context.Context, id string, stale bool) (Client, error) {
	if c, ok := s.clients[id]; ok {
		return c, nil
	}
	switch {
	case !s.knows(id):
		return Client{}, s.unknown(id)
	case clientdoc.IsURL(id):
		return s.documentClient(ctx, id, stale)
	}
	return s.dynamicClient(ctx, id)
}

// knows says whether clients of that id may exist under this configuration. It asks
// nobody: for tokens, whose client was looked up when it got them.
func (s *Store) knows(id string) bool {
	_, configured := s.clients[id]
	switch {
	case configured:
		return true
	case clientdoc.IsURL(id):
		return s.documents != nil && s.documents.Allowed(id) == nil
	}
	return s.dynamic && seal.WellFormed(id, dynamicPrefix)
}

func (s *Store) unknown(id string) error {
	if s.documents != nil && clientdoc.IsURL(id) {
		return fmt.Errorf("%w: %w", ErrNoClient, s.documents.Allowed(id))
	}
	return ErrNoClient
}

// ClientName is what people read for a client, its id where nothing better is known. It
// asks nobody but the database.
func (s *Store) ClientName(ctx context.Context, id string) string {
	if c, ok := s.clients[id]; ok {
		return c.Name
	}
	if r, err := s.registration(ctx, id); err == nil && r != nil {
		if c, err := s.clientOf(r); err == nil {
			return c.Name
		}
	}
	return id
}

// AcceptsDocuments says whether Client ID Metadata Documents are accepted,
// AcceptsRegistration whether clients may register themselves.
func (s *Store) AcceptsDocuments() bool    { return s.documents != nil }
func (s *Store) AcceptsRegistration() bool { return s.dynamic }

// UserDefined returns the clients of the configuration, by id.
func (s *Store) UserDefined() []Client {
	all := slices.Collect(maps.Values(s.clients))
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// Clients returns all clients that are known now, by id.
func (s *Store) Clients(ctx context.Context) ([]Client, error) {
	stored, err := s.registered(ctx)
	if err != nil {
		return nil, err
	}
	all := append(s.UserDefined(), stored...)
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all, nil
}

// ClientProblem is one thing that is wrong with a client of the configuration.
type ClientProblem struct {
	// Key is the setting, with the position in a list: name, redirect_uris[0].
	Key string
	// Found is what stands there, in a few words.
	Found string
	// Want is what was expected; "" where Found says all of it.
	Want string
}

func (p ClientProblem) String() string {
	if p.Want == "" {
		return p.Key + ": " + p.Found
	}
	return fmt.Sprintf("%s: found %s, expected %s", p.Key, p.Found, p.Want)
}

// Validate returns every problem of the client, nil if there is none: an id or name that
// is missing or not plain, no redirect URI, or one that [ValidateRedirectURI] refuses.
func (c Client) Validate(publicURL string, salesforceHosts []string) []ClientProblem {
	var problems []ClientProblem
	add := func(key, found, want string) { problems = append(problems, ClientProblem{key, found, want}) }
	if !validClientID(c.ID) {
		add("id", strconv.Quote(c.ID), "visible ASCII without spaces (RFC 6749 A.1)")
	}
	if strings.TrimSpace(c.Name) == "" {
		add("name", "nothing", "the name that the consent page shows")
	}
	if len(c.RedirectURIs) == 0 {
		add("redirect_uris", "nothing", "at least one redirect URI")
	}
	for i, uri := range c.RedirectURIs {
		if err := ValidateRedirectURI(uri, publicURL, salesforceHosts); err != nil {
			add(fmt.Sprintf("redirect_uris[%d]", i), err.Error(), "")
		}
	}
	return problems
}

// validClientID reports whether a client_id is visible ASCII (RFC 6749 A.1), without the
// space that the grammar allows and nobody sees.
func validClientID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// reserved are the names that an authorization response adds (RFC 6749 4.1.2, RFC
// 9207 2); a redirect URI that brings one along would make the response ambiguous.
var reserved = []string{"code", "state", "iss", "error", "error_description", "error_uri"}

// ValidateRedirectURI says what keeps uri from being registered (SR-AS-3): only https,
// or http on a loopback host; nothing in it that two parsers could read differently.
func ValidateRedirectURI(uri, publicURL string, salesforceHosts []string) error {
	if strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`\"<>^{|}`+"`", r) }) {
		return errors.New("contains a character that is not allowed in a URL")
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.String() != uri:
		return errors.New("expected an absolute URL in its plain form, such as https://client.example/callback")
	case strings.Contains(uri, "#"):
		return errors.New("must not have a fragment")
	case u.User != nil:
		return errors.New("must not have a user name")
	case u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Host, ":") || strings.HasSuffix(u.Hostname(), "."):
		return errors.New("expected the host in lower case, without a final dot or an empty port")
	case u.Scheme == "http" && !isLoopbackHost(u.Host):
		return errors.New("http is allowed on 127.0.0.1, [::1] and localhost only")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("expected https, or http on a loopback host")
	case clientdoc.ValidHost(u.Hostname()) != nil: // 2130706433 is 127.0.0.1 to a browser, and * is nothing
		return errors.New("expected a host name, or an address in its plain form")
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return errors.New("must not have dot segments") // %2e is a dot to a browser
	}
	if own, err := url.Parse(publicURL); err == nil && sameOrigin(u, own) {
		return errors.New("must not lead to this proxy")
	}
	for _, host := range salesforceHosts {
		if strings.EqualFold(u.Hostname(), host) {
			return errors.New("must not lead to Salesforce")
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("its query does not parse")
	}
	for _, name := range reserved {
		if query.Has(name) {
			return fmt.Errorf("must not carry the response parameter %q", name)
		}
	}
	return nil
}

// AllowsRedirect says whether uri may be redirected to: byte for byte a registered
// one, but for the port where the registered one is http on a loopback host (RFC 8252
// 7.3). It never allows the proxy's own origin. uri is compared, not interpreted, so
// that no spelling that a browser would resolve elsewhere passes.
func (c Client) AllowsRedirect(uri string) bool {
	if !slices.ContainsFunc(c.RedirectURIs, func(registered string) bool { return matches(registered, uri) }) {
		return false
	}
	u, err := url.Parse(uri)
	return err == nil && (c.own == nil || !sameOrigin(u, c.own))
}

func matches(registered, uri string) bool {
	if registered == uri {
		return true
	}
	for _, host := range loopbackHosts {
		want, ok := afterPort(registered, "http://"+host)
		if !ok {
			continue
		}
		have, ok := afterPort(uri, "http://"+host)
		return ok && have == want
	}
	return false
}

var loopbackHosts = []string{"127.0.0.1", "[::1]", "localhost"}

// afterPort cuts prefix and an optional port, 1 to 65535 without leading zeros.
func afterPort(uri, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(uri, prefix)
	if !ok {
		return "", false
	}
	if rest == "" || rest[0] != ':' {
		return rest, rest == "" || rest[0] == '/' || rest[0] == '?'
	}
	rest = rest[1:]
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	port, err := strconv.ParseUint(rest[:digits], 10, 16)
	if err != nil || port == 0 || rest[0] == '0' {
		return "", false
	}
	rest = rest[digits:]
	return rest, rest == "" || rest[0] == '/' || rest[0] == '?'
}

func isLoopbackHost(hostPort string) bool {
	for _, host := range loopbackHosts {
		if rest, ok := strings.CutPrefix(hostPort, host); ok && (rest == "" || rest[0] == ':') {
			return true
		}
	}
	return false
}

// LoopbackRedirect says whether uri leads to a program on the user's own machine,
// which no one can tell from another one there (RFC 8252 8.6).
func LoopbackRedirect(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "http" && isLoopbackHost(u.Host)
}

// sameOrigin compares scheme, host and port; all names of the loopback interface
// count as one host, since one listener answers to all of them.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && originHost(a) == originHost(b)
}

func originHost(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsLoopback() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
