package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// good is the smallest configuration that does something.
const good = `
public_url: https://mcp.example.com
salesforce:
  orgs:
    - name: acme
      login_url: https://acme.my.salesforce.com
      org_id: 00Dxx0000001gPFEAY
      client_id: 3MVG9example
servers:
  - name: sales
    org: acme
    upstream: https://api.salesforce.com/platform/mcp/v1/platform/sobject-reads
    policy: read-only
    groups: [pilot]
groups:
  - name: pilot
    members: [005xx000001Sv6AAAS, rep@acme.example]
policies:
  - name: read-only
    mode: enforce
    rules:
      - {effect: allow, classes: [read]}
clients:
  - id: chatgpt
    name: ChatGPT
    redirect_uris: [https://chatgpt.com/connector/oauth/abc123]
`

func load(t *testing.T, text string, environ ...string) (*Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file, environ)
}

// with replaces one line, found by its beginning, or appends at the top level.
func with(old, new string) string {
	if old == "" {
		return good + new + "\n"
	}
	return strings.Replace(good, old, new, 1)
}

func TestDefaults(t *testing.T) {
	c, err := load(t, good)
	if err != nil {
		t.Fatal(err)
	}
	o := c.Salesforce.Orgs[0]
	got := []any{c.Listen, c.AdminListen, c.Lifetimes.Code, c.Lifetimes.RefreshAbsolute, c.Limits.RequestBytes,
		o.Issuer, o.JWKSURL, o.Scopes, c.Servers[0].Timeout, c.Servers[0].Title}
	want := []any{"127.0.0.1:8080", "127.0.0.1:9090", time.Minute, 2160 * time.Hour, Bytes(1 << 20),
		"https://acme.my.salesforce.com", "https://acme.my.salesforce.com/id/keys", []string{"mcp_api", "refresh_token"}, time.Minute, "sales"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !filepath.IsAbs(c.KeysFile) || !filepath.IsAbs(strings.TrimPrefix(c.Database, "sqlite:")) {
		t.Errorf("paths %q %q depend on the working directory", c.KeysFile, c.Database)
	}
}

// The example of the contract, with everything it names, must be accepted.
func TestEveryDocumentedKeyIsAccepted(t *testing.T) {
	c, err := load(t, good+`
listen: 127.0.0.1:8080
admin_listen: 127.0.0.1:9090
tls: {cert_file: "", key_file: ""}
trusted_proxies: []
trusted_ca_file: ""
database: sqlite:data/proxy.db
keys_file: data/keys
contact: ""
production: false
definitions: accept_first
registration:
  metadata_documents:
    allow_hosts: [chatgpt.com, claude.ai, vscode.dev]
    allow_addresses: []
    resolver: ""
  dynamic: {enabled: false}
lifetimes: {code: 60s, access_token: 15m, refresh_idle: 720h, refresh_absolute: 2160h, refresh_grace: 2m,
            consent: 10m, approval: 15m, session: 12h}
lifecycle: {hide_after: 720h, end_after: 0s}
limits: {request_bytes: 1MiB, response_bytes: 16MiB, calls_per_minute: 120, concurrent_calls: 16, connections: 4096}
console:
  oidc: {issuer: "", client_id: "", client_secret_file: ""}
  roles:
    - {role: security, subjects: [alice@acme.example]}
    - {role: approver, subjects: [bob@acme.example]}
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Notes()) == 0 {
		t.Error("settings without effect are accepted in silence")
	}
}

// What pages show of whom to ask is one line that can be read.
func TestU11Contact(t *testing.T) {
	t.Parallel()
	for text, valid := range map[string]bool{
		// What stands in double quotes in YAML, escapes included.
		"": true, "it-help@acme.example": true, "https://acme.example/help?x=1": true, "Jörg Müller, Raum 4 (☎ 123)": true, strings.Repeat("ü", 200): true,
		strings.Repeat("ü", 201): false, `a\nb`: false, `a\u0000b`: false, `a\u202eb`: false, `a\u200bb`: false, "  a": false, `a\t`: false,
	} {
		c, err := load(t, with("public_url:", `contact: "`+text+"\"\npublic_url:"))
		if (err == nil) != valid || err != nil && !strings.Contains(err.Error(), "contact: ") {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && c.Contact != text {
			t.Errorf("%q was read as %q", text, c.Contact)
		}
	}
}

