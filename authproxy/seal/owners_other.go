//go:build !unix

package seal

import "io/fs"

// ownersOf returns who a file belongs to; false: it is not known.
func ownersOf(fs.FileInfo) (owners, bool) { return owners{}, false }
