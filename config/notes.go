package config

import (
	"fmt"
	"strings"

	"sfmcp-proxy/authproxy/policy"
)

// notes collects what is worth knowing of a configuration that is accepted.
type notes struct {
	c    *Config
	list []string
}

func (n *notes) add(format string, args ...any) {
	n.list = append(n.list, fmt.Sprintf(format, args...))
}

// Notes are settings that are accepted and probably not meant, that have no effect in this
// version, or that a pilot may have and a production system should not.
func (c *Config) Notes() []string {
	n := &notes{c: c}
	n.listeners()
	n.orgs()
	n.upstreams()
	n.policies()
	n.registration()
	n.serverRequests()
	return n.list
}

func (n *notes) listeners() {
	if strings.HasPrefix(n.c.PublicURL, "http:") {
		n.add("public_url is http: cookies and tokens cross the wire in the clear")
	} else if n.c.TLS.CertFile == "" && len(n.c.TrustedProxies) == 0 {
		n.add("public_url is https, but neither tls nor trusted_proxies is set: name what ends TLS in front of this proxy under trusted_proxies, or all its clients count as one")
	}
}

func (n *notes) policies() {
	if len(n.c.Console.Roles) > 0 {
		n.add("console.roles has no effect yet: pages know no roles")
	}
	for _, p := range n.c.Policies {
		if p.Mode == string(policy.Shadow) {
			n.add("policy %s only watches (mode shadow): what it would deny passes", p.Name)
		}
		for i, r := range p.Rules {
			if role := policy.Approvers(r.Approvers).Role(); role != "" {
				n.add("policy %s, rule %d waits for the role %s: pages know no roles yet, such calls are decided with 'approval approve'", p.Name, i+1, role)
			}
		}
	}
}

// serverRequests tells whom a hosted server's requests do not reach: a client without a
// session has no stream for them, and this version does not turn them into input_required.
func (n *notes) serverRequests() {
	for _, s := range n.c.Servers {
		if len(s.ServerRequests) > 0 {
			n.add("server %s: server_requests reach clients with sessions (up to 2025-11-25); clients of 2026-07-28 are asked nothing, and the hosted server is told so", s.Name)
		}
	}
}

func (n *notes) registration() {
	if d := n.c.Registration.MetadataDocuments; len(d.AllowHosts) == 0 && (len(d.AllowAddresses) > 0 || d.Resolver != "") {
		n.add("registration.metadata_documents has no effect without allow_hosts")
	}
	if n.c.Registration.Dynamic.Enabled {
		n.add("registration.dynamic lets any program that reaches this proxy register a client; people see it as unverified")
	}
	for _, cl := range n.c.Clients {
		for _, uri := range cl.RedirectURIs {
			if strings.Contains(uri, "*") {
				n.add("client %s has the redirect URI %s: redirect URIs are compared as they are, * stands for nothing else", cl.ID, uri)
			}
		}
	}
}
