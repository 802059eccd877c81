package main

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/config"
	"sfmcp-proxy/mcpforward"
	"sfmcp-proxy/mcpforward/upstream"
)

// This file puts the configuration into the words of each part, so that none of them
// knows of files, keys or the others.

// trustedRoots are the system's certificate authorities and those of the file; nil
// without one.
func trustedRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's certificates: %w", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("trusted_ca_file: %w", err)
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("trusted_ca_file %s holds no certificate", file)
	}
	return roots, nil
}

// openPool opens the sessions with Salesforce's hosted servers.
func openPool(c *config.Config, n *outbound, log *slog.Logger) *upstream.Pool {
	return upstream.New(upstream.Config{
		HTTP: n.http, Log: log, Version: version, ResponseBytes: int64(c.Limits.ResponseBytes),
	})
}

func policies(c *config.Config) map[string]*policy.Policy {
	out := map[string]*policy.Policy{}
	for _, p := range c.Policies {
		out[p.Name] = p.Judge()
	}
	return out
}

func clients(c *config.Config) (out []grant.Client) {
	for _, cl := range c.Clients {
		out = append(out, cl.OAuth())
	}
	return out
}

// documents is what fetches Client ID Metadata Documents; nil if no host may publish one.
func documents(c *config.Config, roots *x509.CertPool, now func() time.Time) (*clientdoc.Fetcher, error) {
	d := c.Registration.MetadataDocuments
	if len(d.AllowHosts) == 0 {
		return nil, nil
	}
	networks, err := prefixes(d.AllowAddresses)
	if err != nil {
		return nil, err
	}
	return clientdoc.New(clientdoc.Config{AllowHosts: d.AllowHosts, AllowAddresses: networks, Resolver: d.Resolver, Roots: roots, Now: now}), nil
}

func prefixes(texts []string) (out []netip.Prefix, err error) {
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		out = append(out, network)
	}
	return out, nil
}

func orgs(c *config.Config) (out []salesforce.Org) {
	for _, o := range c.Salesforce.Orgs {
		org := o.OAuth()
		org.Resource = resourceOf(o.Name, c.Servers)
		out = append(out, org)
	}
	return out
}

// resourceOf is what a login of the org is for (RFC 8707 2): its hosted server, or what
// the addresses of its servers begin with, if that names a host.
func resourceOf(org string, servers []config.Server) string {
	var common []string // an address, cut at its slashes
	for _, s := range servers {
		if s.Org != org {
			continue
		}
		parts := strings.Split(s.Upstream, "/")
		if common == nil {
			common = parts
		}
		same := 0
		for same < min(len(common), len(parts)) && common[same] == parts[same] {
			same++
		}
		common = common[:same]
	}
	if len(common) < len([]string{"https:", "", "host"}) {
		return ""
	}
	return strings.Join(common, "/")
}

func authorizationOrgs(c *config.Config) (out []authproxy.Org) {
	for _, o := range c.Salesforce.Orgs {
		out = append(out, authproxy.Org{Name: o.Name, LoginURL: o.LoginURL, Issuer: o.Issuer, Scopes: o.Scopes})
	}
	return out
}

func (p *product) authorizationServers() (out []authproxy.MCPServer) {
	for _, s := range p.config.Servers {
		rules := p.policies[s.Policy].For(s.Upstream)
		out = append(out, authproxy.MCPServer{
			Name: s.Name, Title: s.Title, Description: s.Description, Org: s.Org,
			Allows: func(subject, username string) bool { return mayConnect(p.config, s.Name, s.Org, subject, username) },
			Summary: func(clientID string) policy.Summary {
				return rules.Summary(policy.Principal{Org: s.Org, Client: clientID})
			},
		})
	}
	return out
}

func (p *product) forwardServers() (out []mcpforward.Server) {
	for _, s := range p.config.Servers {
		out = append(out, mcpforward.Server{
			Name: s.Name, Title: s.Title, Org: s.Org, URL: s.Upstream, Timeout: s.Timeout,
			Policy: p.policies[s.Policy], Groups: s.Groups, ServerRequests: s.ServerRequests, CallsPerMinute: s.CallsPerMinute, ConcurrentCalls: s.ConcurrentCalls,
		})
	}
	return out
}

func (p *product) consoleServers() (out []console.Server) {
	for _, s := range p.config.Servers {
		out = append(out, console.Server{Name: s.Name, Title: s.Title, Description: s.Description, Org: s.Org,
			Allows: func(subject, username string) bool { return mayConnect(p.config, s.Name, s.Org, subject, username) }})
	}
	return out
}

// serverNamed finds a configured server.
func serverNamed(c *config.Config, name string) (config.Server, bool) {
	i := slices.IndexFunc(c.Servers, func(s config.Server) bool { return s.Name == name })
	if i < 0 {
		return config.Server{}, false
	}
	return c.Servers[i], true
}

// groupsOf are the groups that list the user, by id or by username. A sandbox has the
// user ids of the org it was copied from, and they mean the same person there.
func groupsOf(c *config.Config, subject, username string) (out []string) {
	for _, g := range c.Groups {
		if slices.ContainsFunc(g.Members, func(m string) bool {
			return subject != "" && grant.FullID(m) == subject || username != "" && strings.EqualFold(m, username)
		}) {
			out = append(out, g.Name)
		}
	}
	return out
}

// mayConnect says whether a user of the server's org may use the server. A server
// without groups is nobody's.
func mayConnect(c *config.Config, server, org, subject, username string) bool {
	s, ok := serverNamed(c, server)
	if !ok || s.Org != org {
		return false
	}
	if slices.Contains(s.Groups, "*") {
		return true
	}
	return slices.ContainsFunc(groupsOf(c, subject, username), func(g string) bool { return slices.Contains(s.Groups, g) })
}

// orgHost is the host of the org's login page.
func (p *product) orgHost(name string) string {
	for _, o := range p.config.Salesforce.Orgs {
		if o.Name == name {
			if u, err := url.Parse(o.LoginURL); err == nil {
				return u.Host
			}
		}
	}
	return ""
}
