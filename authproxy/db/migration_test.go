package db

import (
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"

	"sfmcp-proxy/authproxy/seal"
)

// firstThatAsks is the first migration from which on processes of two versions share a database.
const firstThatAsks = 26

// problems are the migrations after firstThatAsks that do more than add to the schema, and do not say
// that older programs must not meet them.
func problems(t *testing.T, files fs.FS) (found []string) {
	t.Helper()
	d, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.SetMaxOpenConns(1)
	p, err := goose.NewProvider(goose.DialectSQLite3, d, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), firstThatAsks); err != nil {
		t.Fatal(err)
	}
	for _, m := range p.ListSources()[firstThatAsks:] {
		before, err := (&sqlite{}).schema(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.UpTo(t.Context(), m.Version); err != nil {
			t.Fatal(err)
		}
		after, err := (&sqlite{}).schema(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		var oldest int64
		if err := d.QueryRow(`SELECT value FROM epochs WHERE name = 'oldest_schema'`).Scan(&oldest); err != nil {
			t.Fatal(err)
		}
		if oldest == m.Version {
			continue
		}
		for object, text := range after {
			if before[object] != text && !addsSQLite(before, object, before[object], text) {
				found = append(found, fmt.Sprintf("%s changes %s", m.Path, object))
			}
		}
		for object := range before {
			if _, is := after[object]; !is {
				found = append(found, fmt.Sprintf("%s removes %s", m.Path, object))
			}
		}
	}
	return found
}

// FT-39: a migration adds to the schema, or says that programs of earlier versions must not use the
// database any more.
func TestFaultFT39MigrationsAdd(t *testing.T) {
	t.Parallel()
	for _, problem := range problems(t, migrationFiles()) {
		t.Errorf("%s: add only, or set oldest_schema; see DESIGN.md, Two versions on one database", problem)
	}
	for name, c := range map[string]struct{ text, problem string }{
		"a column":                      {`ALTER TABLE users ADD COLUMN more TEXT NOT NULL DEFAULT '';`, ""},
		"a table":                       {`CREATE TABLE more (id TEXT NOT NULL PRIMARY KEY);`, ""},
		"a column less":                 {`ALTER TABLE users DROP COLUMN name;`, "changes table users"},
		"a table less":                  {`DROP TABLE audit_entries;`, "removes table audit_entries"},
		"a column less, and it is said": {`ALTER TABLE users DROP COLUMN name; UPDATE epochs SET value = 9999 WHERE name = 'oldest_schema';`, ""},
	} {
		files := fstest.MapFS{}
		all, err := fs.Glob(migrationFiles(), "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range all {
			text, err := fs.ReadFile(migrationFiles(), file)
			if err != nil {
				t.Fatal(err)
			}
			files[file] = &fstest.MapFile{Data: text}
		}
		files["09999_more.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + c.text + "\n")}
		found := strings.Join(problems(t, files), "; ")
		if (found == "") != (c.problem == "") || !strings.Contains(found, c.problem) {
			t.Errorf("%s: %q", name, found)
		}
	}
}

// FT-39: a mark that only a later version knows is not taken for one of an earlier version, whose
// rows would all be signed.
func TestFaultFT39MarkOfALaterVersion(t *testing.T) {
	t.Parallel()
	path, keys := t.TempDir()+"/p.db", ring(t)
	d := open(t, path)
	if err := d.Claim(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{`UPDATE meta SET value = '` + markOf(t, keys, "sfmcp-proxy, with rows of another kind") + `' WHERE name = 'ring'`,
		`INSERT INTO users (org, subject, first_seen_at, last_seen_at) VALUES ('acme', '005A', 1, 1)`} {
		if _, err := d.Writes.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, keys := range []*seal.KeyRing{keys, sameKeys(t, keys)} { // with and without a note beside them
		if err := d.Claim(t.Context(), keys); err == nil || !strings.Contains(err.Error(), "newer version") {
			t.Errorf("claimed: %v", err)
		}
	}
	var mac string
	if err := d.Reads.QueryRow(`SELECT mac FROM users`).Scan(&mac); err != nil || mac != "" {
		t.Errorf("it was signed: %q, %v", mac, err)
	}
}
