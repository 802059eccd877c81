package config

import (
	"bytes"
	"strings"
	"testing"
)

// Each value says where it came from: the line of the file, the variable, or nothing for a default; and no
// secret is said by it.
func TestOriginsOfValues(t *testing.T) {
	t.Parallel()
	c, err := load(t, with("", "contact: help@acme.example"), "SFMCP_LIMITS_CALLS_PER_MINUTE=7", "SFMCP_LISTEN=127.0.0.1:9999")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.WriteOrigins(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"listen: 127.0.0.1:9999 # environment SFMCP_LISTEN\n", "calls_per_minute: 7 # environment SFMCP_LIMITS_CALLS_PER_MINUTE\n", "concurrent_calls: 16\n", "contact: help@acme.example # line ", "servers: # line "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	var plain bytes.Buffer
	if err := c.Write(&plain); err != nil || strings.Contains(plain.String(), "# line") {
		t.Errorf("what 'check' prints has origins: %v", err)
	}
}
