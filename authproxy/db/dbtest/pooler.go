package dbtest

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// noPooler is what is said where PgBouncer is not installed.
const noPooler = "PgBouncer is not installed: Debian package pgbouncer"

// Pooler returns the URL of a database of [Postgres] behind a PgBouncer of t's own in transaction
// mode: each transaction may run in another session of the server. lines are added to its
// settings. Where it is not installed it skips t, or fails it, as Postgres does.
func Pooler(t testing.TB, database string, lines ...string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	switch {
	case err != nil && required():
		t.Fatal(noPooler)
	case err != nil:
		t.Skip(noPooler)
	}
	dir, err := makeDir(parentDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	as, err := unprivileged(dir)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf("[databases]\n%s = host=%s user=test\n", filepath.Base(u.Path), u.Query().Get("host")) +
		fmt.Sprintf("[pgbouncer]\nlisten_addr =\nunix_socket_dir = %s\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 4\n", dir)
	for _, line := range lines {
		settings += line + "\n"
	}
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	process := exec.Command(program, "-q", file)
	process.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGQUIT)
		_ = process.Wait()
	})
	u.RawQuery = url.Values{"host": {dir}, "port": {"6432"}}.Encode()
	waitFor(t, u.String(), filepath.Join(dir, "log"))
	return u.String()
}

// waitFor waits until a database answers.
func waitFor(t testing.TB, database, log string) {
	t.Helper()
	d, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err = d.Ping(); err == nil {
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log)
			t.Fatalf("it does not answer: %v\n%s", err, text)
		}
	}
}
