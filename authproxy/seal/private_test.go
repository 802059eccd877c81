//go:build unix

package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mounted is a file as the system describes it.
type mounted struct {
	mode fs.FileMode
	of   owners
}

func (m mounted) Name() string       { return "secret" }
func (m mounted) Size() int64        { return 1 }
func (m mounted) Mode() fs.FileMode  { return m.mode }
func (m mounted) ModTime() time.Time { return time.Time{} }
func (m mounted) IsDir() bool        { return false }
func (m mounted) Sys() any {
	return &syscall.Stat_t{Uid: uint32(m.of.user), Gid: uint32(m.of.group)}
}

// S9: a secret that root lets our group read, as Kubernetes mounts it, is private; nothing
// else is that others than the owner have a right to.
func TestS9SecretsOfAPodAreRead(t *testing.T) {
	t.Parallel()
	pod := process{user: 65532, groups: []int{65532, 2000}}
	for name, tt := range map[string]struct {
		mode  fs.FileMode
		of    owners
		as    process
		reads bool
	}{
		"mounted with fsGroup":       {0o440, owners{0, 2000}, pod, true},
		"root's, for our main group": {0o640, owners{0, 65532}, pod, true},
		"another group":              {0o440, owners{0, 3000}, pod, false},
		"the group may write":        {0o460, owners{0, 2000}, pod, false},
		"the group may execute":      {0o450, owners{0, 2000}, pod, false},
		"everybody reads":            {0o444, owners{0, 2000}, pod, false},
		"everybody, and not we":      {0o404, owners{0, 2000}, pod, false},
		"everybody writes":           {0o442, owners{0, 2000}, pod, false},
		"ours":                       {0o440, owners{65532, 2000}, pod, false},
		"of another user":            {0o440, owners{1000, 2000}, pod, false},
		"root's, and we are root":    {0o440, owners{0, 0}, process{0, []int{0}}, false},
		"root, with the pod's group": {0o440, owners{0, 2000}, process{0, []int{0, 2000}}, false},
		"no groups":                  {0o440, owners{0, 2000}, process{user: 65532}, false},
	} {
		if got := readByOurGroup(mounted{tt.mode, tt.of}, tt.as); got != tt.reads {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The same with a real file, whose owner a test that is root can set.
func TestS9OwnersOfAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, nil, 0o440); err != nil {
		t.Fatal(err)
	}
	want := owners{os.Geteuid(), os.Getegid()}
	if os.Geteuid() == 0 {
		want = owners{0, 2000}
		if err := os.Chown(file, want.user, want.group); err != nil {
			t.Fatal(err)
		}
	}
	stat, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, known := ownersOf(stat); !known || got != want {
		t.Errorf("%+v %v, want %+v", got, known, want)
	}
	if reads := readByOurGroup(stat, process{65532, []int{2000}}); reads != (os.Geteuid() == 0) {
		t.Errorf("a process of group 2000 reads it: %v", reads)
	}
}

// SR-ST-4: an error about a file that is somebody else's says whose, and what mends it; of one's own it adds nothing.
func TestOwnerIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, cause := filepath.Join(dir, "checkpoint"), &fs.PathError{Op: "open", Path: "checkpoint", Err: syscall.EACCES}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	own, another := os.Geteuid(), os.Geteuid()+4711
	err := ownerOf(cause, process{user: another}, filepath.Join(dir, "absent"), file)
	if want := fmt.Sprintf("this process runs as user %d: as root, chown %d:", another, another); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), file) {
		t.Errorf("of a file: %v", err)
	}
	if again := NameOwner(err); again != err {
		t.Errorf("it is named twice: %v", again)
	}
	if err := ownerOf(cause, process{user: another}, dir); !strings.Contains(err.Error(), "chown -R ") {
		t.Errorf("of a folder: %v", err)
	}
	if err := ownerOf(cause, process{user: own}, file, dir); err != error(cause) {
		t.Errorf("of its own file: %v", err)
	}
}

// A command that root runs beside a unit of systemd finds its credentials as private as the unit does; nobody else,
// nowhere else, and in no other mode.
func TestCredentialsOfAUnitArePrivateToRoot(t *testing.T) {
	t.Parallel()
	const path = "/run/credentials/sfmcp-proxy.service/secret"
	for name, c := range map[string]struct {
		path string
		file mounted
		by   process
		want bool
	}{
		"root":           {path, mounted{0o440, owners{0, 0}}, process{user: 0}, true},
		"another user":   {path, mounted{0o440, owners{0, 0}}, process{user: 1000}, false},
		"another's file": {path, mounted{0o440, owners{1000, 0}}, process{user: 0}, false},
		"everybody's":    {path, mounted{0o444, owners{0, 0}}, process{user: 0}, false},
		"writable":       {path, mounted{0o460, owners{0, 0}}, process{user: 0}, false},
		"no folder":      {"/run/credentials/secret", mounted{0o440, owners{0, 0}}, process{user: 0}, false},
		"out of it":      {"/run/credentials/../../etc/secret", mounted{0o440, owners{0, 0}}, process{user: 0}, false},
		"elsewhere":      {"/etc/sfmcp-proxy/secret", mounted{0o440, owners{0, 0}}, process{user: 0}, false},
	} {
		if got := isOfUnit(c.path, c.file, c.by); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
