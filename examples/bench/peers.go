package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// peer is another proxy that somebody has here. It forwards the same calls to the same
// stub, configured to do as little as it can.
type peer struct {
	name, variable string
	// args and config run it; config is in the file config.yaml of the folder that it is
	// started in. {listen}, {port} and {upstream} (host and port) are replaced, and {keys}
	// by the address of a JWK set.
	args   []string
	config string
	path   string // where it answers
	token  bool   // it wants a token that it can verify
	*process
}

var knownPeers = []peer{
	{name: "nginx", variable: "SFMCP_BENCH_NGINX", path: "/mcp", args: []string{"-p", ".", "-g", "daemon off;", "-c", "config.yaml"}, config: `worker_processes auto;
pid pid;
error_log error.log;
events { worker_connections 4096; }
http {
  access_log access.log;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  keepalive_requests 100000000;
  upstream stub { server {upstream}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen {listen};
    location / { proxy_pass http://stub` + hostedPath + `; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`},
	{name: "haproxy", variable: "SFMCP_BENCH_HAPROXY", path: "/mcp", args: []string{"-db", "-f", "config.yaml"}, config: `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind {listen}
  http-request set-path ` + hostedPath + `
  default_backend stub
backend stub
  http-reuse always
  server stub {upstream}
`},
	// Written for v0.44.0. It merges the tools of its backends, here of one, whose names stay
	// as they are. Nobody is authenticated, and its audit log is off. To a server of the
	// session era, as Salesforce's are, it opens a session for each call and ends it: five
	// or six requests to the stub for one, which is most of what it costs.
	{name: "ToolHive vmcp", variable: "SFMCP_BENCH_TOOLHIVE", path: "/mcp",
		args: []string{"serve", "--config", "config.yaml", "--port", "{port}"}, config: `name: bench
groupRef: bench
backends:
  - {name: stub, url: "http://{upstream}` + hostedPath + `", transport: streamable-http}
incomingAuth: {type: anonymous}
outgoingAuth: {source: inline, default: {type: unauthenticated}}
aggregation:
  conflictResolution: priority
  conflictResolutionConfig: {priorityOrder: [stub]}
`},
	// Written for v1.3.0. Its tokens cannot be switched off: each call verifies an RS256
	// signature and a scope. It listens on every interface. Of idle connections to the stub
	// it keeps two, as Go does by default, and dials for the rest.
	{name: "open-mcp-auth-proxy", variable: "SFMCP_BENCH_OPEN_MCP_AUTH_PROXY", path: "/mcp", token: true, config: `listen_port: {port}
base_url: http://{upstream}
transport_mode: streamable_http
timeout_seconds: 60
paths: {sse: /sse, messages: /messages/, streamable_http: /mcp}
path_mapping: {/mcp: ` + hostedPath + `}
cors: {allowed_origins: ["http://127.0.0.1"]}
protected_resource_metadata:
  audience: ` + tokenAudience + `
  authorization_servers: ["{keys}"]
  jwks_uri: "{keys}"
  scopes_supported: [{tools/call: ` + tokenScope + `}]
`},
	// Written for its main branch of July 2026. It keeps one session with the stub for
	// everybody, none of its own, and offers the stub's tools as its own.
	{name: "tbxark/mcp-proxy", variable: "SFMCP_BENCH_TBXARK", path: "/stub/", args: []string{"-config", "config.yaml"}, config: `{
  "mcpProxy": {"baseURL": "http://{listen}", "addr": "{listen}", "name": "bench", "version": "1", "type": "streamable-http"},
  "mcpServers": {"stub": {"transportType": "streamable-http", "url": "http://{upstream}` + hostedPath + `"}}
}
`},
}

// startPeers starts the peers that the environment names. They serve one variant, so they
// take part in the scenarios of json-1k alone.
func (b *bed) startPeers(ctx context.Context) error {
	signer, err := newIssuer()
	if err != nil {
		return err
	}
	defer signer.close() // keys are fetched at the start
	for _, p := range knownPeers {
		program := os.Getenv(p.variable)
		if program == "" {
			continue
		}
		dir := filepath.Join(b.dir, p.variable)
		address, err := p.start(ctx, program, dir, strings.NewReplacer("{upstream}", b.upstreams["json-1k"], "{keys}", signer.address))
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		b.peers = append(b.peers, &p)
		it := party{name: p.name, pid: p.cmd.Process.Pid, tolerant: true, tokens: anyTokens,
			at:    func(string) (string, string) { return address, p.path },
			takes: func(s scenario) bool { return s.variant == "json-1k" }}
		if p.token {
			it.tokens = signer.tokens
		}
		if err := ready(ctx, it); err != nil {
			said, _ := os.ReadFile(filepath.Join(dir, "log"))
			return fmt.Errorf("%s does not work: %w; it says: %s", p.name, err, said[max(0, len(said)-2000):])
		}
		b.parties = append(b.parties, it)
	}
	return nil
}

// start runs a peer's program in a folder of its own, with its output in the file log.
func (p *peer) start(ctx context.Context, program, dir string, known *strings.Replacer) (address string, err error) {
	if program, err = exec.LookPath(program); err != nil {
		return "", err
	}
	if program, err = filepath.Abs(program); err != nil { // it is started in another folder
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a free port; nobody else takes one here
	if err != nil {
		return "", err
	}
	address = l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	own := strings.NewReplacer("{listen}", address, "{port}", port)
	fill := func(text string) string { return own.Replace(known.Replace(text)) }

	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(fill(p.config)), 0o600); err != nil {
		return "", err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return "", err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, program)
	for _, arg := range p.args {
		cmd.Args = append(cmd.Args, fill(arg))
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	p.process, err = startProcess(cmd)
	return address, err
}

// ready waits until a party answers a call as it should.
func ready(ctx context.Context, p party) (err error) {
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = tryOnce(ctx, p); err == nil {
			return nil
		}
	}
	return err
}

func tryOnce(ctx context.Context, p party) error {
	all, err := requests(ctx, p, scenarios[0], 1)
	if err != nil {
		return err
	}
	address, _ := p.at(scenarios[0].variant)
	c, err := dial(address, all[0])
	if err != nil {
		return err
	}
	defer c.conn.Close()
	return errors.Join(c.conn.SetDeadline(time.Now().Add(5*time.Second)), c.once())
}

// absent are the peers that no variable names.
func (b *bed) absent() (names []string) {
	for _, p := range knownPeers {
		if os.Getenv(p.variable) == "" {
			names = append(names, p.name+" ("+p.variable+")")
		}
	}
	return names
}

const (
	tokenAudience = "bench"
	tokenScope    = "mcp"
)

// issuer signs the tokens of peers that insist on some, and serves its key.
type issuer struct {
	token   string
	address string // of the JWK set
	close   func() error
}

func newIssuer() (*issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"sub": "bench", "aud": tokenAudience, "scope": tokenScope, "exp": time.Now().Add(24 * time.Hour).Unix()})
	token.Header["kid"] = "bench"
	signed, err := token.SignedString(key)
	if err != nil {
		return nil, err
	}
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]string{"kty": "RSA", "kid": "bench",
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())}}})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(set) })}
	go server.Serve(l)
	return &issuer{signed, "http://" + l.Addr().String(), server.Close}, nil
}

// tokens gives the same token to everybody.
func (i *issuer) tokens(_ context.Context, _, n int, _ string) ([]string, error) {
	return slices.Repeat([]string{i.token}, n), nil
}
