package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// configuration is the text of the configuration file.
func (d *demo) configuration() string {
	d.t.Helper()
	text, err := os.ReadFile(d.ConfigFile)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

// reconfigure replaces the configuration file, as an editor does, tells the process, and
// waits until the log says so.
func (d *demo) reconfigure(signal func(os.Signal) error, text, says string) {
	d.t.Helper()
	before := strings.Count(d.log.String(), says)
	if err := os.WriteFile(d.ConfigFile, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := signal(syscall.SIGHUP); err != nil {
		d.t.Fatal(err)
	}
	eventually(d.t, plenty, "the log says "+says, func() bool { return strings.Count(d.log.String(), says) > before })
}

const saysKept = "configuration cannot be used: the previous one stays in force"

// FT-44: whatever is wrong with the new file, the previous configuration stays in force,
// all of it, and the log, the audit log and the metrics say so.
func TestFaultFT44BadConfigurationIsNotTaken(t *testing.T) {
	t.Parallel()
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	c := d.connect("sobject-all", rep)
	good := d.configuration()
	tools := strings.Join(c.send("tools/list", map[string]any{}).tools(), " ")
	for name, bad := range map[string]string{
		"syntax":           good + "\n  - [",
		"unknown key":      good + "allowed_tools: [x]\n",
		"empty":            "",
		"empty rules":      strings.Replace(good, "      - {effect: allow, classes: [read]}\n", "", 1),
		"no policies":      good[:strings.Index(good, "policies:")],
		"half":             good[:len(good)/2],
		"missing secret":   strings.Replace(good, "      insecure_http: true", "      client_secret_file: gone\n      insecure_http: true", 1),
		"another issuer":   strings.Replace(good, "public_url: "+d.PublicURL, "public_url: https://other.example", 1),
		"another database": strings.Replace(good, "sqlite:proxy.db", "sqlite:other.db", 1),
	} {
		d.reconfigure(process.Process.Signal, bad, saysKept)
		if now := strings.Join(c.send("tools/list", map[string]any{}).tools(), " "); now != tools {
			t.Errorf("%s: the tools are now %s", name, now)
		}
		if r := c.call("deleteSobjectRecord", map[string]any{"sobject-name": "Account", "id": "001xx0000000001AAA"}); r.Error == nil {
			t.Errorf("%s: what no rule allows is answered %s", name, r.body)
		}
	}
	if err := os.Remove(d.ConfigFile); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(d.dir, "nowhere"), d.ConfigFile); err != nil {
		t.Fatal(err)
	}
	before := strings.Count(d.log.String(), saysKept)
	process.Process.Signal(syscall.SIGHUP)
	eventually(t, plenty, "the file is missed", func() bool { return strings.Count(d.log.String(), saysKept) > before })
	if r := c.send("tools/call", userInfo); r.Status != http.StatusOK || r.Result.IsError {
		t.Errorf("afterwards: %d %s", r.Status, r.body)
	}
	if err := os.Remove(d.ConfigFile); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.ConfigFile, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := metricOf(d, `sfmcp_reloads_total{outcome="failed",what="configuration"}`); n != "10" {
		t.Errorf("%s failures are counted", n)
	}
	eventually(t, plenty, "the audit log has them", func() bool {
		return strings.Count(d.must("audit", "list", "--action", "config.reload", "--json"), `"outcome":"error"`) == 10
	})
	if !strings.Contains(d.log.String(), "sfmcp-proxy.yaml:") {
		t.Error("no line of the file is named")
	}
}

// FT-54: a reload asks nobody for the sealing keys: what runs goes on with those that it has.
func TestFaultFT54ReloadWithoutTheKeys(t *testing.T) {
	t.Parallel()
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	keys := filepath.Join(d.dir, "keys")
	if err := os.Rename(keys, keys+".away"); err != nil {
		t.Fatal(err)
	}
	d.reconfigure(process.Process.Signal, d.configuration()+"contact: help@acme.example\n", "configuration reloaded")
}

// FT-45: what a reload takes away is gone for the next call: a tool, a user's group, and
// what an approval was asked for under other rules. Calls in flight end as they began.
func TestFaultFT45ReloadTakesAccessAway(t *testing.T) {
	t.Parallel()
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	c, reads, b := d.connect("sobject-all", rep), d.connect("sobject-reads", salesforcesim.ManagerUsername), d.browser()
	d.decide(b, d.approvalURL(c.call("createSobjectRecord", account("Approved Ltd"))), rep, "approve")
	pending := d.approvalURL(c.call("createSobjectRecord", account("Pending Ltd")))
	good := d.configuration()

	d.control("PATCH", "/faults", map[string]any{"answers_held": true}, nil)
	var inFlight sync.WaitGroup
	own := *reads
	own.id = 900
	inFlight.Go(func() {
		if r, err := own.post(t.Context(), "tools/call", userInfo, false); err != nil || r.Result.IsError {
			t.Errorf("the call in flight: %d %s %v", r.Status, r.body, err)
		}
	})
	eventually(t, plenty, "a call is in flight", func() bool { return d.inFlight() == 1 })
	less := strings.Replace(good, "{effect: confirm, classes: [create, update], approvers: requester}", "{effect: confirm, classes: [update], approvers: requester}", 1)
	less = strings.Replace(less, `    policy: read-only
    groups: ["*"]`, `    policy: read-only
    groups: [nobody]`, 1) + "groups: [{name: nobody, members: [somebody@else.example]}]\n"
	d.reconfigure(process.Process.Signal, less, "configuration reloaded")
	if n := d.inFlight(); n != 1 {
		t.Errorf("after the reload %d calls are in flight", n)
	}
	d.control("PUT", "/faults", map[string]any{}, nil)
	inFlight.Wait()
	if r := c.call("createSobjectRecord", account("Approved Ltd")); r.Error == nil && !r.Result.IsError {
		t.Errorf("a write that was approved under the previous rules: %s", r.body)
	}
	if r := c.call("createSobjectRecord", account("New Ltd")); strings.Contains(r.body, "/approvals/") {
		t.Errorf("a write that no rule allows any more: %s", r.body)
	}
	if r := reads.send("tools/call", userInfo); r.Status == http.StatusOK && !r.Result.IsError {
		t.Errorf("a user who may not use the server any more: %d %s", r.Status, r.body)
	}
	if n := d.named("Account", "Approved Ltd") + d.named("Account", "New Ltd"); n != 0 {
		t.Errorf("%d records were made", n)
	}

	d.reconfigure(process.Process.Signal, good, "configuration reloaded")
	if r := reads.send("tools/call", userInfo); r.Status != http.StatusOK || r.Result.IsError {
		t.Errorf("after it was given back: %d %s", r.Status, r.body)
	}
	if got := d.approvalURL(c.call("createSobjectRecord", account("Pending Ltd"))); got != pending {
		t.Errorf("under the same rules again the pending approval %s is %s", pending, got)
	}
	d.endsWell(process, syscall.SIGTERM)
	d.must("audit", "verify")
}

// A reload under load: no call fails for it, and the previous products are closed.
func TestFaultFT45ReloadUnderLoad(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	c := d.connect("sobject-reads", rep)
	text := d.configuration()
	var load sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		own := *c
		own.id = 1000 * (i + 1)
		load.Go(func() {
			for made := 0; ; made++ {
				select {
				case <-stop:
					return
				default:
				}
				if r, err := own.post(t.Context(), "tools/call", userInfo, false); err != nil || r.Status != http.StatusOK || r.Result.IsError {
					t.Errorf("call %d: %d %s %v", made, r.Status, r.body, err)
					return
				}
			}
		})
	}
	for i := range 6 {
		title := "title: Sales, read only " + strings.Repeat("again", i+1)
		d.reconfigure(process.Process.Signal, strings.Replace(text, "title: Sales, read only", title, 1), "configuration reloaded")
	}
	close(stop)
	load.Wait()
	eventually(t, plenty, "few files are open", func() bool {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", process.Process.Pid))
		return err != nil || len(open) < 80
	})
	d.endsWell(process, syscall.SIGTERM)
	d.must("audit", "verify")
}

