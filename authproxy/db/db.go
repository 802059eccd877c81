package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // registers the driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// busyTimeout is how long a statement waits for a lock that another process holds.
const busyTimeout = 5 * time.Second

// Config says which database to open.
type Config struct {
	// URL is "sqlite:PATH"; PATH is relative to the working directory.
	URL string
	// Now is the clock by which a [Cache] is believed; nil means time.Now.
	Now func() time.Time
}

// Validate reports a URL that Open could not open.
func (c Config) Validate() error {
	_, err := c.path()
	return err
}

func (c Config) path() (string, error) {
	if path, ok := strings.CutPrefix(c.URL, "sqlite:"); ok && path != "" {
		return path, nil
	}
	return "", fmt.Errorf("database URL must be sqlite:PATH (this version has no other store)")
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	// Writes runs one transaction at a time. Every INSERT, UPDATE and DELETE goes here.
	Writes *sql.DB
	// Reads serves concurrent queries; a write through it fails.
	Reads *sql.DB

	access *accessEpoch
}

// Open opens the database, creating it (mode 0600, in a directory of mode 0700) if
// there is none, and migrates its schema. A database whose schema is newer than this
// program, or other than its migrations make it, is refused.
func Open(ctx context.Context, c Config) (*DB, error) {
	path, err := c.path()
	if err != nil {
		return nil, err
	}
	if err := prepareFile(path); err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	d := &DB{access: newAccessEpoch(c.Now)}
	if d.Writes, err = openSQLite(path, false); err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	d.Writes.SetMaxOpenConns(1)
	if d.Reads, err = openSQLite(path, true); err != nil {
		return nil, errors.Join(fmt.Errorf("opening database: %w", err), d.Writes.Close())
	}
	d.Reads.SetMaxOpenConns(8)
	d.Reads.SetMaxIdleConns(8)
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrating database: %w", err), d.Close())
	}
	if err := checkSchema(ctx, d.Reads); err != nil {
		return nil, errors.Join(fmt.Errorf("checking database: %w", err), d.Close())
	}
	return d, nil
}

// prepareFile makes sure that path is a regular file that only its owner can read.
// SQLite gives its journal files the mode of the database file.
func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(path)
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
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return os.Chmod(path, 0o600)
	}
	return nil
}

func openSQLite(path string, readOnly bool) (*sql.DB, error) {
	q := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
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
		q["_pragma"] = append(q["_pragma"], "secure_delete(ON)")
	}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
}

func (d *DB) migrate(ctx context.Context) error {
	p, err := migrator(d.Writes)
	if err != nil {
		return err
	}
	// The library takes no lock on SQLite. When another process migrates at the same
	// time, ours fails in its transaction, and finds the work done when it looks again.
	for end := time.Now().Add(busyTimeout); ; time.Sleep(20 * time.Millisecond) {
		err := d.migrateOnce(ctx, p)
		if err == nil || hopeless(err) || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
	}
}

// errUnfit is a database that this program must not touch.
var errUnfit = errors.New("not a database for this program")

func (d *DB) migrateOnce(ctx context.Context, p *goose.Provider) error {
	others, err := foreign(ctx, d.Writes)
	if err != nil {
		return err
	}
	if others {
		return fmt.Errorf("%w: it is another program's", errUnfit)
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	known := p.ListSources()
	if newest := known[len(known)-1].Version; have > newest {
		return fmt.Errorf("%w: schema version %d is newer than %d, use the newer program", errUnfit, have, newest)
	}
	_, err = p.Up(ctx)
	return err
}

// hopeless says that trying again does not help.
func hopeless(err error) bool {
	const corrupt, notADatabase = 11, 26 // SQLite's result codes; the lower byte of extended ones
	fault, ok := errors.AsType[*sqlite.Error](err)
	return errors.Is(err, errUnfit) || ok && (fault.Code()&0xff == corrupt || fault.Code()&0xff == notADatabase)
}

// eraseWait is how long Erase waits for readers, and with it every writer for Erase.
const eraseWait = 100 * time.Millisecond

// Erase empties the write-ahead log, in which older versions of changed rows lie until
// it is written over; in the database file itself they are overwritten at once
// (secure_delete). Call it once a minute: while somebody reads for long, it leaves the
// log to its next call.
func (d *DB) Erase(ctx context.Context) (err error) {
	conn, err := d.Writes.Conn(ctx)
	if err != nil {
		return fmt.Errorf("erasing deleted rows: %w", err)
	}
	defer conn.Close()
	wait := func(ctx context.Context, d time.Duration) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout = %d`, d.Milliseconds()))
		return err
	}
	defer func() { err = errors.Join(err, wait(context.WithoutCancel(ctx), busyTimeout)) }()
	if err := wait(ctx, eraseWait); err != nil {
		return fmt.Errorf("erasing deleted rows: %w", err)
	}
	if _, err := conn.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return fmt.Errorf("erasing deleted rows: %w", err)
	}
	return nil
}

// Close closes both handles.
func (d *DB) Close() error { return errors.Join(d.Reads.Close(), d.Writes.Close()) }

// Tx runs f in a write transaction and commits it if f returns nil.
func (d *DB) Tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.Writes.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	defer d.access.ended(tx)
	defer tx.Rollback() // no effect once committed
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// Execer is a transaction or [DB.Writes].
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Affected runs one conditional statement and returns how many rows it changed.
func Affected(ctx context.Context, e Execer, query string, args ...any) (int64, error) {
	res, err := e.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Millis is t as the schema stores it.
func Millis(t time.Time) int64 { return t.UnixMilli() }

// Time is the reverse of [Millis]; 0 becomes the zero time.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
