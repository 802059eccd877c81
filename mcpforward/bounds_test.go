package mcpforward

import (
	"errors"
	"testing"
	"time"
)

// D15: the sessions of a connection are bounded by themselves: another connection that opens
// as many as it can takes none away.
func TestD15SessionsOfOthersStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	now := time.Now()
	s := newSessionStore(w.db, func() time.Time { return now })
	open := func(grant string) string {
		t.Helper()
		id, err := s.open(t.Context(), grant, session{version: newestVersion})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	mine := open("grt_mine")
	now = now.Add(time.Second)
	for range 200 {
		open("grt_other")
	}
	oldest := now
	open("grt_mine")
	if _, err := s.find(t.Context(), mine, "grt_mine"); err != nil {
		t.Errorf("a session is gone because another connection has many: %v", err)
	}
	now = oldest.Add(time.Second)
	open("grt_other") // one too many
	var n int
	if err := w.db.Reads.QueryRow(`SELECT COUNT(*) FROM mcp_sessions WHERE grant_id = 'grt_other'`).Scan(&n); err != nil || n != 200 {
		t.Errorf("the other has %d, %v", n, err)
	}
	if _, err := s.find(t.Context(), mine, "grt_other"); !errors.Is(err, errNoSession) {
		t.Errorf("a session of another connection: %v", err)
	}
}
