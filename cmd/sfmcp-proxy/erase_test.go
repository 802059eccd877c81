package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim"
)

// GDPR article 17: after the command neither the files of the log nor the database have anything of the
// person, and the log verifies by our own command and by its public key alone.
func TestAU15EraseSubjectByCommand(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Contact WHERE LastName = 'Vanderbilt'"})
	d.connect("sobject-all", manager)
	key := strings.TrimSpace(d.must("audit", "key"))
	if out := d.must("audit", "export", "--user", rep); !strings.Contains(out, "Vanderbilt") || !strings.Contains(out, salesforcesim.RepID) {
		t.Errorf("before: %s", out)
	}
	out := d.must("erase", "subject", strings.ToUpper(rep), "--why", "ticket 7")
	if !strings.Contains(out, "1 connection ended") || !strings.Contains(out, "person-") {
		t.Errorf("erase says %s", out)
	}
	for _, command := range [][]string{{"audit", "export"}, {"audit", "export", "--raw"}, {"audit", "list", "--all"}, {"user", "list"}, {"grant", "list", "--all"}, {"approval", "list"}} {
		if out := d.must(command...); strings.Contains(out, rep) || strings.Contains(out, salesforcesim.RepID) || strings.Contains(out, "Vanderbilt") {
			t.Errorf("%v: %s", command, out)
		}
	}
	if out := d.must("audit", "export", "--action", "subject.erase"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "ticket 7") || !strings.Contains(out, `"personal":"erased"`) {
		t.Errorf("the record of it: %s", out)
	}
	if out := d.must("audit", "verify"); !strings.Contains(out, "all sound") {
		t.Errorf("verify: %s", out)
	}
	if out, status := d.command("audit", "verify", "--log", filepath.Join(d.dir, "audit"), "--key", key); status != exitDone {
		t.Errorf("verify by the key alone: %s", out)
	}
	if out, status := d.command("erase", "subject", rep); status != exitFailed || !strings.Contains(out, rep) {
		t.Errorf("a second time: status %d, %s", status, out)
	}
	again := d.connect("sobject-all", rep)
	again.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account"})
	if out := d.must("audit", "export", "--user", rep); strings.Contains(out, "Vanderbilt") || !strings.Contains(out, "FROM Account") {
		t.Errorf("who came back: %s", out)
	}
	d.must("erase", "subject", rep, "--org", "acme", "--json")
	store := d.database()
	eventually(t, plenty, "Salesforce is told", func() bool {
		var n int
		if err := store.Reads.QueryRow(`SELECT COUNT(*) FROM upstream_revocations`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
	d.stop()
	eventually(t, plenty, "the write-ahead log is empty", func() bool {
		if err := store.Erase(t.Context()); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(d.dir, "proxy.db-wal"))
		return err != nil || info.Size() == 0
	})
	files := readAll(t, filepath.Join(d.dir, "audit"))
	if len(files) < 2 {
		t.Errorf("the log has %d files", len(files))
	}
	for name, text := range readAll(t, d.dir) {
		if strings.HasPrefix(name, "proxy.db") { // whoever wrote the configuration names people in it
			files[name] = text
		}
	}
	for name, text := range files {
		for _, personal := range []string{rep, salesforcesim.RepID, "Vanderbilt"} {
			if strings.Contains(string(text), personal) {
				t.Errorf("%s still has %q", name, personal)
			}
		}
	}
}
