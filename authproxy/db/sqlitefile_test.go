package db

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// watchedFile is a database whose access is watched, and how often that told of a change.
func watchedFile(t *testing.T) (d *DB, path string, told *atomic.Int64) {
	t.Helper()
	path, told = filepath.Join(t.TempDir(), "proxy.db"), &atomic.Int64{}
	d = open(t, path)
	if _, err := d.Writes.Exec(`INSERT INTO meta (name, value) VALUES ('x', '1')`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.WatchAccess(ctx, 5*time.Millisecond, func() { told.Add(1) })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	until(t, "the watcher has looked", func() bool { return d.access.looked.Load() != nil })
	return d, path, told
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 20 s: ", what)
		}
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// writesRefused checks that nothing is committed, in a transaction or by one statement, and that the
// error says why.
func writesRefused(t *testing.T, d *DB, why string) {
	t.Helper()
	err := d.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE meta SET value = '2' WHERE name = 'x'`)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("a transaction: %v", err)
	}
	if _, err := d.Writes.Exec(`UPDATE meta SET value = '2' WHERE name = 'x'`); err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("a statement: %v", err)
	}
}

// FT-37: while a process has the database open, its file, or a file beside it, is deleted, moved away or
// replaced. Nothing is decided or committed from that moment on, nothing is made at its path, whatever
// connections database/sql opens anew, and it goes on when what was there is back.
func TestFaultFT37FileThatGoesWhileItIsOpen(t *testing.T) {
	t.Parallel()
	copyOf := func(t *testing.T, path string) string {
		other := filepath.Join(t.TempDir(), "other.db")
		content, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(other, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return other
	}
	for name, c := range map[string]struct {
		part, why string
		instead   func(t *testing.T, path string) string // nil: nothing
	}{
		"gone":                  {why: "deleted or moved away"},
		"an empty file instead": {why: "replaced", instead: func(t *testing.T, _ string) string { return copyOf(t, os.DevNull) }},
		"a copy instead":        {why: "replaced", instead: copyOf},
		"no write-ahead log":    {part: "-wal", why: "-wal was deleted"},
		"another one's":         {part: "-wal", why: "-wal was replaced", instead: copyOf},
		"no index of it":        {part: "-shm", why: "-shm was deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, path, told := watchedFile(t)
			if err := d.CheckInTouch(); err != nil {
				t.Fatal(err)
			}
			part, aside := path+c.part, filepath.Join(t.TempDir(), "aside")
			var other string
			if c.instead != nil {
				other = c.instead(t, part)
			}
			rename(t, part, aside)
			if c.instead != nil {
				rename(t, other, part)
			}
			if err := d.CheckInTouch(); err == nil || !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), path) {
				t.Errorf("in touch: %v", err)
			}
			before := told.Load()
			until(t, "the watcher tells", func() bool { return told.Load() > before })
			writesRefused(t, d, c.why)
			d.Writes.SetMaxIdleConns(0) // the next statements get connections of their own
			writesRefused(t, d, c.why)
			d.Writes.SetMaxIdleConns(1)
			if _, err := os.Lstat(part); (err == nil) != (c.instead != nil) {
				t.Errorf("at its path: %v", err)
			}

			rename(t, aside, part)
			if err := d.CheckInTouch(); err != nil {
				t.Errorf("once it is back: %v", err)
			}
			var value string
			if err := d.Reads.QueryRow(`SELECT value FROM meta WHERE name = 'x'`).Scan(&value); err != nil || value != "1" {
				t.Errorf("it has %q, %v", value, err)
			}
			if _, err := d.Writes.Exec(`UPDATE meta SET value = '3' WHERE name = 'x'`); err != nil {
				t.Errorf("a write once it is back: %v", err)
			}
		})
	}
}

// FT-37: a connection that is opened while the file is gone makes none, also in a process that does not watch.
func TestFaultFT37NothingIsMadeAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "proxy.db")
	d := open(t, path)
	d.Writes.SetMaxIdleConns(0)
	d.Reads.SetMaxIdleConns(0)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	for _, h := range []*sql.DB{d.Reads, d.Writes} {
		if err := h.Ping(); err == nil || !strings.Contains(err.Error(), "deleted or moved away") {
			t.Errorf("another connection: %v", err)
		}
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the file was made again")
	}
	// As if it went between the look and the opening.
	unseen, err := sql.Open("sqlite", sqliteName(path, busyTimeout, false))
	if err != nil {
		t.Fatal(err)
	}
	defer unseen.Close()
	if err := unseen.Ping(); err == nil {
		t.Error("opened")
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the file was made again by SQLite")
	}
}

// FT-37: a page that is damaged while the process runs: the statement that meets it fails, and from
// then on nothing is decided, until a person has looked.
func TestFaultFT37DamagedPage(t *testing.T) {
	t.Parallel()
	d, path, told := watchedFile(t)
	d.Reads.SetMaxIdleConns(0) // a connection remembers pages
	if err := d.Erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	var size, root int64
	if err := d.Reads.QueryRow(`SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = 'meta'`).Scan(&root, &size); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(strings.Repeat("x", int(size))), (root-1)*size); err != nil {
		t.Fatal(err)
	}
	// Closing the file would end the locks that this process has by other handles.
	t.Cleanup(func() { f.Close() })
	if err := d.CheckInTouch(); err != nil {
		t.Errorf("nobody has met it yet: %v", err)
	}
	var value string
	if err := d.Reads.QueryRow(`SELECT value FROM meta WHERE name = 'x'`).Scan(&value); FailureOf(err) != Unreadable {
		t.Fatalf("read %q, %v", value, err)
	}
	for range 3 { // whatever the watcher sees, whose own pages are good
		if err := d.CheckInTouch(); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("after it was met: %v", err)
		}
		before := told.Load()
		until(t, "the watcher looks again", func() bool { return told.Load() > before })
	}
}