// A * in a path is allowed in a URL, and never what its writer means.
func TestRedirectWithWildcardIsNoted(t *testing.T) {
	t.Parallel()
	c, err := load(t, with("oauth/abc123", "oauth/*"))
	if err != nil || !strings.Contains(strings.Join(c.Notes(), "\n"), "client chatgpt has the redirect URI https://chatgpt.com/connector/oauth/*: ") {
		t.Errorf("%v", err)
	}
}

// The example that the documentation shows, placeholders and all, passes the check.
func TestDocumentedPolicyIsAccepted(t *testing.T) {
	_, err := load(t, strings.NewReplacer(
		"      - {effect: allow, classes: [read]}", `      - {effect: deny, objects: [User, Profile]}
      - {effect: allow, classes: [read], max_rows: 2000}
      - {effect: confirm, classes: [create, update], approvers: requester}
      - {effect: confirm, tools: [deleteSobjectRecord], approvers: "role:approver", quorum: 1}`,
		"3MVG9example", "3MVG9…").Replace(good))
	if err != nil {
		t.Error(err)
	}
}

// Clients that are not under clients are named in rules by their document's URL.
func TestRegistration(t *testing.T) {
	t.Parallel()
	const section = `
registration:
  metadata_documents: {allow_hosts: [chatgpt.com, 127.0.0.2], allow_addresses: [127.0.0.2/32, "fd00::/8"], resolver: "127.0.0.1:53"}
  dynamic: {enabled: true}
`
	rule := func(id string) string {
		return with("classes: [read]", "classes: [read], clients: [\""+id+"\"]")
	}
	c, err := load(t, rule("https://chatgpt.com/oauth/client.json")+section)
	if err != nil {
		t.Fatal(err)
	}
	if w := strings.Join(c.Notes(), "\n"); !strings.Contains(w, "unverified") {
		t.Errorf("warnings: %s", w)
	}
	for _, id := range []string{"https://claude.ai/c", "http://chatgpt.com/c", "https://chatgpt.com.evil/c", "other"} {
		if _, err := load(t, rule(id)+section); err == nil || !strings.Contains(err.Error(), "policies[0].rules[0].clients[0]") {
			t.Errorf("%s: %v", id, err)
		}
	}
	if c, err = load(t, with("", "registration: {metadata_documents: {allow_addresses: [127.0.0.2/32]}}")); err != nil || !strings.Contains(strings.Join(c.Notes(), "\n"), "allow_hosts") {
		t.Errorf("addresses without hosts: %v, %v", err, c.Notes())
	}
}

