package config

import (
	"context"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/authproxy/seal/awskms"
	"sfmcp-proxy/authproxy/seal/pkcs11"
)

// keys checks where the sealing keys come from.
func (v *validator) keys() {
	if from := []string{seal.FromFile, seal.FromCredential, seal.FromEnvironment}; !slices.Contains(from, v.c.KeysFrom) {
		v.add("keys_from", quote(v.c.KeysFrom), strings.Join(from, ", "))
	}
	s := v.c.KeyService
	switch {
	case s == KeyService{}:
	case s.Kind == AWSKMS:
		v.awsKMS(s)
	case s.Kind == PKCS11:
		v.pkcs11(s)
	default:
		v.add("key_service.kind", quote(s.Kind), AWSKMS+", "+PKCS11+", or no key of key_service at all")
	}
}

func (v *validator) awsKMS(s KeyService) {
	switch {
	case s.Key == "":
		v.add("key_service.key", "nothing", "the ARN, id or alias of a symmetric key of AWS KMS")
	case s.Region == "" && awskms.RegionOf(s.Key) == "":
		v.add("key_service.region", "nothing", "the region of the key, as its ARN would say")
	}
	if u, err := url.Parse(s.Endpoint); s.Endpoint != "" &&
		(err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()))) {
		v.add("key_service.endpoint", quote(s.Endpoint), "an https URL, as of a VPC endpoint; http on this machine alone")
	}
	v.absentOf(AWSKMS, map[string]string{"module": s.Module, "token": s.Token, "pin_file": s.PINFile})
}

func (v *validator) pkcs11(s KeyService) {
	if !pkcs11.Built {
		v.add("key_service.kind", quote(PKCS11), "a program that can: "+pkcs11.ErrNotBuilt.Error())
	}
	if !filepath.IsAbs(s.Module) {
		v.add("key_service.module", quote(s.Module), "the absolute path of the token's PKCS #11 library, as /usr/lib/softhsm/libsofthsm2.so")
	}
	if s.Token == "" {
		v.add("key_service.token", "nothing", "the label of the token")
	}
	if s.Key == "" {
		v.add("key_service.key", "nothing", "the label of the AES-256 key in the token")
	}
	if s.PINFile == "" {
		v.add("key_service.pin_file", "nothing", "a file with the PIN of the token's user")
	}
	v.secretFile("key_service.pin_file", s.PINFile)
	v.absentOf(PKCS11, map[string]string{"region": s.Region, "endpoint": s.Endpoint})
}

// absentOf refuses keys of a key service that another kind has: somebody thinks that they do something.
func (v *validator) absentOf(kind string, others map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(others)) {
		if others[name] != "" {
			v.add("key_service."+name, quote(others[name]), "no such key with kind: "+kind)
		}
	}
}

// KeySource is where the sealing keys come from. A key service is asked when they are read.
func (c *Config) KeySource(ctx context.Context) (source seal.Source, err error) {
	source = seal.Source{File: c.KeysFile, From: c.KeysFrom}
	switch c.KeyService.Kind {
	case AWSKMS:
		source.Service, err = c.openAWSKMS(ctx)
	case PKCS11:
		s := c.KeyService
		source.Service, err = pkcs11.Open(pkcs11.Config{Module: s.Module, Token: s.Token, Key: s.Key, PINFile: s.PINFile})
	}
	return source, err
}

func (c *Config) openAWSKMS(ctx context.Context) (seal.KeyService, error) {
	roots, err := c.TrustedRoots()
	if err != nil {
		return nil, err
	}
	via, err := c.Tunnel()
	if err != nil {
		return nil, err
	}
	service := awskms.Config{Key: c.KeyService.Key, Region: c.KeyService.Region, Endpoint: c.KeyService.Endpoint, Roots: roots}
	if via != nil {
		service.Dial = via.DialContext
	}
	return awskms.Open(ctx, service)
}
