package logfile

import (
	"errors"
	"os"
	"syscall"
)

// syncData puts the content of f on disk, and what of its state is needed to read it.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// networkFileSystem names the network file system that dir is on; "": none that is known
// (statfs(2) has the numbers).
func networkFileSystem(dir string) string {
	var state syscall.Statfs_t
	if syscall.Statfs(dir, &state) != nil {
		return ""
	}
	return map[uint32]string{
		0x6969: "NFS", 0x517b: "SMB", 0xff534d42: "CIFS", 0xfe534d42: "SMB2", 0x5346414f: "AFS", 0x6b414653: "AFS",
		0x00c36400: "Ceph", 0x0bd00bd0: "Lustre", 0x7461636f: "OCFS2", 0x01161970: "GFS2", 0x73757245: "Coda", 0x564c: "NCP",
	}[uint32(state.Type)]
}