// SC-03: every mistake is named with file, line, key, what was found and what is
// expected, and none opens anything.
func TestSC03EveryProblemIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ text, key, says string }{
		"unknown key":            {with("", "alowed_tools: [x]"), "alowed_tools", "unknown key"},
		"unknown key in a list":  {with("    policy: read-only", "    policy: read-only\n    polices: x"), "servers[0].polices", "unknown key"},
		"unknown key in a rule":  {with("classes: [read]", "clases: [read]"), "policies[0].rules[0].clases", "unknown key"},
		"other case":             {with("public_url", "Public_URL"), "Public_URL", "unknown key"},
		"duplicate key":          {with("", "public_url: https://other.example"), "public_url", "second time"},
		"duplicate in a list":    {with("    org: acme", "    org: acme\n    org: acme"), "servers[0].org", "second time"},
		"mistyped boolean":       {with("", "production: flase"), "production", "true or false"},
		"text as boolean":        {with("", `production: "false"`), "production", "true or false"},
		"number as text":         {with("client_id: 3MVG9example", "client_id: 12345"), "salesforce.orgs[0].client_id", "text"},
		"no time at all":         {with("    policy: read-only", "    timeout: 0s\n    policy: read-only"), "servers[0].timeout", "more than 0"},
		"no duration":            {with("", "lifetimes: {code: 60}"), "lifetimes.code", "duration"},
		"no size":                {with("", "limits: {request_bytes: 1000}"), "limits.request_bytes", "size"},
		"list as text":           {with("groups: [pilot]", "groups: pilot"), "servers[0].groups", "a list"},
		"empty value":            {with("    policy: read-only", "    policy:"), "servers[0].policy", "found nothing"},
		"empty text":             {with("    policy: read-only", `    policy: ""`), "servers[0].policy", "not empty"},
		"empty list":             {with("classes: [read]", "classes: []"), "policies[0].rules[0].classes", "empty list"},
		"no rules":               {with("    rules:\n      - {effect: allow, classes: [read]}", "    rules: []"), "policies[0].rules", "deny everything"},
		"null rules":             {with("    rules:\n      - {effect: allow, classes: [read]}", "    rules:"), "policies[0].rules", "a list"},
		"anchor":                 {with("groups: [pilot]", "groups: &a [pilot]"), "servers[0].groups", "anchor"},
		"unknown effect":         {with("effect: allow", "effect: alow"), "policies[0].rules[0].effect", "alow"},
		"unknown class":          {with("[read]}", "[reed]}"), "policies[0].rules[0].classes[0]", "reed"},
		"unknown policy":         {with("    policy: read-only", "    policy: other"), "servers[0].policy", "other"},
		"unknown org":            {with("    org: acme", "    org: other"), "servers[0].org", "other"},
		"unknown group":          {with("groups: [pilot]", "groups: [pilots]"), "servers[0].groups[0]", "pilots"},
		"unknown mode":           {with("mode: enforce", "mode: enforced"), "policies[0].mode", "enforced"},
		"member is nobody":       {with("005xx000001Sv6AAAS,", "alice,"), "groups[0].members[0]", "alice"},
		"http issuer":            {with("https://mcp.example.com", "http://mcp.example.com"), "public_url", "https"},
		"issuer with slash":      {with("https://mcp.example.com", "https://mcp.example.com/"), "public_url", "slash"},
		"issuer with path":       {with("https://mcp.example.com", "https://mcp.example.com/x"), "public_url", "no path"},
		"issuer with port 443":   {with("https://mcp.example.com", "https://mcp.example.com:443"), "public_url", "plain form"},
		"issuer in capitals":     {with("https://mcp.example.com", "https://MCP.example.com"), "public_url", "plain form"},
		"issuer in Unicode":      {with("https://mcp.example.com", "https://mcp.exämple.com"), "public_url", "xn--"},
		"issuer with final dot":  {with("https://mcp.example.com", "https://mcp.example.com."), "public_url", "final dot"},
		"issuer with wildcard":   {with("https://mcp.example.com", "https://*.example.com"), "public_url", "host name"},
		"issuer with port 80":    {with("https://mcp.example.com", "http://127.0.0.1:80"), "public_url", "default port"},
		"issuer with odd port":   {with("https://mcp.example.com", "https://mcp.example.com:99999"), "public_url", "65535"},
		"listener without port":  {with("", "listen: '127.0.0.1:'"), "listen", "host:port"},
		"listener with odd port": {with("", "listen: 127.0.0.1:99999"), "listen", "host:port"},
		"private, with odd port": {with("", "admin_listen: 127.0.0.1:x-y"), "admin_listen", "host:port"},
		"private, same address":  {with("", "admin_listen: 127.0.0.1:8080"), "admin_listen", "another address or port"},
		"private, all addresses": {with("", "admin_listen: ':8080'"), "admin_listen", "another address or port"},
		"timeout too short":      {with("policy: read-only", "timeout: 60ms\n    policy: read-only"), "servers[0].timeout", "1s to 10m"},
		"database in memory":     {with("", "database: 'sqlite::memory:'"), "database", "outlive this process"},
		"client id with a space": {with("id: chatgpt", "id: chat gpt"), "clients[0].id", "ASCII"},
		"upstream without TLS":   {with("https://api.salesforce.com", "http://api.salesforce.com"), "servers[0].upstream", "https"},
		"upstream with dots":     {with("v1/platform", "v1/../platform"), "servers[0].upstream", "'..'"},
		"http org":               {with("login_url: https", "login_url: http"), "salesforce.orgs[0].login_url", "https"},
		"org id":                 {with("00Dxx0000001gPFEAY", "001xx0000001gPFEAY"), "salesforce.orgs[0].org_id", "checksum"},
		"scope api":              {with("client_id: 3MVG9example", "client_id: x\n      scopes: [mcp_api, refresh_token, api]"), "salesforce.orgs[0].scopes", "remove it"},
		"open listener":          {with("", "listen: 0.0.0.0:8080"), "listen", "TLS"},
		"half TLS":               {with("", "tls: {cert_file: x.pem}"), "tls", "both"},
		"redirect over http":     {with("https://chatgpt.com/connector/oauth/abc123", "http://chatgpt.com/cb"), "clients[0].redirect_uris[0]", "http"},
		"redirect to ourselves":  {with("https://chatgpt.com/connector/oauth/abc123", "https://mcp.example.com/account"), "clients[0].redirect_uris[0]", "this proxy"},
		"redirect to Salesforce": {with("https://chatgpt.com/connector/oauth/abc123", "https://acme.my.salesforce.com/x"), "clients[0].redirect_uris[0]", "Salesforce"},
		"client of no server":    {with("https://chatgpt.com/connector/oauth/abc123]", "https://chatgpt.com/connector/oauth/abc123]\n    server: sails"), "clients[0].server", "the name of a server"},
		"redirect with script":   {with("https://chatgpt.com/connector/oauth/abc123", "javascript:alert(1)"), "clients[0].redirect_uris[0]", "plain form"},
		"database with password": {with("", "database: postgres://u:hunter2@h:x/d"), "database", "sqlite:PATH"},
		"another database":       {with("", "database: mysql://u:hunter2@h/d"), "database", "postgres://"},
		"ST-09 disabled TLS":     {with("", "production: true\ndatabase: postgres://u@db.example.com/d?sslmode=disable"), "database", "sslmode=verify-full"},
		"ST-09 unverified TLS":   {with("", "production: true\ndatabase: postgres://u@db.example.com/d?sslmode=require"), "database", "db.example.com"},
		"code lives long":        {with("", "lifetimes: {code: 10m}"), "lifetimes.code", "1m"},
		"client hidden late":     {with("", "lifecycle: {hide_after: 1441h}"), "lifecycle.hide_after", "at most lifecycle.end_after (1440h0m0s)"},
		"client ends at once":    {with("", "lifecycle: {end_after: 23h, hide_after: 0s}"), "lifecycle.end_after", "24h to 87600h, or 0s for never"},
		"URL as a host":          {with("", "registration: {metadata_documents: {allow_hosts: [\"https://chatgpt.com\"]}}"), "registration.metadata_documents.allow_hosts[0]", "without scheme"},
		"wildcard as a host":     {with("", "registration: {metadata_documents: {allow_hosts: [\"*.chatgpt.com\"]}}"), "registration.metadata_documents.allow_hosts[0]", "wildcard"},
		"address in hexadecimal": {with("", "registration: {metadata_documents: {allow_hosts: [\"0x7f.1\"]}}"), "registration.metadata_documents.allow_hosts[0]", "host name"},
		"address as a network":   {with("", "registration: {metadata_documents: {allow_addresses: [127.0.0.2]}}"), "registration.metadata_documents.allow_addresses[0]", "a network"},
		"network with host bits": {with("", "registration: {metadata_documents: {allow_addresses: [127.0.0.2/8]}}"), "registration.metadata_documents.allow_addresses[0]", "a network"},
		"resolver without port":  {with("", "registration: {metadata_documents: {resolver: 127.0.0.1}}"), "registration.metadata_documents.resolver", "host:port"},
		"quorum of two":          {with("{effect: allow, classes: [read]}", "{effect: confirm, classes: [create], quorum: 2}"), "policies[0].rules[0].quorum", "1"},
		"no rows":                {with("classes: [read]", "classes: [read], max_rows: 0"), "policies[0].rules[0].max_rows", "at least 1"},
		"quorum of nobody":       {with("{effect: allow, classes: [read]}", "{effect: confirm, classes: [create], quorum: 0}"), "policies[0].rules[0].quorum", "at least 1"},
		"octal number":           {with("", "limits: {calls_per_minute: 010}"), "limits.calls_per_minute", "whole number"},
		"second document":        {with("", "---\nproduction: true"), "(file)", "second document"},
		"tab":                    {"public_url:\thttps://x\n\tx: y", "(file)", "sfmcp-proxy.yaml:2:"},
		"empty file":             {"", "(file)", "empty"},
		"not a mapping":          {"- a", "(file)", "keys and values"},
		"missing everything":     {"production: false", "servers", "at least one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, c.text)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v", err)
			}
			i := slices.IndexFunc(problems, func(f Problem) bool { return f.Key == c.key && strings.Contains(f.String(), c.says) })
			if i < 0 {
				t.Fatalf("no problem of %s that says %q in:\n%v", c.key, c.says, problems)
			}
			if !strings.Contains(problems[i].String(), "sfmcp-proxy.yaml") {
				t.Errorf("the file is not named: %v", problems[i])
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the problem shows a password")
			}
		})
	}
}

