package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim"
)

// Whoever writes into the database takes away the key of a person, which looks as if they had been erased:
// verify and evidence say that it is missing, and that nobody erased them.
func TestAU02AKeyThatNobodyErased(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"})
	d.must("audit", "verify")
	d.change(`DELETE FROM audit_persons WHERE subject = $1`, salesforcesim.RepID)
	if out, status := d.command("audit", "verify"); status != exitFailed || !strings.Contains(out, "all sound") || !strings.Contains(out, "the keys of 1 of the people") || !strings.Contains(out, "no entry says that these were erased") {
		t.Errorf("verify: status %d, %s", status, out)
	}
	pack := filepath.Join(t.TempDir(), "pack")
	if out, status := d.command("evidence", "--since", "1h", "--output", pack); status != exitFailed || !strings.Contains(out, "missing: what") || !strings.Contains(out, "lacks the keys") {
		t.Errorf("evidence: status %d, %s", status, out)
	}
	kept := filepath.Join(t.TempDir(), "kept")
	if out, status := d.command("user", "block", rep, "--evidence", kept); status != exitFailed || !strings.Contains(out, "keys of 1 of the people") {
		t.Errorf("the evidence of a block: status %d, %s", status, out)
	}
	if got := readText(t, filepath.Join(kept, "verification.json")); !strings.Contains(got, `"sound":true`) || !strings.Contains(got, `"lost":"the keys of 1`) {
		t.Errorf("verification.json: %s", got)
	}
}

// A log that was cut is read as far as it goes, and nobody takes that for all of it: list says so beside
// the entries, export ends with 1. Verifying a copy says what stands behind the last whole group.
func TestAU02ACutLogIsReadWithAWord(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	if out := d.must("audit", "list"); strings.Contains(out, "may not be all") {
		t.Errorf("a sound log: %s", out)
	}
	key := d.must("audit", "key")
	d.must("audit", "export")
	d.stop()
	dir := filepath.Join(d.dir, "audit")
	torn := filepath.Join(t.TempDir(), "torn")
	if err := os.CopyFS(torn, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	last := slices.Max(globbed(t, torn, "*.log"))
	content := readText(t, last)
	written := bytes.TrimRight([]byte(content), "\x00")
	half := append(bytes.Clone(written), written[len(written)-40:len(written)-10]...)
	if err := os.WriteFile(last, half, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := d.command("audit", "verify", "--log", torn, "--key", strings.TrimSpace(key)); status != exitDone || !strings.Contains(out, "behind the last entry stand 30 bytes") {
		t.Errorf("verify --log: status %d, %s", status, out)
	}
	last = slices.Max(globbed(t, dir, "*.log"))
	if err := os.Truncate(last, int64(len(written)-50)); err != nil {
		t.Fatal(err)
	}
	if out, status := d.command("audit", "list"); status != exitDone || !strings.Contains(out, "may not be all that was written") || !strings.Contains(out, "login.finish") {
		t.Errorf("list of a cut log: status %d, %s", status, out)
	}
	if out, status := d.command("audit", "show", "1"); status != exitDone || !strings.Contains(out, "may not be all that was written") {
		t.Errorf("show of a cut log: status %d, %s", status, out)
	}
	if out, status := d.command("audit", "export"); status != exitFailed || !strings.Contains(out, "may not be all that was written") || !strings.Contains(out, `"action":"login.finish"`) {
		t.Errorf("export of a cut log: status %d, %s", status, out)
	}
	apps := filepath.Join(t.TempDir(), "apps.jsonl")
	if err := os.WriteFile(apps, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, handedOut := range [][]string{
		{"audit", "copy", filepath.Join(t.TempDir(), "copy")}, {"audit", "tiles", filepath.Join(t.TempDir(), "tiles")}, {"report", "--format", "md"},
		{"reconcile", "--openai", apps}, {"policy", "replay", "--policy", d.ConfigFile}, {"review", "start", "--since", "1d", "--name", "cut"}, {"review", "status"},
		{"review", "proposal"},
	} {
		if out, status := d.command(handedOut...); status != exitFailed || !strings.Contains(out, "may not be all that was written") {
			t.Errorf("%q of a cut log: status %d, %s", handedOut, status, out)
		}
	}
}
