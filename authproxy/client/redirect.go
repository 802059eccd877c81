package client

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/salesforce"
)

// reserved are the names that an authorization response adds (RFC 6749 4.1.2, RFC
// 9207 2); a redirect URI that brings one along would make the response ambiguous.
var reserved = []string{"code", "state", "iss", "error", "error_description", "error_uri"}

// ValidateRedirectURI says what keeps uri from being registered (SR-AS-3): only https,
// or http on a loopback host; nothing in it that two parsers could read differently; no host of Salesforce's, and none
// of salesforceHosts, which are those of the orgs, in lower case.
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
	if salesforce.Hosts(u.Hostname()) || slices.Contains(salesforceHosts, u.Hostname()) {
		return errors.New("must not lead to Salesforce")
	}
	return reservedIn(u)
}

// reservedIn says which of the reserved names a redirect URI carries.
func reservedIn(u *url.URL) error {
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

// barredSchemes are those that a browser runs, reads or sends by itself, or that are no
// program's own (RFC 8252 7.1).
var barredSchemes = []string{"about", "blob", "chrome", "data", "file", "filesystem", "ftp", "http", "https", "intent", "javascript", "jar",
	"mailto", "sms", "tel", "urn", "vbscript", "view-source", "ws", "wss"}

// ValidatePrivateUseURI says what keeps uri from being a redirect URI with a scheme of a
// program's own (RFC 8252 7.1), such as cursor://anysphere.cursor-mcp/oauth/callback or
// com.example.app:/callback. Any program on a computer can claim such a scheme, so each URI
// has to be configured, exactly.
func ValidatePrivateUseURI(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`\"<>^{|}*`+"`", r) }):
		return errors.New("expected a URI of printable ASCII")
	case u.Scheme == "" || u.Opaque != "" || u.Host == "" && len(u.Path) < 2:
		return errors.New("expected a scheme and where it leads, such as cursor://anysphere.cursor-mcp/oauth/callback")
	case !strings.HasPrefix(uri, u.Scheme+":"):
		return errors.New("expected the scheme in lower case")
	case slices.Contains(barredSchemes, u.Scheme):
		return fmt.Errorf("the scheme %s is no program's own", u.Scheme)
	case u.Fragment != "" || strings.Contains(uri, "#") || u.User != nil:
		return errors.New("must not have a fragment or a user name")
	}
	return reservedIn(u)
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

// LocalRedirect says whether uri leads to a program on the user's own machine, by the
// loopback interface or by a scheme of its own. No one can tell that from another program
// there (RFC 8252 8.6).
func LocalRedirect(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme != "https" && (u.Scheme != "http" || isLoopbackHost(u.Host))
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
