package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/seal/pkcs11"
)

// What is wrong with where keys come from is told by the key of the configuration.
func TestKeyServices(t *testing.T) {
	t.Parallel()
	pin := private(t, 0o600)
	const arn = "arn:aws:kms:eu-central-1:123456789012:key/k"
	token := "kind: pkcs11, module: /usr/lib/softhsm/libsofthsm2.so, token: proxy, key: sealing, pin_file: " + pin
	for text, want := range map[string][]string{
		"": nil,
		"key_service: {kind: aws-kms, key: '" + arn + "'}\n":                                            nil,
		"key_service: {kind: aws-kms, key: alias/k, region: eu-central-1}\n":                            nil,
		"key_service: {kind: aws-kms, key: alias/k}\n":                                                  {"key_service.region"},
		"key_service: {kind: aws-kms, region: eu-central-1}\n":                                          {"key_service.key"},
		"key_service: {kind: aws-kms, key: '" + arn + "', endpoint: 'http://kms.test'}\n":               {"key_service.endpoint"},
		"key_service: {kind: aws-kms, key: '" + arn + "', token: x, module: /x}\n":                      {"key_service.module", "key_service.token"},
		"key_service: {kind: vault, key: x}\n":                                                          {"key_service.kind"},
		"key_service: {key: x}\n":                                                                       {"key_service.kind"},
		"keys_from: vault\n":                                                                            {"keys_from"},
		"key_service: {" + token + "}\n":                                                                nil,
		"key_service: {" + token + ", region: r, endpoint: 'https://kms.test'}\n":                       {"key_service.endpoint", "key_service.region"},
		"key_service: {kind: pkcs11}\n":                                                                 {"key_service.module", "key_service.token", "key_service.key", "key_service.pin_file"},
		"key_service: {kind: pkcs11, module: lib.so, token: proxy, key: sealing, pin_file: /nowhere}\n": {"key_service.module", "key_service.pin_file"},
	} {
		if strings.Contains(text, "pkcs11") && !pkcs11.Built {
			want = append([]string{"key_service.kind"}, want...)
		}
		c, err := load(t, good+text)
		if err == nil && len(want) > 0 || err != nil && len(want) == 0 {
			t.Errorf("%s: %v", text, err)
			continue
		}
		problems, _ := errors.AsType[Problems](err)
		var got []string
		for _, p := range problems {
			got = append(got, p.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, expected %q", text, got, want)
		}
		if err == nil {
			if _, err := c.KeySource(t.Context()); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}
