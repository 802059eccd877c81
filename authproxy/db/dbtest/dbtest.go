// Package dbtest gives tests a database of their own, on SQLite and on a real PostgreSQL.
//
// A package whose tests are all about what it stores has a TestMain that calls [Main]: its
// tests run on SQLite, then once more on PostgreSQL, and open what [URL] gives them. There a
// test takes three times the processor time, so that somebody who waits gets those alone that the
// package names, about what several processes do at once and about its statements, and of a package
// that names none, none; all of them are run by -run, and where nobody waits (package rounds). Single
// tests use [Each], or [Postgres] alone.
//
// Each test binary that needs it starts a PostgreSQL server of its own, from the programs
// that are installed, as another user where it is root. The server's files, with the
// migrations, are made once and kept in the user's cache directory for the next ones. Where
// the programs are not installed, that half is skipped; SFMCP_TEST_REQUIRE=postgres makes
// that a failure.
package dbtest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

var (
	background = context.Background()
	count      atomic.Int64
	started    atomic.Bool
	// onPostgres says which of its two runs Main is in.
	onPostgres bool
)

// missing is what is said where PostgreSQL is not installed.
const missing = "PostgreSQL (initdb, postgres) is not installed: Debian package postgresql"

func required() bool {
	return slices.Contains(strings.Split(os.Getenv("SFMCP_TEST_REQUIRE"), ","), "postgres")
}

// Main runs the tests of a package on SQLite, then on PostgreSQL those whose names always matches, or none
// if it is empty (see the package comment), and exits. Benchmarks and fuzzing run on SQLite alone.
func Main(m *testing.M, always string) {
	flag.Parse()
	again := true
	for _, other := range []string{"test.bench", "test.fuzz", "test.list"} {
		again = again && flag.Lookup(other).Value.String() == ""
	}
	os.Exit(run(runs(func() int {
		code := m.Run()
		if code == 0 && again {
			code = runOnPostgres(m, always)
		}
		return code
	})))
}

type runs func() int

func (r runs) Run() int { return r() }

// testsAtATime is how many tests are run at a time, where the command line does not say. They
// wait for a peer, another process, a server or a page much of their time, so more of them run
// than there are processors.
const testsAtATime = 6

// Run runs the tests of a package once, for one with a TestMain of its own: with their
// files in memory (see [InMemory]), and the server of [Each] and [Postgres] ended.
func Run(tests interface{ Run() int }) (code int) {
	if !flag.Parsed() {
		flag.Parse()
	}
	return run(tests)
}

func run(tests interface{ Run() int }) (code int) {
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := parallel.Value.Set(strconv.Itoa(max(testsAtATime, runtime.GOMAXPROCS(0)))); err != nil {
			fmt.Println("FAIL:", err)
			return 1
		}
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // what tests leave in memory is little
	}
	remove, err := InMemory()
	if err != nil {
		fmt.Println("FAIL:", err)
		return 1
	}
	defer remove()
	defer Close()
	return tests.Run()
}

func runOnPostgres(m *testing.M, always string) int {
	none, err := rounds.Narrow(always)
	if none {
		return 0
	}
	var s *server
	if err == nil {
		s, err = startServer()
	}
	switch {
	case err != nil:
		fmt.Println("FAIL:", err)
		return 1
	case s == nil && required():
		fmt.Println("FAIL:", missing)
		return 1
	case s == nil:
		printToTerminal("skipped on PostgreSQL: " + missing)
		return 0
	}
	fmt.Println("=== on PostgreSQL")
	onPostgres = true
	return m.Run()
}

// printToTerminal prints for go test -v, and to the terminal: the go command shows nothing of a package
// that passes.
func printToTerminal(line string) {
	fmt.Println(line)
	if terminal, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		fmt.Fprintln(terminal, filepath.Base(os.Args[0])+": "+line)
		_ = terminal.Close()
	}
}

func startServer() (*server, error) {
	started.Store(true)
	return start()
}

// Close ends the server of this test binary, which [Run] and [Main] do at its end; where nobody
// does, the server ends with the process, and the next one that starts removes its files.
func Close() {
	if !started.Load() {
		return
	}
	if s, err := start(); err == nil && s != nil {
		s.close()
	}
}

// OnPostgres says whether this is the run of [Main] on PostgreSQL, for tests that are about
// SQLite's file alone.
func OnPostgres() bool { return onPostgres }

// URL returns the URL of a database of t's own with the migrations: a SQLite file, or, in
// the second run of [Main], a PostgreSQL database.
func URL(t testing.TB) string {
	t.Helper()
	if onPostgres {
		t.Log("on PostgreSQL")
		return Postgres(t)
	}
	return SQLite(t, t.TempDir())
}

// Open opens a database of [URL] until t ends.
func Open(t testing.TB) *db.DB {
	t.Helper()
	return OpenURL(t, URL(t))
}

// OpenURL opens a database until t ends, with the keys of [Ring]: a second time, it is what
// another process has.
func OpenURL(t testing.TB, url string) *db.DB {
	t.Helper()
	d, err := db.Open(background, db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Claim(background, Ring(t, url)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Postgres returns the URL of a PostgreSQL database of t's own, with the migrations. Where
// PostgreSQL is not installed, it skips t, or fails it (see the package comment).
func Postgres(t testing.TB) string {
	t.Helper()
	return installed(t).database(t, "template")
}

// EmptyPostgres is [Postgres] without the migrations.
func EmptyPostgres(t testing.TB) string {
	t.Helper()
	return installed(t).database(t, "template0")
}

func installed(t testing.TB) *server {
	t.Helper()
	s, err := startServer()
	switch {
	case err != nil:
		t.Fatal(err)
	case s == nil && required():
		t.Fatal(missing)
	case s == nil:
		t.Skip(missing)
	}
	return s
}

// Each runs f as two sub-tests, "sqlite" and "postgres", with the URL of a database of its
// own each.
func Each(t *testing.T, f func(t *testing.T, url string)) {
	each(t, f, func(*testing.T) {})
}

// EachThorough is [Each] without PostgreSQL where somebody waits ([rounds.Thorough]): of a package that would start a
// server for one or two tests.
func EachThorough(t *testing.T, f func(t *testing.T, url string)) {
	each(t, f, func(t *testing.T) { rounds.Thorough(t) })
}

// each runs f on both; before may skip the test on PostgreSQL.
func each(t *testing.T, f func(t *testing.T, url string), before func(*testing.T)) {
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t, t.TempDir())) })
	t.Run("postgres", func(t *testing.T) {
		before(t)
		f(t, Postgres(t))
	})
}