// A reload under which a Salesforce login is being renewed, without a request that waits
// for it: the answer, which holds the only refresh token that is left, is stored.
func TestFaultFT45ReloadDuringARefresh(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	c := d.connect("sobject-reads", rep)
	text := d.configuration()
	d.control("PUT", "/faults", map[string]any{"token_delay": (closeTime + 4*time.Second).String()}, nil)
	d.control("DELETE", "/requests", nil, nil)
	d.change(`UPDATE links SET refreshed_at = 1, access_expires_at = $1`, time.Now().Add(30*time.Second).UnixMilli()) // due, and good still
	if r := c.send("tools/call", userInfo); r.Status != http.StatusOK || r.Result.IsError {
		t.Fatalf("the call that begins the refresh: %d %s", r.Status, r.body)
	}
	asked := func() int { return len(d.recorded("path=/services/oauth2/token")) }
	eventually(t, plenty, "the refresh is on its way", func() bool { return asked() == 1 })
	d.reconfigure(process.Process.Signal, strings.Replace(text, "title: Sales, read only", "title: Other", 1), "configuration reloaded")
	refreshed := func() bool {
		return strings.Contains(d.must("audit", "list", "--action", "link.refresh", "--json"), `"outcome":"ok"`)
	}
	eventually(t, plenty, "the new login is stored", refreshed)
	if row := d.user(rep); row.Salesforce != "active" {
		t.Errorf("the login is %+v", row)
	}
	if n := asked(); n != 1 {
		t.Errorf("Salesforce was asked %d times", n)
	}
	d.endsWell(process, os.Interrupt)
}

