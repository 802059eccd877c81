package db

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// boundSilence bounds how long what was sent may stay without receipt (tcp(7),
// TCP_USER_TIMEOUT), which keep-alive alone does not: it asks only while nothing is under way.
func boundSilence(network, _ string, c syscall.RawConn) (err error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	if failed := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
	}); failed != nil {
		return failed
	}
	return err
}
