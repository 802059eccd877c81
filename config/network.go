package config

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/tunnel"
)

// TrustedRoots are the system's certificate authorities and those of trusted_ca_file; nil
// without one.
func (c *Config) TrustedRoots() (*x509.CertPool, error) {
	file := c.TrustedCAFile
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

// Networks reads networks in CIDR notation.
func Networks(texts []string) (out []netip.Prefix, err error) {
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		out = append(out, network)
	}
	return out, nil
}

// ClientAddress returns the address of a client as conditions of rules see it: none, if a
// request came by a trusted proxy that did not say for whom it asked.
func (c *Config) ClientAddress(source string) string {
	address, err := netip.ParseAddr(source)
	networks, wrong := Networks(c.TrustedProxies)
	if err == nil && (wrong != nil || slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address.Unmap()) })) {
		return ""
	}
	return source
}

// CallbackURL is where Salesforce sends people back to.
func (c *Config) CallbackURL() string { return c.PublicURL + "/oauth/callback" }

// Documents fetches Client ID Metadata Documents, from hosts that roots vouch for (nil: the
// system's), through the forward proxy of via only where the configuration says that of
// documents; nil if no host may publish one.
func (c *Config) Documents(roots *x509.CertPool, via *tunnel.Dialer) (*clientdoc.Fetcher, error) {
	d := c.Registration.MetadataDocuments
	if len(d.AllowHosts) == 0 {
		return nil, nil
	}
	networks, err := Networks(d.AllowAddresses)
	if err != nil {
		return nil, err
	}
	if !d.UseOutboundProxy {
		via = nil
	}
	return clientdoc.New(clientdoc.Config{AllowHosts: d.AllowHosts, AllowAddresses: networks, Resolver: d.Resolver, Roots: roots, Via: via}), nil
}
