package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

func (*postgres) schema(ctx context.Context, from *sql.DB) (schema, error) {
	return readSchema(ctx, from, postgresObjects, false)
}

func (*postgres) migrated(ctx context.Context, from *sql.DB) (has bool, err error) {
	err = from.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = current_schema() AND c.relname = $1 AND c.relkind = 'r')`, versionTable).Scan(&has)
	return has, err
}

func (*postgres) adds(want schema, object, was, is string) bool {
	return addsPostgres(want, object, was, is)
}

// postgresSchemas holds what the migrations make on each version of the server that this
// process has seen.
var postgresSchemas struct {
	sync.Mutex
	of map[string]schema
}

// expectedSchema has the server itself make the tables, as temporary ones in a transaction
// that is rolled back: each version words a definition in its own way, and the right to
// make a schema is more than the product needs.
func (*postgres) expectedSchema(ctx context.Context, d *DB) (_ schema, err error) {
	var version string
	if err := d.Reads.QueryRowContext(ctx, `SELECT current_setting('server_version')`).Scan(&version); err != nil {
		return nil, err
	}
	postgresSchemas.Lock()
	defer postgresSchemas.Unlock()
	if known, ok := postgresSchemas.of[version]; ok {
		return known, nil
	}
	tx, err := d.Writes.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	if err := migrateTemporary(ctx, tx); err != nil {
		return nil, err
	}
	want, err := readSchema(ctx, tx, postgresObjects, true)
	if err != nil {
		return nil, err
	}
	want["table "+versionTable] = ""
	if postgresSchemas.of == nil {
		postgresSchemas.of = map[string]schema{}
	}
	postgresSchemas.of[version] = want
	return want, nil
}

// migrateTemporary runs the migrations in the session's temporary schema.
func migrateTemporary(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `SET LOCAL search_path TO pg_temp`); err != nil {
		return err
	}
	files, err := fs.Glob(migrationFiles(), "*.sql") // by number
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := fs.ReadFile(migrationFiles(), name)
		if err != nil {
			return err
		}
		_, up, found := strings.Cut(string(text), "-- +goose Up\n")
		if !found {
			return errors.New(name + ": no section Up")
		}
		if _, err := tx.ExecContext(ctx, up); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// postgresObjects lists what is in the current schema ($1: in the temporary one), with a
// text that tells one definition from another. It leaves out what an extension brought
// (which needs an administrator) and what the migration library makes around its table.
// A table that inherits from one of ours, wherever it is, shows its rows in ours.
const postgresObjects = `
WITH place AS (
	SELECT CASE WHEN $1 THEN pg_my_temp_schema() ELSE (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) END AS oid
), relations AS (
	SELECT c.* FROM pg_class c JOIN place ON c.relnamespace = place.oid
	WHERE NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
), ours AS (
	SELECT * FROM relations WHERE relname <> 'goose_db_version'
)
SELECT CASE c.relkind WHEN 'r' THEN 'table ' WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence '
		WHEN 'f' THEN 'foreign table ' WHEN 'p' THEN 'partitioned table ' ELSE 'type ' END || c.relname,
	CASE c.relname WHEN 'goose_db_version' THEN '' ELSE
		COALESCE((SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
				(SELECT collname FROM pg_collation WHERE oid = a.attcollation), pg_get_expr(v.adbin, v.adrelid)), ', ' ORDER BY a.attnum)
			FROM pg_attribute a LEFT JOIN pg_attrdef v ON v.adrelid = a.attrelid AND v.adnum = a.attnum
			WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')
		|| CASE WHEN c.relrowsecurity OR c.relforcerowsecurity THEN ' row security' ELSE '' END END
	FROM relations c WHERE c.relkind NOT IN ('i', 'I', 't')
		AND NOT (c.relkind = 'S' AND c.relname LIKE 'goose!_db!_version!_%' ESCAPE '!')
UNION ALL
SELECT 'index ' || i.relname, pg_get_indexdef(x.indexrelid, 0, TRUE) || CASE WHEN x.indisvalid THEN '' ELSE ' invalid' END
	FROM ours c JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid
UNION ALL
SELECT 'constraint ' || k.conname || ' of ' || c.relname, pg_get_constraintdef(k.oid, TRUE) || CASE WHEN k.convalidated THEN '' ELSE ' not valid' END
	FROM ours c JOIN pg_constraint k ON k.conrelid = c.oid
UNION ALL
SELECT 'trigger ' || t.tgname || ' of ' || c.relname, pg_get_triggerdef(t.oid)
	FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'trigger of ' || c.relname || ' that was disabled', ''
	FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE t.tgisinternal AND t.tgenabled <> 'O' GROUP BY c.relname
UNION ALL
SELECT 'rule ' || r.rulename || ' of ' || c.relname, pg_get_ruledef(r.oid)
	FROM relations c JOIN pg_rewrite r ON r.ev_class = c.oid WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT 'policy ' || p.polname || ' of ' || c.relname, ''
	FROM relations c JOIN pg_policy p ON p.polrelid = c.oid
UNION ALL
SELECT 'child ' || h.inhrelid::regclass || ' of ' || c.relname, ''
	FROM relations c JOIN pg_inherits h ON h.inhparent = c.oid`
