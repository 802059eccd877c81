package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim"
)

// nodeBound is how long one run of a client may take, on a machine that does more.
const nodeBound = 5 * time.Minute

// nodePackages is the folder of clients that .ci/node-clients installs.
func nodePackages(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../.ci/cache/node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	_, missing := os.Stat(filepath.Join(dir, "node", "bin", "node"))
	need(t, "node", missing == nil, "run .ci/node-clients")
	return dir
}

// nodeProcess is a client from npm while it runs.
type nodeProcess struct {
	t       *testing.T
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner // its output by lines; nobody may wait before the end of it
	err     *lockedBuffer  // what it says to people
	opening chan string    // the authorization URLs that it says
}

// authorizeLink is how a client tells a person to sign in.
var authorizeLink = regexp.MustCompile(`http://[^\s]+/oauth/authorize\?[^\s]+`)

// startNode runs a script of Node's with its folder for state as home.
func startNode(t *testing.T, home string, env []string, script string, args ...string) *nodeProcess {
	t.Helper()
	return startClient(t, home, env, filepath.Join(nodePackages(t), "node", "bin", "node"), append([]string{script}, args...)...)
}

// startClient runs a program with its folder for state as home. Whatever it opens in a
// browser goes nowhere: the test does what the person would.
func startClient(t *testing.T, home string, env []string, program string, args ...string) *nodeProcess {
	t.Helper()
	bin := filepath.Join(home, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, opener := range []string{"open", "xdg-open", "browser"} {
		if err := os.WriteFile(filepath.Join(bin, opener), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), nodeBound)
	cmd := exec.CommandContext(ctx, program, args...)
	p := &nodeProcess{t: t, cmd: cmd, err: &lockedBuffer{}, opening: make(chan string, 1)}
	cmd.Env = append([]string{"HOME=" + home, "PATH=" + bin + ":" + filepath.Dir(program) + ":/usr/bin:/bin",
		"BROWSER=" + filepath.Join(bin, "browser")}, env...)
	cmd.WaitDelay = 10 * time.Second // something it started may hold its output open
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = &linkFinder{said: p.err, found: p.opening}
	p.in, p.out = in, bufio.NewScanner(out)
	p.out.Buffer(nil, 1<<20)
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
	})
	return p
}

// linkFinder keeps what a client says and hands over the first authorization URL.
type linkFinder struct {
	said  *lockedBuffer
	found chan<- string
	done  bool
}

func (f *linkFinder) Write(text []byte) (int, error) {
	f.said.Write(text)
	said := f.said.String()
	// What stands at the very end may go on in the next write.
	if at := authorizeLink.FindStringIndex(said); !f.done && at != nil && at[1] < len(said) {
		f.done = true
		f.found <- said[at[0]:at[1]]
	}
	return len(text), nil
}

