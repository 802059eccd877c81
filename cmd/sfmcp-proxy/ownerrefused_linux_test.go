package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sfmcp-proxy/config"
)

// A place that takes no other owner, as one that is mounted to be read alone, or a file that may not be changed, keeps what root has
// there: a command that has made nothing in it does not fail.
func TestRootHandsBackNothingWhereItMayNot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	t.Parallel()
	t.Run("mounted to be read", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Skip("nothing can be mounted here:", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		keptOwner(t, dir, syscall.EROFS, func(string) error { return unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "") })
	})
	t.Run("not to be changed", func(t *testing.T) {
		t.Parallel()
		keptOwner(t, t.TempDir(), syscall.EPERM, func(file string) error {
			if err := changeable(file, false); err != nil {
				t.Skip("no file can be kept from being changed here:", err)
			}
			t.Cleanup(func() {
				if err := changeable(file, true); err != nil {
					t.Error(err)
				}
			})
			return nil
		})
	})
}

// keptOwner hands back a file of root's in a folder that is somebody else's after protect has made changing its owner fail with want.
func keptOwner(t *testing.T, dir string, want syscall.Errno, protect func(file string) error) {
	t.Helper()
	file := filepath.Join(dir, "keys")
	for _, err := range []error{os.WriteFile(file, nil, 0o600), os.Chown(dir, 65533, 65533), protect(file)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Lchown(file, 65533, 65533); !errors.Is(err, want) {
		t.Fatalf("its owner can be changed: %v, expected %v", err, want)
	}
	if err := handBack(&config.Config{KeysFile: file}); err != nil {
		t.Error(err)
	}
}

// immutable is FS_IMMUTABLE_FL of linux/fs.h.
const immutable = 0x10

// changeable sets whether a file may be changed, by root either.
func changeable(file string, may bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	if flags |= immutable; may {
		flags &^= immutable
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
}
