package dbtest

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"

	"sfmcp-proxy/authproxy/db"
)

// server is the PostgreSQL of one test binary: its own, on a socket of its own, that keeps
// nothing. It has a database "template" with the migrations.
type server struct {
	dir, bin string              // its files, and PostgreSQL's programs
	as       *syscall.Credential // as whom it runs; nil: as this process
	admin    *sql.DB
	stop     func()
	shutDown func()
}

// programs finds the directory of PostgreSQL's programs, "" if it is not installed: in the
// PATH, or where Debian puts them, the newest version first.
func programs() string {
	if found, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(found)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[0])
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// start is called once a test binary; nil, nil: PostgreSQL is not installed.
var start = sync.OnceValues(func() (_ *server, err error) {
	bin := programs()
	if bin == "" {
		return nil, nil
	}
	dir, err := makeDir(parentDir())
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, bin: bin, stop: func() {}}
	defer func() {
		if err != nil {
			s.close()
			err = fmt.Errorf("starting PostgreSQL for tests: %w", err)
		}
	}()
	if s.as, err = unprivileged(dir); err != nil {
		return nil, err
	}
	kept := keptData(bin)
	if copyData(kept, s.data()) == nil {
		if err := s.run(); err != nil {
			return nil, fmt.Errorf("%w\nits files are a copy of %s, which may be removed", err, kept)
		}
		return s, nil
	}
	if err := s.create(); err != nil {
		return nil, err
	}
	if kept == "" {
		return s, nil
	}
	if err := s.keep(kept); err != nil {
		return nil, err
	}
	return s, s.run()
})

// unprivileged gives dir to a user that PostgreSQL runs as, where this one is root, as
// whom it refuses to.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}

// create makes the files of a new server, starts it, and makes the template.
func (s *server) create() error {
	initdb := exec.Command(filepath.Join(s.bin, "initdb"), "--no-sync", "--auth=trust", "--username=test", "--encoding=UTF8", "--locale=C",
		"--wal-segsize=1", "-D", s.data())
	initdb.Dir, initdb.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.as}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := s.run(); err != nil {
		return err
	}
	if _, err := s.admin.Exec(`ALTER DATABASE template1 RENAME TO template`); err != nil {
		return err
	}
	d, err := db.Open(background, db.Config{URL: s.url("template")})
	if err != nil {
		return err
	}
	return d.Close()
}

// run starts the server, and waits until it answers. On Linux it ends with this process, however
// that ends.
func (s *server) run() error {
	log, err := os.Create(s.log())
	if err != nil {
		return err
	}
	defer log.Close()
	postgres := exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "full_page_writes=off", "-c", "max_connections=400", "-c", "shared_buffers=32MB", "-c", "autovacuum=off")
	postgres.Dir, postgres.Stdout, postgres.Stderr = s.dir, log, log
	postgres.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	endsWithParent(postgres.SysProcAttr)
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // see endsWithParent
		defer close(ended)
		err := postgres.Start()
		if started <- err; err == nil {
			_ = postgres.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	end := func(how syscall.Signal) {
		if s.admin != nil {
			_ = s.admin.Close()
		}
		_ = postgres.Process.Signal(how)
		<-ended
	}
	s.stop = func() { end(syscall.SIGQUIT) }    // its immediate shutdown
	s.shutDown = func() { end(syscall.SIGINT) } // with its files as a next start wants them
	return s.connect()
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }
func (s *server) log() string  { return filepath.Join(s.dir, "log") }

// connect waits for the server.
func (s *server) connect() (err error) {
	if s.admin, err = sql.Open("pgx", s.url("postgres")); err != nil {
		return err
	}
	s.admin.SetMaxOpenConns(1) // copies of one template come one after the other
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err = s.admin.Ping(); err == nil {
			return nil
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(s.log())
			return fmt.Errorf("it does not answer: %w\n%s", err, text)
		}
	}
}

func (s *server) url(database string) string {
	return (&url.URL{Scheme: "postgres", User: url.User("test"), Path: "/" + database, RawQuery: url.Values{"host": {s.dir}}.Encode()}).String()
}

// database makes one, empty or with the migrations, and drops it at the end of the test.
func (s *server) database(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("t%d", count.Add(1))
	if _, err := s.admin.Exec(`CREATE DATABASE ` + name + ` TEMPLATE ` + template + ` STRATEGY FILE_COPY`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.admin.Exec(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	return s.url(name)
}

func (s *server) close() {
	s.stop()
	_ = os.RemoveAll(s.dir)
}

// Place is where a test makes a PostgreSQL server of its own, set up as the others are not.
type Place struct {
	Bin string              // PostgreSQL's programs
	Dir string              // belongs to whom they run as, and is removed at the end of the test
	As  *syscall.Credential // as whom they run; nil: as this process
}

// NewPlace makes one. Where PostgreSQL is not installed, it skips t, or fails it (see the package comment).
func NewPlace(t testing.TB) Place {
	t.Helper()
	s := newServer(t, installed(t).bin)
	return Place{Bin: s.bin, Dir: s.dir, As: s.as}
}
