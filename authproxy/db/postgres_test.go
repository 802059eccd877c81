package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
)

func TestMain(m *testing.M) {
	if os.Getenv(migrateChild) != "" {
		os.Exit(migrateAsChild())
	}
	os.Exit(dbtest.Run(m))
}

// exec changes a PostgreSQL database behind the product's back.
func exec(t *testing.T, url string, statements ...string) {
	t.Helper()
	d, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, s := range statements {
		if _, err := d.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func refused(t *testing.T, url, names string) {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{URL: url})
	if err == nil {
		d.Close()
	}
	if err == nil || !strings.Contains(err.Error(), names) {
		t.Errorf("expected an error that names %q: %v", names, err)
	}
}

// ST-10, on PostgreSQL: a schema with something in it that the migrations did not make is
// not opened.
func TestST10ForeignSchemaOnPostgres(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	const undo = `CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.revoked_at = 0; RETURN NEW; END'`
	for name, c := range map[string]struct {
		change []string
		names  string // what the error must name
	}{
		"trigger that undoes a revocation": {[]string{undo, `CREATE TRIGGER undo BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION undo()`}, "trigger undo"},
		"trigger of the version table":     {[]string{undo, `CREATE TRIGGER undo BEFORE UPDATE ON goose_db_version FOR EACH ROW EXECUTE FUNCTION undo()`}, "trigger undo"},
		"rule":                             {[]string{`CREATE RULE never AS ON DELETE TO codes DO INSTEAD NOTHING`}, "rule never"},
		"view":                             {[]string{`CREATE VIEW everybody AS SELECT * FROM users`}, "view everybody"},
		"view in a table's place":          {[]string{`ALTER TABLE stops RENAME TO was`, `CREATE VIEW stops AS SELECT name, 'off' AS value, changed_at, changed_by FROM was`}, ""},
		"one table more":                   {[]string{`CREATE TABLE more (x TEXT)`}, "table more"},
		"one column more":                  {[]string{`ALTER TABLE grants ADD COLUMN more TEXT`}, "table grants"},
		"a column of another type":         {[]string{`ALTER TABLE users ALTER COLUMN blocked_at TYPE INTEGER`}, "table users"},
		"a computed column":                {[]string{`ALTER TABLE users DROP COLUMN blocked_at`, `ALTER TABLE users ADD COLUMN blocked_at BIGINT GENERATED ALWAYS AS (0) STORED`}, "table users"},
		"a default changed":                {[]string{`ALTER TABLE stops ALTER COLUMN value SET DEFAULT 'off'`}, "table stops"},
		"a constraint dropped":             {[]string{`ALTER TABLE client_assertions DROP CONSTRAINT client_assertions_pkey`}, "client_assertions_pkey"},
		"a table dropped":                  {[]string{`DROP TABLE audit_entries`}, "missing"},
		"an index dropped":                 {[]string{`DROP INDEX grants_user`}, "index grants_user is missing"},
		"a unique index more":              {[]string{`CREATE UNIQUE INDEX one ON links (state)`}, "index one"},
		"rows by inheritance":              {[]string{`CREATE SCHEMA elsewhere`, `CREATE TABLE elsewhere.more () INHERITS (grants)`}, "child elsewhere.more"},
		"a policy":                         {[]string{`ALTER TABLE users ENABLE ROW LEVEL SECURITY`}, "table users"},
		"disabled references":              {[]string{`ALTER TABLE codes DISABLE TRIGGER ALL`}, "disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			url := dbtest.Postgres(t)
			exec(t, url, c.change...)
			refused(t, url, c.names)
		})
	}
}

