package config

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/authproxy/seal/awskms"
)

// keys checks where the sealing keys come from.
func (v *validator) keys() {
	if from := []string{seal.FromFile, seal.FromCredential, seal.FromEnvironment}; !slices.Contains(from, v.c.KeysFrom) {
		v.add("keys_from", quote(v.c.KeysFrom), strings.Join(from, ", "))
	}
	s := v.c.KeyService
	switch {
	case s == KeyService{}:
		return
	case s.Kind != AWSKMS:
		v.add("key_service.kind", quote(s.Kind), AWSKMS+", or no key of key_service at all")
		return
	case s.Key == "":
		v.add("key_service.key", "nothing", "the ARN, id or alias of a symmetric key of AWS KMS")
	case s.Region == "" && awskms.RegionOf(s.Key) == "":
		v.add("key_service.region", "nothing", "the region of the key, as its ARN would say")
	}
	if u, err := url.Parse(s.Endpoint); s.Endpoint != "" &&
		(err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()))) {
		v.add("key_service.endpoint", quote(s.Endpoint), "an https URL, as of a VPC endpoint; http on this machine alone")
	}
}

// KeySource is where the sealing keys come from. A key service is asked when they are read.
func (c *Config) KeySource(ctx context.Context) (seal.Source, error) {
	source := seal.Source{File: c.KeysFile, From: c.KeysFrom}
	if c.KeyService.Kind != AWSKMS {
		return source, nil
	}
	roots, err := c.TrustedRoots()
	if err != nil {
		return source, err
	}
	via, err := c.Tunnel()
	if err != nil {
		return source, err
	}
	service := awskms.Config{Key: c.KeyService.Key, Region: c.KeyService.Region, Endpoint: c.KeyService.Endpoint, Roots: roots}
	if via != nil {
		service.Dial = via.DialContext
	}
	source.Service, err = awskms.Open(ctx, service)
	return source, err
}
