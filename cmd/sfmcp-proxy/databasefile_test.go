package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// prepareServed makes the folder of a product that will run as a process of its own, in front of
// a simulated Salesforce in this one. database is its URL; "": a file in the folder.
func prepareServed(t *testing.T, dir, database string) (*demo, *replica) {
	t.Helper()
	public := freePort(t)
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{"http://" + public + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	r := &replica{t: t, file: filepath.Join(dir, "proxy.yaml"), listen: public, adminL: freePort(t)}
	if err := demonstration.WriteConfig(r.file, demonstration.Addresses{
		PublicURL: "http://" + public, Listen: public, AdminListen: r.adminL, SalesforceURL: sim.BaseURL()}); err != nil {
		t.Fatal(err)
	}
	if database != "" {
		changeFile(t, r.file, "database: sqlite:proxy.db", fmt.Sprintf("database: %q", database))
	}
	c, err := config.Load(r.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(c.KeysFile); err != nil {
		t.Fatal(err)
	}
	return &demo{t: t, dir: dir, Setup: setupOf(c, sim, r.file)}, r
}

// changeFile replaces a part of a file that must be there.
func changeFile(t *testing.T, path, old, by string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q:\n%s", path, old, text)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, by, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// decidesNothing checks that calls are answered 503 from now on, and that whoever asks for its
// state hears why.
func (d *demo) decidesNothing(c *mcpClient, why string) {
	d.t.Helper()
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusServiceUnavailable {
		d.t.Errorf("a call: %d %s", r.Status, r.body)
	}
	if status, text := d.private("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(text, why) {
		d.t.Errorf("readyz: %d %s", status, text)
	}
}

// FT-37: the database of a running proxy is deleted. From the next request on nothing is decided, no
// reload and no command makes a database in its place, and what the handbook says saves all of it.
func TestFaultFT37DeletedWhileItRuns(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	dir := t.TempDir()
	dbtest.SQLite(t, dir)
	d, r := prepareServed(t, dir, "")
	r.start()
	c := d.connect("sobject-all", rep)
	d.connect("sobject-all", manager)
	d.must("user", "block", manager)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, "proxy.db"+suffix)); err != nil {
			t.Fatal(err)
		}
	}
	d.decidesNothing(c, "was deleted or moved away")
	// A reload, without the note that would keep a start from it.
	if err := os.Rename(filepath.Join(dir, "keys.in-use"), filepath.Join(dir, "noted")); err != nil {
		t.Fatal(err)
	}
	changeFile(t, r.file, "title: Sales, read only", "title: Sales, to read")
	if err := r.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, plenty, "the reload is refused", func() bool {
		return strings.Contains(r.log.String(), "configuration cannot be used")
	})
	if err := os.Rename(filepath.Join(dir, "noted"), filepath.Join(dir, "keys.in-use")); err != nil {
		t.Fatal(err)
	}
	if out, status := d.command("user", "block", rep); status != exitFailed || !strings.Contains(out, "is gone") {
		t.Errorf("a command: status %d\n%s", status, out)
	}
	d.decidesNothing(c, "was deleted or moved away")
	if names, _ := filepath.Glob(filepath.Join(dir, "proxy.db*")); len(names) > 0 {
		t.Errorf("in its place there is %s", names)
	}
	eventually(t, plenty, "the log says it", func() bool { return strings.Contains(r.log.String(), "no request is answered") })

	rescue := t.TempDir()
	savedFromProcess(t, r.process.Process.Pid, rescue)
	r.process.Process.Signal(syscall.SIGTERM)
	ends(t, r.process, plenty)
	for _, name := range []string{"proxy.db", "proxy.db-wal"} {
		if err := os.Rename(filepath.Join(rescue, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	if out := d.must("user", "list", "--json"); !strings.Contains(out, `"blocked":true`) {
		t.Errorf("what was saved:\n%s", out)
	}
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK {
		t.Errorf("a call afterwards: %d %s", r.Status, r.body)
	}
	d.must("audit", "verify")
}

// savedFromProcess copies what a process has open of a database that was deleted, as the handbook says.
func savedFromProcess(t *testing.T, pid int, to string) {
	t.Helper()
	opened := fmt.Sprintf("/proc/%d/fd", pid)
	numbers, err := os.ReadDir(opened)
	if err != nil {
		t.Skip("this system does not show what a process has open: ", err)
	}
	for _, n := range numbers {
		target, err := os.Readlink(filepath.Join(opened, n.Name()))
		name := strings.TrimSuffix(filepath.Base(target), " (deleted)")
		if err != nil || name != "proxy.db" && name != "proxy.db-wal" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(opened, n.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// FT-37: an older copy is put in the place of the database of a running proxy. It is not taken for
// the database, by nobody, and what was there goes on when it is back.
func TestFaultFT37ReplacedWhileItRuns(t *testing.T) {
	t.Parallel()
	dir, aside := t.TempDir(), t.TempDir()
	dbtest.SQLite(t, dir)
	d, r := prepareServed(t, dir, "")
	path := filepath.Join(dir, "proxy.db")
	older, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	c := d.connect("sobject-all", rep)
	if err := os.Rename(path, filepath.Join(aside, "proxy.db")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, older, 0o600); err != nil {
		t.Fatal(err)
	}
	d.decidesNothing(c, "was replaced by another one")
	eventually(t, plenty, "the log says it", func() bool { return strings.Contains(r.log.String(), "no request is answered") })
	if err := os.Rename(filepath.Join(aside, "proxy.db"), path); err != nil {
		t.Fatal(err)
	}
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK {
		t.Errorf("with its database again: %d %s", r.Status, r.body)
	}
	eventually(t, plenty, "the log says that it is over", func() bool { return strings.Contains(r.log.String(), "requests are answered again") })
}

// needStrace is for tests that look at the system calls of a process, or have them fail.
func needStrace(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err == nil {
		err = exec.Command(path, "-f", "--seccomp-bpf", "-o", os.DevNull, "-e", "trace=fsync", "true").Run()
	}
	need(t, "strace", err == nil, "Debian package strace, on a system that allows a process to trace its children")
}

// failing has the system calls of a process on the files of its database fail until the
// returned function is called.
func failing(t *testing.T, r *replica, dir, errno string) (over func()) {
	t.Helper()
	args := []string{"-f", "-q", "-o", os.DevNull, "-p", fmt.Sprint(r.process.Process.Pid), "-e", "trace=pwrite64,fdatasync,fsync", "-e", "inject=pwrite64,fdatasync,fsync:error=" + errno}
	for _, suffix := range []string{"", "-wal"} {
		args = append(args, "-P", filepath.Join(dir, "proxy.db"+suffix))
	}
	tracer := exec.Command("strace", args...)
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	traced := func() bool {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", r.process.Process.Pid))
		for _, task := range tasks {
			status, readErr := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", r.process.Process.Pid, task.Name()))
			if readErr != nil && !os.IsNotExist(readErr) && !strings.Contains(readErr.Error(), fs.ErrNotExist.Error()) {
				return false
			}
			if readErr == nil && strings.Contains(string(status), "TracerPid:\t0\n") {
				return false
			}
		}
		return err == nil
	}
	eventually(t, plenty, "the process is traced", traced)
	return func() {
		tracer.Process.Signal(syscall.SIGTERM) // it lets go of the process
		tracer.Wait()
	}
}

// FT-37: the disk of a running proxy refuses to write or sync the database, for a while. Nothing
// that needs it is done, nothing is decided once it is noticed, and it goes on by itself.
func TestFaultFT37DiskOfARunningProxyFails(t *testing.T) {
	t.Parallel()
	needStrace(t)
	dir := t.TempDir()
	dbtest.SQLite(t, dir)
	d, r := prepareServed(t, dir, "")
	r.start()
	c := d.connect("sobject-all", rep)
	for _, errno := range []string{"EIO", "EROFS"} {
		over := failing(t, r, dir, errno)
		name := "Failed " + errno + " Ltd"
		if r := c.call("createSobjectRecord", account(name)); r.Status == http.StatusOK && !r.Result.IsError || strings.Contains(r.text(), "/approvals/") {
			t.Errorf("%s: held or made: %d %s", errno, r.Status, r.body)
		}
		d.decidesNothing(c, "the disk does not read or write the database file")
		over()
		eventually(t, plenty, "it goes on", func() bool { status, _ := d.private("/readyz"); return status == http.StatusOK })
		d.approvalURL(c.call("createSobjectRecord", account(name)))
	}
	d.must("audit", "verify")
}
