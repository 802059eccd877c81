package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What listens at NOTIFY_SOCKET hears what systemd would; without one nothing is said, and one
// that is gone is an error.
func TestServiceManagerIsTold(t *testing.T) { // not in parallel: it sets the environment
	dir, err := os.MkdirTemp("", "notify") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{filepath.Join(dir, "socket"), "@" + dir} {
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("NOTIFY_SOCKET", name)
		if err := tellServiceManager("READY=1"); err != nil {
			t.Fatal(err)
		}
		heard := make([]byte, 64)
		if n, err := c.Read(heard); err != nil || string(heard[:n]) != "READY=1" {
			t.Errorf("%q %v", heard[:n], err)
		}
		c.Close()
		if err := tellServiceManager("READY=1"); err == nil {
			t.Errorf("nobody listens at %s any more, and nothing is said", name)
		}
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if err := tellServiceManager("READY=1"); err != nil {
		t.Error(err)
	}
}

// The unit keeps from the proxy what it does not need: systemd rates its exposure at 2.0 at most.
func TestUnitIsConfined(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("systemd-analyze")
	need(t, "systemd", err == nil, "Debian package systemd")
	unit := filepath.Join("..", "..", "examples", "systemd", "sfmcp-proxy.service")
	out, err := exec.Command(program, "security", "--offline=true", "--threshold=20", "--no-pager", unit).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{"Type=notify", "DynamicUser=yes", "LoadCredential=sealing-keys:"} {
		if !strings.Contains(read(t, unit), want) {
			t.Errorf("the unit has no %s", want)
		}
	}
}
