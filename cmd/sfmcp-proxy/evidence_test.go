package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim"
)

// U2: the whole drill in one step, with nothing left out and nothing secret.
func TestU2BlockWithEvidence(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	d.connect("sobject-reads", manager)
	c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"})
	d.approvalURL(c.call("createSobjectRecord", account("waits")))
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := d.command("user", "block", rep, "--evidence", full); status != exitUsage || !strings.Contains(out, "is not empty; nothing was done") {
		t.Errorf("a directory that is not empty: status %d, %s", status, out)
	}
	if strings.Contains(d.must("audit", "export"), `"action":"user.block"`) {
		t.Error("somebody was blocked")
	}
	for i, verb := range []string{"block", "revoke"} {
		dir := filepath.Join(t.TempDir(), "new", verb)
		out, status := d.command("user", verb, rep, "--evidence", dir)
		// A running proxy may have the token in hand, and then it is what is missing.
		// The block has ended everything, so there is nobody left to revoke.
		if status != exitDone && !(status == exitFailed && (strings.Contains(out, "missing: revocation at Salesforce") || i == 1 && strings.Contains(out, "reached nobody"))) {
			t.Fatalf("status %d\n%s", status, out)
		}
		if i == 0 && (!strings.Contains(out, "1 connection ended") || !strings.Contains(out, "ended besides: 1 waiting call, 1 browser session")) {
			t.Errorf("what was done is not said:\n%s", out)
		}
		checkEvidence(t, dir, out, c)
		var want []string // the proxy may go on to write of the revocation
		for line := range strings.Lines(d.printed("audit", "export", "--user", salesforcesim.RepID)) {
			want = append(want, line)
		}
		got := slices.Collect(strings.Lines(string(readAll(t, dir)["audit.jsonl"])))
		if len(got) == 0 || len(got) > len(want) || !slices.Equal(got, want[:len(got)]) || !strings.Contains(strings.Join(got, ""), `"action":"user.`+verb+`"`) {
			t.Errorf("%d entries of %d", len(got), len(want))
		}
	}
	// A log that was changed is evidence, too.
	d.tamper(func(segment []byte) []byte { return changeIn(t, segment, `{"seq":2,`, `"outcome"`) })
	broken := filepath.Join(t.TempDir(), "broken")
	if out, status := d.command("user", "revoke", rep, "--evidence", broken); status != exitFailed || !strings.Contains(out, "missing: verification.json: audit log is broken at entry 2") {
		t.Errorf("status %d, %s", status, out)
	}
	if files := readAll(t, broken); len(files) != 5 || !strings.Contains(string(files["verification.json"]), `"sound":false`) || !strings.Contains(string(files["manifest.json"]), `"name": "verification.json"`) {
		t.Errorf("%s%s", files["verification.json"], files["manifest.json"])
	}
	// A directory that cannot be made keeps nobody from being cut off.
	file := filepath.Join(full, "x", "under a file")
	out, status := d.command("user", "block", manager, "--evidence", file)
	if users := d.must("user", "show", manager, "--json"); status != exitFailed || !strings.Contains(users, `"blocked":true`) || !strings.Contains(out, "not a directory") {
		t.Errorf("status %d, %s%s", status, out, users)
	}
}

func checkEvidence(t *testing.T, dir, out string, c *mcpClient) {
	t.Helper()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	files := readAll(t, dir)
	var m manifest
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil || len(m.Files) != 4 || len(m.Users) == 0 || m.Users[0].Username != rep || m.Created.IsZero() {
		t.Errorf("%+v, %v", m, err)
	}
	for _, f := range m.Files {
		sum := sha256.Sum256(files[f.Name])
		if f.SHA256 != hex.EncodeToString(sum[:]) || f.Bytes != len(files[f.Name]) || f.Lines != strings.Count(string(files[f.Name]), "\n") || !strings.Contains(out, f.Name) {
			t.Errorf("%+v", f)
		}
	}
	for name, want := range map[string]string{"verification.json": `"sound":true`, "connections.json": salesforcesim.RepID, "approvals.json": `"tool":"createSobjectRecord"`} {
		if !strings.Contains(string(files[name]), want) {
			t.Errorf("%s: %s", name, files[name])
		}
	}
	for name, text := range files {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if found := regexp.MustCompile(`sf[arc]_[A-Za-z0-9_-]{20}`).Find(text); found != nil || strings.Contains(string(text), c.access) || strings.Contains(string(text), "manager@") {
			t.Errorf("%s holds what it must not: %s", name, found)
		}
	}
}
