//go:build !linux

package logfile

import "errors"

func mountMemory(string, int) error { return errors.New("only on Linux") }
func unmount(string) error          { return nil }
