package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// front is a program in front of the proxy, with the configuration that examples has for it.
type front struct {
	part, program, how string   // for need, see harness_test.go
	files              []string // in examples
	main               string   // what the program is given; empty: the first of files
	replace            []string // in the files, in pairs; see filled for what stands for something
	args               []string
	log                string // of requests, in DIR
}

// place is where the examples find the proxy, its private listener and the certificate here.
type place struct{ public, listen, adminListen, dir string }

// filled puts the place into a text.
func (p place) filled(text string) string {
	return strings.NewReplacer("PUBLICPORT", portOf(p.public), "PUBLIC", p.public, "LISTENPORT", portOf(p.listen), "LISTEN", p.listen,
		"ADMINPORT", portOf(p.adminListen), "DIR", p.dir).Replace(text)
}

// envoyHere is where .ci/python-clients installs Envoy.
const envoyHere = "../../.ci/cache/python/envoy/lib/python3*/site-packages/envoy/_bin/envoy"

// nginxMain includes the files of the example as a distribution's nginx.conf does.
const nginxMain = `daemon off; worker_processes 1; pid DIR/pid; error_log stderr;
events {}
http {
  client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  include DIR/sfmcp-proxy.conf; include DIR/sfmcp-proxy.local.conf;
}
`

func fronts() map[string]front {
	envoy := "envoy"
	if found, _ := filepath.Glob(envoyHere); len(found) > 0 {
		if absolute, err := filepath.Abs(found[0]); err == nil {
			envoy = absolute
		}
	}
	return map[string]front{
		"nginx": {
			part: "nginx", program: "nginx", how: "install nginx (Debian: apt-get install nginx-light)",
			files: []string{"nginx/sfmcp-proxy.conf", "nginx/sfmcp-proxy.local.conf"}, main: nginxMain,
			replace: []string{"listen 443", "listen PUBLIC", "server 127.0.0.1:8080", "server LISTEN", "/etc/nginx/tls", "DIR", "/var/log/nginx", "DIR"},
			args:    []string{"-c", "DIR/main", "-p", "DIR"}, log: "sfmcp-proxy.log",
		},
		"caddy": {
			part: "caddy", program: "caddy", how: "install Caddy (Debian: apt-get install caddy)",
			files: []string{"caddy/Caddyfile"},
			replace: []string{"mcp.example.com {", "https://PUBLIC {", "reverse_proxy 127.0.0.1:8080", "reverse_proxy LISTEN", "/etc/caddy", "DIR", "/var/log/caddy", "DIR",
				"admin off", "admin off\n\tauto_https disable_redirects"}, // port 80 is not the test's
			args: []string{"run", "--adapter", "caddyfile", "--config", "DIR/Caddyfile"}, log: "sfmcp-proxy.log",
		},
		"envoy": {
			part: "envoy", program: envoy, how: "run .ci/python-clients",
			files: []string{"envoy/envoy.yaml"},
			replace: []string{"{address: 0.0.0.0, port_value: 443}", "{address: 127.0.0.1, port_value: PUBLICPORT}", "port_value: 8080", "port_value: LISTENPORT",
				"port_value: 9090", "port_value: ADMINPORT", "/etc/envoy", "DIR", "/var/log/envoy", "DIR"},
			args: []string{"-c", "DIR/envoy.yaml", "--disable-hot-restart", "--concurrency", "1", "--file-flush-interval-msec", "50", "-l", "warn"}, log: "sfmcp-proxy.log",
		},
	}
}

// forged is what a client may say of itself and nobody believes.
var forged = http.Header{
	"X-Forwarded-For": {"203.0.113.9"}, "Forwarded": {"for=203.0.113.9;host=evil.example"}, "X-Forwarded-Host": {"evil.example"}, "X-Real-Ip": {"203.0.113.9"},
}

// saying sends headers with each request.
type saying struct {
	http.RoundTripper
	headers http.Header
}

