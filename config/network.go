package config

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
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
