//go:build unix

package seal

import (
	"io/fs"
	"syscall"
)

// ownersOf returns who a file belongs to; false: it is not known.
func ownersOf(stat fs.FileInfo) (owners, bool) {
	s, ok := stat.Sys().(*syscall.Stat_t)
	if !ok {
		return owners{}, false
	}
	return owners{int(s.Uid), int(s.Gid)}, true
}
