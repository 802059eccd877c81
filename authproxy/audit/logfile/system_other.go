//go:build !linux

package logfile

import "os"

// syncData puts f on disk.
func syncData(f *os.File) error { return f.Sync() }

// networkFileSystem cannot tell here.
func networkFileSystem(string) string { return "" }
