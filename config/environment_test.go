package config

import (
	"os"
	"path/filepath"
	"reflect"
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

// FT-44: a variable that cannot be read, of whatever kind its key is, keeps nobody from taking access away: it is told of by its
// name, and what it would have set is as without it. What is needed for that is wrong by its name, too.
func TestUnreadableVariablesKeepNobodyFromCuttingOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	kinds := map[reflect.Type]int{}
	for key := range defaults {
		kind := typeOf(key)
		kinds[kind]++
		if len(Problems{{Key: key}}.inside(ForCutoff...)) > 0 {
			continue
		}
		for _, value := range []string{"abc", "${VALUE}", "", "-1", "1e999", "99999999999999999999", "[", "{a: b}", "null", "\xff"} {
			if _, wrong, err := LoadPart(file, []string{envName(key) + "=" + value}, ForCutoff...); err != nil {
				t.Errorf("%s=%q (%v): %v", envName(key), value, kind, err)
			} else if kind.Kind() == reflect.Float64 && value == "abc" && !strings.Contains(wrong.Error(), envName(key)) {
				t.Errorf("%s=%q is not told of: %v", envName(key), value, wrong)
			}
		}
	}
	if len(kinds) < 6 {
		t.Errorf("only the kinds %v were tried", kinds)
	}
}

// FT-44: a reload finds a new secret though the name of its file stayed the same.
func TestContentOfSecretFilesIsPartOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	for name, text := range map[string]string{
		"secret of a webhook":          "approvals: {notify: [{name: a, kind: webhook, url: https://hooks.example.com, secret_file: FILE}]}",
		"previous secret of a webhook": "approvals: {notify: [{name: a, kind: webhook, url: https://hooks.example.com, secret_file: FILE.kept, previous_secret_file: FILE}]}",
		"address of a chat":            "approvals: {notify: [{name: a, kind: slack, url_file: FILE}]}",
		"password of mail":             "approvals: {notify: [{name: a, kind: mail, to: [a@example.com]}], mail: {address: 'smtp.example.com:587', from: p@example.com, username: p, password_file: FILE}}",
		"password of the database":     "database: 'postgres://proxy@db.example.com/proxy?sslmode=verify-full&passfile=FILE'",
		"secret of a provider":         "console: {oidc: {issuer: https://id.example.com, client_id: c, client_secret_file: FILE}, roles: [{role: security, subjects: [a]}]}",
		"password on the way out":      "outbound_proxy: http://proxy@out.example.com:3128\noutbound_proxy_password_file: FILE",
	} {
		write := func(content string) {
			for path, text := range map[string]string{secret: content, secret + ".kept": "https://kept.example.com"} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		read := func() *Config {
			base := good
			if strings.HasPrefix(text, "database") {
				base = strings.Replace(good, "database:", "# database:", 1)
			}
			c, err := load(t, base+strings.ReplaceAll(text, "FILE", secret)+"\n")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			c.KeysFile, c.Audit.Dir = "", "" // each in a folder of its own
			if strings.HasPrefix(c.Database, "sqlite:") {
				c.Database = ""
			}
			return c
		}
		write("https://one.example.com")
		before := read()
		if !read().Same(before) {
			t.Errorf("%s: nothing changed, and it is not the same", name)
		}
		write("https://two.example.com")
		if read().Same(before) {
			t.Errorf("%s: its file has other content, and it is the same", name)
		}
	}
}