func TestAllProblemsAtOnceWithTheirLines(t *testing.T) {
	_, err := load(t, "public_url: 7\nlisten: [a]\nproduction: perhaps\nwhat: ever\n")
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	var lines []int
	for _, f := range problems {
		lines = append(lines, f.Line)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4}, lines); diff != "" {
		t.Errorf("%s\n%v", diff, err)
	}
}

// One mistake is one problem, at the place where it was made.
func TestOneProblemForOneMistake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, env, want string
	}{
		"login URL":        {text: with("acme.my.salesforce.com", "acme.my.salesforce.com/"), want: "sfmcp-proxy.yaml:6: salesforce.orgs[0].login_url: found a trailing slash, expected none: issuers are compared byte for byte"},
		"issuer":           {text: with("client_id: 3MVG9example", "client_id: x\n      issuer: foo"), want: `sfmcp-proxy.yaml:9: salesforce.orgs[0].issuer: found "foo", expected an absolute URL such as https://acme.my.salesforce.com`},
		"syntax":           {text: with("", "\tx: y"), want: "sfmcp-proxy.yaml:27: (file): found character that cannot start any token, expected YAML"},
		"duration":         {text: good, env: "SFMCP_LIFETIMES_CODE=soon", want: `environment SFMCP_LIFETIMES_CODE: lifetimes.code: found "soon", expected a duration such as 90s, 15m, 720h`},
		"boolean":          {text: good, env: "SFMCP_REGISTRATION_DYNAMIC_ENABLED=maybe", want: `environment SFMCP_REGISTRATION_DYNAMIC_ENABLED: registration.dynamic.enabled: found "maybe", expected true or false`},
		"number":           {text: good, env: "SFMCP_LIMITS_CALLS_PER_MINUTE=", want: "environment SFMCP_LIMITS_CALLS_PER_MINUTE: limits.calls_per_minute: found nothing, expected a whole number"},
		"size":             {text: good, env: "SFMCP_LIMITS_REQUEST_BYTES=1MB", want: `environment SFMCP_LIMITS_REQUEST_BYTES: limits.request_bytes: found "1MB", expected a size such as 512KiB, 1MiB`},
		"member of a list": {text: good, env: "SFMCP_TRUSTED_PROXIES=10.0.0.0/8,x", want: `environment SFMCP_TRUSTED_PROXIES: trusted_proxies[1]: found "x", expected a network such as 10.0.0.0/8`},
	} {
		_, err := load(t, c.text, c.env)
		if err == nil || err.Error() != c.want && !strings.HasSuffix(err.Error(), "/"+c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v\nwant %s", name, err, c.want)
		}
	}
}

