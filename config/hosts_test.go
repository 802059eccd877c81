package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// asProduction is good as production accepts it, with replacements, and TLS ended in front.
func asProduction(oldnew ...string) string {
	return strings.NewReplacer(oldnew...).Replace(good) + "production: true\ntrusted_proxies: [10.0.0.0/8]\n"
}

// withOrg is good with further lines of its org.
func withOrg(lines ...string) string {
	return with("      client_id: 3MVG9example", "      client_id: 3MVG9example\n      "+strings.Join(lines, "\n      "))
}

// U6: users' tokens go to Salesforce's hosts, and to those that the org names.
func TestU6ProductionKnowsSalesforcesHosts(t *testing.T) {
	t.Parallel()
	if c, err := load(t, asProduction()); err != nil || len(c.Notes()) != 0 {
		t.Fatalf("%v, %v", err, c.Notes())
	}
	for _, host := range []string{
		"api.salesforce.co", "api.salesforce.cm", "api.saleforce.com", "apisalesforce.com", "api-salesforce.com", "salesforce.com",
		"api.salesforce.com.evil.example", "api.salesforce.com.", "api.salesforce.com:8443", "api.salesforce.com:443", "API.salesforce.com",
		"user@api.salesforce.com", "api.salesforce.com@evil.example", "evil.example", "xn--salesfrce-26a.com", "api.xn--salesfrce-26a.com",
		"api.salesfоrce.com", // with a Cyrillic o
		"127.0.0.1", "127.0.0.1:8090", "10.0.0.1", "[::1]:8090", "localhost:8090", "acme.my.site.com", "acme.my.salesforce-sites.com",
	} {
		_, err := load(t, asProduction("api.salesforce.com", host))
		problems, _ := errors.AsType[Problems](err)
		if len(problems) != 1 || problems[0].Key != "servers[0].upstream" {
			t.Errorf("upstream on %s: %v", host, err)
		}
		_, err = load(t, asProduction("acme.my.salesforce.com", host))
		problems, _ = errors.AsType[Problems](err)
		if len(problems) != 1 || problems[0].Key != "salesforce.orgs[0].login_url" {
			t.Errorf("login on %s: %v", host, err)
		}
	}
	// Whose keys count decides who somebody is.
	for _, key := range []string{"issuer", "jwks_url"} {
		if _, err := load(t, asProduction("client_id: 3MVG9example", "client_id: x\n      "+key+": https://acme.my.salesforce.com.evil.example/id/keys")); err == nil || !strings.Contains(err.Error(), "salesforce.orgs[0]."+key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, host := range []string{"acme--uat.sandbox.my.salesforce.com", "acme.develop.my.salesforce.com", "login.salesforce.com", "acme.my.salesforce.mil", "acme.my.sfcrmproducts.cn"} {
		if _, err := load(t, asProduction("acme.my.salesforce.com", host)); err != nil {
			t.Errorf("login on %s: %v", host, err)
		}
	}
}

func TestU6HostsNamedByTheirOrg(t *testing.T) {
	t.Parallel()
	allowing := func(allowed string) []string {
		return []string{"client_id: 3MVG9example", "client_id: x\n      allow_hosts: [" + allowed + "]", "api.salesforce.com", "gateway.acme.example:8443"}
	}
	if _, err := load(t, asProduction(allowing(`"gateway.acme.example:8443"`)...)); err != nil {
		t.Error(err)
	}
	for _, allowed := range []string{"gateway.acme.example", `"gateway.acme.example:844"`, "acme.example", "other.example"} {
		if _, err := load(t, asProduction(allowing(allowed)...)); err == nil || !strings.Contains(err.Error(), "servers[0].upstream") {
			t.Errorf("%s: %v", allowed, err)
		}
	}
	for _, allowed := range []string{`"*.acme.example"`, `"*"`, "https://gateway.acme.example", "Gateway.acme.example", "gateway.acme.example.", "gateway.acme.example/x", `"gateway.acme.example:443"`, `"gateway.acme.example:x"`, `""`, "user@gateway.acme.example"} {
		if _, err := load(t, withOrg("allow_hosts: ["+allowed+"]")); err == nil || !strings.Contains(err.Error(), "salesforce.orgs[0].allow_hosts[0]") {
			t.Errorf("%s: %v", allowed, err)
		}
	}
	// What one org allows holds for it alone.
	other := strings.Replace(asProduction("api.salesforce.com", "gateway.acme.example"), "salesforce:\n  orgs:\n", `salesforce:
  orgs:
    - {name: other, login_url: "https://other.my.salesforce.com", org_id: 00Dxx0000001gPKEAY, client_id: y, allow_hosts: [gateway.acme.example]}
`, 1)
	if _, err := load(t, other); err == nil || !strings.Contains(err.Error(), "servers[0].upstream") {
		t.Errorf("allowed by another org: %v", err)
	}
}

// What can hardly be meant is said, and does not stop a start.
func TestU6Notes(t *testing.T) {
	t.Parallel()
	quiet := "\ntrusted_proxies: [10.0.0.0/8]\n"
	for name, c := range map[string]struct{ text, says string }{
		"another host":             {with("api.salesforce.com", "api.salesforce.co") + quiet, "servers[0].upstream is on api.salesforce.co, which is no host of Salesforce's"},
		"another login":            {with("acme.my.salesforce.com", "acme.my.salesforce.co") + quiet, "salesforce.orgs[0].login_url is on acme.my.salesforce.co"},
		"sandbox path":             {with("v1/platform", "v1/sandbox/platform") + quiet, "server sales: upstream is that of a sandbox, but org acme is a production org"},
		"sandbox path, data":       {with("v1/platform/sobject-reads", "v1/data/sandbox/data360") + quiet, "upstream is that of a sandbox"},
		"sandbox org":              {with("acme.my.salesforce.com", "acme--uat.sandbox.my.salesforce.com") + quiet, "org acme is a sandbox"},
		"test login":               {with("acme.my.salesforce.com", "test.salesforce.com") + quiet, "org acme is a sandbox (test.salesforce.com)"},
		"scratch org":              {with("acme.my.salesforce.com", "acme.scratch.my.salesforce.com") + quiet, "org acme is a scratch"},
		"kind against path":        {withOrg("kind: sandbox") + quiet, "org acme is a sandbox"},
		"kind against host":        {withOrg("kind: scratch") + quiet, "kind is scratch, but acme.my.salesforce.com is the login host of a production org"},
		"lightning":                {with("acme.my.salesforce.com", "acme.lightning.force.com") + quiet, "login_url is on acme.lightning.force.com, which has pages for people alone"},
		"no namespace":             {with("v1/platform/sobject-reads", "v1/Ops") + quiet, "no namespace before Ops: a custom server's ends in /custom/Ops"},
		"no hosted server":         {with("platform/mcp/v1/platform/sobject-reads", "services/mcp/Ops") + quiet, "the path of upstream is none of Salesforce's"},
		"not the gateway":          {with("api.salesforce.com", "acme.my.salesforce.com") + quiet, "upstream is on acme.my.salesforce.com"},
		"another My Domain":        {with("v1/platform", "v1/d/acne/platform") + quiet, "upstream is that of acne, but org acme is acme"},
		"allowed without need":     {withOrg("allow_hosts: [gateway.acme.example]") + quiet, "allow_hosts names gateway.acme.example, which has no effect"},
		"allowed, and Salesforces": {withOrg("allow_hosts: [api.salesforce.com]") + quiet, "allow_hosts names api.salesforce.com, which has no effect"},
		"nothing ends TLS":         {good, "neither tls nor trusted_proxies is set"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c2, err := load(t, c.text)
			if err != nil {
				t.Fatal(err)
			}
			if notes := c2.Notes(); !slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, c.says) }) {
				t.Errorf("no note that says %q in %q", c.says, notes)
			}
		})
	}
	for name, text := range map[string]string{
		"plain":                good,
		"sandbox":              strings.NewReplacer("acme.my", "acme--uat.sandbox.my", "v1/platform", "v1/d/acme--uat/sandbox/platform").Replace(good),
		"scratch":              strings.NewReplacer("acme.my", "acme.scratch.my", "v1/platform", "v1/sandbox/platform").Replace(good),
		"scratch, by test":     strings.NewReplacer("acme.my", "test", "v1/platform", "v1/sandbox/platform", "client_id: 3MVG9example", "client_id: x\n      kind: scratch").Replace(good),
		"Developer Edition":    strings.NewReplacer("acme.my", "acme.develop.my", "v1/platform", "v1/d/acme/develop/platform").Replace(good),
		"custom":               strings.NewReplacer("platform/sobject-reads", "custom/Ops", "[read]", "[read, unknown]").Replace(good),
		"pilot with simulator": strings.NewReplacer("https://acme.my.salesforce.com", "http://127.0.0.1:8090", "https://api.salesforce.com", "http://127.0.0.1:8090", "client_id: 3MVG9example", "client_id: x\n      insecure_http: true").Replace(good),
	} {
		c, err := load(t, text+quiet)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		notes := slices.DeleteFunc(c.Notes(), func(note string) bool { return strings.Contains(note, "insecure_http") })
		if len(notes) > 0 {
			t.Errorf("%s: %q", name, notes)
		}
	}
	if _, err := load(t, withOrg("kind: prod")); err == nil || !strings.Contains(err.Error(), "salesforce.orgs[0].kind") {
		t.Errorf("unknown kind: %v", err)
	}
}

// SR-AS-3: no redirect leads to the host of an org or a gateway in front of one, however the file spells it; what a
// simulated Salesforce shares with native clients is left out.
func TestSRAS3HostsOfTheOrgs(t *testing.T) {
	t.Parallel()
	c := Config{
		Salesforce: Salesforce{Orgs: []Org{{LoginURL: "https://Login.ACME.example"}, {LoginURL: "https://login.acme.example:8443"}, {LoginURL: "http://127.0.0.1:8090"}}},
		Servers:    []Server{{Upstream: "https://Gateway.acme.example/platform/mcp/v1/x/y"}, {Upstream: "http://localhost:1/x"}},
	}
	if got := c.SalesforceHosts(); !slices.Equal(got, []string{"login.acme.example", "gateway.acme.example"}) {
		t.Errorf("%q", got)
	}
}
