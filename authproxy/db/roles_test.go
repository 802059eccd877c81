package db_test

import (
	"fmt"
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
	_, err := db.Open(t.Context(), db.Config{URL: strings.Replace(url, "test@", "proxy:hunter2@", 1)})
	for _, says := range []string{`The role "proxy" may not change the schema`, "SFMCP_DATABASE='" + strings.Replace(url, "test@", "proxy_owner@", 1) + "' sfmcp-proxy stop status", "examples/postgres/roles.sql", "OWNER TO \"proxy\""} {
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the role that serves, before the owner has made the schema: %v, expected %s", err, says)
		}
	}
	run("roles.sql") // as before a restore, where the roles are there
	as("proxy_owner")
	if e, err := as("proxy").Excess(t.Context()); err != nil || e.Problem() != "" || e.Schema || !strings.Contains(e.Note(), "UPDATE audit_groups") {
		t.Errorf("before evidence.sql: %+v, %v", e, err)
	}
	run("evidence.sql")
	serves := as("proxy")
	if e, err := serves.Excess(t.Context()); err != nil || e.Role != "proxy" || e.Problem() != "" || e.Note() != "" {
		t.Errorf("the role that serves: %+v, %v", e, err)
	}
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

// ST-09: what a role may do to more than the proxy's own database is named, whether it has it itself or
// by a role that it can become.
func TestST09ExcessOfARole(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	for i, c := range []struct{ with, in, want string }{
		{"", "", ""},
		{"SUPERUSER", "", "superuser"},
		{"", "st09_super", "superuser"},
		{"CREATEROLE", "", "CREATEROLE"},
		{"CREATEDB", "", "CREATEDB"},
		{"REPLICATION", "", "REPLICATION"},
		{"BYPASSRLS", "", "BYPASSRLS"},
		{"", "st09_copies", "REPLICATION"},
		{"", "pg_write_all_data", "pg_write_all_data"},
		{"", "pg_execute_server_program", "pg_execute_server_program"},
	} {
		if i == 0 {
			exec(t, url, `CREATE ROLE st09_super SUPERUSER`, `CREATE ROLE st09_copies REPLICATION`)
			t.Cleanup(func() { exec(t, url, `DROP ROLE st09_super`, `DROP ROLE st09_copies`) })
		}
		role := fmt.Sprint("st09_", i)
		exec(t, url, `CREATE ROLE `+role+` LOGIN `+c.with, `GRANT USAGE ON SCHEMA public TO `+role, `GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO `+role)
		if c.in != "" {
			exec(t, url, `GRANT `+c.in+` TO `+role)
		}
		t.Cleanup(func() { exec(t, url, `DROP OWNED BY `+role, `DROP ROLE `+role) })
		d, err := db.Open(t.Context(), db.Config{URL: strings.Replace(url, "test@", role+"@", 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		e, err := d.Excess(t.Context())
		if err != nil || (e.Problem() == "") != (c.want == "") || !strings.Contains(e.Problem(), c.want) || e.Role != role {
			t.Errorf("%s %s: %+v, %v", c.with, c.in, e, err)
		}
		if c.want == "" && (e.Schema || len(e.Evidence) > 0) {
			t.Errorf("a role that may only read and add: %+v", e)
		}
	}
	owner, err := dbtest.OpenURL(t, url).Excess(t.Context())
	if err != nil || !owner.Schema || !strings.Contains(owner.Note(), "DELETE audit_entries") {
		t.Errorf("who made the tables: %+v, %v", owner, err)
	}
	file, err := db.Open(t.Context(), db.Config{URL: dbtest.SQLite(t, t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if e, err := file.Excess(t.Context()); err != nil || e.Problem() != "" || e.Note() != "" {
		t.Errorf("a file: %+v, %v", e, err)
	}
}
