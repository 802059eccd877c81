package clientdoc

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const maxURL = 2048

// IsURL says whether a client identifier is to be read as a document's address.
func IsURL(id string) bool { return strings.HasPrefix(id, "https://") }

var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// ValidHost says what keeps text from being the host of a document's address: a name
// in lower-case ASCII without a final dot, or an IP address in its one spelling. What
// resolvers take for an IPv4 address in decimal, octal or hexadecimal is neither.
func ValidHost(text string) error {
	if a, err := netip.ParseAddr(text); err == nil {
		if a.Zone() != "" || a.String() != text {
			return errors.New("expected the address in its plain form")
		}
		return nil
	}
	last := text[strings.LastIndexByte(text, '.')+1:]
	switch {
	case len(text) > 253 || !hostName.MatchString(text):
		return errors.New("expected a host name in lower-case ASCII")
	case last[0] >= '0' && last[0] <= '9':
		return errors.New("a host name does not end in a number")
	}
	return nil
}

// parseURL reads the URL of a document or key set and says what keeps it from being
// one. The rules are those of CIMD, "Client Identifier"; a query is refused too, which
// it says should not be there, because it would give one document endless names.
func parseURL(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, errors.New("is too long")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`\"<>^{|}`+"`", r) }) {
		return nil, errors.New("contains a character that is not allowed in a URL")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" || !IsURL(text) || u.Host == "" || u.Opaque != "" || u.String() != text:
		return nil, errors.New("expected an https URL in its plain form")
	case u.User != nil:
		return nil, errors.New("must not have a user name")
	case strings.ContainsAny(text, "#?"):
		return nil, errors.New("must have neither query nor fragment")
	case u.Path == "" || u.Path == "/":
		return nil, errors.New("must have a path")
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return nil, errors.New("must not have dot segments")
	case !validPort(u):
		return nil, errors.New("has a port that is not served")
	}
	return u, ValidHost(u.Hostname())
}

// validPort refuses ports of other protocols before anything is fetched, and a second
// spelling of the default port. Whether an unusual port is dialed depends on where
// that leads, see [Fetcher].
func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port >= 1024 && u.Port()[0] != '0'
}
