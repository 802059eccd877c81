package db_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// change changes a database behind the product's back.
func change(t *testing.T, url string, statements ...string) {
	t.Helper()
	path, isSQLite := strings.CutPrefix(url, "sqlite:")
	if !isSQLite {
		exec(t, url, statements...)
		return
	}
	d, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := d.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// raised makes the schema that of a later version.
const raised = `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`

// FT-39: beside a newer version a program uses a schema to which that has added columns, tables and
// indexes. Whatever else is changed in it, and whatever is added without a newer version, is refused.
func TestFaultFT39SchemaOfALaterVersion(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	type changed struct {
		name string
		sql  []string
		on   string // one database; empty: both
	}
	added := []changed{
		{"columns", []string{`ALTER TABLE grants ADD COLUMN more TEXT NOT NULL DEFAULT ''`, `ALTER TABLE grants ADD COLUMN ends_at BIGINT NOT NULL DEFAULT 0`,
			`ALTER TABLE grants ADD COLUMN is_shared BOOLEAN NOT NULL DEFAULT FALSE`, `ALTER TABLE grants ADD COLUMN note TEXT`, `ALTER TABLE grants ADD COLUMN word TEXT DEFAULT 'a, b'`}, ""},
		{"a column before a table's constraints", []string{`ALTER TABLE approval_decisions ADD COLUMN more TEXT NOT NULL DEFAULT ''`}, ""},
		{"a table", []string{`CREATE TABLE more (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, n BIGINT NOT NULL CHECK (n > 0))`,
			`CREATE UNIQUE INDEX more_n ON more (n)`}, ""},
		{"indexes", []string{`CREATE INDEX links_state ON links (state, lease_until DESC)`, `CREATE INDEX approvals_why ON approvals (why) WHERE why <> ''`}, ""},
		{"nothing that shows", nil, ""},
	}
	const pg, lite = "postgres", "sqlite"
	refused := []changed{
		{"a view", []string{`CREATE VIEW more AS SELECT * FROM users`}, ""},
		{"a table of references, which keep rows from being deleted", []string{`CREATE TABLE more (grant_id TEXT NOT NULL REFERENCES grants (id))`}, ""},
		{"a unique index of a table that is known", []string{`CREATE UNIQUE INDEX one ON links (state)`}, ""},
		{"an index over what a function returns", []string{`CREATE INDEX one ON links (lower(state))`}, ""},
		{"a column less", []string{`ALTER TABLE users DROP COLUMN name`}, ""},
		{"a table less", []string{`DROP TABLE audit_entries`}, ""},
		{"an index less", []string{`DROP INDEX grants_user`}, ""},
		{"a column of another name", []string{`ALTER TABLE users RENAME COLUMN name TO called`}, ""},
		{"a column that is checked", []string{`ALTER TABLE users ADD COLUMN more TEXT NOT NULL DEFAULT '' CHECK (more <> 'x')`}, ""},
		{"a column that refers", []string{`ALTER TABLE users ADD COLUMN more TEXT DEFAULT NULL REFERENCES grants (id)`}, ""},
		{"a trigger", []string{`CREATE TRIGGER undo AFTER UPDATE ON grants BEGIN UPDATE grants SET revoked_at = 0; END`}, lite},
		{"a trigger of a table that is new", []string{`CREATE TABLE more (x TEXT)`, `CREATE TRIGGER undo AFTER INSERT ON more BEGIN UPDATE grants SET revoked_at = 0; END`}, lite},
		{"a virtual table", []string{`CREATE VIRTUAL TABLE more USING fts5 (x)`}, lite},
		{"a column that is computed", []string{`ALTER TABLE users ADD COLUMN more TEXT GENERATED ALWAYS AS (name) VIRTUAL`}, lite},
		{"a trigger", []string{`CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.revoked_at = 0; RETURN NEW; END'`,
			`CREATE TRIGGER undo BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION undo()`}, pg},
		{"a rule", []string{`CREATE RULE never AS ON DELETE TO codes DO INSTEAD NOTHING`}, pg},
		{"rows by inheritance", []string{`CREATE TABLE more () INHERITS (grants)`}, pg},
		{"security of rows", []string{`ALTER TABLE users ENABLE ROW LEVEL SECURITY`}, pg},
		{"a column that must be given", []string{`ALTER TABLE users ADD COLUMN more TEXT NOT NULL`}, pg},
		{"a column for which a function is run", []string{`ALTER TABLE users ADD COLUMN more TEXT NOT NULL DEFAULT current_user`}, pg},
		{"a column that is computed", []string{`ALTER TABLE users ADD COLUMN more TEXT GENERATED ALWAYS AS (name) STORED`}, pg},
		{"a constraint of a table that is known", []string{`ALTER TABLE users ADD CONSTRAINT named CHECK (name <> '')`}, pg},
		{"a default changed", []string{`ALTER TABLE stops ALTER COLUMN value SET DEFAULT 'off'`}, pg},
		{"another type", []string{`ALTER TABLE users ALTER COLUMN blocked_at TYPE INTEGER`}, pg},
	}
	for _, engine := range []string{lite, pg} {
		database := func(t *testing.T) string {
			if engine == pg {
				return dbtest.Postgres(t)
			}
			return dbtest.SQLite(t, t.TempDir())
		}
		for _, c := range added {
			t.Run(engine+"/"+c.name, func(t *testing.T) {
				url := database(t)
				change(t, url, c.sql...)
				if d, err := db.Open(t.Context(), db.Config{URL: url}); err == nil && len(c.sql) > 0 {
					t.Error("without a newer version: opened")
					d.Close()
				}
				change(t, url, raised)
				if d := dbtest.OpenURL(t, url); d.Later() != 9999 {
					t.Errorf("the version is %d", d.Later())
				}
			})
		}
		for _, c := range refused {
			if c.on != "" && c.on != engine {
				continue
			}
			t.Run(engine+"/"+c.name, func(t *testing.T) {
				url := database(t)
				change(t, url, append(c.sql, raised)...)
				if d, err := db.Open(t.Context(), db.Config{URL: url}); err == nil {
					d.Close()
					t.Error("opened")
				} else if !strings.Contains(err.Error(), "somebody else changed the database") {
					t.Error(err)
				}
			})
		}
	}
}

// FT-39: a process that runs goes on when a newer version only adds to the schema, and decides
// nothing from the moment when that does more.
func TestFaultFT39WhileItRuns(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		d := dbtest.OpenURL(t, url)
		ctx, cancel := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		defer watching.Wait()
		defer cancel()
		ended := make(chan error, 1)
		watching.Go(func() { ended <- d.WatchAccess(ctx, db.AccessPoll/20, func() {}) })
		change(t, url, `CREATE TABLE more (id TEXT NOT NULL PRIMARY KEY)`, raised)
		for end := time.Now().Add(2 * time.Minute); d.Later() != 9999; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the watcher does not see the version: %d", d.Later())
			}
		}
		if err := d.CheckInTouch(); err != nil {
			t.Fatalf("something was added: %v", err)
		}
		change(t, url, `UPDATE epochs SET value = 9999 WHERE name = 'oldest_schema'`)
		select {
		case err := <-ended:
			if !errors.Is(err, db.ErrOutdated) {
				t.Fatalf("the watcher ended with %v", err)
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("the watcher goes on")
		}
		if err := d.CheckInTouch(); !errors.Is(err, db.ErrOutdated) {
			t.Errorf("in touch: %v", err)
		}
		if other, err := db.Open(ctx, db.Config{URL: url}); !errors.Is(err, db.ErrOutdated) {
			t.Errorf("opened: %v %v", other, err)
		}
	})
}

// FT-39: a row whose MAC covers more than this version knows counts as absent, and the report does
// not say that it can only be a forgery.
func TestFaultFT39RowsThatCoverMore(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		change(t, url, raised)
		d := dbtest.OpenURL(t, url)
		var told []db.Altered
		d.OnAltered(func(a db.Altered) { told = append(told, a) })
		row := []any{"mode", "off", int64(1), "operator"}
		if !d.Authentic(db.Stops, d.MAC(db.Stops, row...), row...) {
			t.Error("what this version wrote does not count")
		}
		if d.Authentic(db.Stops, d.MAC(db.Grants, "a", "b", "c", "d", "e", "f", "g", "h", int64(1), int64(2), int64(3)), row...) {
			t.Error("another MAC counts")
		}
		if len(told) != 1 || !strings.Contains(told[0].Why, "a newer version of the program wrote it") {
			t.Errorf("told %v", told)
		}
	})
}