// Certificate authorities that were replaced in their file are trusted after a reload,
// though the configuration itself is the same.
func TestFaultFT45ReloadReadsTrustedAuthorities(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	documents := publishDocuments(t)
	text := d.configuration()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, publishDocuments(t).CA, 0o600); err != nil { // of another site
		t.Fatal(err)
	}
	edited := text + strings.Replace(documents.registration(t), "trusted_ca_file: ", "trusted_ca_file: "+file+" # ", 1)
	ask := func() int {
		query := url.Values{"response_type": {"code"}, "client_id": {documents.URL("chatgpt.com", "/oauth/client.json")}, "resource": {d.MCPURLs["sobject-all"]},
			"redirect_uri": {"https://chatgpt.com/connector_platform_oauth_redirect"}, "code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"}}
		code, _, _ := status(t, "GET", d.PublicURL+"/oauth/authorize?"+query.Encode(), nil)
		return code
	}
	d.reconfigure(process.Process.Signal, edited, "configuration reloaded")
	if code := ask(); code != http.StatusBadRequest {
		t.Errorf("a document from an authority that is not trusted: %d", code)
	}
	if err := os.WriteFile(file, documents.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	d.reconfigure(process.Process.Signal, edited, "configuration reloaded")
	if code := ask(); code != http.StatusOK {
		t.Errorf("after the authority was replaced: %d", code)
	}
	if err := os.WriteFile(file, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.reconfigure(process.Process.Signal, edited, saysKept)
	if code := ask(); code != http.StatusOK {
		t.Errorf("after a broken file: %d", code)
	}
}

// FT-44: a reload takes a new secret into use though the name of its file stayed the same, and says so where nothing changed.
func TestReloadReadsSecretsAgain(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("the first secret")
	p, file := configured(t, twoOrgs+"approvals: {notify: [{name: hook, kind: webhook, url: 'http://127.0.0.1:9', secret_file: "+secret+"}]}\n")
	var log lockedBuffer
	p.log = slog.New(slog.NewTextHandler(&log, nil))
	p.reread = func() (*config.Config, error) { return config.Load(file, nil) }
	ctx, cancel := context.WithCancel(t.Context())
	g, ctx := errgroup.WithContext(ctx)
	first := p.current.Load()
	p.reloadConfig(ctx, g)
	if !strings.Contains(log.String(), "neither it nor a secret that it names has changed") || p.current.Load() != first {
		t.Errorf("a reload that changes nothing says %s", log.String())
	}
	write("the second secret")
	p.reloadConfig(ctx, g)
	if !strings.Contains(log.String(), "configuration reloaded") || p.current.Load() == first {
		t.Errorf("a reload with a new secret says %s", log.String())
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// A check of a proxy that is not ready says why, in one bounded line: in a container there is nothing else to ask it with.
func TestHealthcheckSaysWhy(t *testing.T) {
	t.Parallel()
	said := "the database does not answer\n\x1b[31mthe audit log is full\n" + strings.Repeat("x", 1<<20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, said, http.StatusServiceUnavailable)
	}))
	defer server.Close()
	err := askHealth(t.Context(), strings.TrimPrefix(server.URL, "http://"), false)
	if err == nil || !strings.Contains(err.Error(), "503 Service Unavailable: the database does not answer [31mthe audit log is full x") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 2*saidMost {
		t.Errorf("it says %.300v", err)
	}
}
