package salesforcesim

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// configOf is the configuration of a command line.
func configOf(t *testing.T, args ...string) (Config, error) {
	t.Helper()
	set := pflag.NewFlagSet("salesforce-sim", pflag.ContinueOnError)
	f := AddFlags(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f.Config()
}

// TestFlagsBesideAFile: a flag that was given counts for more than the file, its default for less.
func TestFlagsBesideAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sim.yaml")
	if err := os.WriteFile(file, []byte("callbacks: [https://file.example]\nbase_url: https://file.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args              []string
		callback, baseURL string
	}{
		"no file":        {nil, "http://127.0.0.1:8080/oauth/callback", ""},
		"file":           {[]string{"--config", file}, "https://file.example", "https://file.example"},
		"file and flags": {[]string{"--config", file, "--callback", "https://flag.example", "--base-url", "https://flag.example"}, "https://flag.example", "https://flag.example"},
	} {
		cfg, err := configOf(t, test.args...)
		if err != nil || !slices.Equal(cfg.Callbacks, []string{test.callback}) || cfg.BaseURL != test.baseURL {
			t.Errorf("%s: callbacks %q, base URL %q, %v", name, cfg.Callbacks, cfg.BaseURL, err)
		}
	}
}

// TestS14FlagsKeepToLoopback: no address that other machines reach without being told so.
func TestS14FlagsKeepToLoopback(t *testing.T) {
	for _, name := range []string{"--listen", "--control"} {
		for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:80", "no address"} {
			if _, err := configOf(t, name, address); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
				t.Errorf("%s %s: %v", name, address, err)
			}
		}
		if cfg, err := configOf(t, name, "0.0.0.0:0", "--insecure-listen"); err != nil || cfg.Listen != "0.0.0.0:0" && cfg.ControlListen != "0.0.0.0:0" {
			t.Errorf("%s with --insecure-listen: %+v %v", name, cfg, err)
		}
	}
}
