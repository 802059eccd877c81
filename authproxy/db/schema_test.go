package db

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// exec changes a database file behind the product's back.
func exec(t *testing.T, path string, statements ...string) {
	t.Helper()
	d, err := sql.Open("sqlite", "file:"+path)
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

// ST-10: a file with something in it that the migrations did not make is not opened,
// whether it was ours once or never, and what it holds does not run.
func TestST10ForeignSchema(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change []string
		names  string // what the error must name
	}{
		"trigger that undoes a revocation": {[]string{`CREATE TRIGGER undo AFTER UPDATE ON grants BEGIN UPDATE grants SET revoked_at = 0; END`}, "trigger undo"},
		"trigger that copies secrets":      {[]string{`CREATE TABLE loot (x)`, `CREATE TRIGGER copy AFTER INSERT ON codes BEGIN INSERT INTO loot VALUES (NEW.code_hash); END`}, ""},
		"view":                             {[]string{`CREATE VIEW everybody AS SELECT * FROM users`}, "view everybody"},
		"view in a table's place":          {[]string{`ALTER TABLE stops RENAME TO was`, `CREATE VIEW stops AS SELECT name, 'off' AS value, changed_at, changed_by FROM was`}, ""},
		"one table more":                   {[]string{`CREATE TABLE more (x)`}, "table more"},
		"one column more":                  {[]string{`ALTER TABLE grants ADD COLUMN more TEXT`}, "table grants"},
		"a default changed":                {[]string{`DROP TABLE stops`, `CREATE TABLE stops (name TEXT PRIMARY KEY, value TEXT NOT NULL DEFAULT 'off', changed_at BIGINT, changed_by TEXT)`}, "table stops"},
		"a table dropped":                  {[]string{`DROP TABLE audit_entries`}, "missing"},
		"an index dropped":                 {[]string{`DROP INDEX grants_user`}, "index grants_user is missing"},
		"a unique index more":              {[]string{`CREATE UNIQUE INDEX one ON links (state)`}, "index one"},
		"a hidden trigger": {[]string{`PRAGMA writable_schema = ON`,
			`INSERT INTO sqlite_schema VALUES ('trigger', 'sqlite_x', 'grants', 0, 'CREATE TRIGGER sqlite_x AFTER UPDATE ON grants BEGIN UPDATE grants SET revoked_at = 0; END')`}, "sqlite_x"},
	} {
		path := filepath.Join(t.TempDir(), "p.db")
		open(t, path).Close()
		exec(t, path, c.change...)
		_, err := Open(t.Context(), Config{URL: "sqlite:" + path})
		if err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestST10ForeignFiles(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(path string){
		"another program's": func(path string) { exec(t, path, `CREATE TABLE users (id INTEGER PRIMARY KEY)`) },
		"its version table": func(path string) {
			exec(t, path, `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY, version_id INTEGER, is_applied INTEGER, tstamp TIMESTAMP DEFAULT (datetime('now')))`,
				`INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1), (2, 1)`)
		},
		"no database": func(path string) { write(t, path, bytes.Repeat([]byte("not a database. "), 512)) },
		"cut in half": func(path string) {
			open(t, path).Close()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, text[:len(text)/2])
		},
		"pages of 64 KiB, others' schema": func(path string) { exec(t, path, `PRAGMA page_size = 65536`, `CREATE TABLE x (y)`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "p.db")
			make(path)
			if d, err := Open(t.Context(), Config{URL: "sqlite:" + path}); err == nil {
				d.Close()
				t.Error("opened")
			}
		})
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What an administrator may do is no attack: ANALYZE, VACUUM, another page size.
func TestChangesWithoutEffectAreAccepted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.db")
	open(t, path).Close()
	exec(t, path, `INSERT INTO meta (name, value) VALUES ('x', '1')`, `ANALYZE`, `PRAGMA journal_mode = DELETE`, `PRAGMA page_size = 16384`, `VACUUM`)
	open(t, path)
}

// The schema that databases in use have. A library update that words it otherwise, or an
// edit of a landed migration, would lock everybody out: this test finds it first.
func TestSchemaInUse(t *testing.T) {
	t.Parallel()
	const migrationsThen, inUse = 2, "577e4c08987c70040d0519d28c01b08743d4e25479e2b699d63236c4b8e185d9"
	all, err := migrations.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	d, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.SetMaxOpenConns(1)
	p, err := (&sqlite{}).migrator(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), migrationsThen); err != nil || len(all) < migrationsThen {
		t.Fatal(err)
	}
	s, err := (&sqlite{}).schema(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for object, text := range s {
		lines = append(lines, object+"\n"+text)
	}
	slices.Sort(lines)
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(lines, "\n")))); got != inUse {
		t.Errorf("the first %d migrations make the schema %s, databases in use have %s", migrationsThen, got, inUse)
	}
}

// ST-11: what was deleted, or replaced by something shorter, is in no page of the
// database and not in its log, while the process goes on.
func TestST11DeletedIsOverwritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, filepath.Join(dir, "p.db"))
	secret := strings.Repeat("canary-of-the-deleted-row.", 400) // on overflow pages, too
	found := func() (in []string) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, []byte("canary-of-the-deleted")) {
				in = append(in, filepath.Base(name))
			}
		}
		return in
	}
	for i := range 40 {
		if _, err := d.Writes.Exec(`INSERT INTO meta (name, value) VALUES ($1, $2)`, fmt.Sprint(i), secret[:len(secret)>>(i%8)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(found()) == 0 {
		t.Fatal("the scan does not see a row that is there")
	}
	for _, statement := range []string{`DELETE FROM meta WHERE CAST(name AS INTEGER) % 2 = 0`, `UPDATE meta SET value = ''`} {
		if _, err := d.Writes.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if in := found(); len(in) > 0 {
		t.Errorf("it is still in %v", in)
	}
}

// A long reader keeps Erase from its work, not the writers from theirs.
func TestEraseDoesNotBlock(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "p.db"))
	reading, err := d.Reads.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Rollback()
	var n int
	if err := reading.QueryRow(`SELECT COUNT(*) FROM meta`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Writes.Exec(`INSERT INTO meta (name, value) VALUES ('x', '1')`); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := d.Erase(t.Context()); err != nil || time.Since(start) > busyTimeout/2 {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	var timeout int64
	if err := d.Writes.QueryRow(`PRAGMA busy_timeout`).Scan(&timeout); err != nil || timeout != busyTimeout.Milliseconds() {
		t.Errorf("writers wait %d ms afterwards, %v", timeout, err)
	}
}
