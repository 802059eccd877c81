package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	processes "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// migrateChild makes the test program a process that migrates the database of this URL, and
// killAt kills it once the schema has that version.
const (
	migrateChild = "DB_TEST_MIGRATE"
	killAt       = "DB_TEST_KILL_AT"
)

func migrateAsChild() int {
	url := os.Getenv(migrateChild)
	if at, err := strconv.ParseInt(os.Getenv(killAt), 10, 64); err == nil {
		go killOnce(url, at)
	}
	d, err := db.Open(context.Background(), db.Config{URL: url})
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// raw opens a database without looking at what is in it.
func raw(url string) (*sql.DB, error) {
	if file, is := strings.CutPrefix(url, "sqlite:"); is {
		return sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)")
	}
	return sql.Open("pgx", url)
}

// killOnce kills this process at a moment within or after the migration that follows version at.
func killOnce(url string, at int64) {
	d, err := raw(url)
	if err != nil {
		panic(err)
	}
	for version := int64(-1); version < at; {
		if d.QueryRow(`SELECT max(version_id) FROM goose_db_version`).Scan(&version) != nil {
			version = -1 // there is no table yet
		}
	}
	time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) // anywhere in the next one
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// child is such a process; at < 0: it is not killed.
func child(url string, at int64) (*processes.Cmd, *bytes.Buffer) {
	cmd, out := processes.Command(os.Args[0]), new(bytes.Buffer)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), migrateChild+"="+url), out, out
	if at >= 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", killAt, at))
	}
	return cmd, out
}

// FT-09: a process is killed anywhere in the migrations of an empty database, alone or while another
// one wants to migrate it, too. The other one finishes, or the next one that starts: each migration was applied
// once, whole, and rows of before are there.
func TestFaultFT09KilledWhileMigrating(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	for name, empty := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "proxy.db") },
		"postgres": func(t *testing.T) string { return dbtest.EmptyPostgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kills, most := 3, 30
			if rounds.AreMany(t) {
				kills, most = 12, 90
			}
			within := 0
			for try := 0; within < kills && try < most; try++ {
				url := empty(t)
				at := int64(try*7) % 25
				if try%3 == 2 {
					killedBeside(t, url, at)
				} else if killedAlone(t, url, at) {
					within++
				}
				migratedOnce(t, url)
			}
			if within < kills {
				t.Errorf("only %d of %d kills were within the migrations: too little is tested", within, most)
			}
		})
	}
}

// killedAlone reports whether the kill was within the migrations.
func killedAlone(t *testing.T, url string, at int64) (within bool) {
	t.Helper()
	cmd, out := child(url, at)
	if err := cmd.Run(); err == nil {
		return false // it was done
	} else if out.Len() > 0 {
		t.Fatalf("killed at %d: %v\n%s", at, err, out)
	}
	d, err := raw(url)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	version := int64(-1)
	if err := d.QueryRow(`SELECT max(version_id) FROM goose_db_version`).Scan(&version); err != nil {
		t.Fatal(err) // it was seen before
	}
	if version > 0 {
		if _, err := d.Exec(`INSERT INTO users (org, subject, first_seen_at, last_seen_at) VALUES ('acme', '005A', 1, 1)`); err != nil {
			t.Fatalf("the schema of version %d: %v", version, err)
		}
	}
	next, err := db.Open(t.Context(), db.Config{URL: url})
	if err != nil {
		t.Fatalf("the next start, from version %d: %v", version, err)
	}
	defer next.Close()
	var users int64
	if err := next.Reads.QueryRow(`SELECT count(*) FROM users`).Scan(&users); err != nil || users != min(version, 1) {
		t.Errorf("%d users of version %d, %v", users, version, err)
	}
	newest, err := next.SchemaVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return version < newest
}

// killedBeside has two processes migrate, of which one is killed.
func killedBeside(t *testing.T, url string, at int64) {
	t.Helper()
	killed, _ := child(url, at)
	other, out := child(url, -1)
	var both sync.WaitGroup
	both.Go(func() { _ = killed.Run() })
	both.Go(func() {
		if err := other.Run(); err != nil {
			t.Errorf("beside one that was killed at %d: %v\n%s", at, err, out)
		}
	})
	both.Wait()
}

// migratedOnce sees that the schema is whole (which Open compares) and each migration was applied once.
func migratedOnce(t *testing.T, url string) {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var all, different, newest int64
	err = d.Reads.QueryRow(`SELECT count(*), count(DISTINCT version_id), max(version_id) FROM goose_db_version`).Scan(&all, &different, &newest)
	if err != nil || all != newest+1 || different != all {
		t.Errorf("%d entries of %d migrations, the newest is %d: %v", all, different, newest, err)
	}
}
