package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"sync"

	"sfmcp-proxy/authproxy/seal"
)

// ErrInUse says that another process has the file of a database open.
var ErrInUse = errors.New("it is in use: end the proxy that serves on it, and every command, first")

// OpenSource opens the file of a SQLite database in order to copy it: for this process alone,
// which [ErrInUse] says is not possible, and without changing anything in it. The file must
// be there, and have the schema that this program's migrations make. Writes and Reads are the
// same handle, on which every write fails; [DB.MarkMoved] alone has a way.
func OpenSource(ctx context.Context, path string) (*DB, error) {
	if stat, err := os.Lstat(path); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	} else if !stat.Mode().IsRegular() {
		return nil, fmt.Errorf("opening %s: it is not a regular file", path)
	}
	q := url.Values{"_pragma": {
		"busy_timeout(1000)", // a process that is just ending
		// Before anything is read: in WAL mode every process that has the file open holds a
		// shared lock on it, and this one asks for the exclusive one.
		"locking_mode(EXCLUSIVE)",
		"query_only(ON)", "trusted_schema(OFF)", "cell_size_check(ON)", "synchronous(FULL)",
	}}
	handle, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	handle.SetMaxOpenConns(1)
	d := &DB{Writes: handle, Urgent: handle, Reads: handle, dialect: &sqlite{}, access: newAccessEpoch(nil)}
	if err := d.checkSource(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), handle.Close())
	}
	return d, nil
}

// checkSource sees that nobody else has the file, and that it is a database of this version.
func (d *DB) checkSource(ctx context.Context) error {
	version, err := d.SchemaVersion(ctx)
	if FailureOf(err) == TooSlow {
		return ErrInUse
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	if newest := newestVersion(); version < newest {
		return fmt.Errorf("schema version %d is older than %d: start this program on it once, or run a command such as 'user list', and end it again", version, newest)
	} else if version > newest {
		return fmt.Errorf("schema version %d is newer than %d, use the newer program", version, newest) // what it has more would be lost
	}
	return d.checkSchema(ctx)
}

// SchemaVersion is the number of the last migration that was applied.
func (d *DB) SchemaVersion(ctx context.Context) (version int64, err error) {
	err = d.Reads.QueryRowContext(ctx, `SELECT COALESCE(max(version_id), 0) FROM `+versionTable).Scan(&version)
	return version, err
}

// newestVersion is the number of the last migration that this program knows.
var newestVersion = sync.OnceValue(func() (newest int64) {
	files, err := fs.Glob(migrationFiles(), "*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	if _, err := fmt.Sscanf(slices.Max(files), "%d_", &newest); err != nil {
		panic(err) // the names are
	}
	return newest
})

// Claimed reports whether the database was in use with some keys, see [DB.Claim].
func (d *DB) Claimed(ctx context.Context) (is bool, err error) {
	err = d.Reads.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM meta WHERE name = $1)`, markName).Scan(&is)
	return is, err
}

// BelongsTo returns an error unless the database has the mark of these keys, see [DB.Claim]. It
// changes nothing.
func (d *DB) BelongsTo(ctx context.Context, ring *seal.KeyRing) error {
	var have string
	err := d.Reads.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, markName).Scan(&have)
	if errors.Is(err, sql.ErrNoRows) {
		return errors.New("the database was never in use: it has no mark of its keys")
	}
	if err != nil {
		return fmt.Errorf("reading the mark of the keys: %w", err)
	}
	text, err := openMark(ring, have)
	switch {
	case err != nil:
		return err
	case text != markEarlier && text != markAuthenticated:
		return errLaterMark
	case text != markAuthenticated:
		return errors.New("the database has the mark of an earlier version: start this program on it once, and end it again")
	}
	return nil
}
