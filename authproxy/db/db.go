package db

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy/seal"
)

// readers is how many queries of [DB.Reads] run at a time.
const readers = 8

// Config says which database to open.
type Config struct {
	// URL is "sqlite:PATH"; PATH is relative to the working directory. Or it is a
	// postgres:// URL, as PostgreSQL's own programs take it.
	URL string
	// Now is the clock by which a [Cache] is believed; nil means time.Now.
	Now func() time.Time
	// BusyTimeout is how long a statement waits for a SQLite file that another process holds; 0 means
	// five seconds.
	BusyTimeout time.Duration
	// InDoubt is how long the database is asked what became of a transaction whose COMMIT it did not answer; 0 means 20
	// seconds. See [DB.KnownTx].
	InDoubt time.Duration
	// Waits ends when the process does: from then on it is asked for that for one second more at most; nil: it does not end.
	Waits context.Context
}

// Validate reports a URL that Open could not open. The error does not show the URL, which
// may hold a password.
func (c Config) Validate() error {
	switch {
	case strings.Contains(sqlitePath(c.URL), ":memory:"):
		return errors.New("database URL names no file: what is granted, revoked and approved must outlive this process")
	case sqlitePath(c.URL) != "":
		return nil
	case isPostgres(c.URL):
		_, err := parsePostgres(c.URL)
		return err
	}
	return errors.New("database URL must be sqlite:PATH or postgres://USER@HOST/DATABASE")
}

// Redacted is the URL without its password, to be shown.
func (c Config) Redacted() string {
	if sqlitePath(c.URL) != "" {
		return c.URL
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		scheme, _, _ := strings.Cut(c.URL, ":")
		return scheme + ":…"
	}
	if q := u.Query(); q.Has("password") || q.Has("sslpassword") {
		for _, name := range []string{"password", "sslpassword"} {
			if q.Has(name) {
				q.Set(name, "xxxxx")
			}
		}
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	// Writes runs transactions, on SQLite one at a time. Every INSERT, UPDATE and DELETE
	// goes here.
	Writes *sql.DB
	// Urgent writes what would be lost if it waited behind the others for a connection of Writes, in short
	// statements and in [DB.UrgentTx]. On SQLite, where writers come one after the other, it is Writes.
	Urgent *sql.DB
	// Reads serves concurrent queries; a write through it fails.
	Reads *sql.DB

	dialect     dialect
	access      *accessEpoch
	ring        *seal.KeyRing // set by Claim
	at          atomic.Int64  // version of the schema when it was last looked at
	altered     alterations
	inDoubt     time.Duration   // see Config
	stopWaiting context.Context // Config.Waits
	keys        missingKeys
}

// Open opens the database and migrates its schema. A file that is not there is created
// (mode 0600, in a directory of mode 0700). A database whose schema is other than this
// program's migrations make it is refused, unless a newer program has only added to it ([DB.Later]);
// [ErrOutdated] says that it has done more.
func Open(ctx context.Context, c Config) (*DB, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	d := &DB{dialect: c.dialect(), access: newAccessEpoch(c.Now), inDoubt: cmp.Or(c.InDoubt, doubtTime), stopWaiting: c.Waits}
	opened, err := d.dialect.open(ctx, c.URL)
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", seal.NameOwner(err))
	}
	d.Writes, d.Urgent, d.Reads = opened.writes, opened.urgent, opened.reads
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrating database: %w", nameOwner(c.URL, c.mayNotMigrate(err))), d.Close())
	}
	if err := d.checkSchema(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("checking database: %w", err), d.Close())
	}
	return d, nil
}

// Close closes the handles.
func (d *DB) Close() error { return errors.Join(d.Reads.Close(), d.Urgent.Close(), d.Writes.Close()) }

// Erase overwrites what deleted and changed rows have left behind, where that is for us to
// do: in SQLite's write-ahead log. Call it once a minute. PostgreSQL's log, vacuum and
// backups are its administrator's; there it does nothing.
func (d *DB) Erase(ctx context.Context) error {
	if err := d.dialect.erase(ctx, d); err != nil {
		return fmt.Errorf("erasing deleted rows: %w", err)
	}
	return nil
}

