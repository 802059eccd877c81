package mcpforward

import (
	"errors"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// Two processes that open sessions of one grant at the same time keep no more than may be,
// and each knows those of the other.
func TestProcessesKeepTheCapOfSessions(t *testing.T) {
	t.Parallel()
	dbtest.EachThorough(t, func(t *testing.T, url string) {
		now := time.Now()
		stores := []sessionStore{newSessionStore(dbtest.OpenURL(t, url), func() time.Time { return now }), newSessionStore(dbtest.OpenURL(t, url), func() time.Time { return now })}
		var all sync.WaitGroup
		var mu sync.Mutex
		var ids []string
		open := func(store sessionStore) {
			id, err := store.open(t.Context(), "grt_1", session{version: newestVersion})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, id)
		}
		for range sessionsPerGrant - 10 {
			open(stores[0])
		}
		for i := range 30 { // 20 too many
			all.Go(func() { open(stores[i%2]) })
		}
		all.Wait()
		known := 0
		for i, id := range ids {
			s, err := stores[i%2].find(t.Context(), id, "grt_1")
			if errors.Is(err, errNoSession) {
				continue
			}
			if err != nil || s.version != newestVersion {
				t.Errorf("%+v, %v", s, err)
			}
			known++
			if _, err := stores[1-i%2].find(t.Context(), id, "grt_2"); !errors.Is(err, errNoSession) {
				t.Errorf("another grant's: %v", err)
			}
			if err := stores[1-i%2].close(t.Context(), s.hash, "grt_1"); err != nil {
				t.Error(err)
			}
			if _, err := stores[i%2].find(t.Context(), id, "grt_1"); !errors.Is(err, errNoSession) {
				t.Errorf("closed by another process: %v", err)
			}
		}
		if known != sessionsPerGrant {
			t.Errorf("%d sessions are known, %d may be", known, sessionsPerGrant)
		}
	})
}

// S7: an MCP session that somebody writes into the database without the keys, or whose
// client he lets declare more, is none.
func TestS7ForgedMCPSessions(t *testing.T) {
	t.Parallel()
	dbtest.EachThorough(t, func(t *testing.T, url string) {
		d := dbtest.OpenURL(t, url)
		s := newSessionStore(d, time.Now)
		for _, change := range []string{`grant_id = 'grt_2'`, `capabilities = 'sampling'`, `protocol_version = '2024-11-05'`, `client_info = 'x'`, `created_at = 1`, `session_hash = '` + seal.Hash("x") + `'`} {
			id, err := s.open(t.Context(), "grt_1", session{version: newestVersion})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Writes.Exec(`UPDATE mcp_sessions SET `+change+` WHERE session_hash = $1`, seal.Hash(id)); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{id, "x"} {
				for _, grantID := range []string{"grt_1", "grt_2"} {
					if found, err := s.find(t.Context(), name, grantID); !errors.Is(err, errNoSession) {
						t.Errorf("%s: %+v, %v", change, found, err)
					}
				}
			}
		}
	})
}

// FT-46: a session under a key that is not here yet is not told as one that is over, which its client would not open again.
func TestFaultFT46SessionBehindAKey(t *testing.T) {
	t.Parallel()
	url := dbtest.SQLite(t, t.TempDir())
	d := dbtest.OpenURL(t, url)
	store := newSessionStore(d, time.Now)
	id, err := store.open(t.Context(), "grt_1", session{version: newestVersion})
	if err != nil {
		t.Fatal(err)
	}
	back := dbtest.Behind(t, d, db.MCPSessions, dbtest.Ring(t, url))
	if s, err := newSessionStore(d, time.Now).find(t.Context(), id, "grt_1"); !errors.Is(err, db.ErrKeyMissing) || errors.Is(err, errNoSession) {
		t.Errorf("%+v, %v", s, err)
	}
	back()
	if s, err := newSessionStore(d, time.Now).find(t.Context(), id, "grt_1"); err != nil || s.version != newestVersion {
		t.Errorf("with the key: %+v, %v", s, err)
	}
}
