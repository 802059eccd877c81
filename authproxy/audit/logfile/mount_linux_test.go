package logfile

import (
	"fmt"
	"syscall"
)

// mountMemory puts a file system of so many bytes at dir.
func mountMemory(dir string, bytes int) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes))
}

func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
