package seal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// MakeDirectory makes a directory for files that only its owner may read, and what is missing above it. What root
// makes belongs to whoever the directory above it belongs to: a proxy of another user is to write there.
// Once it returns they are there, also after a loss of power: whoever then has a file in it synced, and
// the directory with [SyncDirectory], has it.
func MakeDirectory(dir string) error {
	var missing []string
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, at)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, made := range slices.Backward(missing) { // the uppermost first
		if err := keepDirectory(made); err != nil {
			return err
		}
		if err := SyncDirectory(filepath.Dir(made)); err != nil {
			return err
		}
	}
	return nil
}
