package config

import "testing"

// A login is for what the servers of its org have in common (RFC 8707 2).
func TestResourceOfALogin(t *testing.T) {
	t.Parallel()
	const base = "https://api.salesforce.com/platform/mcp/v1"
	for want, upstreams := range map[string][]string{
		base + "/platform/sobject-reads": {base + "/platform/sobject-reads"},
		base + "/platform":               {base + "/platform/sobject-reads", base + "/platform/sobject-all"},
		base:                             {base + "/platform/sobject-reads", base + "/platform/sobject-all", base + "/custom/Ops"},
		"https://api.salesforce.com":     {base, "https://api.salesforce.com/other"},
		"":                               {base, "https://api.example/platform/mcp/v1"},
	} {
		servers := []Server{{Org: "other", Upstream: "https://other.example/x"}}
		for _, u := range upstreams {
			servers = append(servers, Server{Org: "acme", Upstream: u})
		}
		if got := resourceOf("acme", servers); got != want {
			t.Errorf("%q: %s, want %s", upstreams, got, want)
		}
	}
	if got := resourceOf("nobody", nil); got != "" {
		t.Errorf("without a server: %s", got)
	}
}
