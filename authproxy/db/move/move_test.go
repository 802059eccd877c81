package move

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// fill puts rows into every table of a database, whatever columns it has: the names in the order
// of which languages differ, empty texts, the largest numbers.
func fill(t *testing.T, d *db.DB) (rows map[string]int64) {
	t.Helper()
	tables, err := readTables(t.Context(), d.Reads)
	if err != nil {
		t.Fatal(err)
	}
	rows = map[string]int64{}
	for _, table := range tables {
		refers := references(t, d, table.name)
		for i, prefix := range []string{"a", "B", "ä", "Z'\"", "ß"} {
			var names, places []string
			var values []any
			for at, c := range table.columns {
				names, places = append(names, `"`+c.name+`"`), append(places, fmt.Sprintf("$%d", at+1))
				switch of := table.name + "." + c.name; {
				case c.kind == "TEXT" && refers[c.name] != "":
					values = append(values, prefix+refers[c.name])
				case c.kind == "TEXT" && at > 5 && i == 1:
					values = append(values, "")
				case c.kind == "TEXT":
					values = append(values, prefix+of)
				case c.kind == "BOOLEAN":
					values = append(values, i%2 == 0)
				default:
					values = append(values, int64(1)<<(12*i)+int64(at))
				}
			}
			if _, err := d.Writes.Exec(`INSERT INTO "`+table.name+`" (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(places, ", ")+`)`, values...); err != nil {
				t.Fatalf("%s: %v", table.name, err)
			}
		}
		if err := d.Reads.QueryRow(`SELECT count(*) FROM "` + table.name + `"`).Scan(new(int64)); err != nil {
			t.Fatal(err)
		}
		rows[table.name] = 5
	}
	return rows
}

// references are the columns that name a row of another table: "TABLE.COLUMN" of that.
func references(t *testing.T, d *db.DB, table string) map[string]string {
	t.Helper()
	all, err := texts(t.Context(), d.Reads, `SELECT "from" || ' ' || "table" || '.' || "to" FROM pragma_foreign_key_list($1)`, table)
	if err != nil {
		t.Fatal(err)
	}
	refers := map[string]string{}
	for _, one := range all {
		from, to, _ := strings.Cut(one, " ")
		refers[from] = to
	}
	return refers
}

// filled returns the file of a database with rows in every table, which nobody has open.
func filled(t *testing.T) (path string) {
	t.Helper()
	url := dbtest.SQLite(t, t.TempDir())
	d, err := db.Open(t.Context(), db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Claim(t.Context(), dbtest.Ring(t, url)); err != nil {
		t.Fatal(err)
	}
	fill(t, d)
	return strings.TrimPrefix(url, "sqlite:")
}

func source(t *testing.T, path string) *db.DB {
	t.Helper()
	d, err := db.OpenSource(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func target(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// Every row of every table arrives as it was, and the keys fit; what is changed afterwards is
// found and named.
func TestMove(t *testing.T) {
	t.Parallel()
	path := filled(t)
	change(t, path, `INSERT INTO meta (name, value) VALUES ('served', '1767225600000')`)
	from, to := source(t, path), target(t, dbtest.EmptyPostgres(t))
	moved, err := Move(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	if last, _, err := to.Served(t.Context(), time.Now()); err != nil || !last.IsZero() {
		t.Errorf("a proxy is said to have served on the target at %v, %v", last, err)
	}
	if err := to.Serving(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	for _, table := range moved {
		if table.Rows < 5 || len(table.Digest) != 64 {
			t.Errorf("%+v", table)
		}
	}
	same, err := Compare(t.Context(), from, to)
	if err != nil || len(same) != len(moved) {
		t.Errorf("%d of %d tables, %v", len(same), len(moved), err)
	}
	if err := to.Claim(t.Context(), dbtest.Ring(t, "sqlite:"+path)); err != nil {
		t.Errorf("the keys do not fit: %v", err)
	}
	for _, c := range []struct{ change, undo, names string }{
		{`UPDATE grants SET scope = 'more' WHERE id = 'agrants.id'`, `UPDATE grants SET scope = 'agrants.scope' WHERE id = 'agrants.id'`, "the row agrants.id of grants has another value in the column scope"},
		{`DELETE FROM codes WHERE code_hash = 'ßcodes.code_hash'`, "", "the row ßcodes.code_hash of codes is missing"},
	} {
		if _, err := to.Writes.Exec(c.change); err != nil {
			t.Fatal(err)
		}
		var found *Difference
		if _, err := Compare(t.Context(), from, to); !errors.As(err, &found) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: %v", c.change, err)
		}
		if c.undo != "" {
			if _, err := to.Writes.Exec(c.undo); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A target that has anything, and a value that PostgreSQL cannot store, leave the target as it was.
func TestMoveRefuses(t *testing.T) {
	t.Parallel()
	path := filled(t)
	used := target(t, dbtest.Postgres(t))
	if _, err := used.Writes.Exec(`INSERT INTO notices (id, target, event, about, body, created_at, next_at, mac) VALUES ('n', '', '', '', '', 0, 0, '')`); err != nil {
		t.Fatal(err)
	}
	stopped := target(t, dbtest.Postgres(t))
	if _, err := stopped.Writes.Exec(`UPDATE stops SET value = 'all', changed_at = 1`); err != nil {
		t.Fatal(err)
	}
	from := source(t, path)
	for name, to := range map[string]*db.DB{"a row": used, "a stop": stopped} {
		if _, err := Move(t.Context(), from, to); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := from.Close(); err != nil {
		t.Fatal(err)
	}
	change(t, path, "UPDATE users SET name = 'a' || char(0) || 'b' WHERE org = 'ßusers.org'")
	to := target(t, dbtest.Postgres(t))
	if _, err := Move(t.Context(), source(t, path), to); err == nil || !strings.Contains(err.Error(), "copying users") {
		t.Errorf("a text that PostgreSQL does not have: %v", err)
	}
	var n int
	if err := to.Reads.QueryRow(`SELECT (SELECT count(*) FROM stops) + (SELECT count(*) FROM meta)`).Scan(&n); err != nil || n != 1 {
		t.Errorf("the target has changed: %d, %v", n, err)
	}
}

// change changes a file that nobody has open.
func change(t *testing.T, path, statement string) {
	t.Helper()
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// A file that another process has open, one of another version, and what is no database of
// ours are no source; and what is opened as one cannot be written.
func TestSourcesThatAreRefused(t *testing.T) {
	t.Parallel()
	inUse := filled(t)
	dbtest.OpenURL(t, "sqlite:"+inUse)
	if _, err := db.OpenSource(t.Context(), inUse); !errors.Is(err, db.ErrInUse) {
		t.Errorf("in use: %v", err)
	}
	newer, older, other := filled(t), filled(t), filepath.Join(t.TempDir(), "other")
	change(t, newer, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)`)
	change(t, older, `DELETE FROM goose_db_version WHERE version_id > 15`)
	changed := filled(t)
	change(t, changed, `CREATE TABLE more (x TEXT)`)
	if err := os.WriteFile(other, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, names string }{
		{newer, "is newer than"}, {older, "is older than"}, {changed, "table more"}, {other, "not a database"}, {other + "-absent", "no such file"}, {t.TempDir(), "not a regular file"},
	} {
		d, err := db.OpenSource(t.Context(), c.path)
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("expected an error that names %q: %v", c.names, err)
		}
	}
	from := source(t, filled(t))
	if _, err := from.Writes.Exec(`DELETE FROM meta`); err == nil {
		t.Error("a source is written")
	}
	if err := from.BelongsTo(t.Context(), dbtest.Ring(t, "another")); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("other keys: %v", err)
	}
}
