package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sfmcp-proxy/authproxy/db"
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
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(p.must("audit", "key")), 0o600); err != nil {
		t.Fatal(err)
	}
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
	expect("once more", exitFailed, "was moved to")
	expect("a comparison after", exitDone, "every row is the same", "--check")

	p.refusedAsMoved(database, file, c.Audit.Dir, key)
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
	p.goesBack(text)
}

// refusedAsMoved sees that whoever still has the configuration of before the move is told where everything is, and
// does nothing; and that nothing is moved from there twice.
func (p *pilot) refusedAsMoved(database, file, log, key string) {
	t := p.t
	t.Helper()
	shown := (db.Config{URL: database}).Redacted()
	old := exec.Command(os.Args[0], "serve", "--config", p.r.file)
	old.Env = append(os.Environ(), runAsProgram+"=1")
	if out, err := old.CombinedOutput(); err == nil || !strings.Contains(string(out), "was moved to "+shown) {
		t.Errorf("the database of before is served: %v\n%s", err, out)
	}
	for _, args := range [][]string{{"user", "block", rep}, {"stop", "all"}, {"client", "block", p.ClientID}, {"stop", "status"}, {"user", "list"}, {"audit", "list"}, {"audit", "acknowledge"}, {"key", "status"},
		{"migrate", "sqlite-to-postgres", "--from", file, "--to", dbtest.EmptyPostgres(t)}} {
		out, status := p.command(args...)
		if status != exitFailed || !strings.Contains(out, "was moved to "+shown) || !strings.Contains(out, "Back to the SQLite file") || strings.Contains(out, "STOP") {
			t.Errorf("%v by the configuration of before: status %d\n%s", args, status, out)
		}
	}
	if out, status := p.command("audit", "verify", "--log", log, "--key", key); status != exitDone {
		t.Errorf("the log without a database: status %d\n%s", status, out)
	}
}

// goesBack follows the handbook back to the file, whose configuration is text: who was blocked since the move is blocked there.
func (p *pilot) goesBack(text []byte) {
	t := p.t
	t.Helper()
	_, err := exec.LookPath("sqlite3")
	need(t, "sqlite3", err == nil, "Debian package sqlite3")
	p.must("user", "block", rep)
	if err := p.r.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ends(t, p.r.process, plenty)
	if err := os.WriteFile(p.r.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := p.follow(runbook(t, "#### Back to the SQLite file"), p.dir, "", ""); !strings.Contains(said, "it was put back to an earlier state") || !strings.Contains(said, "made again") {
		t.Errorf("verify and acknowledge say:\n%s", said)
	}
	p.r.start()
	for _, line := range strings.Split(strings.TrimSpace(p.must("user", "list", "--json")), "\n") {
		if !strings.Contains(line, `"blocked":true`) {
			t.Errorf("who was blocked is not, back on the file: %s", line)
		}
	}
	p.must("stop", "all")
	p.must("audit", "verify")
}

// What is to be set next is said where it counts: a variable counts before the file.
func TestMigrateSaysWhatCounts(t *testing.T) {
	t.Parallel()
	m := migration{config: &config.Config{}, target: db.Config{URL: "postgres://proxy:hunter2@h/d"}}
	m.config.Audit.Dir = "/srv/audit"
	for byVariable, want := range map[bool][]string{
		false: {"set in the configuration,", "\n  database: postgres://proxy:xxxxx@h/d\n", "\n  audit: {dir: /srv/audit}\n", "SFMCP_DATABASE, as by the unit of systemd, it counts before the file"},
		true:  {"set where the proxy is started, and in this shell, as the variable SFMCP_DATABASE is set", "\n  SFMCP_DATABASE=postgres://proxy:xxxxx@h/d\n", "\n  SFMCP_AUDIT_DIR=/srv/audit\n"},
	} {
		said := m.next(byVariable)
		for _, part := range want {
			if !strings.Contains(said, part) {
				t.Errorf("by a variable %t: %q is not in\n%s", byVariable, part, said)
			}
		}
		if strings.Contains(said, "hunter2") || byVariable && strings.Contains(said, "in the configuration") {
			t.Errorf("by a variable %t:\n%s", byVariable, said)
		}
	}
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
