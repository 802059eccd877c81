package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// hold takes the SQLite file of a proxy as another process would, exclusively, until the function that
// it returns is called.
func hold(t *testing.T, dir string) (release func()) {
	t.Helper()
	file, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "proxy.db")+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := file.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), `BEGIN EXCLUSIVE`); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		if _, err := conn.ExecContext(context.WithoutCancel(t.Context()), `ROLLBACK`); err != nil {
			t.Error(err)
		}
		_, _ = conn.Close(), file.Close()
	})
	t.Cleanup(release)
	return release
}

// answered is what came of a request that may have no effect.
type answered struct {
	status int
	retry  string
	body   string
}

// askTokens asks for tokens without keeping them.
func (c *mcpClient) askTokens(form url.Values) (a answered) {
	resp, err := c.d.client().PostForm(c.d.PublicURL+"/oauth/token", form)
	if err != nil {
		return answered{body: err.Error()}
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return answered{resp.StatusCode, resp.Header.Get("Retry-After"), string(body)}
}

// FT-33: another process holds the SQLite file for longer than a statement waits. Whatever has to store
// something is answered 503 with Retry-After once that time is over, however many ask at once, and has
// no effect; what only reads goes on. Afterwards all of it is done once, by asking again.
func TestFaultFT33AnotherProcessHoldsTheDatabase(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	const wait, askers = 300 * time.Millisecond, 20
	dir, listen, salesforce := t.TempDir(), freePort(t), freePort(t)
	d, process := startCommand(t, exec.Command(os.Args[0]), dir, listen, salesforce, shortBusy+"="+wait.String())
	c, b := d.connect("sobject-all", rep), d.browser()
	d.decide(b, d.approvalURL(c.call("createSobjectRecord", account("Held Ltd"))), rep, "approve")
	waiting := d.approvalURL(c.call("createSobjectRecord", account("Undecided Ltd")))
	page, err := b.Get(t.Context(), waiting)
	if err != nil {
		t.Fatal(err)
	}
	tokens := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {d.ClientID}}

	release := hold(t, dir)
	refused := func(what string, a answered, says string) {
		if a.status != http.StatusServiceUnavailable || a.retry == "" || !strings.Contains(a.body, says) {
			t.Errorf("%s while the file is held: %+v, want 503 with Retry-After and %q", what, a, says)
		}
	}
	var all sync.WaitGroup
	begun := time.Now()
	refused("tokens, asked for alone", c.askTokens(tokens), "temporarily_unavailable")
	alone := time.Since(begun) // on this machine, as loaded as it is
	begun = time.Now()
	for range askers {
		all.Go(func() { refused("tokens", c.askTokens(tokens), "temporarily_unavailable") })
	}
	all.Wait()
	if took := time.Since(begun); took > askers*alone/2 {
		t.Errorf("%d that asked at once waited %v in all, one alone %v: one after the other", askers, took, alone)
	}
	decided, err := b.Choose(t.Context(), page, "decision", "approve")
	if err != nil {
		t.Fatal(err)
	}
	refused("a decision", answered{decided.Status, "not seen by a browser", decided.Body}, "<h1>This cannot be done at the moment</h1>")
	spent := c.call("createSobjectRecord", account("Held Ltd"))
	refused("an approved write", answered{spent.Status, spent.Header.Get("Retry-After"), spent.body}, `"error"`)
	begin, err := d.browser().Get(t.Context(), d.authorizeURL("sobject-all"))
	if err != nil {
		t.Fatal(err)
	}
	if begin.Status != http.StatusFound || !strings.Contains(begin.Location, "error=temporarily_unavailable") {
		t.Errorf("an authorization while the file is held: %+v", begin)
	}
	if read := c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"}); read.Status != http.StatusOK || read.Result.IsError {
		t.Errorf("a read: %d %s", read.Status, read.body)
	}
	revoke := exec.Command(os.Args[0], "user", "block", rep, "--config", d.ConfigFile)
	revoke.Env = append(os.Environ(), runAsProgram+"=1", shortBusy+"="+wait.String())
	if out, err := revoke.CombinedOutput(); err == nil || !strings.Contains(string(out), "locked") {
		t.Errorf("a command: %v\n%s", err, out)
	}
	if n := d.named("Account", "Held Ltd"); n != 0 {
		t.Errorf("%d records of a call that was refused", n)
	}
	release()

	d.againAfter(c, tokens)
	for range 2 {
		eventually(t, plenty, "the approved write is answered", func() bool {
			return c.call("createSobjectRecord", account("Held Ltd")).Status == http.StatusOK
		})
	}
	if n := d.named("Account", "Held Ltd"); n != 1 {
		t.Errorf("%d records of the approved write", n)
	}
	if still := d.approvalURL(c.call("createSobjectRecord", account("Undecided Ltd"))); still != waiting {
		t.Errorf("the call that waits is %s, was %s", still, waiting)
	}
	d.decide(b, waiting, rep, "approve")
	if made := c.call("createSobjectRecord", account("Undecided Ltd")); made.Result.IsError || d.named("Account", "Undecided Ltd") != 1 {
		t.Errorf("decided again: %s", made.body)
	}
	d.must("user", "block", rep)
	d.must("audit", "verify")
	if err := process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err != nil {
		t.Errorf("it does not end in order: %v", err)
	}
}

// againAfter has many ask at once for the successor of a refresh token: all get the same one.
func (d *demo) againAfter(c *mcpClient, tokens url.Values) {
	d.t.Helper()
	eventually(d.t, plenty, "tokens are given again", func() bool { return c.askTokens(tokens).status == http.StatusOK })
	var all sync.WaitGroup
	var mu sync.Mutex
	next := map[string]bool{}
	for range 20 {
		all.Go(func() {
			a := c.askTokens(tokens)
			var got struct {
				Access  string `json:"access_token"`
				Refresh string `json:"refresh_token"`
			}
			if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
				d.t.Errorf("tokens after it was released: %+v", a)
			}
			mu.Lock()
			defer mu.Unlock()
			next[got.Refresh] = true
			c.access, c.refresh = got.Access, got.Refresh
		})
	}
	all.Wait()
	if len(next) != 1 {
		d.t.Errorf("%d successors of one refresh token", len(next))
	}
}
