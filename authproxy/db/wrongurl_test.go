package db_test

import (
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// What is wrong with the URL of a PostgreSQL is said by its part, and never with the password.
func TestWrongPostgresURL(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	const base = "postgres://proxy:hunter2@db.example.com/proxy"
	for _, c := range []struct{ url, found string }{
		{base + "?sslmode=verify_full", `sslmode="verify_full"`},
		{base + "?sslmode=verify-full&sslrootcert=/gone.pem", "sslrootcert: open /gone.pem: no such file"},
		{base + "?sslmode=verify-full&sslrootcert=" + text, "sslrootcert: no certificate in " + text},
		{base + "?sslmode=verify-full&sslcert=/gone.pem", "one of sslcert and sslkey"},
		{base + "?sslmode=verify-full&sslcert=/gone.pem&sslkey=/gone.key", "sslcert: open /gone.pem"},
		{"postgres://proxy:hunter2@db.example.com:99999/proxy", "a port that is none"},
		{"postgres://proxy:hunter2/x@db.example.com/proxy", `"postgres:…"`},
		{"postgres://proxy:1?sslmode=hunter2@db.example.com:x/proxy", `"postgres:…"`},
		{"postgres://proxy:hunter2%zz@db.example.com/proxy", `"postgres:…"`},
		{"postgres://proxy:99999/hunter2@db.example.com/proxy", "a port that is none"},
	} {
		err := db.Config{URL: c.url}.Validate()
		if err == nil || !strings.Contains(err.Error(), "found "+c.found) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "99999") {
			t.Errorf("%s: %v", c.url, err)
		}
	}
}

// A database of another encoding is refused with what to do, whatever the server would have us send.
func TestPostgresOfAnotherEncoding(t *testing.T) {
	t.Parallel()
	at := dbtest.EmptyPostgres(t)
	server, err := sql.Open("pgx", at)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, encoding := range []string{"SQL_ASCII", "LATIN1"} {
		name := strings.TrimPrefix(u.Path, "/") + "_" + strings.ToLower(encoding)
		if _, err := server.ExecContext(t.Context(), "CREATE DATABASE "+name+" ENCODING '"+encoding+"' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dropped(t, at, name) })
		other := *u
		other.Path = "/" + name
		_, err := db.Open(t.Context(), db.Config{URL: other.String()})
		if err == nil || !strings.Contains(err.Error(), "the database has the encoding "+encoding+", expected UTF8: make another one") {
			t.Errorf("%s: %v", encoding, err)
		}
	}
}

func dropped(t *testing.T, at, name string) {
	server, err := sql.Open("pgx", at)
	if err == nil {
		_, err = server.Exec("DROP DATABASE " + name)
		err = errors.Join(err, server.Close())
	}
	if err != nil {
		t.Error(err)
	}
}
