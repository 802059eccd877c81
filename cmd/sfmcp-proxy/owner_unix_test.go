//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
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
