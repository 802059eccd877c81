package config

import (
	"bytes"
	"os"
	"path/filepath"
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

// A comment, an empty line, another order: the file says the same, and where its values stand is known anew.
func TestSameWhereverItStands(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
	read := func(text string) *Config {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	origin := func(c *Config) string {
		var out bytes.Buffer
		if err := c.WriteOrigins(&out); err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(out.String(), "public_url: ")
		line, _, _ = strings.Cut(line, "\n")
		return line
	}
	before := read(good)
	was := origin(before)
	if after := read("# why we have it\n\n" + good); !after.Same(before) || origin(before) == was || origin(before) != origin(after) {
		t.Errorf("with a comment: %t, %q was %q, stands at %q", after.Same(before), origin(before), was, origin(after))
	}
	was = origin(before)
	if after := read("# nearly\n" + with("", "contact: help@acme.example")); after.Same(before) || origin(before) != was {
		t.Errorf("another contact is the same, or %q became %q", was, origin(before))
	}
}
