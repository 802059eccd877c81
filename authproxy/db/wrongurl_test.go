package db_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db"
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
