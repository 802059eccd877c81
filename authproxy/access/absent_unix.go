//go:build unix

package access

import "syscall"

// isAbsent reports whether there is nothing at path, as cheaply as that can be told: calls that
// come alone ask for it. False says nothing.
func isAbsent(path string) bool {
	var state syscall.Stat_t
	return syscall.Lstat(path, &state) == syscall.ENOENT
}
