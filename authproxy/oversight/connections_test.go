package oversight

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/seal"
)

type anyClient struct{}

func (anyClient) Knows(string) bool { return true }

// Pages of connections, put one behind the other, are what a search selects, each once, whatever ends
// and begins between two of them; many are of the same moment.
func TestPagesOfConnections(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	keys := filepath.Join(t.TempDir(), "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_772_366_400_000)
	grants, err := grant.New(grant.Config{DB: store, Ring: ring, Clients: anyClient{}, Now: func() time.Time { return now },
		Lifetimes: grant.Lifetimes{Code: time.Minute, AccessToken: time.Minute, RefreshIdle: time.Hour, RefreshAbsolute: time.Hour, RefreshGrace: time.Minute, Consent: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := store.Writes.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	connect := func(i int, at int64) {
		t.Helper()
		exec(`INSERT INTO grants (id, org, subject, client_id, server, resource, scope, redirect_uri, created_at, expires_at) VALUES ($1, 'acme', $2, $3, 's', 'u', 'mcp', 'u', $4, $5)`,
			fmt.Sprintf("g%03d", i*7%100), fmt.Sprintf("005%d", i%4), fmt.Sprintf("c%d", i%3), at, now.UnixMilli()+1000)
	}
	for i := range 4 {
		exec(`INSERT INTO users (org, subject, username, first_seen_at, last_seen_at) VALUES ('acme', $1, $2, 1, 1)`, fmt.Sprintf("005%d", i), []string{"ann@acme", "anna@acme", "bob@acme", "eve@acme"}[i])
	}
	for i := range 40 {
		connect(i, now.UnixMilli()-int64(i/5))
	}
	r := &Reader{Config: Config{Grants: grants}}
	for n, s := range []Search{{}, {Client: "c1"}, {Person: "ann"}, {Person: "bob", Server: "s"}, {Person: "nobody"}} {
		all, err := r.Connections(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, g := range all {
			want = append(want, g.ID)
		}
		var behind *grant.Grant
		for page := 0; page < 20; page++ {
			found, err := r.NewestConnections(t.Context(), s, 3, behind)
			if err != nil {
				t.Fatal(err)
			}
			if page == 0 && found.Connections != len(want) {
				t.Errorf("%+v: %d counted, want %d", s, found.Connections, len(want))
			}
			if len(found.Newest) == 0 {
				break
			}
			for _, g := range found.Newest {
				got = append(got, g.ID)
			}
			last := found.Newest[len(found.Newest)-1]
			behind = &grant.Grant{ID: last.ID, CreatedAt: last.CreatedAt}
			if page == 0 { // newer than everything: on no page behind
				connect(50+n, now.UnixMilli()+int64(n)+1)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", s, got, want)
		}
	}
}
