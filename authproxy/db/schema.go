package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

func migrationFiles() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is a constant
	}
	return files
}

// versionTable is the migration library's own.
const versionTable = "goose_db_version"

// migrateTime is how long opening a database waits for others that open it.
const migrateTime = 5 * time.Second

// errUnfit is a database that this program must not touch.
var errUnfit = errors.New("not a database for this program")

// migrate brings the schema up to date. When another process does so at the same time,
// ours may fail in its transaction, and finds the work done when it looks again.
func (d *DB) migrate(ctx context.Context) error {
	p, err := d.dialect.migrator(d.Writes)
	if err != nil {
		return err
	}
	for end := time.Now().Add(migrateTime); ; time.Sleep(20 * time.Millisecond) {
		err := d.migrateOnce(ctx, p)
		if err == nil || errors.Is(err, errUnfit) || errors.Is(err, ErrOutdated) || d.dialect.hopeless(err) || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
	}
}

func (d *DB) migrateOnce(ctx context.Context, p *goose.Provider) error {
	if err := d.refuseForeign(ctx); err != nil {
		return err
	}
	at, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	if at >= newestVersion() {
		return d.checkVersion(ctx)
	}
	return d.dialect.migrating(ctx, d.Writes, func() error {
		_, err := p.Up(ctx)
		return err
	})
}

// refuseForeign refuses another program's database: one that is not empty, and without what a
// first migration makes before all else.
func (d *DB) refuseForeign(ctx context.Context) error {
	migrated, err := d.dialect.migrated(ctx, d.Writes)
	if err != nil || migrated {
		return err
	}
	have, err := d.dialect.schema(ctx, d.Writes)
	if err != nil {
		return err
	}
	if _, migrated := have["table "+versionTable]; len(have) > 0 && !migrated { // it may be migrated just now
		return fmt.Errorf("%w: it is another program's", errUnfit)
	}
	return nil
}

// schema is what a database consists of: the SQL of each table, index, view and
// trigger by "TYPE NAME".
type schema map[string]string

// readSchema reads the two columns of a query into a schema.
func readSchema(ctx context.Context, from interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, query string, args ...any) (schema, error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	s := schema{}
	for rows.Next() {
		var object, text string
		if err := rows.Scan(&object, &text); err != nil {
			return nil, err
		}
		s[object] = text
	}
	return s, rows.Err()
}

// checkVersion notes at which version the schema is, and refuses one that this program must not use.
func (d *DB) checkVersion(ctx context.Context) error {
	at, err := d.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	oldest, err := d.readOldest(ctx)
	if err != nil {
		return err
	}
	d.at.Store(at)
	return outdated(at, oldest, newestVersion())
}

// checkSchema refuses a database that is not exactly what the migrations make, but for what a later
// version has added. A trigger or view more could undo a revocation, or show one table as another,
// behind statements that are right.
func (d *DB) checkSchema(ctx context.Context) error {
	want, err := d.dialect.expectedSchema(ctx, d)
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	have, err := d.dialect.schema(ctx, d.Reads)
	if err != nil {
		return err
	}
	if err := d.checkVersion(ctx); err != nil { // after the schema was read, to which another process may just have added
		return err
	}
	for object, text := range have {
		expected, known := want[object]
		if (!known || expected != text) && (d.Later() == 0 || !d.dialect.adds(want, object, expected, text)) {
			return fmt.Errorf("%s is not part of this program's schema: somebody else changed the database. If it was added, find out by whom, and drop it; otherwise: "+putBack, object)
		}
	}
	for object := range want {
		if _, found := have[object]; !found {
			return fmt.Errorf("%s is missing: somebody else changed the database. "+putBack, object)
		}
	}
	return nil
}
