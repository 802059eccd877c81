package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/db/reseal"
	"sfmcp-proxy/authproxy/seal"
)

// runbook is the block of commands that follows a text of the handbook's page on running it, a line each.
func runbook(t *testing.T, after string) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "examples", "handbook", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), after)
	_, block, begins := strings.Cut(rest, "\n\n    ")
	block, _, ends := strings.Cut("    "+block, "\n\n")
	if !found || !begins || !ends {
		t.Fatalf("the page has no commands after %q", after)
	}
	return strings.Split(block, "\n")
}

// follow does what a runbook says for the folders of a test: its own program by this test, the rest by a
// shell; serve is left to the caller. It returns what was printed.
func (d *demo) follow(lines []string, data, backup, keys string) (out string) {
	d.t.Helper()
	for _, line := range lines {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		line = strings.TrimSpace(line)
		if command, own := strings.CutPrefix(line, "sfmcp-proxy "); own && command != "serve" {
			said, _ := d.command(strings.Fields(command)...)
			out += said
		} else if !own && line != "" {
			line = strings.NewReplacer("/backup", backup, "/keys/", keys+"/", "data/", data+"/", " data ", " "+data+" ").Replace(line + " ")
			if said, err := exec.Command("sh", "-ec", line).CombinedOutput(); err != nil {
				d.t.Fatalf("%s: %v\n%s", line, err, said)
			}
		}
	}
	return out
}

// FT-56: a backup by the handbook's commands, while the proxy is written to. With the log left, the database
// that is put back has all that was acknowledged after the backup by the time it serves. With all of it lost, a new folder
// serves as at the time of the backup: the log verifies, every sealed value opens, connections and calls that wait go on.
func TestFaultFT56BackupAndRestore(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	_, err := exec.LookPath("sqlite3")
	need(t, "sqlite3", err == nil, "Debian package sqlite3")
	dir, backup, keys := t.TempDir(), filepath.Join(t.TempDir(), "backup"), t.TempDir()
	listen, salesforce := freePort(t), freePort(t)
	d, process := startProcess(t, dir, listen, salesforce)
	c, late := d.connect("sobject-all", rep), d.connect("sobject-reads", manager)
	if err := process.Process.Signal(os.Interrupt); err != nil { // at its end it signs a checkpoint, as once in a while
		t.Fatal(err)
	}
	process.Wait()
	d, process = startProcess(t, dir, listen, salesforce)
	c.d, late.d = d, d
	approved, waiting := "Approved Ltd", "Waiting Ltd"
	d.decide(d.browser(), d.approvalURL(c.call("createSobjectRecord", account(approved))), rep, "approve")
	link := d.approvalURL(c.call("createSobjectRecord", account(waiting)))
	if err := os.WriteFile(filepath.Join(keys, "keys"), readAll(t, dir)["keys"], 0o600); err != nil {
		t.Fatal(err)
	}

	busy := d.keepBusy(d.connect("sobject-reads", rep))
	before := busy.calls.Load()
	eventually(t, plenty, "calls are made", func() bool { return busy.calls.Load() > before+3 })
	d.follow(runbook(t, "Back up these, while the proxy runs, in this order:"), dir, backup, keys)
	before = busy.calls.Load()
	eventually(t, plenty, "calls are made after the backup", func() bool { return busy.calls.Load() > before+3 })
	busy.stop()
	if failed := busy.failed.Load(); failed != nil {
		t.Errorf("a call during the backup failed: %s", *failed)
	}
	d.must("user", "block", manager)
	acknowledged := strings.Count(d.must("audit", "export"), "\n")
	kill := func() time.Time {
		if err := process.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		process.Wait()
		return time.Now()
	}
	served := func(what string, lost time.Time) {
		if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError {
			t.Errorf("%s: a call: %d %s", what, r.Status, r.body)
		}
		if took := time.Since(lost); took > 15*time.Minute {
			t.Errorf("%s took %v", what, took)
		} else {
			t.Logf("%s: served again after %v", what, took)
		}
	}

	if rounds.AreMany(t) {
		lost := kill()
		said := d.follow(runbook(t, "put back the database alone.**"), dir, backup, keys)
		if !strings.Contains(said, "disagree") || !strings.Contains(said, "made again") {
			t.Errorf("verify and acknowledge say:\n%s", said)
		}
		d, process = startProcess(t, dir, listen, salesforce)
		c.d, late.d = d, d
		served("the database alone", lost)
		if r := late.call("getUserInfo", map[string]any{}); r.Status != http.StatusUnauthorized {
			t.Errorf("who was blocked after the backup: %d", r.Status)
		}
		if n := strings.Count(d.must("audit", "export"), "\n"); n < acknowledged {
			t.Errorf("%d audit entries, %d were acknowledged", n, acknowledged)
		}
		d.must("audit", "verify")
	}
	lost := kill()
	d.restoredElsewhere(c, lost, backup, keys, listen, salesforce, served)
	for _, name := range []string{approved, approved, waiting} {
		if name == waiting {
			d.decide(d.browser(), link, rep, "approve")
		}
		c.call("createSobjectRecord", account(name))
	}
	if made, others := d.named("Account", approved), d.named("Account", waiting); made != 1 || others != 1 {
		t.Errorf("%d records of the call that was approved, %d of the one that waited", made, others)
	}
	d.must("audit", "verify")
}

// restoredElsewhere puts all back into a new folder, as on a new machine, and serves there. Salesforce has
// lost nothing.
func (d *demo) restoredElsewhere(c *mcpClient, lost time.Time, backup, keys, listen, salesforce string, served func(string, time.Time)) {
	t := d.t
	t.Helper()
	elsewhere := filepath.Join(t.TempDir(), "data")
	lines := runbook(t, "If all is lost, put back all from one backup,**")
	var restore, after []string
	for _, line := range lines {
		if strings.Contains(line, "sfmcp-proxy") {
			after = append(after, line)
		} else {
			restore = append(restore, line)
		}
	}
	d.follow(restore, elsewhere, backup, keys)
	for name, text := range readAll(t, d.dir) { // Salesforce, and the configuration
		if strings.HasPrefix(name, "salesforce-sim") || strings.HasSuffix(name, ".yaml") {
			if err := os.WriteFile(filepath.Join(elsewhere, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.dir, d.ConfigFile = elsewhere, filepath.Join(elsewhere, filepath.Base(d.ConfigFile))
	if said := d.follow(after, elsewhere, backup, keys); !strings.Contains(said, "all sound") {
		t.Errorf("verify says:\n%s", said)
	}
	if err := seal.RotateKeyFile(filepath.Join(elsewhere, "keys")); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(filepath.Join(elsewhere, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := reseal.Worker{Config: reseal.Config{DB: d.database(), Ring: ring}}.Pass(t.Context()) // opens each
	if err != nil || opened.Left != 0 || opened.Sealed < 6 {
		t.Errorf("sealed values: %+v, %v", opened, err)
	}
	next, _ := startProcess(t, elsewhere, listen, salesforce)
	*d = *next
	c.d = d
	if r := c.call("getUserInfo", map[string]any{}); r.Status == http.StatusOK && !r.Result.IsError && r.Error == nil {
		t.Errorf("while everything is stopped: %d %s", r.Status, r.body)
	}
	d.must("stop", "off")
	served("all, elsewhere", lost)
}
