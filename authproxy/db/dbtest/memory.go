package dbtest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sfmcp-proxy/authproxy/db"
)

// InMemory lets the temporary directories of this process and of those that it starts be
// in memory, where there is room: what a test writes durably costs no disk then. It does
// so for the whole process; remove is for its end.
func InMemory() (remove func(), err error) {
	parent := inMemory()
	if parent == "" {
		return func() {}, nil
	}
	dir, err := makeDir(parent)
	if err != nil {
		return nil, err
	}
	if err := os.Setenv("TMPDIR", dir); err != nil {
		return nil, err
	}
	return func() { _ = os.RemoveAll(dir) }, nil
}

// inMemory is a directory that is kept in memory and has room, where a database is made in
// a fifth of the time; "" if there is none.
func inMemory() string {
	const shared, room = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shared, &fs); err != nil || uint64(fs.Bavail)*uint64(fs.Bsize) < room {
		return ""
	}
	return shared
}

// makeDir makes a directory of this process, and removes those of test binaries that were
// killed.
func makeDir(parent string) (string, error) {
	left, _ := filepath.Glob(filepath.Join(parent, "dbtest-*-*"))
	for _, dir := range left {
		pid, err := strconv.Atoi(strings.Split(filepath.Base(dir), "-")[1])
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir)
		}
	}
	return os.MkdirTemp(parent, fmt.Sprintf("dbtest-%d-", os.Getpid()))
}

// parentDir is where this process keeps what must outlive a test.
func parentDir() string { return cmp.Or(inMemory(), os.TempDir()) }

// migrated is a SQLite file with the migrations, and nothing else in it: to copy it takes a
// hundredth of what the migrations take.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := makeDir(parentDir())
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "proxy.db")
	d, err := db.Open(background, db.Config{URL: "sqlite:" + file})
	if err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil { // which moves SQLite's log into the file
		return nil, err
	}
	return os.ReadFile(file)
})

// SQLite returns the URL of a SQLite file in dir, with the migrations.
func SQLite(t testing.TB, dir string) string {
	t.Helper()
	content, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "proxy.db")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + file
}
