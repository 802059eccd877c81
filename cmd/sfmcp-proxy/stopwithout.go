package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/config"
)

// notOpenedError is why what is stored could not be opened: nothing was done.
type notOpenedError struct{ error }

// Unwrap gives the cause.
func (e notOpenedError) Unwrap() error { return e.error }

// stopWithout adds to the error of a command that takes access away what needs neither the database nor the log:
// the kill switch of this machine. It does so where one of these is what failed, and the switch is not on. Where the database
// was moved it does not: the proxy may look for that file elsewhere than this configuration says.
func stopWithout(cmd *cobra.Command, err error) error {
	if _, moved := errors.AsType[*db.MovedError](err); err == nil || moved || !ofStorage(err) {
		return err
	}
	file, _ := cmd.Flags().GetString("config") // an error is that there is no such flag
	c, _, loadErr := config.LoadPart(file, os.Environ(), config.ForCutoff...)
	if loadErr != nil {
		return err
	}
	stop := c.Access().StopFile
	if _, is := stop.Stopped(); is {
		return err
	}
	path := stop.Path()
	if whole, absErr := filepath.Abs(path); absErr == nil {
		path = whole
	}
	signal := ""
	if len(stopSignals) > 0 {
		signal = ", or send the proxy the signal SIGUSR1, which needs no room on the disk"
	}
	return fmt.Errorf("%w\nto stop every call on this machine without the database, make the file %s (touch)%s; whoever removes the file lifts that", err, path, signal)
}

// ofStorage reports whether an error is one of the database, of its disk, or of that of the log or the keys.
func ofStorage(err error) bool {
	if _, is := errors.AsType[notOpenedError](err); is || errors.Is(err, errNotRefused) || errors.Is(err, fs.ErrPermission) {
		return true
	}
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO} {
		if errors.Is(err, errno) {
			return true
		}
	}
	switch db.FailureOf(err) {
	case db.OtherFailure, db.Duplicate:
		return false
	}
	return true
}
