package access

import (
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy"
)

func TestNewReportsEveryProblem(t *testing.T) {
	t.Parallel()
	f := open(t)
	for name, tt := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"no database": {func(c *Config) { c.DB = nil }, []string{"database and grants are required"}},
		"no grants":   {func(c *Config) { c.Grants = nil }, []string{"database and grants are required"}},
		"path":        {func(c *Config) { c.PublicURL += "/x" }, []string{"no path"}},
		"final slash": {func(c *Config) { c.PublicURL += "/" }, []string{"no trailing slash"}},
		"http":        {func(c *Config) { c.PublicURL = "http://proxy.example" }, []string{"an https URL"}},
		"no servers":  {func(c *Config) { c.Servers = nil }, []string{"at least one org and one server"}},
		"no orgs":     {func(c *Config) { c.Orgs = nil }, []string{"at least one org and one server", `org "acme" is not configured`}},
		"several": {func(c *Config) {
			c.PublicURL = "x"
			c.Servers = append([]Server{}, c.Servers...)
			c.Servers[1].Policy = nil
			c.Servers[2].URL = "http://api.salesforce.com/x"
			c.Servers = append(c.Servers, Server{Name: "A", Org: "no", URL: c.Servers[0].URL, Policy: &policy.Policy{}, ServerRequests: []string{"roots", "files"}}, c.Servers[0])
		}, []string{`public URL "x"`, `server "A": name`, `server "A": org "no" is not configured`, `server "A": "files"`, `server "sales": name is used twice`,
			`server "pilot": a policy is required`, `server "nobody": URL`}},
	} {
		c := f.config
		tt.change(&c)
		_, err := New(c)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	}
}

