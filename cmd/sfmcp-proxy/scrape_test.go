package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// scraped is what Prometheus gets within the ten seconds that it waits; "": nothing.
func (r *replica) scraped() string {
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.adminL+"/metrics", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

// shows waits for a scrape with all of these lines.
func (r *replica) shows(lines ...string) {
	r.t.Helper()
	last := ""
	defer func() {
		if r.t.Failed() {
			r.t.Logf("last scraped:\n%s", last)
		}
	}()
	eventually(r.t, plenty, strings.Join(lines, ", "), func() bool {
		last = r.scraped()
		for _, line := range lines {
			if !strings.Contains(last, "\n"+line+"\n") {
				return false
			}
		}
		return true
	})
}

// FT-34: a database that takes connections and says nothing. Prometheus is told so in time, however many
// servers the proxy has.
func TestFaultFT34ScrapeOfAHungDatabase(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	database := dbtest.Postgres(t)
	network := dbtest.Between(t, database)
	_, r := prepareServed(t, t.TempDir(), network.URL(database))
	r.start()
	r.shows("sfmcp_database_up 1", `sfmcp_not_ready{reason="database"} 0`)
	network.Cut()
	r.shows("sfmcp_database_up 0", `sfmcp_not_ready{reason="database"} 1`, `sfmcp_not_ready{reason="draining"} 0`)
	network.Heal()
	r.shows("sfmcp_database_up 1", `sfmcp_not_ready{reason="database"} 0`)
}

// FT-37: a SQLite file that was moved away. What is open answers still, so the database is up; that nothing
// is served is a metric of its own.
func TestFaultFT37ScrapeOfAFileThatIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dbtest.SQLite(t, dir)
	_, r := prepareServed(t, dir, "")
	r.start()
	path := filepath.Join(dir, "proxy.db")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	r.shows("sfmcp_database_up 1", `sfmcp_not_ready{reason="database"} 1`, `sfmcp_not_ready{reason="audit_log"} 0`)
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	r.shows(`sfmcp_not_ready{reason="database"} 0`)
}
