package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"sfmcp-proxy/authproxy/tunnel"
)

// outboundForm is how outbound_proxy is written.
const outboundForm = "http://HOST:PORT or http://USER@HOST:PORT, the password in outbound_proxy_password_file"

// Tunnel is the way out through outbound_proxy; nil without one.
func (c *Config) Tunnel() (*tunnel.Dialer, error) {
	if c.OutboundProxy == "" {
		return nil, nil
	}
	u, err := parseOutboundProxy(c.OutboundProxy)
	if err != nil {
		return nil, fmt.Errorf("outbound_proxy: %w", err)
	}
	return tunnel.New(tunnel.Config{Address: u.Host, User: u.User.Username(), Password: c.OutboundProxyPassword, Except: c.OutboundProxyExcept}), nil
}

// parseOutboundProxy reads outbound_proxy. Its errors quote nothing of it: who writes a
// password there must not find it in a log.
func parseOutboundProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("not a URL (not shown)")
	}
	_, password := u.User.Password()
	_, port, err := net.SplitHostPort(u.Host)
	switch {
	case password:
		return nil, errors.New("a password in the URL (not shown)")
	case u.Scheme != "http":
		return nil, errors.New("a URL that does not begin with http:// (not shown)")
	case err != nil || u.Hostname() == "" || !validPort(port) || port == "0":
		return nil, errors.New("a URL without host and port (not shown)")
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return nil, errors.New("a URL with something after the port (not shown)")
	case strings.ContainsAny(u.User.Username(), ":\r\n\x00"):
		return nil, errors.New("a user name with a colon or a control character (not shown)") // RFC 7617 2
	}
	return u, nil
}

// exceptName is a host name in lower case, or .example.com for all below one.
var exceptName = regexp.MustCompile(`^\.?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

func (v *validator) outbound() {
	c := v.c
	for i, host := range c.OutboundProxyExcept {
		if _, err := netip.ParseAddr(host); err != nil && !exceptName.MatchString(host) {
			v.add(fmt.Sprintf("outbound_proxy_except[%d]", i), quote(host), "a host in lower case, without scheme and port, or .example.com for all hosts below example.com")
		}
	}
	if c.OutboundProxy == "" {
		for key, set := range map[string]bool{"outbound_proxy_password": c.OutboundProxyPassword != "", "outbound_proxy_except": len(c.OutboundProxyExcept) > 0,
			"registration.metadata_documents.use_outbound_proxy": c.Registration.MetadataDocuments.UseOutboundProxy} {
			if set {
				v.add(key, "a value, without outbound_proxy", "outbound_proxy too, or no such key")
			}
		}
		return
	}
	u, err := parseOutboundProxy(c.OutboundProxy)
	switch {
	case err != nil:
		v.add("outbound_proxy", err.Error(), outboundForm)
	case u.User.Username() != "" && c.OutboundProxyPassword == "":
		v.add("outbound_proxy_password_file", "nothing, though outbound_proxy names a user", "the file with the user's password")
	case u.User.Username() == "" && c.OutboundProxyPassword != "":
		v.add("outbound_proxy", "no user, though there is a password", outboundForm)
	case strings.ContainsAny(c.OutboundProxyPassword, "\r\n\x00"):
		v.add("outbound_proxy_password", "a control character (not shown)", "one line")
	}
}
