package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/grant"
)

var (
	serverName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	userID     = regexp.MustCompile(`^005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$`)
	username   = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
)

// everyone is the group of every user of the server's org.
const everyone = "*"

type validator struct {
	c      *Config
	faults Faults
}

func (v *validator) add(key, found, want string) {
	v.faults = append(v.faults, Fault{Key: key, Found: found, Want: want})
}

// Validate returns every fault of the merged configuration that needs more than one
// key, or more than its type, to see.
func (c *Config) Validate() Faults {
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
	return v.faults
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
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

// validPort says whether a listener or a URL can have that port.
func validPort(port string) bool {
	_, err := net.LookupPort("tcp", port) // "http" is one for a listener, and no URL parses with it
	return err == nil && port != ""
}

func plainPath(path string) bool {
	return !strings.Contains(path, "..") && !strings.Contains(path, "//") && !strings.ContainsAny(path, `%;\`)
}

func quote(s string) string {
	if s == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", s)
}

func (v *validator) listeners() {
	c := v.c
	v.url("public_url", c.PublicURL, false, true)
	host, port, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil || !validPort(port):
		v.add("listen", quote(c.Listen), "host:port")
	case !loopback(host) && c.TLS.CertFile == "" && len(c.TrustedProxies) == 0:
		v.add("listen", quote(c.Listen)+" without TLS", "a loopback address, or tls with a certificate, or trusted_proxies naming what ends TLS in front of it")
	}
	if _, port, err := net.SplitHostPort(c.AdminListen); err != nil || !validPort(port) {
		v.add("admin_listen", quote(c.AdminListen), "host:port")
	} else if c.AdminListen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
		v.add("admin_listen", "the public listener's address", "another address or port")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		v.add("tls", "one of cert_file and key_file", "both or none")
	} else if c.TLS.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile); err != nil {
			v.add("tls", reason(err), "a readable certificate chain and its private key, both PEM")
		}
	}
	for i, cidr := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			v.add(fmt.Sprintf("trusted_proxies[%d]", i), quote(cidr), "a network such as 10.0.0.0/8")
		}
	}
	if c.TrustedCAFile != "" {
		if text, err := os.ReadFile(c.TrustedCAFile); err != nil {
			v.add("trusted_ca_file", reason(err), "a readable file")
		} else if !x509.NewCertPool().AppendCertsFromPEM(text) {
			v.add("trusted_ca_file", "no certificate in it", "PEM certificates")
		}
	}
}

func (v *validator) storage() {
	path, ok := strings.CutPrefix(v.c.Database, "sqlite:")
	if !ok || path == "" {
		scheme, _, _ := strings.Cut(v.c.Database, ":") // a URL may hold a password: show no more than this
		v.add("database", quote(scheme+":…"), "sqlite:PATH (this version has no other store)")
	}
	if v.c.KeysFile == "" {
		v.add("keys_file", "nothing", "the path of the sealing keys")
	}
}

func (v *validator) orgs() {
	if len(v.c.Salesforce.Orgs) == 0 {
		v.add("salesforce.orgs", "nothing", "at least one org")
	}
	seen := map[string]bool{}
	for i, o := range v.c.Salesforce.Orgs {
		if seen[o.Name] {
			v.add(fmt.Sprintf("salesforce.orgs[%d].name", i), quote(o.Name), "a name of its own")
		}
		seen[o.Name] = true
		faults := o.faults()
		wrong := func(key string) bool {
			return slices.ContainsFunc(faults, func(f Fault) bool { return f.Key == key })
		}
		for _, fault := range faults {
			derived := fault.Key == "issuer" && o.Issuer == o.LoginURL && wrong("login_url") ||
				fault.Key == "jwks_url" && strings.HasPrefix(o.JWKSURL, o.Issuer) && wrong("issuer")
			if derived {
				continue // the same mistake
			}
			v.add(fmt.Sprintf("salesforce.orgs[%d].%s", i, fault.Key), fault.Found, fault.Want)
		}
	}
}

func (v *validator) groups() {
	seen := map[string]bool{}
	for i, g := range v.c.Groups {
		if g.Name == "" || g.Name == everyone || seen[g.Name] {
			v.add(fmt.Sprintf("groups[%d].name", i), quote(g.Name), "a name of its own, not \"*\"")
		}
		seen[g.Name] = true
		if len(g.Members) == 0 {
			v.add(fmt.Sprintf("groups[%d].members", i), "nothing", "at least one member")
		}
		for j, m := range g.Members {
			if !userID.MatchString(m) && !username.MatchString(m) {
				v.add(fmt.Sprintf("groups[%d].members[%d]", i, j), quote(m), "a Salesforce user id (005…) or username (name@company.example)")
			}
		}
	}
}

func (v *validator) hasGroup(name string) bool {
	return slices.ContainsFunc(v.c.Groups, func(g Group) bool { return g.Name == name })
}

func (v *validator) policies() {
	seen := map[string]bool{}
	for i, p := range v.c.Policies {
		key := fmt.Sprintf("policies[%d]", i)
		if p.Name == "" || seen[p.Name] {
			v.add(key+".name", quote(p.Name), "a name of its own")
		}
		seen[p.Name] = true
		for _, fault := range p.faults() {
			v.add(key+"."+fault.Key, fault.Found, fault.Want)
		}
		for j, r := range p.Rules {
			v.rule(fmt.Sprintf("%s.rules[%d]", key, j), r)
		}
	}
}

// rule checks what a rule refers to; its own content is the policy's to judge.
func (v *validator) rule(key string, r Rule) {
	for k, g := range r.Groups {
		if !v.hasGroup(g) {
			v.add(fmt.Sprintf("%s.groups[%d]", key, k), quote(g), "the name of a group under groups")
		}
	}
	for k, id := range r.Clients {
		if !slices.ContainsFunc(v.c.Clients, func(c Client) bool { return c.ID == id }) && !v.publishes(id) {
			v.add(fmt.Sprintf("%s.clients[%d]", key, k), quote(id), "the id of a client under clients, or the URL of a document on one of registration.metadata_documents.allow_hosts")
		}
	}
	if r.Quorum > 1 {
		v.add(key+".quorum", fmt.Sprint(r.Quorum), "1 (this version asks one person)")
	}
}

func (v *validator) servers() {
	if len(v.c.Servers) == 0 {
		v.add("servers", "nothing", "at least one server")
	}
	seen := map[string]bool{}
	for i, s := range v.c.Servers {
		key := func(name string) string { return fmt.Sprintf("servers[%d].%s", i, name) }
		if !serverName.MatchString(s.Name) || seen[s.Name] {
			v.add(key("name"), quote(s.Name), "a name of its own: lower-case letters, digits, hyphens")
		}
		seen[s.Name] = true
		org := slices.IndexFunc(v.c.Salesforce.Orgs, func(o Org) bool { return o.Name == s.Org })
		if org < 0 {
			v.add(key("org"), quote(s.Org), "the name of an org under salesforce.orgs")
		}
		v.url(key("upstream"), s.Upstream, true, org >= 0 && v.c.Salesforce.Orgs[org].InsecureHTTP)
		if s.Timeout <= 0 || s.Timeout > 10*time.Minute {
			v.add(key("timeout"), s.Timeout.String(), "more than 0, at most 10m")
		}
		if !slices.ContainsFunc(v.c.Policies, func(p Policy) bool { return p.Name == s.Policy }) {
			v.add(key("policy"), quote(s.Policy), "the name of a policy under policies")
		}
		for j, g := range s.Groups {
			if g != everyone && !v.hasGroup(g) {
				v.add(fmt.Sprintf("servers[%d].groups[%d]", i, j), quote(g), `the name of a group under groups, or "*"`)
			}
		}
		v.serverLimits(key, s)
	}
}

// serverLimits checks what a server may be asked and may ask.
func (v *validator) serverLimits(key func(string) string, s Server) {
	for name, n := range map[string]int{"calls_per_minute": s.CallsPerMinute, "concurrent_calls": s.ConcurrentCalls} {
		if n < 0 {
			v.add(key(name), fmt.Sprint(n), "at least 1, or 0 for no limit of its own")
		}
	}
	for i, request := range s.ServerRequests {
		if !slices.Contains([]string{"sampling", "elicitation", "roots"}, request) || slices.Index(s.ServerRequests, request) < i {
			v.add(key(fmt.Sprintf("server_requests[%d]", i)), quote(request), "sampling, elicitation or roots, each once")
		}
	}
}

func (v *validator) clients() {
	seen := map[string]bool{}
	for i, c := range v.c.Clients {
		key := func(name string) string { return fmt.Sprintf("clients[%d].%s", i, name) }
		switch {
		case c.ID == "" || seen[c.ID] || strings.HasPrefix(c.ID, "https://"):
			v.add(key("id"), quote(c.ID), "an id of its own that is no URL")
		case !grant.ValidClientID(c.ID):
			v.add(key("id"), quote(c.ID), "visible ASCII without spaces (RFC 6749 A.1)")
		}
		seen[c.ID] = true
		if c.Name == "" {
			v.add(key("name"), "nothing", "the name that the consent page shows")
		}
		if len(c.RedirectURIs) == 0 {
			v.add(key("redirect_uris"), "nothing", "at least one redirect URI")
		}
		for j, uri := range c.RedirectURIs {
			if err := grant.ValidateRedirectURI(uri, v.c.PublicURL, v.c.SalesforceHosts()); err != nil {
				v.add(fmt.Sprintf("clients[%d].redirect_uris[%d]", i, j), err.Error(), "")
			}
		}
	}
}

func (v *validator) registration() {
	r := v.c.Registration
	for i, host := range r.MetadataDocuments.AllowHosts {
		if err := clientdoc.ValidHost(host); err != nil {
			v.add(fmt.Sprintf("registration.metadata_documents.allow_hosts[%d]", i), quote(host), "a host name in lower case, without scheme, port or wildcard, such as chatgpt.com")
		}
	}
	for i, cidr := range r.MetadataDocuments.AllowAddresses {
		if network, err := netip.ParsePrefix(cidr); err != nil || network != network.Masked() {
			v.add(fmt.Sprintf("registration.metadata_documents.allow_addresses[%d]", i), quote(cidr), "a network such as 127.0.0.2/32")
		}
	}
	if res := r.MetadataDocuments.Resolver; res != "" {
		if host, port, err := net.SplitHostPort(res); err != nil || host == "" || port == "" {
			v.add("registration.metadata_documents.resolver", quote(res), "host:port of a DNS server")
		}
	}
}

// publishes says whether a client id is the URL of a document that may be read.
func (v *validator) publishes(id string) bool {
	u, err := url.Parse(id)
	return err == nil && clientdoc.IsURL(id) && slices.Contains(v.c.Registration.MetadataDocuments.AllowHosts, u.Hostname())
}

func (v *validator) lifetimes() {
	l := v.c.Lifetimes
	for _, b := range []struct {
		key      string
		have     time.Duration
		min, max time.Duration
	}{
		{"code", l.Code, time.Second, time.Minute}, // RFC 9700; ASVS 10.4.3
		{"access_token", l.AccessToken, time.Second, 15 * time.Minute},
		{"refresh_idle", l.RefreshIdle, time.Second, 365 * 24 * time.Hour},
		{"refresh_absolute", l.RefreshAbsolute, time.Second, 365 * 24 * time.Hour},
		{"refresh_grace", l.RefreshGrace, 0, 10 * time.Minute},
		{"consent", l.Consent, time.Second, 10 * time.Minute},
		{"approval", l.Approval, time.Second, 24 * time.Hour},
		{"session", l.Session, time.Second, 24 * time.Hour},
	} {
		if b.have < b.min || b.have > b.max {
			v.add("lifetimes."+b.key, b.have.String(), fmt.Sprintf("%v to %v", b.min, b.max))
		}
	}
	if l.RefreshIdle > l.RefreshAbsolute {
		v.add("lifetimes.refresh_idle", l.RefreshIdle.String(), "at most lifetimes.refresh_absolute ("+l.RefreshAbsolute.String()+")")
	}
}

func (v *validator) limits() {
	l := v.c.Limits
	for _, b := range []struct {
		key            string
		have, min, max int64
	}{
		{"request_bytes", int64(l.RequestBytes), 1 << 10, 64 << 20},
		{"response_bytes", int64(l.ResponseBytes), 2 << 20, 256 << 20}, // Salesforce's widgets are near 1 MiB
		{"calls_per_minute", int64(l.CallsPerMinute), 1, 1_000_000},
		{"concurrent_calls", int64(l.ConcurrentCalls), 1, 10_000},
		{"connections", int64(l.Connections), 16, 1_000_000},
	} {
		if b.have < b.min || b.have > b.max {
			v.add("limits."+b.key, fmt.Sprint(b.have), fmt.Sprintf("%d to %d", b.min, b.max))
		}
	}
}

func (v *validator) console() {
	if o := v.c.Console.OIDC; o != (OIDC{}) {
		v.add("console.oidc", "a company identity provider", "no value (this version has no console sign-in)")
	}
	for i, r := range v.c.Console.Roles {
		if !slices.Contains([]string{"security", "approver", "auditor"}, r.Role) {
			v.add(fmt.Sprintf("console.roles[%d].role", i), quote(r.Role), "security, approver or auditor")
		}
	}
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

// SalesforceHosts are hosts that no redirect may lead to: an open redirect or a page
// there that takes parameters would hand out codes. A simulated Salesforce shares its
// loopback host with every native client and is left out.
func (c *Config) SalesforceHosts() []string {
	var urls, hosts []string
	for _, o := range c.Salesforce.Orgs {
		urls = append(urls, o.LoginURL)
	}
	for _, s := range c.Servers {
		urls = append(urls, s.Upstream)
	}
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil && !loopback(u.Hostname()) && !slices.Contains(hosts, u.Hostname()) {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}
