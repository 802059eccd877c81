package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ErrNotPrivate means that others than its owner may read or write a file that holds a secret.
var ErrNotPrivate = errors.New("may be read by others")

// CheckPrivate reports an [ErrNotPrivate] with the mode if a file that holds a secret has a
// right for its group or for everybody.
//
// One such right is no problem: root lets a group of this process read the file, and the
// process is not root. Kubernetes mounts secrets so where a pod has an fsGroup (root:GROUP,
// mode 0440, whatever defaultMode says), and a process that is not root has no other way to
// read them; distributions do so with private keys (root:ssl-cert, 0640). Who is in the group
// is root's decision. The same right on a file of the process's own user is refused: there
// the group is whatever the user's happened to be, and chmod is possible.
func CheckPrivate(path string) error {
	stat, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := stat.Mode().Perm(); mode&0o077 != 0 && !readByOurGroup(stat, thisProcess()) && !isCredential(path, mode) && !isOfUnit(path, stat, thisProcess()) {
		return fmt.Errorf("%s %w (mode %04o): chmod 600 it", path, ErrNotPrivate, mode)
	}
	return nil
}

// isCredential says whether a file is one of systemd's for this unit, which nobody else can
// reach: it belongs to root, and an access list lets the unit's user read it, whose mask stands
// where the right of the group does (0440).
func isCredential(path string, mode fs.FileMode) bool {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	return dir != "" && filepath.Dir(path) == filepath.Clean(dir) && mode&0o077 == 0o040
}

// unitCredentials is where systemd keeps the credentials of its units, each unit's in a folder of its own that root makes.
const unitCredentials = "/run/credentials"

// isOfUnit says whether a file is one of them and the process is root's, as a command beside the unit: it
// has no variable that says so. To any other process such a file is a file like all.
func isOfUnit(path string, stat fs.FileInfo, p process) bool {
	of, known := ownersOf(stat)
	return known && p.user == 0 && of.user == 0 && stat.Mode().Perm()&0o077 == 0o040 && filepath.Dir(filepath.Dir(filepath.Clean(path))) == unitCredentials
}

// owners are who a file belongs to.
type owners struct{ user, group int }

// process is as whom one runs; its groups are all of them.
type process struct {
	user   int
	groups []int
}

func thisProcess() process {
	groups, _ := os.Getgroups() // an error: none
	return process{os.Geteuid(), append(groups, os.Getegid())}
}

// readByOurGroup says whether a file of root's has no right for others than its owner but
// that a group of the process, which is not root, reads it.
func readByOurGroup(stat fs.FileInfo, p process) bool {
	of, known := ownersOf(stat)
	return known && stat.Mode().Perm()&0o077 == 0o040 && of.user == 0 && p.user != 0 && slices.Contains(p.groups, of.group)
}
