package demonstration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// An address that another program has is no riddle: what to type is said.
func TestTakenAddress(t *testing.T) {
	t.Parallel()
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	address, next := held.Addr().String(), held.Addr().(*net.TCPAddr).Port%65535+1
	for flag, c := range map[string]Config{
		"--listen":            {Listen: address, SalesforceListen: "127.0.0.1:0"},
		"--salesforce-listen": {Listen: "127.0.0.1:0", SalesforceListen: address},
		"--company-listen":    {Listen: "127.0.0.1:0", SalesforceListen: "127.0.0.1:0", CompanyListen: address},
	} {
		running := ""
		if flag == "--listen" {
			running = fmt.Sprintf(" if a demo runs there already, use it at http://%s;", address)
		}
		want := fmt.Sprintf("%s;%s name another with %s 127.0.0.1:%d", syscall.EADDRINUSE, running, flag, next)
		if _, err := Open(c); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// Two demonstrations in one folder would share a database, and the first would be left with the configuration of the
// second. Neither is a configuration written over that somebody else wrote.
func TestFolderOfAnother(t *testing.T) {
	t.Parallel()
	c := Config{Listen: "127.0.0.1:0", SalesforceListen: "127.0.0.1:0", Folder: t.TempDir()}
	first, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	file := first.Setup.ConfigFile
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	unchanged := func(want string) {
		t.Helper()
		if now, err := os.ReadFile(file); err != nil || string(now) != want {
			t.Errorf("%v: the configuration is\n%s", err, now)
		}
	}
	if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "--data: a demo runs in "+c.Folder+" already: use that one, whose addresses are in "+file) {
		t.Errorf("while one runs: %v", err)
	}
	unchanged(string(before))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(c)
	if err == nil {
		err = again.Close()
	}
	if err != nil {
		t.Errorf("once it ended: %v", err)
	}
	const own = "public_url: https://mcp.example.com\n"
	if err := os.WriteFile(file, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	beside, err := Open(c)
	if err == nil {
		err = beside.Close()
	}
	if err != nil || beside.Saved != file+".saved" {
		t.Fatalf("beside another configuration: %v, %+v", err, beside)
	}
	if kept, err := os.ReadFile(beside.Saved); err != nil || string(kept) != own {
		t.Errorf("%v: of the other configuration there is\n%s", err, kept)
	}
	if err := os.WriteFile(file, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "was not written by a demo") {
		t.Errorf("beside two: %v", err)
	}
	unchanged(own)
}

// What is announced is what the configuration has, and a temporary folder does not stay.
func TestAnnouncementNamesTheConfiguredServers(t *testing.T) {
	t.Parallel()
	d, err := Open(Config{Listen: "127.0.0.1:0", SalesforceListen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(d.Setup.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	var person, program bytes.Buffer
	if err := errors.Join(d.Setup.Announce(&person, false), d.Setup.Announce(&program, true)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "upstream:"); n != len(d.Setup.MCPURLs) {
		t.Errorf("%d servers are configured, %d announced", n, len(d.Setup.MCPURLs))
	}
	for name, url := range d.Setup.MCPURLs {
		if !strings.Contains(string(text), "- name: "+name+"\n") || !strings.Contains(person.String(), url) {
			t.Errorf("%s is not configured, or %s not announced", name, url)
		}
	}
	var setup Setup
	if err := json.Unmarshal(program.Bytes(), &setup); err != nil || setup.ConfigFile != d.Setup.ConfigFile || len(setup.Users) == 0 {
		t.Errorf("%v in %s", err, &program)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(d.Setup.ConfigFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the configuration stays: %v", err)
	}
}
