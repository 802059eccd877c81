package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/salesforce"
)

// address is a URL of the configuration to which a user's tokens go, or by which they are
// believed.
type address struct {
	key string // salesforce.orgs[0].login_url
	url *url.URL
	org Org
}

// allowed reports whether the host is Salesforce's, or named by the org.
func (a address) allowed() bool {
	return salesforce.IsOwnHost(a.url.Host) || slices.Contains(a.org.AllowHosts, a.url.Host)
}

// addresses are all of them that can be read, those of each org first.
func (c *Config) addresses() (all []address) {
	add := func(key, text string, o Org) {
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			all = append(all, address{key, u, o})
		}
	}
	for i, o := range c.Salesforce.Orgs {
		key := fmt.Sprintf("salesforce.orgs[%d].", i)
		add(key+"login_url", o.LoginURL, o)
		add(key+"issuer", o.Issuer, o)
		add(key+"jwks_url", o.JWKSURL, o)
	}
	for i, s := range c.Servers {
		org, _ := c.org(s.Org)
		add(fmt.Sprintf("servers[%d].upstream", i), s.Upstream, org)
	}
	return all
}

// foreignAddresses are the addresses on hosts that are neither Salesforce's nor named by their org;
// of an org's own each host once. Those of a simulated Salesforce on this machine, which
// insecure_http allows, are not among them: that is told of by itself.
func (c *Config) foreignAddresses() (all []address) {
	for _, a := range c.addresses() {
		simulated := a.org.InsecureHTTP && loopback(a.url.Hostname())
		twice := slices.ContainsFunc(all, func(b address) bool { return a.org.Name == b.org.Name && a.url.Host == b.url.Host })
		if !a.allowed() && !simulated && !twice {
			all = append(all, a)
		}
	}
	return all
}

func (c *Config) org(name string) (Org, bool) {
	i := slices.IndexFunc(c.Salesforce.Orgs, func(o Org) bool { return o.Name == name })
	if i < 0 {
		return Org{}, false
	}
	return c.Salesforce.Orgs[i], true
}

// foreignHosts refuses foreign addresses: whoever runs such a host gets users' tokens, or says who
// they are. What is wrong with an address otherwise has been said.
func (v *validator) foreignHosts() {
	for _, a := range v.c.foreignAddresses() {
		if slices.ContainsFunc(v.problems, func(p Problem) bool { return p.Key == a.key }) {
			continue
		}
		v.add(a.key, quote(a.url.Host)+", which is no host of Salesforce's", "a host such as acme.my.salesforce.com or api.salesforce.com, or this one named in allow_hosts of its org, because production is true")
	}
}

// allowHosts checks the names of hosts that an org allows, and its kind.
func (v *validator) allowHosts(key string, o Org) {
	if o.Kind != "" && !salesforce.IsOrgKind(salesforce.OrgKind(o.Kind)) {
		v.add(key+"kind", quote(o.Kind), "production, sandbox or scratch")
	}
	for i, allowed := range o.AllowHosts {
		host, port, err := net.SplitHostPort(allowed)
		if err != nil {
			host, port = allowed, ""
		}
		if clientdoc.ValidHost(host) != nil || err == nil && (!validPort(port) || port == "443") {
			v.add(fmt.Sprintf("%sallow_hosts[%d]", key, i), quote(allowed), "a host name in lower case as the URL has it, without scheme, path or wildcard, such as gateway.acme.example or gateway.acme.example:8443")
		}
	}
}

