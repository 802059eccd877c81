package db_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// ST-09: with the roles of examples/postgres the role that serves can do all that serving needs,
// and change neither the schema nor what is evidence.
func TestST09RolesOfTheExample(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyPostgres(t)
	run := func(file string) {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", "postgres", file))
		if err != nil {
			t.Fatal(err)
		}
		exec(t, url, string(text))
	}
	as := func(role string) *db.DB {
		d, err := db.Open(t.Context(), db.Config{URL: strings.Replace(url, "test@", role+"@", 1)})
		if err != nil {
			t.Fatalf("%s: %v", role, err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
	run("roles.sql")
	t.Cleanup(func() { exec(t, url, `DROP OWNED BY proxy, proxy_owner`, `DROP ROLE proxy, proxy_owner`) }) // roles are the server's
	as("proxy_owner")
	run("evidence.sql")
	serves := as("proxy")
	if err := serves.Claim(t.Context(), dbtest.Ring(t, url)); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{`INSERT INTO meta (name, value) VALUES ('a', '')`, `UPDATE epochs SET value = value + 1`, `DELETE FROM meta WHERE name = 'a'`,
		`SELECT count(*) FROM audit_entries`, `INSERT INTO audit_groups (log, seq, next_seq, segment, place, head, content, writer) VALUES ('l', 1, 2, 1, 0, 'h', 'c', 'w')`} {
		if _, err := serves.Writes.Exec(statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{`UPDATE audit_entries SET entry = ''`, `DELETE FROM audit_entries`, `TRUNCATE audit_entries`, `UPDATE audit_groups SET content = ''`, `DELETE FROM audit_groups WHERE log = ''`, `DELETE FROM audit_hashes`, `DELETE FROM goose_db_version`,
		`CREATE TABLE more (x TEXT)`, `ALTER TABLE grants DROP COLUMN mac`, `DROP TABLE grants`, `CREATE ROLE other`} {
		if _, err := serves.Writes.Exec(statement); db.FailureOf(err) != db.Refused {
			t.Errorf("%s: %v", statement, err)
		}
	}
}
