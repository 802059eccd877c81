package db_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// A database that was marked as moved is claimed by nobody, who are told where everything is; its file is durable with the
// mark, and nothing else in it can be written by whoever opened it as a source. Whoever removes the mark goes back to it.
func TestMovedDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	url := dbtest.SQLite(t, t.TempDir())
	ring, file := dbtest.Ring(t, url), strings.TrimPrefix(url, "sqlite:")
	claim := func(change string) error {
		t.Helper()
		d, err := db.Open(t.Context(), db.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if change != "" {
			if _, err := d.Writes.Exec(change); err != nil {
				t.Fatal(err)
			}
		}
		return d.Claim(t.Context(), ring)
	}
	if err := claim(""); err != nil {
		t.Fatal(err)
	}
	const to = "postgres://proxy@db.example.com/proxy"
	source, err := db.OpenSource(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := source.CheckMoved(t.Context(), ring); err != nil {
		t.Errorf("before: %v", err)
	}
	if err := source.MarkMoved(t.Context(), ring, to); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Writes.Exec(`DELETE FROM meta`); err == nil {
		t.Error("a source is written after it was marked")
	}
	var moved *db.MovedError
	if err := source.CheckMoved(t.Context(), ring); !errors.As(err, &moved) || moved.To != to {
		t.Errorf("the source: %v", err)
	}
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.Stat(file + "-wal"); err == nil && left.Size() > 0 {
		t.Errorf("%d bytes of the file are beside it", left.Size())
	}
	for range 2 {
		if err := claim(""); !errors.As(err, &moved) || !strings.Contains(err.Error(), to) || !strings.Contains(err.Error(), "SFMCP_DATABASE") {
			t.Errorf("a claim: %v", err)
		}
	}
	if err := claim(`UPDATE meta SET value = 'postgres://elsewhere' WHERE name = 'moved'`); err == nil || errors.As(err, &moved) && moved.To != to || !strings.Contains(err.Error(), "somebody else changed it") {
		t.Errorf("a mark that the keys have not made: %v", err)
	}
	if err := claim(`DELETE FROM meta WHERE name = 'moved'`); err != nil {
		t.Errorf("without the mark: %v", err)
	}
}
