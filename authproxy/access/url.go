package access

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/clientdoc"
)

// ValidatePublicURL checks the public URL: the issuer, the base of every URL of ours, and
// the origin of our pages. It is scheme and host alone in their plain form, https, or http
// on a loopback host. The text of its error is what is expected instead.
func ValidatePublicURL(text string) error { return validateURL(text, false, true) }

// ValidateUpstream checks the URL of a hosted MCP server: https in its plain form with a
// path; http on a loopback host is for a simulated Salesforce, where insecureHTTP allows
// it. The text of its error is what is expected instead.
func ValidateUpstream(text string, insecureHTTP bool) error {
	return validateURL(text, true, insecureHTTP)
}

func validateURL(text string, allowPath, allowHTTP bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return errors.New("an absolute URL without user, query or fragment")
	case u.Scheme != "https" && !(u.Scheme == "http" && allowHTTP && loopback(u.Hostname())):
		return errors.New("an https URL (http only for a loopback host)")
	case strings.HasSuffix(text, "/"):
		return errors.New("no trailing slash")
	case !allowPath && u.Path != "":
		return errors.New("no path")
	case u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Host, ":") || u.Scheme+"://"+u.Host+u.EscapedPath() != text || (u.Scheme == "https" && u.Port() == "443") || (u.Scheme == "http" && u.Port() == "80"):
		return errors.New("the URL in its plain form: lower-case host, no default port")
	case clientdoc.ValidHost(u.Hostname()) != nil: // browsers would name it otherwise, and refuse what names it so
		return errors.New("a host name in ASCII (xn--… for others) without a final dot, or an address")
	case u.Port() != "" && !validPort(u.Port()):
		return errors.New("a port of 1 to 65535")
	case allowPath && !plainPath(u.EscapedPath()):
		return errors.New("a path without '..', '//', '%' or ';'")
	}
	return nil
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

func validPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

func plainPath(path string) bool {
	return !strings.Contains(path, "..") && !strings.Contains(path, "//") && !strings.ContainsAny(path, `%;\`)
}
