//go:build !unix

package main

import "os"

// stopSignals are none where there is no signal that programs may choose the meaning of; the
// file stops there too.
var stopSignals []os.Signal
