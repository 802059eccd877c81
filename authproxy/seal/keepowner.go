package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// KeepOwner gives a file that is to take the place of the one at path to whoever that one belongs to, or its folder where
// there is none: what root writes beside a proxy of another user is to be read by it. Only root can give files
// away; where the system does not let it, the file stays as it is. A folder that is a symbolic link, as systemd's state
// folder of a unit with DynamicUser, is the one that it leads to.
func KeepOwner(file *os.File, path string) {
	if os.Geteuid() != 0 {
		return
	}
	is, err := os.Stat(path)
	if err != nil {
		is, err = os.Stat(filepath.Dir(path))
	}
	if err != nil {
		return
	}
	if of, ok := ownersOf(is); ok {
		_ = file.Chown(of.user, of.group)
	}
}

// keepDirectory gives a directory that was made just now to whoever the one above it belongs to.
func keepDirectory(made string) error {
	dir, err := os.Open(made)
	if err != nil {
		return err
	}
	KeepOwner(dir, filepath.Dir(made))
	return dir.Close()
}

// ownerError is an error about a file that belongs to another user than this process's.
type ownerError struct {
	error
	is string // whose it is, and what mends that
}

// Error is the cause, and whose the file is.
func (e *ownerError) Error() string { return e.error.Error() + ": " + e.is }

// Unwrap gives the cause.
func (e *ownerError) Unwrap() error { return e.error }

// NameOwner adds to an error of a permission, about a file that this process has to read or write, whom that file, or
// the folder that it was to be made in, belongs to, and what mends it. Other errors are as they were.
func NameOwner(err error) error {
	if _, named := errors.AsType[*ownerError](err); named || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	path := ""
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		path = of.Path
	} else if of, ok := errors.AsType[*os.LinkError](err); ok {
		path = of.New
	}
	if path == "" {
		return err
	}
	return OwnerOf(err, path, filepath.Dir(path))
}

// OwnerOf does so where the error does not name the files: the first of paths that is there and belongs to another user
// is the one.
func OwnerOf(err error, paths ...string) error { return ownerOf(err, thisProcess(), paths...) }

func ownerOf(err error, self process, paths ...string) error {
	for _, path := range paths {
		is, statErr := os.Stat(path)
		if statErr != nil {
			continue
		}
		if of, known := ownersOf(is); known && of.user != self.user && self.user != 0 {
			all := ""
			if is.IsDir() {
				all = "-R "
			}
			return &ownerError{err, fmt.Sprintf("%s belongs to %s, and this process runs as %s: as root, chown %s%d:%d %s",
				path, userName(of.user), userName(self.user), all, self.user, os.Getegid(), path)}
		}
	}
	return err
}

func userName(id int) string {
	if id == 0 {
		return "root"
	}
	return fmt.Sprintf("user %d", id)
}
