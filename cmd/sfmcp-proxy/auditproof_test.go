package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// S1, SR-ST-4: a database of before somebody was blocked is put in the place of the one that
// knows it. The proxy does not start; a person acknowledges it, and the block is there.
func TestS1RestoredDatabaseRevivesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startDemoIn(t, dir)
	first.connect("sobject-all", rep)
	first.stop()
	backup := readFiles(t, dir, "proxy.db*")
	second := startDemoIn(t, dir)
	second.must("user", "block", rep)
	second.stop()
	for _, path := range globbed(t, dir, "proxy.db*") {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range backup {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refuses(t, dir, "an older database", "audit acknowledge")
	// Whoever must cut somebody off meanwhile can.
	if out, status := second.command("user", "revoke", manager); status == exitDone {
		t.Errorf("a user who was never seen is revoked: %s", out)
	}
	if out := second.must("audit", "acknowledge"); !strings.Contains(out, "made again") || !strings.Contains(out, "acknowledged and recorded") {
		t.Errorf("acknowledging says %s", out)
	}
	if out := second.must("audit", "acknowledge"); !strings.Contains(out, "nothing to acknowledge") {
		t.Errorf("a second time: %s", out)
	}
	third := startDemoIn(t, dir)
	if out := third.must("user", "show", rep, "--json"); !strings.Contains(out, `"blocked":true`) {
		t.Errorf("the user is not blocked any more: %s", out)
	}
	for _, want := range []string{`"action":"log.acknowledge"`, `"action":"log.apply"`} {
		if out := third.must("audit", "export"); !strings.Contains(out, want) {
			t.Errorf("the log does not say %s", want)
		}
	}
	if out := third.must("audit", "verify"); !strings.Contains(out, "all sound") {
		t.Errorf("verify: %s", out)
	}
}

// S1: log, database and key file's folder are put back together, and a checkpoint that was kept
// elsewhere tells. It is not lost by the start that it stops.
func TestS1CheckpointElsewhereOutlivesTheStartThatItStops(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	t.Run("a folder with one file a log", func(t *testing.T) { checkpointElsewhere(t, "", 2) })
	t.Run("one file", func(t *testing.T) { checkpointElsewhere(t, "newest", 1) })
}

// checkpointElsewhere does so with a place in a folder, which afterwards has the histories of so
// many logs.
func checkpointElsewhere(t *testing.T, name string, histories int) {
	t.Parallel()
	dir, folder := t.TempDir(), t.TempDir()+"/"
	first := startDemoIn(t, dir)
	first.connect("sobject-all", rep)
	first.stop()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	first.must("user", "block", rep)
	file, err := os.OpenFile(filepath.Join(dir, defaultConfig), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString("audit: {checkpoints: [{file: " + folder + name + "}]}\n")
	}
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	first.must("audit", "acknowledge") // there is nothing, and the place gets the checkpoint
	elsewhere := strings.TrimSuffix(globbed(t, folder, "*.history")[0], ".history")
	kept, err := os.ReadFile(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"proxy.db*", "audit/*.*", "audit/checkpoint", "keys.checkpoint"} {
		for _, path := range globbed(t, dir, pattern) {
			if err := os.Remove(path); err != nil && !strings.HasSuffix(path, ".tiles") {
				t.Fatal(err)
			}
		}
		paths, _ := filepath.Glob(filepath.Join(backup, pattern))
		for _, path := range paths {
			name, _ := filepath.Rel(backup, path)
			content, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if out := first.must("audit", "verify"); !strings.Contains(out, "all sound") {
		t.Fatalf("what was put back does not fit together: %s", out)
	}
	if out, status := first.command("audit", "verify", "--places"); status != exitFailed || !strings.Contains(out, "file "+folder+name+" disagree") {
		t.Errorf("verify --places: status %d, %s", status, out)
	}
	for _, time := range []string{"the first time", "the second time"} {
		refuses(t, dir, time, "file "+folder+name+" disagree")
		if now, err := os.ReadFile(elsewhere); err != nil || string(now) != string(kept) {
			t.Errorf("%s: the checkpoint was %s, and is %s, %v", time, kept, now, err)
		}
	}
	if out := first.must("audit", "acknowledge"); !strings.Contains(out, "acknowledged and recorded: file "+folder+name) {
		t.Errorf("acknowledging says %s", out)
	}
	if all := globbed(t, folder, "*.history"); len(all) != histories {
		t.Errorf("of the ended log and the new one the place has %v", all)
	}
	if out := first.must("audit", "acknowledge"); !strings.Contains(out, "nothing to acknowledge") {
		t.Errorf("a second time: %s", out)
	}
	if out := first.must("audit", "verify", "--places"); !strings.Contains(out, "its checkpoint fits") {
		t.Errorf("verify --places: %s", out)
	}
}

// AU-10: what an auditor needs, by the commands that they are given.
func TestAU10ProofByCommand(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	c.call("getUserInfo", map[string]any{})
	key := strings.TrimSpace(d.must("audit", "key"))
	d.must("audit", "verify")
	checkpoint := filepath.Join(d.dir, "keys.checkpoint")
	proof, line := d.must("audit", "prove", "2"), d.must("audit", "show", "2", "--raw")
	if !strings.HasPrefix(proof, "c2sp.org/tlog-proof@v1\n") || !strings.HasPrefix(line, `{"seq":2,`) {
		t.Errorf("proof %s of %s", proof, line)
	}
	// Elsewhere: no configuration, no key file, no database.
	elsewhere := t.TempDir()
	if err := os.CopyFS(elsewhere, os.DirFS(filepath.Join(d.dir, "audit"))); err != nil {
		t.Fatal(err)
	}
	program := func(args ...string) (string, int) {
		var out strings.Builder
		status := run(t.Context(), args, &out, &out)
		return out.String(), status
	}
	if out, status := program("audit", "verify", "--log", elsewhere, "--key", key, "--checkpoint", checkpoint); status != exitDone || !strings.Contains(out, "all sound") {
		t.Errorf("elsewhere: status %d, %s", status, out)
	}
	for name, args := range map[string][]string{
		"no key":              {"--log", elsewhere},
		"a key and no log":    {"--key", key},
		"no directory":        {"--log", filepath.Join(elsewhere, "none"), "--key", key},
		"no key that is one":  {"--log", elsewhere, "--key", "hello"},
		"no checkpoint there": {"--log", elsewhere, "--key", key, "--checkpoint", filepath.Join(elsewhere, "none")},
	} {
		if out, status := program(append([]string{"audit", "verify"}, args...)...); status == exitDone || strings.Count(strings.TrimSpace(out), "\n") > 3 {
			t.Errorf("%s: status %d, %s", name, status, out)
		}
	}
	// After a rotation either key, or both of them as they were printed.
	d.must("key", "rotate")
	d.must("stop", "off")
	both := filepath.Join(t.TempDir(), "log.key")
	if err := os.WriteFile(both, []byte(d.must("audit", "key")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{key, both} {
		if out, status := program("audit", "verify", "--log", filepath.Join(d.dir, "audit"), "--key", of, "--checkpoint", checkpoint); status != exitDone {
			t.Errorf("after a rotation, by %s: status %d, %s", of, status, out)
		}
	}
	if out, status := program("audit", "verify", "--log", elsewhere, "--key", key+"\nexample.com/audit/1+"+strings.SplitN(key, "+", 2)[1]); status == exitDone {
		t.Errorf("by the keys of two logs: %s", out)
	}
	for _, args := range [][]string{{"audit", "show", "0"}, {"audit", "show", "x"}, {"audit", "prove", "99999"}} {
		if out, status := d.command(args...); status == exitDone {
			t.Errorf("%v: %s", args, out)
		}
	}
	tiles := filepath.Join(t.TempDir(), "tiles")
	if out := d.must("audit", "tiles", tiles); !strings.Contains(out, "entries") {
		t.Errorf("tiles: %s", out)
	}
	if _, err := os.Stat(filepath.Join(tiles, "checkpoint")); err != nil {
		t.Error(err)
	}
	d.must("audit", "verify") // there is a checkpoint by now
	if out := d.must("audit", "verify", "--new"); !strings.Contains(out, "all sound") || !strings.Contains(out, "were verified at") {
		t.Errorf("verify --new: %s", out)
	}
	if out, status := d.command("audit", "verify", "--places"); status != exitFailed || !strings.Contains(out, "audit.checkpoints names none") {
		t.Errorf("verify --places: status %d, %s", status, out)
	}
	if out := d.must("audit", "reindex"); out != "1 segment\n" {
		t.Errorf("reindex: %q", out)
	}
}

func globbed(t *testing.T, dir, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v, %v", pattern, paths, err)
	}
	return paths
}

// readFiles returns the files that match, by name.
func readFiles(t *testing.T, dir, pattern string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, path := range globbed(t, dir, pattern) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = content
	}
	return files
}
