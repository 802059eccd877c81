package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// pilot is a proxy on a SQLite file with a user in the middle of their work: a client with
// tokens, a browser that is signed in, a write that waits and one that was approved.
type pilot struct {
	*demo
	r                 *replica
	client            *mcpClient
	browser           *salesforcesim.Browser
	waiting, approved map[string]any
	waitsAt           string // URL of its page
}

func startPilot(t *testing.T) *pilot {
	t.Helper()
	public := freePort(t)
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{"http://" + public + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	r := &replica{t: t, file: filepath.Join(t.TempDir(), "proxy.yaml"), listen: public, adminL: freePort(t)}
	if err := demonstration.WriteConfig(r.file, demonstration.Addresses{
		PublicURL: "http://" + public, Listen: r.listen, AdminListen: r.adminL, SalesforceURL: sim.BaseURL(),
	}); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(r.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(c.KeysFile); err != nil {
		t.Fatal(err)
	}
	r.start()
	p := &pilot{demo: &demo{t: t, dir: filepath.Dir(r.file), Setup: setupOf(c, sim, r.file)}, r: r}
	p.client, p.browser = p.connect("sobject-all", rep), p.demo.browser()
	p.authorize(p.browser, "sobject-reads", rep) // signs the browser in
	p.waiting, p.approved = account("Waits Ltd"), account("Approved Ltd")
	p.waitsAt = p.approvalURL(p.client.call("createSobjectRecord", p.waiting))
	p.decide(p.browser, p.approvalURL(p.client.call("createSobjectRecord", p.approved)), rep, "approve")
	p.connect("sobject-reads", manager)
	p.must("user", "block", manager)
	return p
}

// goesOn sees that nobody notices anything: the same tokens, the same browser, the same writes.
func (p *pilot) goesOn() {
	p.t.Helper()
	if r := p.client.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"}); r.Result.IsError || r.Error != nil || r.Status != 200 {
		p.t.Errorf("a read with the token of before: %d %s", r.Status, r.body)
	}
	if r := p.client.call("createSobjectRecord", p.approved); r.Result.IsError || !strings.Contains(r.text(), `"success":true`) {
		p.t.Errorf("a write that was approved before: %s", r.body)
	}
	page, err := p.browser.Get(p.t.Context(), p.waitsAt)
	if err == nil {
		_, err = p.browser.Choose(p.t.Context(), page, "decision", "approve")
	}
	if err != nil {
		p.t.Errorf("the page of a write that waits, in the browser of before: %v", err)
	}
	if r := p.client.call("createSobjectRecord", p.waiting); r.Result.IsError || !strings.Contains(r.text(), `"success":true`) {
		p.t.Errorf("a write that waited before: %s", r.body)
	}
	for _, name := range []string{"Waits Ltd", "Approved Ltd"} {
		if n := p.named("Account", name); n != 1 {
			p.t.Errorf("%s: %d records", name, n)
		}
	}
	p.client.renew(p.ClientID, url.Values{})
	if r := p.client.send("tools/list", map[string]any{}); len(r.tools()) == 0 {
		p.t.Errorf("with renewed tokens: %s", r.body)
	}
}

// A pilot on a SQLite file moves to PostgreSQL: refused while it runs, all or nothing, every row
// compared; afterwards nobody signs in again, who was blocked stays blocked, and the audit log
// goes on and has the move.
func TestMigrateToPostgres(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	database := dbtest.EmptyPostgres(t)
	p := startPilot(t)
	c, err := config.Load(p.ConfigFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := strings.TrimPrefix(c.Database, "sqlite:")
	migrate := func(more ...string) (string, int) {
		return p.command(append([]string{"migrate", "sqlite-to-postgres", "--from", file, "--to", database}, more...)...)
	}
	expect := func(step string, want int, says string, more ...string) {
		t.Helper()
		if out, status := migrate(more...); status != want || !strings.Contains(out, says) {
			t.Errorf("%s: status %d, expected %d and %q:\n%s", step, status, want, says, out)
		}
	}
	expect("while it runs", exitFailed, "it is in use")
	if err := p.r.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ends(t, p.r.process, plenty)
	expect("a comparison before", exitFailed, "is missing in the target", "--check")
	expect("the move", exitDone, "every row was compared")
	expect("once more", exitFailed, "the target is not empty")
	expect("a comparison after", exitDone, "every row is the same", "--check")

	// On the file of before the audit log knows better, and nothing is served.
	old := exec.Command(os.Args[0], "serve", "--config", p.r.file)
	old.Env = append(os.Environ(), runAsProgram+"=1")
	if out, err := old.CombinedOutput(); err == nil || !strings.Contains(string(out), "put back") {
		t.Errorf("the database of before is served: %v\n%s", err, out)
	}
	text, err := os.ReadFile(p.r.file)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), "sqlite:proxy.db", database, 1) + "\naudit: {dir: " + c.Audit.Dir + "}\n"
	if err := os.WriteFile(p.r.file, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	p.r.start()
	p.goesOn()
	for _, line := range strings.Split(strings.TrimSpace(p.must("user", "list", "--json")), "\n") {
		if strings.Contains(line, manager) && !strings.Contains(line, `"blocked":true`) && !strings.Contains(line, "blocked_at") {
			t.Errorf("who was blocked is not: %s", line)
		}
	}
	if out := p.must("audit", "list", "--action", "store.migrate", "--json"); strings.Count(out, "\n") != 1 || !strings.Contains(out, `"grants"`) {
		t.Errorf("the audit log says of the move: %s", out)
	}
	p.must("audit", "verify")
}

// What is called wrongly says how it is called, and shows no password.
func TestMigrateUsage(t *testing.T) {
	t.Parallel()
	d := &demo{t: t}
	d.ConfigFile = filepath.Join(t.TempDir(), "absent.yaml")
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "expected --from FILE"},
		{[]string{"--from", "x"}, "expected --from FILE"},
		{[]string{"--from", "x", "--to", "mysql://u@h/d"}, "--to: "},
		{[]string{"--from", "x", "--to", "postgres://u:hunter2@h:x/d"}, "--to: "},
	} {
		out, status := d.command(append([]string{"migrate", "sqlite-to-postgres"}, c.args...)...)
		if status != exitUsage || !strings.Contains(out, c.says) || strings.Contains(out, "hunter2") {
			t.Errorf("%q: status %d\n%s", c.args, status, out)
		}
	}
	if out, _ := d.command("migrate", "sqlite-to-postgres", "--from", "x", "--to", "postgres://u:hunter2@h/d"); !strings.Contains(out, "PGPASSWORD") || strings.Contains(out, "hunter2") {
		t.Errorf("a password on the command line: %s", out)
	}
}
