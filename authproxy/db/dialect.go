package db

import (
	"context"
	"database/sql"
	"errors"

	"github.com/pressly/goose/v3"
)

// dialect is everything in which the databases differ; each is one value of it, in the
// file of its name. What is not here is the same for all, the statements of the stores
// first of all.
type dialect interface {
	// open returns the handles of [DB] without asking the database anything that takes long.
	open(ctx context.Context, url string) (pools, error)
	// absent names what has to be there before open and is not; "": nothing that can be
	// known before.
	absent(url string) (what string)
	// claimed reports whether a database is there that was bound to keys, see [DB.Claim], or
	// may have been. It makes nothing, and is false where that cannot be known.
	claimed(ctx context.Context, url string) bool

	// begin begins a transaction of [DB.Tx].
	begin(ctx context.Context, writes *sql.DB) (*sql.Tx, error)
	// migrating runs f while no other process migrates the database.
	migrating(ctx context.Context, writes *sql.DB, f func() error) error
	// migrator applies the migrations to a database.
	migrator(target *sql.DB) (*goose.Provider, error)
	// expectedSchema is what the migrations make, as schema reads it.
	expectedSchema(ctx context.Context, d *DB) (schema, error)
	// migrated says whether a database has the migration library's table.
	migrated(ctx context.Context, from *sql.DB) (bool, error)
	// schema reads what a database consists of.
	schema(ctx context.Context, from *sql.DB) (schema, error)
	// adds reports whether an object that has the text is, and that the migrations make as was (empty:
	// they do not make it), is one that a later version of the program may have added to want.
	adds(want schema, object, was, is string) bool
	// hopeless says of an error in opening a database that trying again does not help.
	hopeless(err error) bool

	// lock waits for the end of every other transaction that has locked key.
	lock(ctx context.Context, tx *sql.Tx, key string) error
	// forUpdate ends a SELECT whose rows of these tables are to stay until the transaction ends.
	forUpdate(tables string) string
	// shared reports whether programs on other machines may use the database.
	shared() bool
	// sound returns an error if nothing may be decided by what was opened: it is not what is at its
	// place any more, or cannot be read or written.
	sound() error
	// looked follows each look of the watcher at the access epoch, which may have failed.
	looked(ctx context.Context, d *DB, err error)
	// excess is what our role may do beyond what serving needs.
	excess(ctx context.Context, from *sql.DB) (Excess, error)
	// erase overwrites what deleted and changed rows have left behind.
	erase(ctx context.Context, d *DB) error
}

// pools are the handles of a [DB].
type pools struct{ writes, urgent, reads *sql.DB }

func (p pools) close() error { return errors.Join(p.reads.Close(), p.urgent.Close(), p.writes.Close()) }

// dialect is that of a URL that Validate accepts.
func (c Config) dialect() dialect {
	if isPostgres(c.URL) {
		return &postgres{}
	}
	return &sqlite{busyTimeout: c.BusyTimeout}
}
