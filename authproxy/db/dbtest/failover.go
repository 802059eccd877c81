package dbtest

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Pair is a PostgreSQL server with a standby that has each COMMIT before it is acknowledged, both at one
// address, as behind the name or the address that a cluster moves.
type Pair struct {
	*Network
	URL string

	t                testing.TB
	primary, standby *server
}

// NewPair starts them, with an empty database that has the migrations, until t ends. Where PostgreSQL
// or pg_basebackup is not installed it skips t.
func NewPair(t testing.TB) *Pair {
	t.Helper()
	bin := installed(t).bin
	if _, err := os.Stat(filepath.Join(bin, "pg_basebackup")); err != nil {
		if bin, err = filepath.EvalSymlinks(filepath.Join(bin, "initdb")); err != nil {
			t.Skip(missing)
		}
		bin = filepath.Dir(bin)
	}
	if _, err := os.Stat(filepath.Join(bin, "pg_basebackup")); err != nil {
		t.Skip("pg_basebackup is not beside the other programs of PostgreSQL")
	}
	p := &Pair{t: t, primary: newServer(t, bin), standby: newServer(t, bin)}
	p.must(p.primary.create())
	p.exec(p.primary, `CREATE DATABASE failover TEMPLATE template STRATEGY FILE_COPY`)
	copied := exec.Command(filepath.Join(bin, "pg_basebackup"), "-h", p.primary.dir, "-U", "test", "-D", p.standby.data(), "-R", "--checkpoint=fast", "--no-sync")
	copied.Dir, copied.SysProcAttr = p.standby.dir, &syscall.SysProcAttr{Credential: p.standby.as}
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	p.must(p.standby.run())
	p.exec(p.primary, `ALTER SYSTEM SET synchronous_standby_names = '*'`)
	p.exec(p.primary, `SELECT pg_reload_conf()`)
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var n int
		if err := p.primary.admin.QueryRow(`SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'`).Scan(&n); err == nil && n == 1 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the standby does not follow: %d, %v", n, err)
		}
	}
	own := p.primary.url("failover")
	p.Network = Between(t, own)
	p.URL = p.Network.URL(own)
	return p
}

// newServer is one that has not begun.
func newServer(t testing.TB, bin string) *server {
	t.Helper()
	dir, err := makeDir(parentDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, bin: bin, stop: func() {}}
	t.Cleanup(s.close)
	if s.as, err = unprivileged(dir); err != nil {
		t.Fatal(err)
	}
	return s
}

// Kill ends the primary at once, without anything being written down, and every connection to it.
func (p *Pair) Kill() {
	p.t.Helper()
	p.Down()
	p.primary.stop()
	p.primary.stop = func() {}
}

// Standby is the URL of the standby itself.
func (p *Pair) Standby() string { return p.standby.url("failover") }

// Promote makes the standby the primary, at the same address.
func (p *Pair) Promote() {
	p.t.Helper()
	p.exec(p.standby, `SELECT pg_promote()`)
	p.Misdirect()
}

// Misdirect leads the address to the standby, whether or not it was promoted.
func (p *Pair) Misdirect() {
	p.t.Helper()
	u, err := url.Parse(p.Standby())
	p.must(err)
	p.set(func() { p.server, p.down = filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432"), false })
}

func (p *Pair) exec(s *server, statement string) {
	p.t.Helper()
	if _, err := s.admin.Exec(statement); err != nil {
		p.must(fmt.Errorf("%s: %w", statement, err))
	}
}

func (p *Pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}
