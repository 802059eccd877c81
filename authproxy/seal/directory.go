package seal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeDirectory makes a directory for files that only its owner may read, and what is missing above it.
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
	for _, made := range missing {
		if err := SyncDirectory(filepath.Dir(made)); err != nil {
			return err
		}
	}
	return nil
}
