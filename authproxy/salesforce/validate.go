package salesforce

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with an [Org].
type Problem struct {
	// Key is the setting: login_url, client_id.
	Key string
	// Found is what stands there, in a few words; never a secret.
	Found string
	// Want is what was expected; "" where Found says all of it.
	Want string
}

func (p Problem) Error() string {
	if p.Want == "" {
		return p.Key + ": " + p.Found
	}
	return fmt.Sprintf("%s: found %s, expected %s", p.Key, p.Found, p.Want)
}

// Validate returns every problem of the org, nil if there is none.
func (o Org) Validate() []Problem {
	o = o.withDefaults()
	var problems []Problem
	add := func(key, found, want string) {
		if found != "" {
			problems = append(problems, Problem{key, found, want})
		}
	}
	check := func(key, value string, read func(string) (found, want string)) {
		found, want := read(value)
		add(key, found, want)
	}
	if !orgName.MatchString(o.Name) {
		add("name", strconv.Quote(o.Name), "lower-case letters, digits and hyphens")
	}
	check("login_url", o.LoginURL, o.checkURL)
	check("issuer", o.Issuer, o.checkURL)
	check("jwks_url", o.JWKSURL, o.checkURL)
	if id, err := NormalizeID(o.OrgID); err != nil {
		add("org_id", err.Error(), "")
	} else if !strings.HasPrefix(id, "00D") {
		add("org_id", strconv.Quote(o.OrgID), "an org id, which begins with 00D")
	}
	check("client_id", o.ClientID, checkCredential)
	if o.ClientSecret != "" {
		check("client_secret", o.ClientSecret, checkCredential)
	}
	found, want := checkScopes(o.Scopes)
	add("scopes", found, want)
	return problems
}

// checkURL accepts a plain origin or a URL below one: it returns "" or what it found and
// what it expected. Whatever would let two readers disagree on host or path is refused.
func (o Org) checkURL(raw string) (found, want string) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return strconv.Quote(raw), "an absolute URL such as https://acme.my.salesforce.com"
	}
	switch host := u.Hostname(); {
	case u.Scheme != "https" && u.Scheme != "http":
		return "scheme " + strconv.Quote(u.Scheme), "https"
	case u.Scheme == "http" && !o.InsecureHTTP:
		return "http", "https (http needs insecure_http and a loopback address)"
	case u.Scheme == "http" && !isLoopback(host):
		return "http to " + host, "https: insecure_http is for loopback addresses alone"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return "user, query or fragment", "none"
	case host == "" || host != strings.ToLower(host) || strings.HasSuffix(host, ".") || strings.ContainsAny(host, "%\\"):
		return "host " + strconv.Quote(host), "it in lower case, without trailing dot"
	case strings.HasSuffix(raw, "/"):
		return "a trailing slash", "none: issuers are compared byte for byte"
	case strings.ContainsAny(u.EscapedPath(), "%;\\") || strings.Contains(u.Path, "//") || strings.Contains(u.Path, ".."):
		return "path " + strconv.Quote(u.EscapedPath()), "one without '..', '//', '%' or ';'"
	}
	return "", ""
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkCredential never repeats the text, which may be a secret.
func checkCredential(s string) (found, want string) {
	switch {
	case s == "":
		return "nothing", "a value"
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return "a space, a line end or a control character", "none"
	}
	return "", ""
}

func checkScopes(scopes []string) (found, want string) {
	for _, need := range DefaultScopes() {
		if !slices.Contains(scopes, need) {
			return "no " + need, "it among them"
		}
	}
	for _, s := range scopes {
		if slices.Contains(wideScopes, s) {
			return strconv.Quote(s), "none that reaches beyond the MCP servers: remove it"
		}
		if found, want := checkCredential(s); found != "" {
			return "in " + strconv.Quote(s) + " " + found, want
		}
	}
	return "", ""
}
