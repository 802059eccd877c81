package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/console/api"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/rsakey"
)

// runAsProgram in the environment makes the test binary be the program: for tests
// that must be able to kill it. cpuProfile then names a file for a CPU profile, which
// ends with SIGUSR1: the program itself has no such thing.
// shortDrain is how long it waits for calls in flight when it is ended, shortBusy for a SQLite file
// that another process holds.
const (
	runAsProgram = "SFMCP_TEST_RUN_AS_PROGRAM"
	cpuProfile   = "SFMCP_TEST_CPU_PROFILE"
	shortDrain   = "SFMCP_TEST_DRAIN"
	shortBusy    = "SFMCP_TEST_BUSY"
)

func TestMain(m *testing.M) {
	readingTime = -1                               // the browsers of these tests decide at once
	apiRate = api.Rate{PerSecond: 1e4, Burst: 1e6} // how often a token may ask is tested where it is counted
	if os.Getenv(runAsProgram) != "" {
		profile := os.Getenv(cpuProfile)
		os.Unsetenv(runAsProgram) // the configuration refuses variables that it does not know
		os.Unsetenv(cpuProfile)
		if drain, err := time.ParseDuration(os.Getenv(shortDrain)); err == nil {
			drainTime = drain
		}
		os.Unsetenv(shortDrain)
		if wait, err := time.ParseDuration(os.Getenv(shortBusy)); err == nil {
			busyTimeout = wait
		}
		os.Unsetenv(shortBusy)
		profileUntilSignal(profile)
		main()
	}
	testscript.Main(browserTests{m}, map[string]func(){"sfmcp-proxy": main})
}

// browserTests runs the tests of this package, and ends the browser that they shared.
type browserTests struct{ *testing.M }

func (m browserTests) Run() int {
	keys, err := os.MkdirTemp("", "simulator-keys")
	if err == nil {
		err = os.Setenv(rsakey.Variable, keys) // the processes that the tests start do not each make keys
	}
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(keys)
	defer endSharedChrome()
	return dbtest.Run(m.M)
}

func profileUntilSignal(path string) {
	if path == "" {
		return
	}
	f, err := os.Create(path)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		panic(err)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGUSR1)
	go func() {
		<-end
		pprof.StopCPUProfile()
		f.Close()
	}()
}

// need skips the test, saying why, unless the part is there; with
// SFMCP_TEST_REQUIRE=browser,node,python,strace a missing part fails.
func need(t *testing.T, part string, found bool, how string) {
	t.Helper()
	if found {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("SFMCP_TEST_REQUIRE"), ","), part) {
		t.Fatalf("%s is required and missing: %s", part, how)
	}
	printToTerminal(t.Name() + " is skipped, no " + part + " here: " + how)
	t.Skipf("no %s here: %s", part, how)
}

// printToTerminal writes past the go command, which shows nothing of a package that
// passes: whoever runs 'go test ./...' must see what was not tested.
func printToTerminal(line string) {
	terminal, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return // nobody is looking; go test -v and SFMCP_TEST_REQUIRE tell scripts
	}
	defer terminal.Close()
	fmt.Fprintln(terminal, line)
}

// demo is a running demonstration and the ways a test looks at it.
type demo struct {
	demonstration.Setup
	t    *testing.T
	dir  string
	stop func() // ends it and waits
	log  *lockedBuffer
	by   *http.Client // how its clients and browsers reach it; nil: as everybody does
}

// client is how its clients reach it.
func (d *demo) client() *http.Client { return cmp.Or(d.by, http.DefaultClient) }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startDemo runs the demonstration in this process, so that the race detector sees it. Its
// database has the migrations already, which would take a sixth of all that these tests
// compute; startDemoIn in an empty directory makes them.
func startDemo(t *testing.T, args ...string) *demo {
	t.Helper()
	dir := t.TempDir()
	dbtest.SQLite(t, dir)
	return startDemoIn(t, dir, args...)
}

func startDemoIn(t *testing.T, dir string, args ...string) *demo {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	d := &demo{t: t, dir: dir, log: &lockedBuffer{}}
	ended := make(chan int, 1)
	all := append([]string{"demo", "--json", "--listen", "127.0.0.1:0", "--salesforce-listen", "127.0.0.1:0", "--data", dir}, args...)
	go func() {
		code := run(ctx, all, write, d.log)
		write.Close()
		ended <- code
	}()
	d.stop = sync.OnceFunc(func() {
		cancel()
		go io.Copy(io.Discard, read)
		if code := <-ended; code != exitDone {
			t.Errorf("the demonstration ended with status %d:\n%s", code, d.log)
		}
	})
	t.Cleanup(d.stop)
	line, err := bufio.NewReader(read).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the demonstration did not start: %v\n%s", err, d.log)
	}
	if err := json.Unmarshal(line, &d.Setup); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return d
}