// wait waits for the end and returns the exit status.
func (p *nodeProcess) wait() int {
	p.t.Helper()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || p.cmd.ProcessState.ExitCode() < 0 {
		p.t.Fatalf("%s: %v\n%s", p.cmd.Args[1], err, p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// signIn does in a browser what the client asks of its user, up to the client's own
// callback page.
func (p *nodeProcess) signIn(d *demo, username string) {
	p.t.Helper()
	var link string
	select {
	case link = <-p.opening:
	case <-time.After(nodeBound):
		p.t.Fatalf("no authorization URL:\n%s", p.err)
	}
	if err := d.finish(link, username); err != nil {
		p.t.Fatalf("%v\n%s", err, p.err)
	}
}

// finish walks an authorization URL in a browser, up to the client's callback page.
func (d *demo) finish(link, username string) error {
	d.t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		return err
	}
	b := salesforcesim.NewBrowser(nil, u.Query().Get("redirect_uri"))
	location, err := b.LogIn(d.t.Context(), link, username, d.password(username))
	if err != nil {
		return err
	}
	page, err := b.Get(d.t.Context(), location)
	for end := time.Now().Add(nodeBound); errors.Is(err, syscall.ECONNREFUSED) && time.Now().Before(end); { // it may still begin to listen
		time.Sleep(10 * time.Millisecond)
		page, err = b.Get(d.t.Context(), location)
	}
	if err == nil && page.Status != http.StatusOK {
		err = fmt.Errorf("status %d", page.Status)
	}
	if err != nil {
		return fmt.Errorf("the client's callback page: %w", err)
	}
	return nil
}

// inspector is MCP Inspector's command line with one endpoint and one folder for its
// tokens, as a person has it in a terminal.
type inspector struct {
	d         *demo
	url, home string
	identity  []string // how it says who it is; nil: as the demonstration's client
}

// What the Inspector's exit status says.
const (
	inspectorDone         = 0
	inspectorAuthRequired = 3
	inspectorToolError    = 5
)

// start runs it with a method; the callback listens wherever there is room.
func (i *inspector) start(args ...string) *nodeProcess {
	t := i.d.t
	t.Helper()
	script := filepath.Join(nodePackages(t), "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
	env := []string{"MCP_AUTO_OPEN_ENABLED=true", "MCP_STORAGE_DIR=" + filepath.Join(i.home, "storage"), "MCP_INSPECTOR_SECRET_STORE=file"}
	identity := i.identity
	if identity == nil {
		identity = []string{"--client-id", i.d.ClientID}
	}
	return startNode(t, i.home, env, script, slices.Concat([]string{"--cli", i.url, "--transport", "http",
		"--callback-url", "http://127.0.0.1:0/oauth/callback", "--format", "json"}, identity, args)...)
}

// end reads what a run prints and its exit status.
func (i *inspector) end(p *nodeProcess) (reply, int) {
	i.d.t.Helper()
	var out strings.Builder
	for p.out.Scan() {
		out.WriteString(p.out.Text())
	}
	status := p.wait()
	r := reply{body: out.String() + p.err.String()}
	if out.Len() > 0 {
		if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
			i.d.t.Fatalf("%v in %s", err, out.String())
		}
	}
	return r, status
}

// call calls a tool with what is stored, never asking to sign in.
func (i *inspector) call(tool string, arguments any) (reply, int) {
	i.d.t.Helper()
	text, err := json.Marshal(arguments)
	if err != nil {
		i.d.t.Fatal(err)
	}
	return i.end(i.start("--stored-auth-only", "--method", "tools/call", "--tool-name", tool, "--tool-args-json", string(text)))
}

func TestInspectorCLI(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	nodePackages(t)
	d := startDemo(t)
	i := &inspector{d: d, url: d.MCPURLs["sobject-all"], home: t.TempDir()}

	if r, status := i.call("getUserInfo", map[string]any{}); status != inspectorAuthRequired {
		t.Errorf("before any sign-in: status %d\n%s", status, r.body)
	}
	p := i.start("--method", "tools/list")
	p.signIn(d, rep)
	list, status := i.end(p)
	want := []string{"createSobjectRecord", "find", "getObjectSchema", "getRelatedRecords", "getUserInfo",
		"listRecentSobjectRecords", "soqlQuery", "updateRelatedRecord", "updateSobjectRecord"}
	if got := list.tools(); status != inspectorDone || !slices.Equal(got, want) {
		t.Errorf("status %d, listed %v, want %v\n%s", status, got, want, list.body)
	}
	read, status := i.call("soqlQuery", map[string]any{"q": "SELECT Id, Name FROM Account LIMIT 5"})
	if status != inspectorDone || !strings.Contains(read.text(), `"totalSize"`) {
		t.Errorf("reading: status %d\n%s", status, read.body)
	}
	before := len(d.records("Account"))
	gone, status := i.call("deleteSobjectRecord", map[string]any{"sobject-name": "Account", "id": d.records("Account")[0]["Id"]})
	// It looks a tool up in the list before it calls it; mcp-remote does not.
	if status == inspectorDone || !strings.Contains(gone.body, `"code":"tool_not_found"`) || len(d.records("Account")) != before {
		t.Errorf("deleting: status %d\n%s", status, gone.body)
	}

	held, status := i.call("createSobjectRecord", account("Inspected Ltd"))
	link := d.approvalURL(held)
	if n := d.named("Account", "Inspected Ltd"); status != inspectorToolError || n != 0 {
		t.Fatalf("status %d, %d records before anybody approved", status, n)
	}
	d.decide(d.browser(), link, rep, "approve")
	if done, status := i.call("createSobjectRecord", account("Inspected Ltd")); status != inspectorDone || !strings.Contains(done.text(), `"success":true`) {
		t.Errorf("the approved retry: status %d\n%s", status, done.body)
	}
	again, _ := i.call("createSobjectRecord", account("Inspected Ltd"))
	if n := d.named("Account", "Inspected Ltd"); n != 1 {
		t.Errorf("%d records after a second retry\n%s", n, again.body)
	}

	d.must("user", "revoke", rep)
	if r, status := i.call("getUserInfo", map[string]any{}); status != inspectorAuthRequired {
		t.Errorf("after the revocation: status %d\n%s", status, r.body)
	}
}

// portsGiven are the ports that tests have.
var portsGiven sync.Map

// callbackPort is a free port that nobody else is given: below those that the system gives to connections, of which
// other tests make many, and no other test's, though for a moment nobody may listen there.
func callbackPort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(12000 + rand.IntN(20000))
		if _, given := portsGiven.LoadOrStore(port, true); given {
			continue
		}
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

func TestMCPRemote(t *testing.T) {
	t.Parallel()
	nodePackages(t)
	d := startDemo(t)
	r := startRemote(t, d.MCPURLs["sobject-all"], "--static-oauth-client-info", fmt.Sprintf(`{"client_id":%q}`, d.ClientID))
	r.handshake(func() { r.signIn(d, rep) })
	d.errand(r, "Remote Ltd")
}

// send writes a line to the client's standard input.
func (p *nodeProcess) send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatalf("%v\n%s", err, p.err)
	}
}

