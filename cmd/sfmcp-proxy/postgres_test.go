package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// The main job with everything that is stored in PostgreSQL: a process that serves, and
// commands beside it.
func TestMainJobOnPostgres(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	database := dbtest.Postgres(t)
	public := freePort(t)
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{"http://" + public + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	r := &replica{t: t, file: filepath.Join(t.TempDir(), "proxy.yaml"), listen: public, adminL: freePort(t)}
	if err := demonstration.WriteConfig(r.file, demonstration.Addresses{
		PublicURL: "http://" + public, Listen: r.listen, AdminListen: r.adminL, SalesforceURL: sim.BaseURL(),
	}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	const onSQLite = "sqlite:proxy.db"
	if !strings.Contains(string(text), onSQLite) {
		t.Fatalf("the configuration does not say %s", onSQLite)
	}
	if err := os.WriteFile(r.file, []byte(strings.Replace(string(text), onSQLite, database, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(r.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(c.KeysFile); err != nil {
		t.Fatal(err)
	}
	r.start()
	mainJob(t, &demo{t: t, dir: filepath.Dir(r.file), Setup: setupOf(c, sim, r.file)})
	r.restart() // what is stored is there, and fits
}
