package main

import (
	"fmt"
	"net"
	"os"
)

// tellServiceManager tells systemd a state of the process (READY=1, STOPPING=1), as a unit with
// Type=notify wants (sd_notify(3)). Without NOTIFY_SOCKET nobody asked.
func tellServiceManager(state string) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"}) // a leading @ is an abstract name
	if err == nil {
		_, err = c.Write([]byte(state))
		c.Close()
	}
	if err != nil {
		return fmt.Errorf("telling the service manager %s: %w", state, err)
	}
	return nil
}
