package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/pressly/goose/v3"
)

// schema is what a database consists of: the SQL of each table, index, view and
// trigger by "TYPE NAME".
type schema map[string]string

// expectedSchema is what the migrations make of an empty database.
var expectedSchema = sync.OnceValues(func() (s schema, err error) {
	empty, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, empty.Close()) }()
	empty.SetMaxOpenConns(1) // each connection would have a memory of its own
	p, err := migrator(empty)
	if err != nil {
		return nil, err
	}
	if _, err := p.Up(context.Background()); err != nil {
		return nil, err
	}
	return readSchema(context.Background(), empty)
})

func migrator(target *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, target, files)
}

// readSchema leaves out the tables of ANALYZE, which an administrator may have run, and
// the text of the migration library's own table, which its next version may word
// otherwise.
func readSchema(ctx context.Context, from *sql.DB) (schema, error) {
	rows, err := from.QueryContext(ctx, `SELECT type || ' ' || name, CASE name WHEN 'goose_db_version' THEN '' ELSE COALESCE(sql, '') END
		FROM sqlite_schema WHERE NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4'))`)
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

// foreign says whether a database is another program's: not empty, and without what a
// first migration makes before all else.
func foreign(ctx context.Context, d *sql.DB) (bool, error) {
	have, err := readSchema(ctx, d)
	_, migrated := have["table goose_db_version"]
	return err == nil && len(have) > 0 && !migrated, err
}

// checkSchema refuses a database that is not exactly what the migrations make. A
// trigger or view more could undo a revocation, or show one table as another, behind
// statements that are right.
func checkSchema(ctx context.Context, d *sql.DB) error {
	want, err := expectedSchema()
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	have, err := readSchema(ctx, d)
	if err != nil {
		return err
	}
	for object, text := range have {
		if expected, known := want[object]; !known || expected != text {
			return fmt.Errorf("%s is not part of this program's schema: somebody else changed the database", object)
		}
	}
	for object := range want {
		if _, found := have[object]; !found {
			return fmt.Errorf("%s is missing: somebody else changed the database", object)
		}
	}
	return nil
}
