package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy"
)

// FuzzLoad puts any text in place of any line of a configuration, or of all of it. What is
// accepted prints as a configuration that is accepted and means the same; in production it
// has no setting that only a pilot may have.
func FuzzLoad(f *testing.F) {
	lines := strings.Split(good, "\n")
	f.Add(uint8(0), good, false)
	f.Add(uint8(0), good+"production: true\n", false)
	for _, text := range []string{
		"", "---\n", "a: &a [*a]", "{}", "null", "\t", "\xff", "production: [true]", "public_url: https://a.example\npublic_url: http://b.example", "? {a: b}\n: c",
		"<<: {production: true}", "!!binary aGk=", "servers: &s\n- <<: *s", strings.Repeat("[", 1000), good + "---\nproduction: true",
	} {
		f.Add(uint8(0), text, true)
	}
	for _, line := range []string{
		"public_url: http://127.0.0.1:8080", "public_url: HTTPS://mcp.example.com/x", "listen: 0.0.0.0:80\ntrusted_proxies: [0.0.0.0/0]", "listen: ':8080'", "admin_listen: 0.0.0.0:9090",
		"admin_listen: '[::ffff:127.0.0.1]:9090'", "admin_listen: localhost:9090\nadmin_listen_open: true", "      login_url: http://127.0.0.1:8090\n      insecure_http: true",
		"      login_url: https://evil.example", "      login_url: https://acme.my.salesforce.com\n      jwks_url: https://evil.example/keys\n      allow_hosts: [evil.example]",
		"      login_url: https://acme.my.salesforce.com@evil.example", "    upstream: http://api.salesforce.com/platform/mcp/v1/x", "    mode: shadow", "    mode: \"\"", "    mode: Shadow",
		"database: postgres://u:p4ssw0rd@db.example/x?sslmode=require", "database: postgres://u@db.example/x?sslmode=verify-full", "database: postgres://u@%2Ftmp/x", "database: postgres://", "database: postgres://a.example,b.example:5432/x", "database: 'sqlite:'",
		"outbound_proxy: http://u:p@proxy.example:3128", "outbound_proxy: http://u@proxy.example:3128\noutbound_proxy_password: p", "lifetimes: {code: 1h}", "limits: {request_bytes: 0B}",
		"      - {effect: allow, classes: []}", "      - {effect: allow}", "      - {effect: confirm, classes: [update], approvers: 'role:approver', quorum: 1}", "contact: \"a\\u202eb\"", "x: y",
		"registration: {dynamic: {enabled: true, private_use_uris: ['a.b:/c']}}", "console: {oidc: {issuer: 'https://id.example', client_id: c, client_secret: s3cret}}",
		"audit: {keep: 24h, checkpoint_every: 1s, checkpoints: [{file: /mnt/elsewhere/checkpoints/}, {url: 'https://logs.example/checkpoint'}]}", "audit: {checkpoints: [{url: 'http://logs.example/x'}]}",
		"audit: {checkpoints: [{url: 'https://logs.example/checkpoint', token_file: ''}]}", "audit: {dir: /, checkpoints: [{file: /mnt/x, url: ''}]}",
		"audit: {checkpoints: [{s3: {endpoint: 'https://s3.example', bucket: log-bucket, region: eu-1, access_key_id: AKIAX, secret_key_file: /etc/hostname}}]}",
		"allowed_origins: ['*']", "    timeout: 1ns", "    members: ['*']", "    redirect_uris: ['https://*.example/cb']",
	} {
		for i := range lines {
			if key, _, _ := strings.Cut(strings.TrimSpace(line), ":"); i > 0 && strings.HasPrefix(strings.TrimSpace(lines[i]), key+":") {
				f.Add(uint8(i), line, true)
			}
		}
		f.Add(uint8(1), lines[1]+"\n"+line, true)
	}
	file := filepath.Join(f.TempDir(), "sfmcp-proxy.yaml")
	read := func(t *testing.T, text string, environ ...string) (*Config, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(file, environ)
	}
	f.Fuzz(func(t *testing.T, at uint8, text string, production bool) {
		if at > 0 {
			text = strings.Join(slices.Replace(slices.Clone(lines), int(at)%len(lines), int(at)%len(lines)+1, text), "\n")
		}
		var environ []string
		if production {
			environ = []string{"SFMCP_PRODUCTION=true"}
		}
		c, err := read(t, text, environ...)
		if err != nil {
			_ = err.Error()
			return
		}
		c.Notes()
		if c.Production {
			if wrong := insecure(c); wrong != "" {
				t.Fatalf("production has %s:\n%s", wrong, text)
			}
		} else if production {
			t.Fatal("the environment says production, and it is not")
		}
		printed := c.print(t)
		if strings.Contains(printed, "(set)") || strings.Contains(printed, "xxxxx") || withoutPassword(c.Database) != c.Database { // for a secret, or what may hold one
			return
		}
		again, err := read(t, printed)
		if err != nil {
			t.Fatalf("what is in force is refused: %v\n%s\nof\n%s", err, printed, text)
		}
		if twice := again.print(t); twice != printed {
			t.Fatalf("%s\nis read as\n%s\nof\n%s", printed, twice, text)
		}
	})
}

func (c *Config) print(t *testing.T) string {
	var out strings.Builder
	if err := c.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// insecure says which setting production may not have, read from its text; "" if none.
func insecure(c *Config) string {
	https := func(text string) bool { return strings.HasPrefix(text, "https://") }
	listensHere := strings.HasPrefix(c.AdminListen, "127.") || strings.HasPrefix(c.AdminListen, "localhost:") || strings.HasPrefix(c.AdminListen, "[")
	switch {
	case !https(c.PublicURL):
		return "a public_url without TLS"
	case !listensHere && !c.AdminListenOpen:
		return "an admin_listen that others reach"
	case remoteDatabase(c.Database) && !strings.Contains(c.Database, "verify-full"):
		return "a database without verified TLS"
	}
	for _, o := range c.Salesforce.Orgs {
		if o.InsecureHTTP || !https(o.LoginURL) || !https(o.Issuer) || !https(o.JWKSURL) {
			return "an org that is reached without TLS"
		}
	}
	for _, s := range c.Servers {
		known := strings.HasPrefix(s.Upstream, "https://api.salesforce.com/") || strings.HasSuffix(strings.Split(s.Upstream, "/")[2], ".salesforce.com")
		org, _ := c.org(s.Org)
		if !https(s.Upstream) || !known && len(org.AllowHosts) == 0 {
			return "a server elsewhere"
		}
	}
	if slices.ContainsFunc(c.Policies, func(p Policy) bool { return p.Mode != string(policy.Enforce) }) {
		return "a policy that is not enforced"
	}
	return ""
}

// remoteDatabase says whether a URL of PostgreSQL names a host that is not this one, before
// its path; without any it is this one.
func remoteDatabase(database string) bool {
	scheme, rest, _ := strings.Cut(database, "://")
	if scheme != "postgres" && scheme != "postgresql" || strings.Contains(rest, "host=") {
		return false
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	for host := range strings.SplitSeq(authority[strings.LastIndexByte(authority, '@')+1:], ",") {
		here := host == "" || host[0] == ':' || host[0] == '%' || strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "[")
		if !here {
			return true
		}
	}
	return false
}
