//go:build unix

package main

import (
	"os"
	"syscall"
)

// stopSignals stop everything on this machine.
var stopSignals = []os.Signal{syscall.SIGUSR1}
