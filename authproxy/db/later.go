package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// oldestSchema is the row of epochs that says how much a program must know that uses the database:
// the migration with this number, and all before it. A migration that older programs must not meet
// sets it to its own number; see "Two versions on one database" in DESIGN.md.
const oldestSchema = "oldest_schema"

// ErrOutdated says that a newer version of the program has changed the database in a way that this
// one does not know, and must not use it any more.
var ErrOutdated = errors.New("a newer version of this program has changed the database, and this one must not use it any more: replace it by the newer one")

// outdated returns [ErrOutdated] if a program that knows the migrations up to newest must not use a
// database whose last one is at, and whose oldest program knows those up to oldest; 0: nobody says.
func outdated(at, oldest, newest int64) error {
	switch {
	case at <= newest:
		return nil
	case oldest == 0:
		return fmt.Errorf("%w (schema version %d is newer than %d, use the newer program)", ErrOutdated, at, newest)
	case oldest > newest:
		return fmt.Errorf("%w (schema version %d is newer than %d, and needs a program that knows %d: use the newer program)", ErrOutdated, at, newest, oldest)
	}
	return nil
}

// readOldest returns what oldestSchema says; 0: nothing, as in databases that no version has made
// which could be asked.
func (d *DB) readOldest(ctx context.Context) (oldest int64, err error) {
	err = d.Reads.QueryRowContext(ctx, `SELECT value FROM epochs WHERE name = $1`, oldestSchema).Scan(&oldest)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return oldest, err
}

// Later returns the version of the schema if a newer program has brought it to one that this
// program does not know, and which it may use all the same; otherwise 0.
func (d *DB) Later() int64 {
	if at := d.at.Load(); at > newestVersion() {
		return at
	}
	return 0
}

// literal is a value that a column can begin with: one that nothing is run for.
const literal = `(?:'[^']*'(?:::(?:text|bigint))?|-?[0-9]+|TRUE|FALSE|true|false)`

var (
	// plainTable is a table of SQLite that refers to no other one.
	plainTable = regexp.MustCompile(`^CREATE TABLE [a-z_0-9]+ \(`)
	refers     = regexp.MustCompile(`(?i)\bREFERENCES\b`)
	// plainIndex is one over columns, in the words of either database; its groups are UNIQUE and the table.
	plainIndex = regexp.MustCompile(`^CREATE (UNIQUE )?INDEX [a-z_0-9]+ ON ([a-z_0-9]+) ?(?:USING btree )?` +
		`\([a-z_0-9]+(?: DESC)?(?:, [a-z_0-9]+(?: DESC)?)*\)(?: WHERE [a-z_0-9]+ (?:=|<>) ` + literal + `)?$`)
	// addedToSQLite are columns as ALTER TABLE writes them into the text of a table, addedToPostgres
	// as postgresObjects has them. Whoever does not name one when it inserts a row gets what it begins with.
	addedToSQLite   = regexp.MustCompile(`^(?:\s*,\s*[a-z_0-9]+ (?:TEXT|BIGINT|BOOLEAN)(?:(?: NOT NULL)? DEFAULT ` + literal + `)?)+\s*$`)
	addedToPostgres = regexp.MustCompile(`^(?:, [a-z_0-9]+ (?:text|bigint|boolean) (?:f  (?: default)?(?: ` + literal + `)?|t  (?: default)? ` + literal + `))+$`)
)

// addsSQLite reports whether an object of SQLite's, whose text this program's migrations make was
// (empty: they do not make it), may be what a later one has added: a column, a table or an index that
// leave every statement of this program as right as before.
func addsSQLite(want schema, object, was, is string) bool {
	kind, name, _ := strings.Cut(object, " ")
	switch {
	case kind == "index" && is == "": // of a primary key, or of UNIQUE
		of, automatic := strings.CutPrefix(name, "sqlite_autoindex_")
		of = of[:max(strings.LastIndex(of, "_"), 0)]
		return automatic && of != "" && !want.hasTable(of)
	case kind == "index":
		return was == "" && want.addsIndex(is)
	case kind != "table":
		return false
	case was == "":
		return plainTable.MatchString(is) && !refers.MatchString(is)
	}
	more := len(is) - len(was)
	for at := 0; more > 0 && at <= len(was) && is[:at] == was[:at]; at++ {
		if is[at+more:] == was[at:] && addedToSQLite.MatchString(is[at:at+more]) {
			return true
		}
	}
	return false
}

// addsPostgres is addsSQLite for PostgreSQL.
func addsPostgres(want schema, object, was, is string) bool {
	kind, name, _ := strings.Cut(object, " ")
	switch {
	case kind == "index":
		return was == "" && want.addsIndex(is)
	case kind == "constraint":
		_, table, _ := strings.Cut(name, " of ")
		return was == "" && !strings.HasPrefix(is, "FOREIGN KEY") && (!want.hasTable(table) || strings.HasPrefix(is, "NOT NULL "))
	case kind != "table":
		return false
	case was == "":
		return true
	}
	added, begins := strings.CutPrefix(is, was)
	return begins && addedToPostgres.MatchString(added)
}

// addsIndex reports whether an index is over columns, and refuses no row that a program may write
// which does not know of it.
func (s schema) addsIndex(text string) bool {
	is := plainIndex.FindStringSubmatch(strings.Join(strings.Fields(text), " "))
	return is != nil && (is[1] == "" || !s.hasTable(is[2]))
}

func (s schema) hasTable(name string) bool {
	_, has := s["table "+name]
	return has
}
