package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sfmcp-proxy/config"
)

// AS-31: an access token counts in the Authorization header alone, at every endpoint. In
// the other places it opens nothing, and no log keeps it.
func TestAS31TokenInOtherPlaces(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	in := map[string]func(method, path string) *http.Request{
		"query": func(method, path string) *http.Request {
			return httptest.NewRequest(method, path+"?access_token="+c.access, strings.NewReader(list))
		},
		"query, with a good header": func(method, path string) *http.Request {
			r := httptest.NewRequest(method, path+"?access_token="+c.access, strings.NewReader(list))
			if strings.Contains(path, "/mcp/") { // RFC 6750 2: one way at a time
				r.Header.Set("Authorization", "Bearer "+c.access)
			}
			return r
		},
		"form body": func(method, path string) *http.Request {
			r := httptest.NewRequest(method, path, strings.NewReader("access_token="+c.access))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		},
		"cookie": func(method, path string) *http.Request {
			r := httptest.NewRequest(method, path, strings.NewReader(list))
			for _, name := range []string{"access_token", "Authorization", "sfmcp-session", "sfmcp-browser"} {
				r.AddCookie(&http.Cookie{Name: name, Value: c.access})
			}
			return r
		},
		"other headers": func(method, path string) *http.Request {
			r := httptest.NewRequest(method, path, strings.NewReader(list))
			for _, name := range []string{"Access-Token", "X-Access-Token", "X-Auth-Token", "Proxy-Authorization"} {
				r.Header.Set(name, c.access)
			}
			return r
		},
	}
	before := len(d.recorded("path=/platform/mcp"))
	for place, request := range in {
		for _, path := range []string{"/mcp/sobject-all", "/account", "/approvals", "/oauth/token", "/oauth/revoke", "/oauth/consent", "/oauth/callback", "/signout"} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				r := request(method, d.PublicURL+path)
				r.RequestURI = ""
				if strings.Contains(path, "/mcp/") && r.Header.Get("Content-Type") == "" {
					r.Header.Set("Content-Type", "application/json")
					r.Header.Set("Accept", "application/json, text/event-stream")
				}
				resp, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				want := resp.StatusCode >= 400 || resp.StatusCode == http.StatusSeeOther && strings.HasPrefix(resp.Header.Get("Location"), "/signin")
				if strings.Contains(path, "/mcp/") {
					want = resp.StatusCode == http.StatusUnauthorized
				}
				signOut := path == "/signout" && method == http.MethodPost && resp.StatusCode == http.StatusOK // nobody was signed in
				if !want && !signOut {
					t.Errorf("%s at %s %s: %d %s", place, method, path, resp.StatusCode, resp.Header.Get("Location"))
				}
				if strings.Contains(string(body), c.access) || strings.Contains(fmt.Sprint(resp.Header), c.access) {
					t.Errorf("%s at %s %s: the answer repeats it", place, method, path)
				}
			}
		}
	}
	if after := len(d.recorded("path=/platform/mcp")); after != before {
		t.Errorf("%d requests reached Salesforce", after-before)
	}
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK {
		t.Errorf("in the header: %d", r.Status)
	}
	places := map[string][]byte{"log": []byte(d.log.String()), "audit export": []byte(d.must("audit", "export"))}
	for name, text := range readAll(t, d.dir) {
		if strings.HasPrefix(name, "proxy.db") {
			places[name] = text
		}
	}
	for place, text := range places {
		if form := contains(text, c.access); form != "" {
			t.Errorf("it is in %s (%s)", place, form)
		}
	}
}

// CL-17: no door shows the process's memory, and what it prints when it is made to dump
// its goroutines, with a call and its tokens under way, holds no secret.
func TestCL17DumpsHoldNoToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, process := startProcess(t, dir, freePort(t), freePort(t))
	c := d.connect("sobject-reads", rep)
	conf, err := config.Load(d.ConfigFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{d.PublicURL, "http://" + conf.AdminListen} {
		for _, path := range []string{"/debug/", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=2", "/debug/pprof/profile?seconds=1",
			"/debug/vars", "/debug/requests", "/debug/events", "/trace", "/heap", "/dump", "/actuator/heapdump"} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				if got, _, _ := status(t, method, base+path, nil); got != http.StatusNotFound && got != http.StatusMethodNotAllowed {
					t.Errorf("%s %s%s: %d", method, base, path, got)
				}
			}
		}
	}
	secrets := d.secrets(c)
	d.control("PATCH", "/faults", map[string]any{"answer_delay": "20s"}, nil)
	go c.post(t.Context(), "tools/call", map[string]any{"name": "getUserInfo", "arguments": map[string]any{}}, false)
	eventually(t, plenty, "the call reaches Salesforce", func() bool { return len(d.recorded("tool=getUserInfo")) > 1 })
	if err := process.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	process.Wait()
	dump := d.log.String()
	if !strings.Contains(dump, "goroutine ") || !strings.Contains(dump, "mcpforward.") {
		t.Fatalf("no dump with the call in it:\n%.2000s", dump)
	}
	for name, secret := range secrets {
		if form := contains([]byte(dump), secret); form != "" {
			t.Errorf("the dump shows the %s (%s)", name, form)
		}
		for place, text := range readAll(t, dir) { // the files as a kill leaves them (ST-01)
			if strings.HasPrefix(place, "proxy.db") && contains(text, secret) != "" {
				t.Errorf("the %s is in %s", name, place)
			}
		}
	}
}

