//go:build unix

package seal

import (
	"errors"
	"os"
	"syscall"
)

// lock waits until no other process has the file locked. Closing it, or the end of the
// process, unlocks.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// SyncDirectory makes names in a directory last.
func SyncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