// maxTries is how often a transaction is tried that the database undoes.
const maxTries = 10

// Tx runs f in a write transaction and commits it if f returns nil.
//
// f must return what its statements return, wrapped or not, and have no effect but
// through its transaction, or one that the next run of it replaces: where the database
// undoes a transaction for the sake of another (a deadlock on PostgreSQL), Tx runs f
// again, a few times. A commit whose outcome is not known is not repeated; see [DB.KnownTx].
func (d *DB) Tx(ctx context.Context, f func(*sql.Tx) error) error { return d.tx(ctx, d.Writes, f) }

// UrgentTx is [DB.Tx] by [DB.Urgent].
func (d *DB) UrgentTx(ctx context.Context, f func(*sql.Tx) error) error {
	return d.tx(ctx, d.Urgent, f)
}

func (d *DB) tx(ctx context.Context, by *sql.DB, f func(*sql.Tx) error) error {
	for try := 1; ; try++ {
		err := d.try(ctx, by, f)
		if err == nil || try == maxTries || ctx.Err() != nil {
			return err
		}
		if stale := (*staleError)(nil); errors.As(err, &stale) {
			continue // on another connection
		}
		if FailureOf(err) != Undone {
			return err
		}
		var apart [1]byte // from the other one
		rand.Read(apart[:])
		time.Sleep(time.Duration(try) * time.Duration(apart[0]) * 20 * time.Microsecond)
	}
}

// staleError is that a connection had ended before a transaction began on it, as all do when the
// server was started again: nothing was done, and the next connection may be good.
type staleError struct{ error }

func (e *staleError) Unwrap() error { return e.error }

// dropIdle closes the connections that nobody uses, after one of them turned out not to lead
// anywhere.
func (d *DB) dropIdle() {
	d.Writes.SetMaxIdleConns(0)
	d.Writes.SetMaxIdleConns(writers)
	if d.Urgent != d.Writes {
		d.Urgent.SetMaxIdleConns(0)
		d.Urgent.SetMaxIdleConns(urgentWriters)
	}
	d.Reads.SetMaxIdleConns(0)
	d.Reads.SetMaxIdleConns(readers)
}

func (d *DB) try(ctx context.Context, by *sql.DB, f func(*sql.Tx) error) error {
	tx, err := d.dialect.begin(ctx, by)
	if err != nil {
		err = fmt.Errorf("beginning transaction: %w", err)
		if FailureOf(err) == Unavailable && !isConnecting(err) {
			return &staleError{err}
		}
		return err
	}
	defer d.access.ended(tx)
	defer tx.Rollback() // no effect once committed
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return &commitError{fmt.Errorf("committing: %w", err)}
	}
	return nil
}

// Lock makes a transaction of [DB.Tx] wait for every other one that has locked the same
// name, in whichever process, and holds it until the transaction ends: for what is looked
// at before it is written and is not one row (how many there are, that there is none). It
// comes before the look. On SQLite a transaction is alone anyway.
func (d *DB) Lock(ctx context.Context, tx *sql.Tx, name string) error {
	if err := d.dialect.lock(ctx, tx, name); err != nil {
		return fmt.Errorf("locking %s: %w", name, err)
	}
	return nil
}

// Shared reports whether programs on other machines may use the same database.
func (d *DB) Shared() bool { return d.dialect.shared() }

// ForUpdate ends a SELECT of a transaction that goes by what it has read of these tables
// (their names or aliases in the statement, by comma): nobody changes those rows before
// it ends, and what it reads is what the last change made of them.
func (d *DB) ForUpdate(tables string) string { return d.dialect.forUpdate(tables) }

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

// Millis is t as the schema stores it; the zero time becomes 0.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time is the reverse of [Millis]; 0 becomes the zero time.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