// secrets are those of a client and of Salesforce that are in use now.
func (d *demo) secrets(c *mcpClient) map[string]string {
	d.t.Helper()
	secrets := map[string]string{"access token": c.access, "refresh token": c.refresh, "MCP session": c.session}
	for _, r := range d.recorded("raw=1") {
		if token, ok := strings.CutPrefix(flat(r["raw_authorization"]), "Bearer "); ok {
			secrets["Salesforce access token"] = token
		}
		if form, _ := r["form"].(map[string]any); flat(form["code_verifier"]) != "" {
			secrets["Salesforce verifier"], secrets["Salesforce code"] = flat(form["code_verifier"]), flat(form["code"])
		}
	}
	if len(secrets) != 6 {
		d.t.Fatalf("the recorder shows %d secrets of 6", len(secrets))
	}
	return secrets
}

// ST-13: secrets come from files and leave by no door: not by check, help, an error, or
// the list of processes, where a command line would show them.
func TestST13SecretsStayInTheirFiles(t *testing.T) {
	t.Parallel()
	const secret = "CANARY-consumer-secret-7f3a"
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("secret", secret+"\n")
	write("keys", "k1 "+secret+"\n") // no key: errors must not show it
	for name, change := range map[string]func(string) string{
		"in a file": func(s string) string {
			return strings.Replace(s, "client_id: key,", "client_id: key, client_secret_file: secret,", 1)
		},
		"in the file itself": func(s string) string {
			return strings.Replace(s, "client_id: key,", "client_id: key, client_secret: "+secret+",", 1)
		},
		"with a fault elsewhere": func(s string) string {
			return strings.Replace(strings.Replace(s, "client_id: key,", "client_id: key, client_secret: "+secret+",", 1), "groups:", "grups:", 1)
		},
		"in both": func(s string) string {
			return strings.Replace(s, "client_id: key,", "client_id: key, client_secret: "+secret+", client_secret_file: secret,", 1)
		},
		"in a password of the database": func(s string) string {
			return strings.Replace(s, "sqlite:proxy.db", "postgres://u:"+secret+"@h/d", 1)
		},
		"as a list": func(s string) string {
			return strings.Replace(s, "client_id: key,", "client_id: key, client_secret: ["+secret+"],", 1)
		},
		"as a table": func(s string) string {
			return strings.Replace(s, "client_id: key,", "client_id: key, client_secret: {a: "+secret+"},", 1)
		},
		"twice": func(s string) string {
			return strings.Replace(s, "client_id: key,", "client_id: key, client_secret: "+secret+", client_secret: "+secret+",", 1)
		},
		"without an end": func(s string) string {
			return strings.Replace(s, "client_id: key,", "client_id: key, client_secret: \""+secret+",", 1)
		},
	} {
		file := write("conf.yaml", change(twoOrgs))
		for _, command := range [][]string{{"check"}, {"serve"}, {"doctor"}, {"user", "list"}, {"key", "rotate"}, {"stop", "status"}, {"audit", "verify"}} {
			var out bytes.Buffer
			status := run(t.Context(), append(command, "--config", file), &out, &out)
			if strings.Contains(out.String(), secret) || strings.Contains(out.String(), "goroutine ") {
				t.Errorf("%s: %v shows it (status %d):\n%s", name, command, status, out.String())
			}
			if name == "in a file" && command[0] == "check" && (status != exitDone || !strings.Contains(out.String(), "client_secret")) {
				t.Errorf("a secret in a file is not accepted: %d\n%s", status, out.String())
			}
		}
	}

	// No option or argument takes a secret.
	public := []string{"sfmcp-proxy audit verify --key", "sfmcp-proxy evidence verify --key"} // they take a public key
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		var help bytes.Buffer
		cmd.SetOut(&help)
		if err := cmd.Help(); err != nil {
			t.Error(err)
		}
		if strings.Contains(help.String(), secret) {
			t.Errorf("the help of %s shows it", cmd.CommandPath())
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			for _, word := range []string{"secret", "token", "password", "key", "code", "cookie"} {
				if strings.Contains(f.Name, word) && f.Name != "tls-key" && !slices.Contains(public, cmd.CommandPath()+" --"+f.Name) { // that is the name of a file
					t.Errorf("%s --%s takes a secret on the command line", cmd.CommandPath(), f.Name)
				}
			}
		})
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit(newRoot())
}
