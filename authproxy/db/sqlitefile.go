package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite"
)

const (
	// healEvery is how often it is tried whether the disk is as it should be again.
	healEvery = time.Second
	// healTime is how long one try may take.
	healTime = time.Second
)

// errUnsound is what every error says that [sqliteFile.sound] returns.
var errUnsound = errors.New("nothing is decided")

// sqliteFile is the file of a database as this process has opened it. What is at its path may become
// another one while the process runs: deleted, moved away, or a copy put in its place. Whatever is
// committed then is lost with this process, and whatever was revoked may be in the other one only.
type sqliteFile struct {
	path string
	is   os.FileInfo
	// beside are the files beside it, "-wal" and "-shm", by their paths, while a watcher keeps a
	// connection, so that they stay; nil: there is none, or it has not read yet.
	beside  atomic.Pointer[map[string]os.FileInfo]
	trouble atomic.Pointer[trouble] // nil: none
}

// trouble is that the disk refuses to read or write, or that what it has read is damaged.
type trouble struct {
	err    error
	stays  bool // until the process is started again
	looked atomic.Int64
}

// there returns an error unless the files at the path are those that were opened.
func (f *sqliteFile) there() error {
	if err := sameFile(f.path, f.is); err != nil {
		return err
	}
	if beside := f.beside.Load(); beside != nil {
		for path, is := range *beside {
			if err := sameFile(path, is); err != nil {
				return err
			}
		}
	}
	return nil
}

func sameFile(path string, is os.FileInfo) error {
	now, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: the database file %s was deleted or moved away while this process had it open: put it back; if it was deleted, see \"The database file is gone\" in the handbook before you end this process", errUnsound, path)
	case err != nil:
		return fmt.Errorf("%w: looking at the database file: %w", errUnsound, err)
	case !os.SameFile(now, is):
		return fmt.Errorf("%w: the database file %s was replaced by another one while this process had it open: put the former one back, or end this process and start it on the other one", errUnsound, path)
	}
	return nil
}

// sound returns an error if nothing may be decided by what this process has open.
func (f *sqliteFile) sound() error {
	if err := f.there(); err != nil {
		return err
	}
	if t := f.trouble.Load(); t != nil {
		return t.err
	}
	return nil
}

// keepBeside has the files beside it looked after from now on.
func (f *sqliteFile) keepBeside() {
	if f.beside.Load() != nil {
		return
	}
	beside := map[string]os.FileInfo{}
	for _, path := range []string{f.path + "-wal", f.path + "-shm"} {
		if is, err := os.Lstat(path); err == nil {
			beside[path] = is
		}
	}
	f.beside.Store(&beside)
}

// note looks at an error of a statement: of one that says something about the file, nothing is decided
// until it is over.
func (f *sqliteFile) note(err error) {
	failed, ok := errors.AsType[*sqlite3.Error](err)
	if !ok {
		return
	}
	t := &trouble{}
	switch failed.Code() & 0xff {
	case 8, 10: // SQLITE_READONLY, SQLITE_IOERR
		t.err = fmt.Errorf("%w: the disk does not read or write the database file %s: look at the disk, and whether it is mounted read-only (%w)", errUnsound, f.path, err)
	case 11, 26: // SQLITE_CORRUPT, SQLITE_NOTADB
		t.err = fmt.Errorf("%w: the database file %s is damaged: end this process and put a copy back, see \"Backup and restore\" in the handbook (%w)", errUnsound, f.path, err)
		t.stays = true
	default:
		return
	}
	if now := f.trouble.Load(); now == nil || t.stays && !now.stays {
		f.trouble.CompareAndSwap(now, t)
	}
}

// heal tries, now and then, whether the disk writes again, if it did not.
func (f *sqliteFile) heal(ctx context.Context, d *DB) {
	t := f.trouble.Load()
	now := time.Now().UnixMilli()
	if t == nil || t.stays || now-t.looked.Load() < healEvery.Milliseconds() {
		return
	}
	t.looked.Store(now)
	ctx, cancel := context.WithTimeout(ctx, healTime)
	defer cancel()
	// A row that is written as it was would not be written.
	if _, err := d.Writes.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('written', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, fmt.Sprint(now)); err != nil {
		return
	}
	if _, err := d.Writes.ExecContext(ctx, `DELETE FROM meta WHERE name = 'written'`); err == nil {
		f.trouble.CompareAndSwap(t, nil)
	}
}

// fileConnector opens connections to one file. SQLite opens by path, and database/sql whenever it
// wants another connection: each is to the file that was opened first, or there is none.
type fileConnector struct {
	driver.Connector
	file     *sqliteFile
	readOnly bool
}

// Connect implements [driver.Connector].
func (c fileConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.file.there(); err != nil {
		return nil, err
	}
	opened, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.file.there(); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	conn, ok := opened.(hookedConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's connection is a %T", opened), opened.Close())
	}
	watched := &fileConn{hookedConn: conn, file: c.file, readOnly: c.readOnly}
	if !c.readOnly {
		conn.RegisterCommitHook(watched.committing)
	}
	return watched, nil
}

// hookedConn is what this file uses of the driver's connections.
type hookedConn interface {
	sqliteConn
	sqlite3.HookRegisterer
}

// fileConn is a connection whose errors are noted, and that commits nothing to a file that is not
// at its path.
type fileConn struct {
	hookedConn
	file     *sqliteFile
	readOnly bool
	gone     error // why the last commit was refused
}

// committing is called before each commit; anything but 0 makes it a rollback.
func (c *fileConn) committing() int32 {
	if c.gone = c.file.there(); c.gone != nil {
		return 1
	}
	return 0
}

// noted is err, or why the commit was refused that it is about.
func (c *fileConn) noted(err error) error {
	if err == nil || c.readOnly && FailureOf(err) == ReadOnly { // which says nothing of the file
		return err
	}
	const commitRefused = 531 // SQLITE_CONSTRAINT_COMMITHOOK
	if failed, ok := errors.AsType[*sqlite3.Error](err); ok && failed.Code() == commitRefused && c.gone != nil {
		return c.gone
	}
	c.file.note(err)
	return err
}

// ExecContext implements [driver.ExecerContext].
func (c *fileConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.hookedConn.ExecContext(ctx, query, args)
	return result, c.noted(err)
}

// QueryContext implements [driver.QueryerContext].
func (c *fileConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.hookedConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.noted(err)
	}
	return fileRows{rows, c}, nil
}

// BeginTx implements [driver.ConnBeginTx].
func (c *fileConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.hookedConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, c.noted(err)
	}
	return fileTx{tx, c}, nil
}

// Close implements [driver.Conn].
func (c *fileConn) Close() error {
	if !c.readOnly {
		c.RegisterCommitHook(nil)
	}
	return c.hookedConn.Close()
}

type fileTx struct {
	driver.Tx
	conn *fileConn
}

// Commit implements [driver.Tx].
func (t fileTx) Commit() error { return t.conn.noted(t.Tx.Commit()) }

type fileRows struct {
	driver.Rows
	conn *fileConn
}

// Next implements [driver.Rows].
func (r fileRows) Next(into []driver.Value) error {
	err := r.Rows.Next(into)
	if err == io.EOF {
		return err
	}
	return r.conn.noted(err)
}
