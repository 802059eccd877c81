package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"sfmcp-proxy/authproxy/clientdoc"
)

var (
	serverName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	userID     = regexp.MustCompile(`^005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$`)
	username   = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
)

// everyone is the group of every user of the server's org.
const everyone = "*"

type validator struct {
	c        *Config
	problems Problems
}

func (v *validator) add(key, found, want string) {
	v.problems = append(v.problems, Problem{Key: key, Found: found, Want: want})
}

// Validate returns every problem of the merged configuration that needs more than one
// key, or more than its type, to see.
func (c *Config) Validate() Problems {
	v := &validator{c: c}
	v.listeners()
	v.storage()
	v.orgs()
	v.groups()
	v.policies()
	v.servers()
	v.clients()
	v.registration()
	v.lifetimes()
	v.limits()
	v.console()
	if c.Production {
		v.production()
	}
	return v.problems
}

// url checks a base URL: https, or http where the host is this machine.
func (v *validator) url(key, text string, allowPath, allowHTTP bool) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		v.add(key, quote(text), "an absolute URL without user, query or fragment")
	case u.Scheme != "https" && !(u.Scheme == "http" && allowHTTP && loopback(u.Hostname())):
		v.add(key, quote(text), "an https URL (http only for a loopback host)")
	case strings.HasSuffix(text, "/"):
		v.add(key, quote(text), "no trailing slash")
	case !allowPath && u.Path != "":
		v.add(key, quote(text), "no path")
	case u.Host != strings.ToLower(u.Host) || u.Scheme+"://"+u.Host+u.EscapedPath() != text || (u.Scheme == "https" && u.Port() == "443") || (u.Scheme == "http" && u.Port() == "80"):
		v.add(key, quote(text), "the URL in its plain form: lower-case host, no default port")
	case clientdoc.ValidHost(u.Hostname()) != nil: // browsers would name it otherwise, and refuse what names it so
		v.add(key, quote(text), "a host name in ASCII (xn--… for others) without a final dot, or an address")
	case u.Port() != "" && !validPort(u.Port()):
		v.add(key, quote(text), "a port of 1 to 65535")
	case allowPath && !plainPath(u.EscapedPath()):
		v.add(key, quote(text), "a path without '..', '//', '%' or ';'")
	}
}

func plainPath(path string) bool {
	return !strings.Contains(path, "..") && !strings.Contains(path, "//") && !strings.ContainsAny(path, `%;\`)
}

// production refuses what only a pilot or a test may have.
func (v *validator) production() {
	if strings.HasPrefix(v.c.PublicURL, "http:") {
		v.add("public_url", quote(v.c.PublicURL), "https, because production is true")
	}
	for i, o := range v.c.Salesforce.Orgs {
		if o.InsecureHTTP {
			v.add(fmt.Sprintf("salesforce.orgs[%d].insecure_http", i), "true", "false, because production is true")
		}
	}
	for i, p := range v.c.Policies {
		if p.Mode == "shadow" {
			v.add(fmt.Sprintf("policies[%d].mode", i), `"shadow"`, "enforce, because production is true")
		}
	}
}
