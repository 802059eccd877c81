package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/seal"
)

func open(t *testing.T, path string) *DB {
	t.Helper()
	d, err := Open(t.Context(), Config{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestConfigValidate(t *testing.T) {
	for url, ok := range map[string]bool{
		"sqlite:data/proxy.db": true, "sqlite:/x y/%41?.db": true,
		"postgres://u:secret@h/d": true, "postgresql://u@h/d?sslmode=verify-full": true,
		"": false, "sqlite:": false, "postgres://u:secret@h:x/d": false, "postgres://u:secret@h/d?sslmode=none": false, "data/proxy.db": false,
	} {
		err := Config{URL: url}.Validate()
		if (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error shows the password", url)
		}
	}
}

func TestOpenTwiceKeepsDataAndSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name?&#%41.db")
	d := open(t, path)
	if _, err := d.Writes.Exec(`INSERT INTO meta (name, value) VALUES ('x', '1')`); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, path)
	for _, h := range []*sql.DB{d.Writes, d.Reads} {
		var journal, value string
		var synchronous, foreignKeys int
		if err := h.QueryRow(`SELECT value FROM meta WHERE name = 'x'`).Scan(&value); err != nil || value != "1" {
			t.Errorf("value %q, %v", value, err)
		}
		h.QueryRow(`PRAGMA journal_mode`).Scan(&journal)
		h.QueryRow(`PRAGMA synchronous`).Scan(&synchronous)
		h.QueryRow(`PRAGMA foreign_keys`).Scan(&foreignKeys)
		if journal != "wal" || synchronous != 2 || foreignKeys != 1 {
			t.Errorf("journal %s, synchronous %d, foreign keys %d", journal, synchronous, foreignKeys)
		}
	}
	if _, err := d.Reads.Exec(`DELETE FROM meta`); err == nil {
		t.Error("the reading handle writes")
	}
}

// ST-07: whatever the umask, only the owner reads what is made; a link in the file's
// place is not followed, whether it leads somewhere or not.
func TestST07FileIsPrivate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0)) // no test runs beside one that is not parallel
	dir := t.TempDir()
	path, keys := filepath.Join(dir, "sub", "proxy.db"), filepath.Join(dir, "secret", "keys")
	d := open(t, path)
	if _, err := d.Writes.Exec(`INSERT INTO meta (name, value) VALUES ('x', '1')`); err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	if err := seal.RotateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, keys: 0o600,
		filepath.Dir(path): 0o700, filepath.Dir(keys): 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a file that others could read: %v, %v", info.Mode(), err)
	}
	for name, target := range map[string]string{"link.db": path, "dangling.db": filepath.Join(dir, "planted.db"), "dir.db": dir} {
		link := filepath.Join(dir, name)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), Config{URL: "sqlite:" + link}); err == nil {
			t.Errorf("%s is opened", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "planted.db")); err == nil {
		t.Error("a database was made where a link led")
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.db")
	d := open(t, path)
	for _, statement := range []string{`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`, `UPDATE epochs SET value = 99999 WHERE name = 'oldest_schema'`} {
		if _, err := d.Writes.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	d.Close()
	if _, err := Open(t.Context(), Config{URL: "sqlite:" + path}); !errors.Is(err, ErrOutdated) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v", err)
	}
}

func TestTxRollsBackAndCommits(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "p.db"))
	stop := errors.New("stop")
	insert := func(name string, result error) error {
		return d.Tx(t.Context(), func(tx *sql.Tx) error {
			if _, err := tx.Exec(`INSERT INTO meta (name, value) VALUES ($1, '')`, name); err != nil {
				return err
			}
			return result
		})
	}
	if err := insert("lost", stop); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if err := insert("kept", nil); err != nil {
		t.Error(err)
	}
	var names string
	d.Reads.QueryRow(`SELECT group_concat(name) FROM meta`).Scan(&names)
	if names != "kept" {
		t.Errorf("stored %q", names)
	}
}

// Two handles play two processes: of many conditional statements one wins, and
// waiting for the other's lock is not an error.
func TestOneWinnerAcrossProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.db")
	dbs := []*DB{open(t, path), open(t, path)}
	if _, err := dbs[0].Writes.Exec(`INSERT INTO meta (name, value) VALUES ('seat', '')`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 40 {
		wg.Go(func() {
			n, err := Affected(t.Context(), dbs[i%2].Writes, `UPDATE meta SET value = $1 WHERE name = 'seat' AND value = ''`, fmt.Sprint(i))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			won += int(n)
			mu.Unlock()
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d winners", won)
	}
}

func TestWatchAccessSeesAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.db")
	watcher, other := open(t, path), open(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	called := make(chan struct{}, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watcher.WatchAccess(ctx, 5*time.Millisecond, func() { called <- struct{}{} })
	}()
	deadline := time.After(2 * time.Minute)
	for seen := false; !seen; {
		// Raised again each turn: the watcher may not have read its starting value yet.
		if err := other.Tx(ctx, func(tx *sql.Tx) error { return other.RaiseAccessEpoch(ctx, tx) }); err != nil {
			t.Fatal(err)
		}
		select {
		case <-called:
			seen = true
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatal("the rise was not seen")
		}
	}
	cancel()
	<-done
}

// FT-60: a time is stored and read as it is, also beyond what seconds of 32 bits hold.
func TestFaultFT60Times(t *testing.T) {
	if !Time(0).IsZero() {
		t.Error("0 is not the zero time")
	}
	d := open(t, filepath.Join(t.TempDir(), "p.db"))
	for _, want := range []time.Time{time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), time.Unix(1<<31, 0), time.Unix(1<<32, 0), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)} {
		var ms int64
		if err := d.Writes.QueryRow(`UPDATE epochs SET value = $1 WHERE name = 'access' RETURNING value`, Millis(want)).Scan(&ms); err != nil || !Time(ms).Equal(want) {
			t.Errorf("%v became %v, %v", want, Time(ms), err)
		}
	}
}

// Processes that start at the same time on a new database all start: one migrates, the
// others find that it has.
func TestOpenAtTheSameTime(t *testing.T) {
	for range 2 {
		path := filepath.Join(t.TempDir(), "proxy.db")
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				d, err := Open(t.Context(), Config{URL: "sqlite:" + path})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := d.Writes.Exec(`UPDATE epochs SET value = value + 1 WHERE name = 'access'`); err != nil {
					t.Error(err)
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		var n int
		if err := open(t, path).Reads.QueryRow(`SELECT value FROM epochs WHERE name = 'access'`).Scan(&n); err != nil || n != 6 {
			t.Errorf("%d of 6 wrote, %v", n, err)
		}
	}
}