func TestSecretsFromFilesAndNeverShown(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("canary-7f3a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, with("client_id: 3MVG9example", "client_id: x\n      client_secret_file: "+secret))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Salesforce.Orgs[0].ClientSecret; got != "canary-7f3a" {
		t.Errorf("secret %q", got)
	}
	var out strings.Builder
	if err := c.Write(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "canary") || !strings.Contains(out.String(), "client_secret: (set)") {
		t.Errorf("printed:\n%s", out.String())
	}
	for name, text := range map[string]string{
		"both":    with("client_id: 3MVG9example", "client_id: x\n      client_secret: canary-7f3a\n      client_secret_file: "+secret),
		"missing": with("client_id: 3MVG9example", "client_id: x\n      client_secret_file: /nonexistent"),
		"type":    with("client_id: 3MVG9example", "client_id: x\n      client_secret: [canary-7f3a]"),
	} {
		if _, err := load(t, text); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEffectiveConfigurationLoadsAgain(t *testing.T) {
	c, err := load(t, with("    mode: enforce\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.Write(&out); err != nil {
		t.Fatal(err)
	}
	again, err := load(t, out.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if diff := cmp.Diff(c.Servers, again.Servers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(c.Policies, again.Policies); diff != "" {
		t.Error(diff)
	}
}

func TestSC04ProductionRefusesPilotSettings(t *testing.T) {
	pilot := strings.NewReplacer("https://acme.my.salesforce.com", "http://127.0.0.1:8090",
		"client_id: 3MVG9example", "client_id: x\n      insecure_http: true",
		"mode: enforce", "mode: shadow", "https://mcp.example.com", "http://127.0.0.1:8080").Replace(good)
	if _, err := load(t, pilot); err != nil {
		t.Fatalf("as a pilot: %v", err)
	}
	_, err := load(t, pilot+"production: true\n")
	for _, key := range []string{"public_url", "salesforce.orgs[0].insecure_http", "policies[0].mode"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not refused: %v", key, err)
		}
	}
}

// RS-23: without a word about it the proxy listens on this machine alone, and a wider
// address needs TLS here or a named proxy that ends it.
func TestRS23WildcardListen(t *testing.T) {
	c, err := load(t, good)
	if err != nil || !strings.HasPrefix(c.Listen, "127.0.0.1:") || !strings.HasPrefix(c.AdminListen, "127.0.0.1:") {
		t.Errorf("default %v, %v", c, err)
	}
	for _, address := range []string{"0.0.0.0:8080", ":8080", "[::]:8080", "192.0.2.1:8080"} {
		if _, err := load(t, good+"listen: '"+address+"'\n"); err == nil {
			t.Errorf("%s is accepted without TLS", address)
		}
		if _, err := load(t, good+"listen: '"+address+"'\ntrusted_proxies: [10.0.0.0/8]\n"); err != nil {
			t.Errorf("%s behind a named proxy: %v", address, err)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]Bytes{"1B": 1, "512KiB": 512 << 10, "16MiB": 16 << 20, "1GiB": 1 << 30} {
		got, err := ParseBytes(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %d %v %s", text, got, err, got)
		}
	}
	for _, text := range []string{"", "1", "MiB", "-1MiB", "1.5MiB", "1 MiB", "99999999999GiB", "1mb"} {
		if _, err := ParseBytes(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// What a server has of its own is absent, which is no limit and no request, or valid.
func TestServerLimits(t *testing.T) {
	t.Parallel()
	server := func(lines string) string {
		return with("    policy: read-only", "    policy: read-only\n    "+lines)
	}
	c, err := load(t, server("calls_per_minute: 600\n    concurrent_calls: 0\n    server_requests: [elicitation, roots]"))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Servers[0]
	if s.CallsPerMinute != 600 || s.ConcurrentCalls != 0 || !slices.Equal(s.ServerRequests, []string{"elicitation", "roots"}) {
		t.Errorf("read as %+v", s)
	}
	var out strings.Builder
	if err := c.Write(&out); err != nil || !strings.Contains(out.String(), "server_requests: [elicitation, roots]") {
		t.Errorf("%v\n%s", err, out.String())
	}
	for lines, key := range map[string]string{
		"calls_per_minute: -1":                  "servers[0].calls_per_minute",
		"concurrent_calls: -1":                  "servers[0].concurrent_calls",
		"server_requests: [sampling, sampling]": "servers[0].server_requests[1]",
		"server_requests: [tools]":              "servers[0].server_requests[0]",
		"server_requests: elicitation":          "servers[0].server_requests",
		"server_requests: [\"\"]":               "servers[0].server_requests[0]",
	} {
		if _, err := load(t, server(lines)); err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s: %v", lines, err)
		}
	}
}

// C16: whoever configures server_requests is told which clients they reach.
func TestC16ServerRequestsAreExplained(t *testing.T) {
	c := Config{Servers: []Server{{Name: "sales", ServerRequests: []string{"sampling"}}, {Name: "plain"}}}
	notes := strings.Join(c.Notes(), "\n")
	if !strings.Contains(notes, "server sales: server_requests reach clients with sessions") || strings.Contains(notes, "server plain: server_requests") {
		t.Errorf("%s", notes)
	}
}
