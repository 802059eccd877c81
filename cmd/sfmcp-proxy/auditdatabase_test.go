package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// D11a: replicas without a disk that lasts have their audit log in the database. All that holds of a log in
// files holds of it: what was acknowledged before a kill is there, it verifies here and, copied, elsewhere,
// its entries can be proven, and who takes rows away is found. Here two processes have one machine's name, and so one log.
func TestAuditLogInTheDatabase(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	c := startCluster(t, 2, "audit: {dir: database}")
	call := func() {
		t.Helper()
		if _, good := c.client.tryFor(c, userInfo); !good {
			t.Fatal("a call is not answered")
		}
	}
	for range 4 {
		call()
	}
	if err := c.replicas[0].process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.replicas[0].process.Wait()
	call()
	c.replicas[0].start()
	call()

	if said := c.must("audit", "verify"); strings.Count(said, "all sound") != 1 {
		t.Errorf("audit verify:\n%s", said)
	}
	if said := c.must("audit", "log", "list", "--json"); strings.Count(said, `"state":"open"`) != 1 {
		t.Errorf("the roster:\n%s", said)
	}
	if said := c.must("audit", "list", "--action", "tool.call", "--outcome", "intent", "--json"); strings.Count(said, "\n") < 6 {
		t.Errorf("six calls are:\n%s", said)
	}
	dir, key := filepath.Join(t.TempDir(), "copy"), filepath.Join(t.TempDir(), "log.key")
	c.must("audit", "copy", dir)
	if err := os.WriteFile(key, []byte(c.must("audit", "key")), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, status := c.command("audit", "verify", "--log", dir, "--key", key); status != exitDone || !strings.Contains(said, "all sound") {
		t.Errorf("the copy: status %d\n%s", status, said)
	}
	if said, status := c.command("audit", "verify", "--others", dir); status != exitFailed || !strings.Contains(said, "are both of the log") {
		t.Errorf("with the copy as that of another log: status %d\n%s", status, said)
	}
	if said := c.must("audit", "prove", "3"); !strings.HasPrefix(said, "c2sp.org/tlog-proof@v1\n") {
		t.Errorf("the proof of an entry:\n%s", said)
	}
	c.must("audit", "prune")
	for _, r := range c.replicas {
		if _, err := os.Stat(filepath.Join(filepath.Dir(r.file), "database")); !os.IsNotExist(err) {
			t.Errorf("there is a folder of that name: %v", err)
		}
	}

	if _, err := c.store.Writes.Exec(`DELETE FROM audit_groups WHERE seq = (SELECT MAX(seq) FROM audit_groups WHERE seq < 4)`); err != nil {
		t.Fatal(err)
	}
	if said, status := c.command("audit", "verify"); status != exitFailed || !strings.Contains(said, "audit log is broken at entry") {
		t.Errorf("without a row: status %d\n%s", status, said)
	}
}

// SR-AU-1: a replica that cannot write its log refuses every call, and says so where it is asked whether it should
// get any; once it can, it takes calls again by itself.
func TestAU08ReadinessOfALogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	c := startCluster(t, 1, "audit: {dir: database}")
	ready := func() (int, string) {
		resp, err := http.Get("http://" + c.replicas[0].adminL + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	rename := func(from, to string) {
		t.Helper()
		if _, err := c.store.Writes.Exec(`ALTER TABLE ` + from + ` RENAME TO ` + to); err != nil {
			t.Fatal(err)
		}
	}
	rename("audit_groups", "gone")
	if r, err := c.client.post(t.Context(), "tools/call", userInfo, false); err != nil || r.Status != http.StatusServiceUnavailable {
		t.Errorf("a call that the log does not have: %d %s %v", r.Status, r.body, err)
	}
	if status, text := ready(); status != http.StatusServiceUnavailable || !strings.Contains(text, "the audit log cannot be written since ") {
		t.Errorf("/readyz while the log cannot be written: %d %s", status, text)
	}
	rename("gone", "audit_groups")
	eventually(t, plenty, "/readyz says 200 again", func() bool { status, _ := ready(); return status == http.StatusOK })
	if _, good := c.client.tryFor(c, userInfo); !good {
		t.Error("a call is not answered afterwards")
	}
	if said := c.must("audit", "list", "--action", "log.resume"); !strings.Contains(said, "log.resume") {
		t.Errorf("the log does not say that it could not be written:\n%s", said)
	}
}
