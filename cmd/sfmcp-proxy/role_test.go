package main

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/config"
)

// ST-09: in production a proxy does not serve by a superuser of PostgreSQL, and names the role and what
// to do; otherwise the log does. Commands work by any role, and doctor tells of it. By a role that is the
// proxy's alone it serves.
func TestST09SuperuserIsRefusedInProduction(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	database, dir := dbtest.Postgres(t), t.TempDir()
	file := filepath.Join(dir, "proxy.yaml")
	if err := demonstration.WriteConfig(file, demonstration.Addresses{
		PublicURL: "http://" + nobodyListens, Listen: nobodyListens, AdminListen: "127.0.0.1:2", SalesforceURL: "http://" + nobodyListens,
	}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	as := func(role string) *config.Config {
		url := strings.Replace(database, "test@", role+"@", 1)
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), "sqlite:proxy.db", url, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	serves := func(c *config.Config, production bool) (log string, err error) {
		c.Production = production
		var written lockedBuffer
		p, err := openProcess(t.Context(), c, slog.New(slog.NewTextHandler(&written, nil)))
		if err == nil {
			p.close()
		}
		return written.String(), err
	}
	super := as("test")
	if err := seal.CreateKeyFile(super.KeysFile); err != nil {
		t.Fatal(err)
	}
	const named = "the database role test is a superuser"
	if log, err := serves(super, false); err != nil || !strings.Contains(log, named) {
		t.Errorf("not in production: %v\n%s", err, log)
	}
	if _, err := serves(super, true); err == nil || !strings.Contains(err.Error(), named) || !strings.Contains(err.Error(), "roles.sql") {
		t.Errorf("in production: %v", err)
	}
	d := &demo{t: t, dir: dir}
	d.ConfigFile = file
	d.must("user", "list")
	if out, status := d.command("doctor"); status != exitFailed || !strings.Contains(out, "FAIL  database: "+named) {
		t.Errorf("doctor: status %d\n%s", status, out)
	}

	server, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, statement := range []string{`CREATE ROLE st09_serves LOGIN`, `GRANT USAGE ON SCHEMA public TO st09_serves`,
		`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO st09_serves`} {
		if _, err := server.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		server, err := sql.Open("pgx", database)
		if err == nil {
			_, err = server.Exec(`DROP OWNED BY st09_serves; DROP ROLE st09_serves`)
		}
		if err != nil {
			t.Error(err)
		}
	})
	if log, err := serves(as("st09_serves"), true); err != nil || strings.Contains(log, "database role") {
		t.Errorf("by a role of its own: %v\n%s", err, log)
	}
}