// serveOn has a process answer on those listeners, by address, until the test ends.
func serveOn(t *testing.T, p *process, listening map[string]net.Listener) {
	t.Helper()
	p.listening = listening
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- p.serve(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-ready
}

// setupOf describes a proxy that runs on a configuration of the test's own.
func setupOf(c *config.Config, sim *salesforcesim.Running, file string) demonstration.Setup {
	setup := demonstration.NewSetup(c.PublicURL, sim, file)
	setup.MCPURLs = map[string]string{}
	for _, s := range c.Servers {
		setup.MCPURLs[s.Name] = c.PublicURL + "/mcp/" + s.Name
	}
	return setup
}

// command runs the program's command line in this process.
func (d *demo) command(args ...string) (out string, status int) {
	var b lockedBuffer
	status = run(context.Background(), append(args, "--config", d.ConfigFile), &b, &b)
	return b.String(), status
}

// must runs a command that has to succeed.
func (d *demo) must(args ...string) string {
	d.t.Helper()
	out, status := d.command(args...)
	if status != exitDone {
		d.t.Fatalf("%s: status %d\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

// printed is what a command that has to succeed prints, without what it says beside that.
func (d *demo) printed(args ...string) string {
	d.t.Helper()
	var out, beside lockedBuffer
	if status := run(context.Background(), append(args, "--config", d.ConfigFile), &out, &beside); status != exitDone {
		d.t.Fatalf("%s: status %d\n%s", strings.Join(args, " "), status, beside.String())
	}
	return out.String()
}

// control asks the simulator's control API.
func (d *demo) control(method, path string, body, into any) {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequest(method, d.ControlURL+path, bytes.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		d.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, answer, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			d.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
}

// database opens the proxy's database beside it, to look and to let time pass.
func (d *demo) database() *db.DB {
	d.t.Helper()
	store, err := db.Open(d.t.Context(), db.Config{URL: "sqlite:" + filepath.Join(d.dir, "proxy.db")})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { store.Close() })
	return store
}

// tamper changes the first segment of the audit log, as somebody could who can write its file,
// and returns what puts it back.
func (d *demo) tamper(change func([]byte) []byte) (restore func()) {
	d.t.Helper()
	path := filepath.Join(d.dir, "audit", logfile.SegmentName(1))
	before, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	write := func(content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	write(change(before))
	return func() { write(before) }
}

// changeIn changes the first letter of part in the record that begins with record.
func changeIn(t *testing.T, segment []byte, record, part string) []byte {
	t.Helper()
	at := bytes.Index(segment, []byte(record))
	in := bytes.Index(segment[max(at, 0):], []byte(part))
	if at < 0 || in < 0 {
		t.Fatalf("the log has no %s with %s", record, part)
	}
	changed := bytes.Clone(segment)
	changed[at+in+1] ^= 0x20
	return changed
}

// change changes rows behind the proxy's back, as time and faults would, and returns
// when it goes by them.
func (d *demo) change(statement string, args ...any) {
	d.t.Helper()
	store := d.database()
	err := store.Tx(d.t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(d.t.Context(), statement, args...); err != nil {
			return err
		}
		return store.RaiseAccessEpoch(d.t.Context(), tx)
	})
	if err != nil {
		d.t.Fatal(err)
	}
	store.AwaitWatchers()
}

// signed gives rows their MACs after a change of what they cover.
func (d *demo) signed(guards ...db.Guard) {
	d.t.Helper()
	ring, err := seal.LoadKeyRing(filepath.Join(d.dir, "keys"))
	if err != nil {
		d.t.Fatal(err)
	}
	store := d.database()
	if err := store.Claim(d.t.Context(), ring); err != nil {
		d.t.Fatal(err)
	}
	dbtest.Sign(d.t, store, guards...)
}

// records are all records of an object at Salesforce, whatever anyone may see.
func (d *demo) records(object string) (out []map[string]any) {
	d.t.Helper()
	d.control("GET", "/records/"+object, nil, &out)
	return out
}

func (d *demo) named(object, name string) (n int) {
	d.t.Helper()
	for _, r := range d.records(object) {
		if r["Name"] == name {
			n++
		}
	}
	return n
}

// idOf is the id of the record of an object with that name; "" without one.
func (d *demo) idOf(object, name string) string {
	d.t.Helper()
	for _, r := range d.records(object) {
		if r["Name"] == name {
			return fmt.Sprint(r["Id"])
		}
	}
	return ""
}

// refreshTokens counts Salesforce's refresh tokens by state: live, rotated, revoked.
func (d *demo) refreshTokens() map[string]int {
	d.t.Helper()
	var tokens []struct{ State string }
	d.control("GET", "/tokens", nil, &tokens)
	out := map[string]int{}
	for _, tok := range tokens {
		out[tok.State]++
	}
	return out
}

// recorded are the requests that reached Salesforce.
func (d *demo) recorded(query string) (out []map[string]any) {
	d.t.Helper()
	d.control("GET", "/requests?"+query, nil, &out)
	return out
}

// browser is a person's browser that stops at a client's callback.
func (d *demo) browser() *salesforcesim.Browser {
	return salesforcesim.NewBrowser(d.by, testCallback)
}

const testCallback = "http://127.0.0.1:49152/callback"

// mcpClient is an MCP client of our own, on bare HTTP: for what ready-made clients do
// not let a test do.
type mcpClient struct {
	d               *demo
	url             string
	access, refresh string
	session         string
	id              int
	version         string // of sessions; "": [latestSessions]
	headerless      bool   // says the version in initialize alone, as clients of 2025-03-26 do
}

// latestSessions is the latest protocol version with sessions.
const latestSessions = "2025-11-25"

// connect signs a user in and opens a session.
func (d *demo) connect(server, username string) *mcpClient {
	d.t.Helper()
	c := d.authorize(d.browser(), server, username)
	c.initialize()
	return c
}

// authorize walks consent, login and callback and redeems the code.
func (d *demo) authorize(b *salesforcesim.Browser, server, username string) *mcpClient {
	d.t.Helper()
	c, redeem, err := d.code(d.t.Context(), b, server, username)
	if err != nil {
		d.t.Fatal(err)
	}
	c.token(redeem)
	return c
}

// code walks consent, login and callback; redeem is what the token endpoint is to be sent for the code.
func (d *demo) code(ctx context.Context, b *salesforcesim.Browser, server, username string) (c *mcpClient, redeem url.Values, err error) {
	d.t.Helper()
	c = &mcpClient{d: d, url: d.MCPURLs[server]}
	verifier := seal.Secret("")
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {d.ClientID}, "redirect_uri": {testCallback}, "state": {"s t&te"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "resource": {c.url},
	}
	location, err := b.LogIn(ctx, d.PublicURL+"/oauth/authorize?"+query.Encode(), username, d.password(username))
	if err != nil {
		return nil, nil, err
	}
	back, err := url.Parse(location)
	if err != nil {
		return nil, nil, err
	}
	q := back.Query()
	if q.Get("code") == "" || q.Get("state") != "s t&te" || q.Get("iss") != d.PublicURL {
		return nil, nil, fmt.Errorf("callback %s", location)
	}
	return c, url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {testCallback},
		"client_id": {d.ClientID}, "code_verifier": {verifier}, "resource": {c.url}}, nil
}

func (d *demo) password(username string) string {
	for _, u := range d.Users {
		if u.Username == username {
			return u.Password
		}
	}
	d.t.Fatalf("no user %s", username)
	return ""
}

// token posts to the token endpoint and keeps what it answers.
func (c *mcpClient) token(form url.Values) {
	c.d.t.Helper()
	if status, body, err := c.redeem(c.d.t.Context(), form); err != nil || status != http.StatusOK {
		c.d.t.Fatalf("token endpoint: %d %s %v", status, body, err)
	}
}

// redeem posts to the token endpoint, and keeps the tokens where it answers some.
func (c *mcpClient) redeem(ctx context.Context, form url.Values) (status int, body string, err error) {
	status, body, err = c.d.postForm(ctx, "/oauth/token", form)
	if err != nil || status != http.StatusOK {
		return status, body, err
	}
	var answer struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return status, body, err
	}
	c.access, c.refresh = answer.AccessToken, answer.RefreshToken
	return status, body, nil
}

// postForm posts a form to an address of the proxy.
func (d *demo) postForm(ctx context.Context, path string, form url.Values) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.PublicURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := d.client().Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// reply is what an MCP endpoint answered.
type reply struct {
	Status int
	Header http.Header
	Result struct {
		IsError bool `json:"isError"`
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
		Tools []struct {
			Name        string         `json:"name"`
			Annotations map[string]any `json:"annotations"`
		} `json:"tools"`
	} `json:"result"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	body string
}

func (r reply) text() string {
	var all []string
	for _, c := range r.Result.Content {
		all = append(all, c.Text)
	}
	return strings.Join(all, "\n")
}

func (r reply) tools() (names []string) {
	for _, tool := range r.Result.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return names
}

// post sends one message; params is marshalled unless it is raw text.
func (c *mcpClient) post(ctx context.Context, method string, params any, notification bool) (reply, error) {
	message := map[string]any{"jsonrpc": "2.0", "method": method}
	if params != nil {
		message["params"] = params
	}
	if !notification {
		c.id++
		message["id"] = c.id
	}
	text, err := json.Marshal(message)
	if err != nil {
		return reply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(text))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Authorization", "Bearer "+c.access)
	if c.session != "" {
		req.Header.Set("Mcp-Session-Id", c.session)
		if !c.headerless {
			req.Header.Set("MCP-Protocol-Version", cmp.Or(c.version, latestSessions))
		}
	}
	resp, err := c.d.client().Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r := reply{Status: resp.StatusCode, Header: resp.Header, body: string(body)}
	if strings.HasPrefix(r.body, `{"jsonrpc"`) {
		err = json.Unmarshal(body, &r)
	}
	return r, err
}

func (c *mcpClient) send(method string, params any) reply {
	c.d.t.Helper()
	r, err := c.post(c.d.t.Context(), method, params, false)
	if err != nil {
		c.d.t.Fatalf("%s: %v in %q", method, err, r.body)
	}
	return r
}

func (c *mcpClient) initialize() {
	c.d.t.Helper()
	version := cmp.Or(c.version, latestSessions)
	r := c.send("initialize", map[string]any{"protocolVersion": version, "capabilities": map[string]any{},
		"clientInfo": map[string]any{"name": "test", "version": "1"}})
	c.session = r.Header.Get("Mcp-Session-Id")
	if r.Status != http.StatusOK || c.session == "" || !strings.Contains(r.body, version) {
		c.d.t.Fatalf("initialize: %d %s", r.Status, r.body)
	}
	if r, err := c.post(c.d.t.Context(), "notifications/initialized", nil, true); err != nil || r.Status != http.StatusAccepted {
		c.d.t.Fatalf("notifications/initialized: %d %v", r.Status, err)
	}
}

// call calls a tool.
func (c *mcpClient) call(tool string, arguments any) reply {
	c.d.t.Helper()
	return c.send("tools/call", map[string]any{"name": tool, "arguments": arguments})
}

// account is a call that creates an account and needs an approval.
func account(name string) map[string]any {
	return map[string]any{"sobject-name": "Account", "body": map[string]any{"Name": name}}
}

// approvalURL finds the link in a held call's answer.
func (d *demo) approvalURL(r reply) string {
	d.t.Helper()
	_, rest, ok := strings.Cut(r.text(), d.PublicURL+"/approvals/")
	if !r.Result.IsError || !ok {
		d.t.Fatalf("the call was not held: %d %s", r.Status, r.body)
	}
	return d.PublicURL + "/approvals/" + rest[:strings.IndexFunc(rest+" ", func(r rune) bool {
		return !(r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	})]
}

// decide opens the approval page as a user and clicks.
func (d *demo) decide(b *salesforcesim.Browser, address, username, decision string) *salesforcesim.Page {
	d.t.Helper()
	page, err := b.Get(d.t.Context(), address)
	for range 4 { // sign-in, if the browser has not
		if err != nil {
			d.t.Fatal(err)
		}
		login := slices.IndexFunc(page.Forms, func(f salesforcesim.Form) bool { return f.Fields.Has("password") })
		if login < 0 {
			break
		}
		page, err = b.Submit(d.t.Context(), page, page.Forms[login], url.Values{"username": {username}, "password": {d.password(username)}})
	}
	if page, err = b.Choose(d.t.Context(), page, "decision", decision); err != nil {
		d.t.Fatal(err)
	}
	return page
}

// plenty is how long a test waits for what has no bound of its own. It only decides how
// long a broken program takes to fail, so it leaves room for a machine that is slow and
// busy.
const plenty = 2 * time.Minute

// eventually waits for what another process or goroutine does within a bound.
func eventually(t *testing.T, within time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for pause := 10 * time.Millisecond; !done(); pause = min(2*pause, 80*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(pause)
	}
}

func readAll(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			out[e.Name()] = text
		}
	}
	return out
}
