package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEnvironmentOverrides(t *testing.T) {
	c, err := load(t, good, "SFMCP_PUBLIC_URL=https://other.example", "SFMCP_LIFETIMES_CODE=30s",
		"SFMCP_TRUSTED_PROXIES=10.0.0.0/8,192.0.2.0/24", "SFMCP_LIMITS_REQUEST_BYTES=2MiB", "PATH=/bin", "SFMCP_TEST_REQUIRE=browser")
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.PublicURL, c.Lifetimes.Code, c.TrustedProxies, c.Limits.RequestBytes}
	want := []any{"https://other.example", 30 * time.Second, []string{"10.0.0.0/8", "192.0.2.0/24"}, Bytes(2 << 20)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSC03EnvironmentMistakes(t *testing.T) {
	for env, says := range map[string]string{
		"SFMCP_PUBLICURL=https://x.example": "SFMCP_PUBLICURL",
		"SFMCP_PRODUCTION=maybe":            "production",
		"SFMCP_PUBLIC_URL=http://x.example": "SFMCP_PUBLIC_URL",
		"SFMCP_LIFETIMES_CODE=soon":         "lifetimes.code",
		"SFMCP_KEYS_FILE=":                  "environment SFMCP_KEYS_FILE: keys_file: found nothing",
	} {
		if _, err := load(t, good, env); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", env, err)
		}
	}
}
