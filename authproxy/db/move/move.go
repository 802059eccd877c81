// Package move moves all that a SQLite database has into an empty PostgreSQL database.
//
// It knows no table by name: which tables and columns there are, it reads from the source, whose
// schema is what the migrations of this program make, as is that of the target. So nothing that
// a later migration adds can be forgotten here. Values travel as they are. What is sealed, and
// the MACs of rows, name their table, row and purpose and not the database, so they hold in the
// new one, and nobody signs in again.
//
// Everything happens in one transaction of the target. Each table is written, read back and
// compared with the source, row by row in the order of its key, before that is committed: a
// target either has all of it, or is as empty as before.
package move

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"sfmcp-proxy/authproxy/db"
)

// Table is what was found, or moved, of one.
type Table struct {
	Name string
	Rows int64
	// Digest is the SHA-256 over all values of all rows in the order of their keys, in hex.
	Digest string
}

// ErrNotEmpty says that a target has something in it already.
var ErrNotEmpty = errors.New("the target is not empty: name a database, or a schema, that nothing was stored in yet")

// Move copies every table from a source of [db.OpenSource] into a target of [db.Open] on
// PostgreSQL. If it fails, the target is as before, but after a COMMIT that was not answered:
// [Compare] tells then.
func Move(ctx context.Context, from, to *db.DB) (moved []Table, err error) {
	if !to.Shared() {
		return nil, errors.New("the target is not a PostgreSQL database")
	}
	tables, err := readTables(ctx, from.Reads)
	if err != nil {
		return nil, err
	}
	err = onConn(ctx, to, func(conn *pgx.Conn) error {
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(context.WithoutCancel(ctx)) // no effect once committed
		if err := takeEmpty(ctx, tx, tables); err != nil {
			return err
		}
		for _, t := range tables {
			if err := t.copy(ctx, from.Reads, tx); err != nil {
				return fmt.Errorf("copying %s: %w", t.name, err)
			}
			same, err := t.compare(ctx, from.Reads, tx)
			if err != nil {
				return fmt.Errorf("comparing %s: %w", t.name, err)
			}
			moved = append(moved, same)
		}
		return tx.Commit(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("moving the database: %w", err)
	}
	return moved, nil
}

// Compare reads every table of both and returns what they have in common, or the first
// [*Difference]. The checkpoints of audit logs are left out: they are newer in a target that was
// opened since, and the logs themselves are what they are compared with. So is what is true of one database alone, see [ofOne].
func Compare(ctx context.Context, from, to *db.DB) (same []Table, err error) {
	tables, err := readTables(ctx, from.Reads)
	if err != nil {
		return nil, err
	}
	err = onConn(ctx, to, func(conn *pgx.Conn) error {
		tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		if err != nil {
			return err
		}
		defer tx.Rollback(context.WithoutCancel(ctx))
		for _, t := range tables {
			if t.name == "meta" {
				t.where += ` AND name NOT LIKE 'audit_checkpoint %'`
			}
			found, err := t.compare(ctx, from.Reads, tx)
			if err != nil {
				return err
			}
			same = append(same, found)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("comparing the databases: %w", err)
	}
	return same, nil
}

// onConn runs f on one connection to a PostgreSQL database: the driver's own has COPY.
func onConn(ctx context.Context, to *db.DB, f func(*pgx.Conn) error) error {
	conn, err := to.Writes.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(driver any) error {
		pg, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the target's driver is %T", driver)
		}
		return f(pg.Conn())
	})
}

// takeEmpty keeps everybody else out of the target until the transaction ends, and removes what
// migrations put into it; anything else there is [ErrNotEmpty].
func takeEmpty(ctx context.Context, tx pgx.Tx, tables []table) error {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = pgx.Identifier{t.name}.Sanitize()
	}
	// The source is read meanwhile, for as long as that takes.
	if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `LOCK TABLE `+strings.Join(names, ", ")+` IN ACCESS EXCLUSIVE MODE`); err != nil {
		return fmt.Errorf("keeping others out of the target, which a proxy on it does not allow: %w", err)
	}
	for i := range tables {
		t := tables[len(tables)-1-i] // what refers to others first
		if _, err := tx.Exec(ctx, `DELETE FROM `+names[len(tables)-1-i]+t.begun()); err != nil {
			return err
		}
		var left bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+pgx.Identifier{t.name}.Sanitize()+`)`).Scan(&left); err != nil {
			return err
		}
		if left {
			return fmt.Errorf("%w (table %s has rows)", ErrNotEmpty, t.name)
		}
	}
	return nil
}