// answer reads JSON-RPC messages up to the response to a request.
func (p *nodeProcess) answer(id int) (r reply) {
	p.t.Helper()
	for p.out.Scan() {
		var message struct {
			ID     int
			Method string
		}
		if err := json.Unmarshal(p.out.Bytes(), &message); err != nil {
			p.t.Fatalf("%v in %q", err, p.out.Text())
		}
		if message.ID == id && message.Method == "" {
			r.body = p.out.Text()
			if err := json.Unmarshal(p.out.Bytes(), &r); err != nil {
				p.t.Fatalf("%v in %s", err, r.body)
			}
			return r
		}
	}
	p.t.Fatalf("no answer to request %d: %v\n%s", id, p.out.Err(), p.err)
	return r
}

// Strict OAuth clients find everything from the endpoint's URL and are refused what the
// specifications refuse; testdata/*.mjs say what.
func TestOAuth4webapi(t *testing.T) { t.Parallel(); strictClient(t, "oauth4webapi", 8) }
func TestOpenIDClient(t *testing.T) { t.Parallel(); strictClient(t, "openid-client", 8) }

// strictClient runs the script of a library, in which so many checks have to hold.
func strictClient(t *testing.T, library string, checks int) {
	t.Helper()
	packages := nodePackages(t)
	d := startDemo(t)
	p := startNode(t, t.TempDir(), nil, filepath.Join("testdata", library+".mjs"),
		filepath.Join(packages, library, "build", "index.js"), d.MCPURLs["sobject-reads"], d.ClientID, testCallback)
	var held []string
	for p.out.Scan() {
		var line struct{ Visit, Decision, Pass, Held string }
		if err := json.Unmarshal(p.out.Bytes(), &line); err != nil {
			t.Fatalf("%v in %q", err, p.out.Text())
		}
		switch {
		case line.Visit != "" && line.Decision == "allow":
			location, err := d.browser().LogIn(t.Context(), line.Visit, rep, d.password(rep))
			if err != nil {
				t.Fatal(err)
			}
			p.send(location)
		case line.Visit != "":
			p.send(d.refuse(line.Visit))
		case line.Pass == "grace":
			back := (2*time.Minute + time.Second).Milliseconds() // the default of lifetimes.refresh_grace
			d.change(`UPDATE refresh_tokens SET rotated_at = rotated_at - $1 WHERE rotated_at <> 0`, back)
			p.send("passed")
		default:
			held = append(held, line.Held)
		}
	}
	if status := p.wait(); status != 0 || len(held) != checks {
		t.Errorf("status %d after %q\n%s", status, held, p.err)
	}
}

// refuse clicks Deny on the consent page and returns the redirect to the client.
func (d *demo) refuse(authorizeURL string) string {
	d.t.Helper()
	b := d.browser()
	page, err := b.Get(d.t.Context(), authorizeURL)
	if err != nil {
		d.t.Fatal(err)
	}
	if page, err = b.Choose(d.t.Context(), page, "decision", "deny"); err != nil {
		d.t.Fatal(err)
	}
	return page.Location
}
