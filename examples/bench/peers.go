package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// peer is another proxy that somebody has here.
type peer struct {
	name, variable string
	// config is written to a file whose path follows args; {listen}, {upstream} (host and
	// port) and {dir} are replaced. Without it the variable holds the whole command line.
	config string
	args   []string
	*process
}

var knownPeers = []peer{
	{name: "nginx", variable: "SFMCP_BENCH_NGINX", args: []string{"-g", "daemon off;", "-c"}, config: `worker_processes auto;
pid {dir}/pid;
error_log {dir}/error.log;
events { worker_connections 4096; }
http {
  access_log {dir}/access.log;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  keepalive_requests 100000000;
  upstream stub { server {upstream}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen {listen};
    location / { proxy_pass http://stub` + hostedPath + `; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`},
	{name: "haproxy", variable: "SFMCP_BENCH_HAPROXY", args: []string{"-db", "-f"}, config: `defaults
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
	{name: "ToolHive vmcp", variable: "SFMCP_BENCH_TOOLHIVE"},
	{name: "open-mcp-auth-proxy", variable: "SFMCP_BENCH_OPEN_MCP_AUTH_PROXY"},
	{name: "tbxark/mcp-proxy", variable: "SFMCP_BENCH_TBXARK"},
}

// startPeers starts the peers that the environment names. They serve one variant, so they
// take part in the scenarios of json-1k alone.
func (b *bed) startPeers(ctx context.Context) error {
	for _, p := range knownPeers {
		given := os.Getenv(p.variable)
		if given == "" {
			continue
		}
		address, err := p.start(ctx, given, filepath.Join(b.dir, p.variable), b.upstreams["json-1k"])
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		b.peers = append(b.peers, &p)
		b.parties = append(b.parties, party{p.name, p.cmd.Process.Pid, func(string) (string, string) { return address, "/mcp" }, anyTokens})
	}
	return nil
}

func (p *peer) start(ctx context.Context, given, dir, upstream string) (address string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a free port; nobody else takes one here
	if err != nil {
		return "", err
	}
	address = l.Addr().String()
	l.Close()
	replace := strings.NewReplacer("{listen}", address, "{upstream}", upstream, "{dir}", dir)
	command := strings.Fields(replace.Replace(given))
	if p.config != "" {
		file := filepath.Join(dir, "config")
		if err := os.WriteFile(file, []byte(replace.Replace(p.config)), 0o600); err != nil {
			return "", err
		}
		command = append(append([]string{given}, p.args...), file)
	}
	if p.process, err = startProcess(exec.CommandContext(ctx, command[0], command[1:]...)); err != nil {
		return "", err
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			return address, c.Close()
		}
	}
	return "", fmt.Errorf("does not listen at %s: %s", address, cmp.Or(p.variable, given))
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