func TestST10ForeignPostgres(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyPostgres(t)
	exec(t, url, `CREATE TABLE users (id BIGINT PRIMARY KEY)`)
	refused(t, url, "another program's")

	url = dbtest.Postgres(t)
	exec(t, url, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)`, `DELETE FROM epochs WHERE name = 'oldest_schema'`)
	refused(t, url, "newer")

	url = dbtest.Postgres(t)
	exec(t, url, `ALTER ROLE CURRENT_USER IN DATABASE `+filepath.Base(strings.Split(url, "?")[0])+` SET synchronous_commit = off`)
	refused(t, url, "synchronous_commit")

	refused(t, strings.Replace(dbtest.Postgres(t), "?", "?search_path=nowhere&", 1), "search_path")
}

// What an administrator does is no attack, and a schema of its own beside others is enough.
func TestPostgresChangesWithoutEffectAreAccepted(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	exec(t, url, `ANALYZE`, `VACUUM FULL`, `REINDEX TABLE grants`, `CREATE EXTENSION IF NOT EXISTS plpgsql`, `ALTER TABLE codes SET (fillfactor = 70)`)
	dbtest.OpenURL(t, url)

	url = dbtest.EmptyPostgres(t)
	exec(t, url, `CREATE TABLE users (id BIGINT)`, `CREATE SCHEMA ours`)
	url = strings.Replace(url, "?", "?search_path=ours&", 1)
	for range 2 {
		dbtest.OpenURL(t, url)
	}
}

func TestPostgresHandles(t *testing.T) {
	t.Parallel()
	d := dbtest.OpenURL(t, dbtest.Postgres(t))
	if _, err := d.Reads.Exec(`DELETE FROM meta`); err == nil {
		t.Error("the reading handle writes")
	}
	if err := d.Erase(t.Context()); err != nil {
		t.Error(err)
	}
	var isolation string
	if err := d.Writes.QueryRow(`SHOW transaction_isolation`).Scan(&isolation); err != nil || isolation != "read committed" {
		t.Errorf("isolation %q, %v", isolation, err)
	}
}

// No error shows the password of a URL.
func TestPostgresErrorsHideThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:hunter2@127.0.0.1:1/d", "postgres://u:hunter2@127.0.0.1:x/d", "postgres://u:hunter2@/d?host=/nowhere"} {
		if _, err := db.Open(t.Context(), db.Config{URL: url}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

// ST-09: which hosts a connection could reach without a verified name.
func TestST09UnverifiedHosts(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"sqlite:x": "[]",
		"postgres://u@db.example.com/d?sslmode=verify-full":          "[]",
		"postgres://u@db.example.com/d?sslmode=verify-ca":            "[db.example.com]",
		"postgres://u@db.example.com/d?sslmode=require":              "[db.example.com]",
		"postgres://u@db.example.com/d?sslmode=disable":              "[db.example.com]",
		"postgres://u@db.example.com/d":                              "[db.example.com]",
		"postgres://u@a.example.com,b.example.com/d?sslmode=disable": "[a.example.com b.example.com]",
		"postgres://u@localhost/d":                                   "[]",
		"postgres://u@[::1]/d":                                       "[]",
		"postgres://u@127.0.0.1/d?sslmode=disable":                   "[]",
		"postgres://u@/d?host=/run/postgresql":                       "[]",
		"postgres://u@127.0.0.1,10.0.0.1/d?sslmode=disable":          "[10.0.0.1]",
	} {
		if got := fmt.Sprint(db.Config{URL: url}.Unverified()); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// A transaction that the server ends for another one's sake is run again.
func TestTxIsRunAgainAfterADeadlock(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	one, two := dbtest.OpenURL(t, url), dbtest.OpenURL(t, url)
	exec(t, url, `INSERT INTO meta (name, value) VALUES ('a', ''), ('b', '')`)
	var met sync.WaitGroup
	met.Add(2)
	var all sync.WaitGroup
	for d, order := range map[*db.DB][]string{one: {"a", "b"}, two: {"b", "a"}} {
		all.Go(func() {
			first := true
			err := d.Tx(t.Context(), func(tx *sql.Tx) error {
				for i, name := range order {
					if _, err := tx.Exec(`UPDATE meta SET value = value || 'x' WHERE name = $1`, name); err != nil {
						return fmt.Errorf("changing: %w", err)
					}
					if i == 0 && first {
						first = false
						met.Done()
						met.Wait() // both hold one
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var a, b string
	if err := one.Reads.QueryRow(`SELECT max(CASE name WHEN 'a' THEN value END), max(CASE name WHEN 'b' THEN value END) FROM meta`).Scan(&a, &b); err != nil || a != "xx" || b != "xx" {
		t.Errorf("%q %q %v", a, b, err)
	}
}

// Lock holds until the end of the transaction, for every process, and so does ForUpdate.
func TestLocksHoldAcrossProcesses(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		processes := []*db.DB{dbtest.OpenURL(t, url), dbtest.OpenURL(t, url)}
		if _, err := processes[0].Writes.Exec(`INSERT INTO meta (name, value) VALUES ('n', '0')`); err != nil {
			t.Fatal(err)
		}
		add := func(d *db.DB, tx *sql.Tx, lock bool) error {
			look := `SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'n'`
			if lock {
				if err := d.Lock(t.Context(), tx, "n"); err != nil {
					return err
				}
			} else {
				look += d.ForUpdate("meta")
			}
			var n int
			if err := tx.QueryRow(look).Scan(&n); err != nil {
				return err
			}
			_, err := tx.Exec(`UPDATE meta SET value = $1 WHERE name = 'n'`, fmt.Sprint(n+1))
			return err
		}
		for _, lock := range []bool{true, false} {
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					d := processes[i%2]
					if err := d.Tx(t.Context(), func(tx *sql.Tx) error { return add(d, tx, lock) }); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		var n string
		if err := processes[0].Reads.QueryRow(`SELECT value FROM meta WHERE name = 'n'`).Scan(&n); err != nil || n != "80" {
			t.Errorf("%s of 80, %v", n, err)
		}
	})
}

// Processes that start at the same time on an empty database all start.
func TestOpenPostgresAtTheSameTime(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyPostgres(t)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			d, err := db.Open(t.Context(), db.Config{URL: url})
			if err != nil {
				t.Error(err)
				return
			}
			defer d.Close()
			if _, err := d.Writes.Exec(`UPDATE epochs SET value = value + 1 WHERE name = 'access'`); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var n int
	if err := dbtest.OpenURL(t, url).Reads.QueryRow(`SELECT value FROM epochs WHERE name = 'access'`).Scan(&n); err != nil || n != 5 {
		t.Errorf("%d of 5 wrote, %v", n, err)
	}
}

// A revocation of another process is seen through PostgreSQL as through SQLite.
func TestWatchAccessOnPostgres(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	watcher, other := dbtest.OpenURL(t, url), dbtest.OpenURL(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	called, done := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(done)
		watcher.WatchAccess(ctx, 5*time.Millisecond, func() { called <- struct{}{} })
	}()
	deadline := time.After(2 * time.Minute)
	for seen := false; !seen; {
		if err := other.Tx(ctx, func(tx *sql.Tx) error { return other.RaiseAccessEpoch(ctx, tx) }); err != nil {
			t.Fatal(err)
		}
		select {
		case <-called:
			seen = true
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatal("the rise was not seen")
		}
	}
	cancel()
	<-done
}

// A PostgreSQL database that is empty is told by the note beside the keys; one that has
// other data, by its mark.
func TestClaimOnPostgres(t *testing.T) {
	t.Parallel()
	ring := func() *seal.KeyRing {
		path := filepath.Join(t.TempDir(), "keys")
		if err := seal.CreateKeyFile(path); err != nil {
			t.Fatal(err)
		}
		r, err := seal.LoadKeyRing(path)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	open := func(url string) *db.DB {
		d, err := db.Open(t.Context(), db.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	mine, url := ring(), dbtest.Postgres(t)
	d := open(url)
	for range 2 {
		if err := errors.Join(db.Config{URL: url}.Expect(mine), d.Claim(t.Context(), mine)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Claim(t.Context(), ring()); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("another ring: %v", err)
	}
	// The server tells that keys were lost, where no note does.
	if err := (db.Config{URL: url}).KeysLost(t.Context(), filepath.Join(t.TempDir(), "keys")); err == nil || !strings.Contains(err.Error(), "the sealing keys are lost") {
		t.Errorf("U15: a database without its keys: %v", err)
	}
	if err := (db.Config{URL: dbtest.Postgres(t)}).KeysLost(t.Context(), filepath.Join(t.TempDir(), "keys")); err != nil {
		t.Errorf("U15: an empty database before the first start: %v", err)
	}
	if err := open(dbtest.Postgres(t)).Claim(t.Context(), mine); err == nil || !strings.Contains(err.Error(), "put that one back") {
		t.Errorf("an empty database: %v", err)
	}
}