func (s saying) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, values := range s.headers {
		r.Header[name] = values
	}
	return s.RoundTripper.RoundTrip(r)
}

// RS-22: each front of examples with the configuration that stands there: people sign in and call over
// HTTP/2, event streams are not buffered, the proxy sees the address of the client whatever that says of
// itself, it says itself what is too long, and the front's log has no query string.
func TestRS22FrontsOfTheExamples(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	for name, f := range fronts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath(f.program)
			need(t, f.part, err == nil, f.how)
			d, at := startBehind(t)
			f.start(t, program, at)
			c := d.authorize(d.browser(), "sobject-all", rep)
			c.initialize()
			d.streams(c)
			d.seesTheClient()
			d.refusesWhatIsTooLong(c)
			d.speaksHTTP2()
			d.logsNoQuery(filepath.Join(at.dir, f.log))
		})
	}
}

// startBehind starts a proxy for a front, with a certificate for that, and a client that comes from an
// address of its own and lies about it.
func startBehind(t *testing.T) (*demo, place) {
	t.Helper()
	dir, authority := t.TempDir(), dbtest.NewAuthority(t)
	at := place{freePort(t), freePort(t), freePort(t), dir}
	writeCertificate(t, authority.Sign(t, "127.0.0.1", time.Now().Add(time.Hour)), filepath.Join(dir, "mcp.crt"), filepath.Join(dir, "mcp.key"))
	public := "https://" + at.public
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{public + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	r := &replica{t: t, file: filepath.Join(dir, defaultConfig), listen: at.listen, adminL: at.adminListen}
	if err := demonstration.WriteConfig(r.file, demonstration.Addresses{PublicURL: public, Listen: at.listen, AdminListen: at.adminListen, SalesforceURL: sim.BaseURL()}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.file, []byte(read(t, r.file)+"\ntrusted_proxies: [127.0.0.1/32]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, err := config.Load(r.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(settings.KeysFile); err != nil {
		t.Fatal(err)
	}
	dbtest.SQLite(t, dir)
	r.start()
	return &demo{t: t, dir: dir, Setup: setupOf(settings, sim, r.file), by: trusting(t, authority, clientAddress, forged)}, at
}

// clientAddress is where clients of these tests come from; fronts ask from 127.0.0.1.
const clientAddress = "127.0.0.2"

// trusting is a client that trusts an authority, comes from an address and says headers.
func trusting(t *testing.T, a *dbtest.Authority, from string, headers http.Header) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(read(t, a.File)))
	dialer := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DialContext: dialer.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: saying{transport, headers}}
}

