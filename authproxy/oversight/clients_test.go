package oversight

import (
	"testing"
	"time"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/grant"
)

// What nobody uses is hidden, and says when it ends; what is blocked is always in view, and so is
// what nobody can know to be unused.
func TestUnusedClientsAreHidden(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	clients, err := client.New(client.Config{DB: dbtest.Open(t), PublicURL: "https://proxy.example", Lifecycle: client.Lifecycle{HideAfter: 30 * day, EndAfter: 60 * day}})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reader{Config: Config{Clients: clients, Now: func() time.Time { return now }}}
	long, ago := now.Add(-40*day), now.Add(-time.Hour)
	for _, tt := range []struct {
		name    string
		c       client.Client
		of      grant.OfClient
		blocked bool
		hidden  bool
		ends    time.Time
	}{
		{"unused", client.Client{}, grant.OfClient{Grants: 1, LastUsedAt: long, LatestAt: long.Add(-day)}, false, true, long.Add(60 * day)},
		{"connected lately, never used", client.Client{}, grant.OfClient{Grants: 1, LatestAt: ago}, false, false, ago.Add(60 * day)},
		{"registered long ago, never connected", client.Client{ReadAt: long}, grant.OfClient{}, false, true, time.Time{}},
		{"its document was read lately", client.Client{ReadAt: ago}, grant.OfClient{Grants: 1, LastUsedAt: long}, false, false, long.Add(60 * day)},
		{"configured, without a connection", client.Client{}, grant.OfClient{}, false, false, time.Time{}},
		{"blocked", client.Client{ReadAt: long}, grant.OfClient{}, true, false, time.Time{}},
	} {
		if c := r.amounts(tt.c, tt.of, tt.blocked); c.Hidden != tt.hidden || !c.EndsAt.Equal(tt.ends) {
			t.Errorf("%s: hidden %v, ends %v", tt.name, c.Hidden, c.EndsAt)
		}
	}
}