func TestServerNames(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "9", "sales", "sobject-all", "a--b", strings.Repeat("a", 63)} {
		if !ValidServerName(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", "-", "-a", "a-", "Sales", "a_b", "a.b", "a/b", "a b", "a%2fb", "ä", "a\n", strings.Repeat("a", 64)} {
		if ValidServerName(bad) {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://proxy.example", "https://proxy.example:8443", "http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "https://xn--bcher-kva.example"} {
		if err := ValidatePublicURL(good); err != nil {
			t.Errorf("%q: expected %v", good, err)
		}
	}
	for _, bad := range []string{"", "proxy.example", "https://", "http://proxy.example", "ftp://proxy.example", "https://proxy.example/", "https://proxy.example/base", "https://Proxy.example",
		"HTTPS://proxy.example", "https://proxy.example:443", "http://127.0.0.1:80", "https://proxy.example.", "https://u@proxy.example", "https://proxy.example?", "https://proxy.example?a=b",
		"https://proxy.example#", "https://b\u00fccher.example", "https://proxy.example:70000", "https://proxy.example:", "https://2130706433"} {
		if err := ValidatePublicURL(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	for _, more := range []string{"?", "?a=b", "#", "#a"} { // what is wrong is named, not only that the form is another
		if err := ValidatePublicURL("https://proxy.example" + more); err == nil || !strings.Contains(err.Error(), "without user, query or fragment") {
			t.Errorf("with %s: %v", more, err)
		}
	}
	if ValidateUpstream("https://api.salesforce.com/platform/mcp/v1/x", false) != nil || ValidateUpstream("http://127.0.0.1:1/x", true) != nil {
		t.Error("the URL of a hosted server is refused")
	}
	for _, bad := range []string{"http://127.0.0.1:1/x", "https://api.salesforce.com/a/../b", "https://api.salesforce.com//b", "https://api.salesforce.com/%61", "https://api.salesforce.com/a;b"} {
		if ValidateUpstream(bad, false) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// C9: a slash at the end, and the port that the scheme implies, mean the same endpoint.
func TestC9InPublicForm(t *testing.T) {
	t.Parallel()
	const https, http, port = "https://mcp.example.com", "http://localhost", "https://mcp.example.com:8443"
	f := open(t)
	for _, tt := range []struct{ public, written, want string }{
		{https, "HTTPS://MCP.Example.com/mcp/sales", "https://mcp.example.com/mcp/sales"},
		{https, "https://mcp.example.com/mcp/sales", "https://mcp.example.com/mcp/sales"},
		{https, "https://mcp.example.com:443/mcp/sales", "https://mcp.example.com/mcp/sales"},
		{https, "HTTPS://MCP.Example.com:443/mcp/sales/", "https://mcp.example.com/mcp/sales"},
		{http, "http://localhost:80/mcp/sales/", "http://localhost/mcp/sales"},
		{port, "https://mcp.example.com:8443/mcp/sales/", "https://mcp.example.com:8443/mcp/sales"},
		// These mean something else, or nothing.
		{https, "https://mcp.example.com/mcp/sales//", "https://mcp.example.com/mcp/sales/"},
		{https, "https://mcp.example.com/MCP/sales", "https://mcp.example.com/MCP/sales"},
		{https, "https://mcp.example.com/mcp/./sales", "https://mcp.example.com/mcp/./sales"},
		{https, "https://mcp.example.com/mcp/%73ales", "https://mcp.example.com/mcp/%73ales"},
		{https, "https://mcp.example.com:80/mcp/sales", "https://mcp.example.com:80/mcp/sales"},
		{https, "http://mcp.example.com/mcp/sales", "http://mcp.example.com/mcp/sales"},
		{https, "https://mcp.example.com.evil.example/mcp/sales", "https://mcp.example.com.evil.example/mcp/sales"},
		{https, "https://mcp.example.com:443", "https://mcp.example.com:443"},
		{port, "https://mcp.example.com/mcp/sales", "https://mcp.example.com/mcp/sales"},
		{https, "HTTPS://MCP.EXAMPLE.COM.EVIL/mcp/sales", "HTTPS://MCP.EXAMPLE.COM.EVIL/mcp/sales"},
		{https, "https://other.example/mcp/sales", "https://other.example/mcp/sales"},
		{https, "https://mcp.example.com", "https://mcp.example.com"},
		{https, "", ""},
	} {
		f.reconfigure(t, func(c *Config) { c.PublicURL = tt.public })
		if got := f.InPublicForm(tt.written); got != tt.want {
			t.Errorf("%s at %s: %s, want %s", tt.written, tt.public, got, tt.want)
		}
	}
}

func TestOrgs(t *testing.T) {
	t.Parallel()
	f := open(t)
	acme, _ := f.Org("acme")
	sandbox, _ := f.Org("sandbox")
	if acme.Issuer != acme.LoginURL || sandbox.Issuer != "https://issuer.example" || acme.Host() != "acme.my.salesforce.com" {
		t.Errorf("%+v, %+v", acme, sandbox)
	}
	if o, known := f.Org("none"); known || o.Host() != "" {
		t.Errorf("an org that is not configured: %+v", o)
	}
}

// The policy of a server is judged in front of that server: on a custom one a standard
// tool's name means nothing.
func TestServersPolicyIsOfItsURL(t *testing.T) {
	t.Parallel()
	f := open(t)
	rules := &policy.Policy{Name: "reads", Rules: []policy.Rule{{Effect: policy.Allow, Classes: []policy.Class{policy.Read}}}}
	f.reconfigure(t, func(c *Config) {
		c.Servers[0].Policy, c.Servers[1].Policy = rules, rules
		c.Servers[1].URL = "https://api.salesforce.com/platform/mcp/v1/custom/Own"
	})
	call := policy.Call{Tool: "getUserInfo", Arguments: []byte(`{}`)}
	for server, want := range map[string]policy.Effect{"sales": policy.Allow, "pilot": policy.Deny} {
		if got := f.Server(server).Policy.Decide(policy.Principal{Org: "acme", Subject: alice}, call); got.Effect != want {
			t.Errorf("%s: %s, want %s", server, got.Effect, want)
		}
	}
}
