package seal

import (
	"os"
	"path/filepath"
)

// KeepOwner gives a file that is to take the place of the one at path to whoever that one belongs to, or its folder where
// there is none: what root writes beside a proxy of another user is to be read by it. Only root can give files
// away; where the system does not let it, the file stays as it is.
func KeepOwner(file *os.File, path string) {
	if os.Geteuid() != 0 {
		return
	}
	is, err := os.Lstat(path)
	if err != nil {
		is, err = os.Lstat(filepath.Dir(path))
	}
	if err != nil {
		return
	}
	if of, ok := ownersOf(is); ok {
		_ = file.Chown(of.user, of.group)
	}
}
