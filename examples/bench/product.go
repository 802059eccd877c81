package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/template"
	"time"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/seal"
)

const (
	org         = "acme"
	clientID    = "bench"
	redirectURI = "http://127.0.0.1/callback"
	publicURL   = "http://127.0.0.1:8080" // of the tokens and the Host header; the listener is elsewhere
	publicHost  = "127.0.0.1:8080"
)

var productConfig = template.Must(template.New("config").Parse(`public_url: {{.PublicURL}}
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
database: sqlite:proxy.db
keys_file: keys
salesforce:
  orgs:
    - {name: acme, login_url: "http://127.0.0.1:9", org_id: 00Dxx0000001gPFEAY, client_id: bench, insecure_http: true}
servers:
{{- range $name, $address := .Upstreams}}
  - {name: {{$name}}, org: acme, upstream: "http://{{$address}}{{$.Path}}", policy: rules, groups: ["*"]}
{{- end}}
policies:
  - name: rules
    mode: enforce
    rules:
{{- range .Denials}}
      - {effect: deny, objects: [{{.}}], fields: [{{.}}.Secret__c]}
{{- end}}
      - {effect: allow, classes: [read], max_rows: 2000}
{{.Limits}}
clients:
  - {id: bench, name: Bench, redirect_uris: ["http://127.0.0.1/callback"]}
`))

// raisedLimits count, and refuse nothing.
const raisedLimits = "limits: {calls_per_minute: 1000000, concurrent_calls: 10000}"

// lifetimes are those of the product's defaults.
var lifetimes = grant.Lifetimes{Code: time.Minute, AccessToken: 15 * time.Minute, RefreshIdle: 720 * time.Hour,
	RefreshAbsolute: 2160 * time.Hour, RefreshGrace: 2 * time.Minute, Consent: 10 * time.Minute}

// product is a running sfmcp-proxy, and its database, opened beside it.
type product struct {
	*process
	address string
	db      *db.DB
	grants  *grant.Store
	links   *link.Store
}

// plan is what a product is started with.
type plan struct {
	command   string // the program
	env       []string
	dir       string
	upstreams map[string]string // server name to address
	limits    string            // of the configuration; empty: the default ones
	rules     int
	grants    int // that lie in the database beside those that are used
}

// startProduct writes a configuration, a key file and a database, and serves.
func startProduct(ctx context.Context, p plan) (_ *product, err error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	denials := make([]string, p.rules-1)
	for i := range denials {
		denials[i] = fmt.Sprintf("Hidden%d__c", i)
	}
	if err := productConfig.Execute(&text, map[string]any{
		"PublicURL": publicURL, "Upstreams": p.upstreams, "Path": hostedPath, "Denials": denials, "Limits": p.limits}); err != nil {
		return nil, err
	}
	file := filepath.Join(p.dir, "sfmcp-proxy.yaml")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	keys := filepath.Join(p.dir, "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		return nil, err
	}
	out := &product{}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.close())
		}
	}()
	if err := out.open(ctx, filepath.Join(p.dir, "proxy.db"), keys); err != nil {
		return nil, err
	}
	if err := fill(ctx, out.db, p.grants); err != nil {
		return nil, err
	}
	if err := out.serve(ctx, p, file); err != nil {
		return nil, err
	}
	return out, nil
}

// open opens the database and the stores that make users, logins and grants.
func (p *product) open(ctx context.Context, path, keys string) (err error) {
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		return err
	}
	if p.db, err = db.Open(ctx, db.Config{URL: "sqlite:" + path}); err != nil {
		return err
	}
	if err := p.db.Claim(ctx, ring); err != nil {
		return err
	}
	clients, err := client.New(client.Config{DB: p.db, PublicURL: publicURL,
		Clients: []client.Client{{ID: clientID, Name: "Bench", RedirectURIs: []string{redirectURI}}}})
	if err != nil {
		return err
	}
	if p.grants, err = grant.New(grant.Config{DB: p.db, Ring: ring, Clients: clients, Lifetimes: lifetimes}); err != nil {
		return err
	}
	p.links = link.New(link.Config{DB: p.db, Ring: ring})
	return nil
}

// serve starts the program and waits until it says where it listens.
func (p *product) serve(ctx context.Context, plan plan, file string) error {
	path := filepath.Join(plan.dir, "log")
	log, err := os.Create(path) // a file takes the log as cheaply as it would in production
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, plan.command, "serve", "--config", file)
	cmd.Env = append(environment(), plan.env...)
	cmd.Stderr = log
	if p.process, err = startProcess(cmd); err != nil {
		return err
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			var said struct{ Msg, Listen string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "serving" {
				p.address = said.Listen
				return nil
			}
		}
	}
	text, _ := os.ReadFile(path)
	return fmt.Errorf("sfmcp-proxy did not start: %s", text)
}