// orgs notes addresses that are accepted and can hardly be meant.
func (n *notes) orgs() {
	for _, o := range n.c.Salesforce.Orgs {
		if o.InsecureHTTP {
			n.add("salesforce org %s is reached without TLS (insecure_http)", o.Name)
		}
		login, err := url.Parse(o.LoginURL)
		if err != nil {
			continue
		}
		if salesforce.IsPageHost(login.Host) {
			n.add("salesforce org %s: login_url is on %s, which has pages for people alone: the address of the org (My Domain) is https://NAME.my.salesforce.com", o.Name, login.Host)
		}
		if kind := salesforce.OrgKindOf(login.Host); o.Kind != "" && kind != "" && string(kind) != o.Kind && login.Host != testLogin {
			n.add("salesforce org %s: kind is %s, but %s is the login host of a %s org", o.Name, o.Kind, login.Host, kind)
		}
		for _, host := range o.AllowHosts {
			if !slices.ContainsFunc(n.c.addresses(), func(a address) bool { return a.org.Name == o.Name && a.url.Host == host && !salesforce.IsOwnHost(host) }) {
				n.add("salesforce org %s: allow_hosts names %s, which has no effect: it is Salesforce's own, or no URL of the org is there", o.Name, host)
			}
		}
	}
	if !n.c.Production {
		for _, a := range n.c.foreignAddresses() {
			n.add("%s is on %s, which is no host of Salesforce's: production refuses it unless allow_hosts of the org names it", a.key, a.url.Host)
		}
	}
}

const (
	testLogin = "test.salesforce.com" // of sandboxes and of scratch orgs
	gateway   = "api.salesforce.com"  // of hosted servers, of all orgs
)

// upstreams notes servers that nobody may use, and what the path of a hosted server's URL
// says otherwise than its org.
func (n *notes) upstreams() {
	for _, s := range n.c.Servers {
		if len(s.Groups) == 0 {
			n.add("server %s has no groups: nobody may connect", s.Name)
		}
		u, err := url.Parse(s.Upstream)
		org, known := n.c.org(s.Org)
		if err != nil || !known || !salesforce.IsOwnHost(u.Host) {
			continue
		}
		if u.Host != gateway {
			n.add("server %s: upstream is on %s; hosted servers of Salesforce are known to be on %s alone", s.Name, u.Host, gateway)
		}
		n.placement(s, u.Path, org)
	}
}

// placement holds the path of a server's URL against its org.
func (n *notes) placement(s Server, path string, org Org) {
	at, ok := salesforce.ParseUpstream(path)
	switch {
	case !ok:
		n.add("server %s: the path of upstream is none of Salesforce's, such as /platform/mcp/v1/platform/sobject-reads or /platform/mcp/v1/custom/NAME", s.Name)
		return
	case at.Namespace == "":
		n.add("server %s: the path of upstream has no namespace before %s: a custom server's ends in /custom/%s", s.Name, at.Name, at.Name)
	}
	var host string
	if login, err := url.Parse(org.LoginURL); err == nil {
		host = login.Host
	}
	kind := org.kindOrHost(host)
	testing := at.Environment == "sandbox" || at.Environment == "scratch"
	switch {
	case testing && kind == salesforce.ProductionOrg:
		n.add("server %s: upstream is that of a %s, but org %s is a production org (%s): Salesforce will not take its tokens there", s.Name, at.Environment, org.Name, host)
	case !testing && (kind == salesforce.SandboxOrg || kind == salesforce.ScratchOrg):
		n.add("server %s: upstream is that of a production org, but org %s is a %s (%s): its servers are at /platform/mcp/v1/sandbox/…", s.Name, org.Name, kind, host)
	}
	if name := salesforce.MyDomain(host); at.MyDomain != "" && name != "" && at.MyDomain != name {
		n.add("server %s: upstream is that of %s, but org %s is %s", s.Name, at.MyDomain, org.Name, name)
	}
}

// kindOrHost is the kind of an org as it is configured, or as the host of its login URL says.
func (o Org) kindOrHost(host string) salesforce.OrgKind {
	return cmp.Or(salesforce.OrgKind(o.Kind), salesforce.OrgKindOf(host))
}

// OrgKind is what kind of org has that name; "" if that is not known.
func (c *Config) OrgKind(name string) salesforce.OrgKind {
	for _, o := range c.Salesforce.Orgs {
		if login, err := url.Parse(o.LoginURL); err == nil && o.Name == name {
			return o.kindOrHost(login.Host)
		}
	}
	return ""
}
