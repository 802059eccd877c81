//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sfmcp-proxy/config"
)

// SR-ST-4: commands that root runs beside a proxy of another user leave nothing that it cannot read: the folder's owner gets what
// they have made, of the log and beside the key file, and nothing else. A key file that is rotated belongs to whom it belonged to.
func TestRootHandsBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	t.Parallel()
	const service = 65533
	d := startDemo(t)
	c := d.connect("sobject-reads", rep)
	c.call("getUserInfo", map[string]any{})
	foreign := filepath.Join(d.dir, "not-ours")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(d.dir, service, service); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(d.dir, "audit"), service, service); err != nil {
		t.Fatal(err)
	}
	d.must("stop", "writes")
	owners := func(path string) uint32 {
		is, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return is.Sys().(*syscall.Stat_t).Uid
	}
	for _, name := range []string{"audit/checkpoint", "audit/00000000000000000001.log", "keys", "keys.checkpoint", "proxy.db"} {
		if uid := owners(filepath.Join(d.dir, name)); uid != service {
			t.Errorf("%s belongs to %d", name, uid)
		}
	}
	if err := os.Chown(filepath.Join(d.dir, "keys"), service+1, service+1); err != nil { // in a folder of somebody else
		t.Fatal(err)
	}
	d.must("key", "rotate")
	if uid := owners(filepath.Join(d.dir, "keys")); uid != service+1 {
		t.Errorf("the rotated key file belongs to %d", uid)
	}
	if uid := owners(foreign); uid != 0 {
		t.Errorf("another file belongs to %d", uid)
	}
}

// SR-ST-4: so does what root runs before the first start, where the state folder is a symbolic link, as systemd's of a unit with
// DynamicUser, and the folders of the log are not there yet; and what root has put back there by hand.
func TestRootHandsBackBehindALink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	t.Parallel()
	const service = 65533
	dir := t.TempDir()
	state, file := filepath.Join(dir, "private", "state"), filepath.Join(dir, "sfmcp-proxy.yaml")
	text := strings.NewReplacer("keys_file: keys", "keys_file: state/keys", "sqlite:proxy.db", "sqlite:state/proxy.db").Replace(twoOrgs) +
		"audit: {dir: state/log/audit}\nexports: [{name: collector, kind: file, path: state/audit.jsonl}]\n"
	for _, err := range []error{os.MkdirAll(state, 0o700), os.Chown(state, service, service), os.Symlink("private/state", filepath.Join(dir, "state")),
		os.WriteFile(file, []byte(text), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	must := func(words ...string) {
		t.Helper()
		var out strings.Builder
		if status := run(t.Context(), append(words, "--config", file), &out, &out); status != exitDone {
			t.Fatalf("%v: status %d\n%s", words, status, out.String())
		}
	}
	must("key", "generate")
	must("user", "block", "005xx000001Sv6AAAS", "--reason", "left the company")
	for _, name := range []string{"proxy.db", "log/audit"} { // as whoever puts something back, or an earlier version, leaves it
		if err := os.Chown(filepath.Join(state, name), 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	must("user", "list")
	must("key", "rotate")
	must("export", "test", "collector")
	found := map[string]bool{}
	if err := filepath.WalkDir(state, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		is, err := os.Stat(path)
		if err == nil && is.Sys().(*syscall.Stat_t).Uid != service {
			t.Errorf("%s does not belong to the service", path)
		}
		found[entry.Name()] = true
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keys", "keys.checkpoint", "keys.lock", "keys.in-use", "proxy.db", "checkpoint", "lock.checkpoints", "audit.jsonl"} {
		if !found[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// A log that is in the database has no folder: one of that name, wherever root is, is somebody else's.
func TestRootHandsBackNoFolderNamedDatabase(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	t.Chdir(t.TempDir())
	file := filepath.Join("database", "not-ours")
	for _, err := range []error{os.Mkdir("database", 0o700), os.WriteFile(file, nil, 0o600), os.Chown("database", 65533, 65533)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := handBack(&config.Config{Database: "postgres://localhost/x", Audit: config.Audit{Dir: config.AuditInDatabase}}); err != nil {
		t.Fatal(err)
	}
	if is, err := os.Stat(file); err != nil || is.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("a file of somebody else was given away: %v", err)
	}
}

// Files of checkpoints that root has written, as when it acknowledged something, belong to whom their folder does.
func TestRootHandsBackCheckpoints(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	t.Parallel()
	dir := t.TempDir()
	in, one, other := filepath.Join(dir, "places", "proxy-audit-1"), filepath.Join(dir, "one", "checkpoint"), filepath.Join(dir, "one", "not-ours")
	for _, path := range []string{in, one, other} {
		_ = os.Mkdir(filepath.Dir(path), 0o700)
		for _, err := range []error{os.WriteFile(path, nil, 0o600), os.Chown(filepath.Dir(path), 65533, 65533)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := handBack(&config.Config{Database: "postgres://localhost/x", Audit: config.Audit{Dir: config.AuditInDatabase,
		Checkpoints: []config.Checkpoint{{File: filepath.Join(dir, "places") + "/"}, {File: one}}}}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint32{in: 65533, one: 65533, other: 0} {
		if is, err := os.Stat(path); err != nil || is.Sys().(*syscall.Stat_t).Uid != want {
			t.Errorf("%s does not belong to %d: %v", path, want, err)
		}
	}
}