// environment is ours without what starts with SFMCP_, which would be configuration.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SFMCP_") })
}

func (p *product) close() error {
	if p == nil {
		return nil
	}
	err := p.process.stop()
	if p.db != nil {
		err = errors.Join(err, p.db.Close())
	}
	return err
}

// user names the nth user.
func user(n int) string { return grant.FullID(fmt.Sprintf("005xx000%07d", n)) }

// grantTo signs a user in and returns an access token for a server, as consent, callback
// and token endpoint would.
func (p *product) grantTo(ctx context.Context, subject, server string) (accessToken string, err error) {
	if err := p.links.Replace(ctx, org, &salesforce.Token{
		AccessToken: "bench." + strings.Repeat("eyJhbGciOiJSUzI1NiJ9", 40), RefreshToken: "refresh-" + subject, ExpiresAt: time.Now().Add(4 * time.Hour),
		OrgID: "00Dxx0000001gPFEAY", Subject: subject, Scope: "mcp_api"}); err != nil {
		return "", err
	}
	verifier := seal.Secret("")
	sum := sha256.Sum256([]byte(verifier))
	_, code, err := p.grants.CreateGrant(ctx, &grant.AuthorizationRequest{
		Kind: grant.Authorize, Status: grant.Done, Org: org, Server: server, Resource: publicURL + "/mcp/" + server,
		ClientID: clientID, RedirectURI: redirectURI, Scope: "mcp", GrantID: "grt_" + strings.ToLower(rand.Text()[:16]),
		CodeChallenge: base64.RawURLEncoding.EncodeToString(sum[:])}, subject)
	if err != nil {
		return "", err
	}
	tokens, err := p.grants.Redeem(ctx, grant.Redemption{Code: code, ClientID: clientID, RedirectURI: redirectURI, Verifier: verifier})
	if err != nil {
		return "", err
	}
	return tokens.AccessToken, nil
}

// fill puts n live grants, each of a user of its own and with an access token, into the
// database in one transaction: the stores would take a disk write for every one.
func fill(ctx context.Context, d *db.DB, n int) error {
	now, then := db.Millis(time.Now()), db.Millis(time.Now().Add(24*time.Hour))
	const counted = `WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < $1) `
	for _, statement := range []string{
		counted + `INSERT INTO users (org, subject, first_seen_at, last_seen_at) SELECT 'acme', 'filler' || i, $2, $3 FROM c`,
		counted + `INSERT INTO grants (id, org, subject, client_id, server, resource, scope, redirect_uri, created_at, expires_at, activated_at)
			SELECT 'grt_filler' || i, 'acme', 'filler' || i, 'bench', 'json-1k', 'r', 'mcp', 'u', $2, $3, $2 FROM c`,
		counted + `INSERT INTO access_tokens (token_hash, grant_id, created_at, expires_at) SELECT 'hash' || i, 'grt_filler' || i, $2, $3 FROM c`,
		counted + `INSERT INTO refresh_tokens (token_hash, grant_id, created_at, idle_expires_at) SELECT 'hash' || i, 'grt_filler' || i, $2, $3 FROM c`,
	} {
		if n == 0 {
			return nil
		}
		if _, err := d.Writes.ExecContext(ctx, statement, n, now, then); err != nil {
			return fmt.Errorf("filling the database: %w", err)
		}
	}
	return nil
}

// build makes the program, or the test binary that is the program with a profile.
func (b *bed) build(ctx context.Context) (path string, env []string, err error) {
	if b.binary != "" {
		return b.binary, nil, nil
	}
	path = filepath.Join(b.dir, "sfmcp-proxy")
	args := []string{"build", "-o", path, "sfmcp-proxy/cmd/sfmcp-proxy"}
	if b.cpuProfile != "" {
		args = []string{"test", "-c", "-o", path, "sfmcp-proxy/cmd/sfmcp-proxy"}
		env = []string{"SFMCP_TEST_RUN_AS_PROGRAM=1", "SFMCP_TEST_CPU_PROFILE=" + b.cpuProfile}
	}
	if text, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("building sfmcp-proxy: %w: %s", err, text)
	}
	return path, env, nil
}

// endProfile makes a program that was built with one write its profile.
func (p *product) endProfile() error {
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	time.Sleep(time.Second)
	return nil
}