// writeCertificate writes a certificate and its key as PEM.
func writeCertificate(t *testing.T, c tls.Certificate, certificate, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err == nil {
		err = os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600)
	}
	if err == nil {
		err = os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// start runs the front on copies of its files, and returns when it listens.
func (f front) start(t *testing.T, program string, at place) {
	t.Helper()
	files := map[string]string{}
	for _, name := range f.files {
		text := read(t, filepath.Join("..", "..", "examples", name))
		for i := 0; i < len(f.replace); i += 2 {
			text = strings.ReplaceAll(text, f.replace[i], f.replace[i+1])
		}
		files[filepath.Base(name)] = text
	}
	if f.main != "" {
		files["main"] = f.main
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(at.dir, name), []byte(at.filled(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := make([]string, len(f.args))
	for i, arg := range f.args {
		args[i] = at.filled(arg)
	}
	runUntilEnd(t, exec.Command(program, args...), at.dir)
	listens(t, at.public)
}

// runUntilEnd starts a program of others in a folder, and ends it with the test.
func runUntilEnd(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	said := &lockedBuffer{}
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s says: %s", filepath.Base(cmd.Path), said)
		}
	})
}

func listens(t *testing.T, address string) {
	t.Helper()
	eventually(t, plenty, address+" is listened on", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// streams reads an event stream while it is open: what happens is told when it happens.
func (d *demo) streams(c *mcpClient) {
	d.t.Helper()
	b := d.browser()
	d.authorize(b, "sobject-reads", rep) // signs the browser in
	ctx, cancel := context.WithTimeout(d.t.Context(), plenty)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.PublicURL+"/approvals/events", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, cookie := range b.Cookies(req.URL.String()) {
		req.AddCookie(cookie)
	}
	resp, err := d.client().Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	next := func() string {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				d.t.Fatalf("the event stream: status %d, %v", resp.StatusCode, err)
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				return data
			}
		}
	}
	first := next()
	d.approvalURL(c.call("createSobjectRecord", account("Streamed Ltd")))
	if second := next(); second == first {
		d.t.Errorf("the call that waits is not told: twice %q", first)
	}
}

// seesTheClient reads from the audit log where whoever signed in and called came from.
func (d *demo) seesTheClient() {
	d.t.Helper()
	n := 0
	for line := range strings.Lines(d.must("audit", "export")) {
		var e struct{ Action, Source string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			d.t.Fatal(err)
		}
		if e.Source == "" {
			continue
		}
		if n++; e.Source != clientAddress {
			d.t.Errorf("%s came from %s, want %s", e.Action, e.Source, clientAddress)
		}
	}
	if n < 5 {
		d.t.Errorf("%d entries say where somebody came from", n)
	}
}

// refusesWhatIsTooLong: up to the front's bound the proxy itself says so, in the form that clients read.
// Beyond it somebody refuses it: a front that passes a body on as it comes, as Caddy does, may have the
// proxy's answer before it has met its own bound, answers 413 or 502, or ends the stream. For the same reason such
// a front may lose the proxy's own answer while it still sends (502), but not each time.
func (d *demo) refusesWhatIsTooLong(c *mcpClient) {
	d.t.Helper()
	send := func(size int) (status int, body []byte, err error) {
		req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, c.url, strings.NewReader(strings.Repeat(" ", size)))
		if err != nil {
			return 0, nil, err
		}
		req.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Authorization": {"Bearer " + c.access}}
		resp, err := d.client().Do(req)
		if err != nil {
			return 0, nil, err
		}
		defer resp.Body.Close()
		body, err = io.ReadAll(resp.Body)
		return resp.StatusCode, body, err
	}
	status, body, err := send(3 << 19)
	for tries := 1; status == http.StatusBadGateway && tries < 10; tries++ {
		status, body, err = send(3 << 19)
	}
	if status != http.StatusRequestEntityTooLarge || !strings.Contains(string(body), `"jsonrpc":"2.0"`) {
		d.t.Errorf("what is too long for the proxy: %d %s %v", status, body, err)
	}
	if status, body, err := send(3 << 20); err == nil && status < 400 {
		d.t.Errorf("what is too long for the front: %d %s", status, body)
	}
}

func (d *demo) speaksHTTP2() {
	d.t.Helper()
	resp, err := d.client().Get(d.PublicURL + "/.well-known/oauth-authorization-server")
	if err != nil {
		d.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		d.t.Errorf("%s, status %d", resp.Proto, resp.StatusCode)
	}
}

// aQuery is what stands in the query strings of a sign-in, in any form.
var aQuery = regexp.MustCompile(`(?i)code=|state=|code_challenge|resource=|\?`)

func (d *demo) logsNoQuery(file string) {
	d.t.Helper()
	eventually(d.t, plenty, "the front's log has the callback and the stream", func() bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), "/oauth/callback") && strings.Contains(string(text), "/oauth/token")
	})
	text := read(d.t, file)
	if found := aQuery.FindString(text); found != "" {
		d.t.Errorf("the front's log has %q:\n%s", found, text)
	}
	if !strings.Contains(text, clientAddress) || strings.Contains(text, forged.Get("X-Forwarded-For")) {
		d.t.Errorf("the front's log does not say who asked:\n%s", text)
	}
}
