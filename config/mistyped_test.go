package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// U7: what somebody in a hurry writes, and what the proxy says to it: none of it is accepted in
// silence.
func TestU7MistypedSettings(t *testing.T) {
	right := Config{PublicURL: "https://mcp.example.com", Production: true, TrustedProxies: []string{"10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"},
		Servers: []Server{{Name: "sales", Title: "Sales"}, {Name: "all", Title: "Everything"}, {Name: "untitled"}, {Name: "untitled too"}},
		Groups:  []Group{{Name: "pilot", Members: []string{"rep@acme.example", "005xx000001Sv6AAAS"}}},
		Clients: []Client{{ID: "a", Name: "ChatGPT"}, {ID: "b", Name: "Claude"}}}
	said := func(c Config) string {
		n := &notes{c: &c}
		n.mistyped()
		return strings.Join(n.list, "\n")
	}
	if got := said(right); got != "" {
		t.Errorf("what is right: %s", got)
	}
	for want, change := range map[string]func(*Config){
		"public_url https://localhost is this machine":                   func(c *Config) { c.PublicURL = "https://localhost" },
		"public_url https://127.0.0.1:8443 is this machine":              func(c *Config) { c.PublicURL = "https://127.0.0.1:8443" },
		"128.0.0.0/1, which is more than":                                func(c *Config) { c.TrustedProxies = []string{"0.0.0.0/1", "128.0.0.0/1"} },
		"2000::/3, which is more than":                                   func(c *Config) { c.TrustedProxies = []string{"2000::/3"} },
		"10.1.2.3/8, which means 10.0.0.0/8: for one address, write /32": func(c *Config) { c.TrustedProxies = []string{"10.1.2.3/8"} },
		"group pilot has the member rep@acme, which is no username":      func(c *Config) { c.Groups = []Group{{Name: "pilot", Members: []string{"rep@acme"}}} },
		"salesforce org acme has the client_id 3MVG9…, with":             func(c *Config) { c.Salesforce.Orgs = []Org{{Name: "acme", ClientID: "3MVG9…"}} },
		`servers sales and all are both shown as "Sales"`:                func(c *Config) { c.Servers = []Server{{Name: "sales", Title: "Sales"}, {Name: "all", Title: "Sales"}} },
		`clients a and b are both shown as "ChatGPT"`:                    func(c *Config) { c.Clients = []Client{{ID: "a", Name: "ChatGPT"}, {ID: "b", Name: "ChatGPT"}} },
	} {
		c := right
		change(&c)
		if got := said(c); !strings.Contains(got, want) {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}

// In an emergency each command says what is wrong with the file: the key that was meant, and all that there are only where
// none is near.
func TestU7UnknownKeyIsSaidShortly(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"polices":       `c.yaml:1: polices: found an unknown key, did you mean "policies"?`,
		"allowed_tools": "c.yaml:1: allowed_tools: found an unknown key, expected one of public_url, ",
	} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, []byte(key+": []\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file, nil)
		if err == nil || !slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(line string) bool {
			_, said, _ := strings.Cut(line, filepath.Dir(file)+string(filepath.Separator))
			return said == want || strings.HasSuffix(want, ", ") && strings.HasPrefix(said, want)
		}) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}
