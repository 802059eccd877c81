package main

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/config"
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

// callbackURL is where Salesforce sends people back to.
func callbackURL(c *config.Config) string { return c.PublicURL + "/oauth/callback" }

// openPool opens the sessions with Salesforce's hosted servers.
func openPool(c *config.Config, n *outbound, log *slog.Logger) *upstream.Pool {
	return upstream.New(upstream.Config{
		HTTP: n.http, Log: log, Version: version, ResponseBytes: int64(c.Limits.ResponseBytes),
	})
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
