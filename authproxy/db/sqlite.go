package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite" // registers the driver "sqlite"

	"sfmcp-proxy/authproxy/seal"
)

// sqlite keeps everything in one file. Its writers come one after the other, so nothing
// has to be locked by name or by row.
type sqlite struct {
	busyTimeout time.Duration // 0: as the constant of that name
	file        *sqliteFile   // that open has opened; nil: another function has, for a moment
}

// waits is how long a statement waits for a lock that another process holds.
func (s *sqlite) waits() time.Duration { return cmp.Or(s.busyTimeout, busyTimeout) }

// sqlitePath returns the file of "sqlite:PATH", "" for any other URL.
func sqlitePath(url string) string {
	path, _ := strings.CutPrefix(url, "sqlite:")
	if path == url {
		return ""
	}
	return path
}

func (*sqlite) absent(url string) string {
	path := sqlitePath(url)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return "the database " + path
	}
	return ""
}

func (*sqlite) claimed(_ context.Context, url string) bool {
	stat, err := os.Stat(sqlitePath(url))
	return err == nil && stat.Size() > 0
}

func (s *sqlite) open(_ context.Context, url string) (pools, error) {
	path := sqlitePath(url)
	if err := prepareFile(path); err != nil {
		return pools{}, err
	}
	is, err := os.Lstat(path)
	if err != nil {
		return pools{}, err
	}
	s.file = &sqliteFile{path: path, is: is}
	writes, err := openSQLite(s.file, s.waits(), false)
	if err != nil {
		return pools{}, err
	}
	writes.SetMaxOpenConns(1)
	reads, err := openSQLite(s.file, s.waits(), true)
	if err != nil {
		return pools{}, errors.Join(err, writes.Close())
	}
	reads.SetMaxOpenConns(readers + 1) // the watcher keeps one
	reads.SetMaxIdleConns(readers + 1)
	return pools{writes, writes, reads}, nil
}

func (s *sqlite) sound() error {
	if s.file == nil {
		return nil
	}
	return s.file.sound()
}

func (s *sqlite) looked(ctx context.Context, d *DB, err error) {
	switch {
	case s.file == nil:
	case err != nil:
		s.file.note(err)
		s.file.heal(ctx, d)
	default:
		s.file.keepBeside()
		s.file.heal(ctx, d)
	}
}

// prepareFile makes sure that path is a regular file that only its owner can read.
// SQLite gives its journal files the mode of the database file.
func prepareFile(path string) error {
	if err := seal.MakeDirectory(filepath.Dir(path)); err != nil {
		return err
	}
	stat, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return nil // another process was faster
		}
		if err != nil {
			return err
		}
		return f.Close()
	case err != nil:
		return err
	case !stat.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case stat.Mode().Perm()&0o077 != 0:
		return os.Chmod(path, 0o600)
	}
	return nil
}

// nameOwner adds to an error about a file of SQLite that cannot be opened or written whom it belongs to, if that is
// somebody else.
func nameOwner(url string, err error) error {
	const mayNot, readOnly, cannotOpen = 3, 8, 14 // SQLite's codes
	path, failed := sqlitePath(url), (*driver.Error)(nil)
	if path == "" || !errors.As(err, &failed) {
		return err
	}
	switch failed.Code() & 0xff {
	case mayNot, readOnly, cannotOpen:
		return seal.OwnerOf(err, path, path+"-wal", path+"-shm", filepath.Dir(path))
	}
	return err
}

func openSQLite(file *sqliteFile, waits time.Duration, readOnly bool) (*sql.DB, error) {
	c, err := driver.NewConnector(sqliteName(file.path, waits, readOnly))
	if err != nil {
		return nil, err
	}
	connector := fileConnector{c, file, readOnly}
	if readOnly {
		return sql.OpenDB(connector), nil
	}
	return openBusy(connector, waits), nil
}

// sqliteName is how the driver is told to open a file, which it never makes.
func sqliteName(path string, waits time.Duration, readOnly bool) string {
	q := url.Values{"mode": {"rw"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", waits.Milliseconds()),
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(ON)",
		"trusted_schema(OFF)",
		"cell_size_check(ON)", // the file may have been anywhere
	}}
	if readOnly {
		q["_pragma"] = append(q["_pragma"], "query_only(ON)")
	} else {
		q.Set("_txlock", "immediate")
		// 16 MiB of pages, of which there is one connection: with ten million tokens a refresh takes 1.25 times as long as with
		// few, and twice as long with SQLite's own 2 MiB.
		q["_pragma"] = append(q["_pragma"], "secure_delete(ON)", "cache_size(-16384)")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (*sqlite) begin(ctx context.Context, writes *sql.DB) (*sql.Tx, error) {
	return writes.BeginTx(ctx, nil)
}

// migrating takes no lock: see [DB.migrate].
func (*sqlite) migrating(_ context.Context, _ *sql.DB, f func() error) error { return f() }

func (*sqlite) migrator(target *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, target, migrationFiles())
}

func (*sqlite) expectedSchema(context.Context, *DB) (schema, error) { return expectedSQLite() }

// expectedSQLite is what the migrations make of an empty database.
var expectedSQLite = sync.OnceValues(func() (s schema, err error) {
	empty, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, empty.Close()) }()
	empty.SetMaxOpenConns(1) // each connection would have a memory of its own
	p, err := (&sqlite{}).migrator(empty)
	if err != nil {
		return nil, err
	}
	if _, err := p.Up(context.Background()); err != nil {
		return nil, err
	}
	return (&sqlite{}).schema(context.Background(), empty)
})

func (*sqlite) migrated(ctx context.Context, from *sql.DB) (has bool, err error) {
	err = from.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1)`, versionTable).Scan(&has)
	return has, err
}

// schema leaves out the tables of ANALYZE, which an administrator may have run, and the
// text of the migration library's own table, which its next version may word otherwise.
func (*sqlite) schema(ctx context.Context, from *sql.DB) (schema, error) {
	return readSchema(ctx, from, `SELECT type || ' ' || name, CASE name WHEN 'goose_db_version' THEN '' ELSE COALESCE(sql, '') END
		FROM sqlite_schema WHERE NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4'))`)
}

func (*sqlite) adds(want schema, object, was, is string) bool {
	return addsSQLite(want, object, was, is)
}

func (*sqlite) hopeless(err error) bool {
	const ioError = 10 // SQLite's code of it, which another process that opens the file may cause
	failed, ok := errors.AsType[*driver.Error](err)
	return ok && failed.Code()&0xff != ioError && FailureOf(err) == Unreadable
}

func (*sqlite) lock(context.Context, *sql.Tx, string) error { return nil }

func (*sqlite) shared() bool { return false }

func (*sqlite) forUpdate(string) string { return "" }

// eraseWait is how long erase waits for readers, and with it every writer for erase.
const eraseWait = 100 * time.Millisecond

// erase empties the write-ahead log, in which older versions of changed rows lie until
// it is written over; in the database file itself they are overwritten at once
// (secure_delete). While somebody reads for long, it leaves the log to its next call.
func (s *sqlite) erase(ctx context.Context, d *DB) (err error) {
	conn, err := d.Writes.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	wait := func(ctx context.Context, d time.Duration) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout = %d`, d.Milliseconds()))
		return err
	}
	defer func() { err = errors.Join(err, wait(context.WithoutCancel(ctx), s.waits())) }()
	if err := wait(ctx, eraseWait); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}
