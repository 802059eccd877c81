package db_test

import (
	"context"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// FT-32: whoever watches a PostgreSQL knows by how much its own clock differs from the database's; a command that
// does not watch can ask. SQLite has no other clock.
func TestFaultFT32ClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		for _, off := range []time.Duration{0, 5 * time.Minute, -time.Hour} {
			d, err := db.Open(t.Context(), db.Config{URL: url, Now: func() time.Time { return time.Now().Add(off) }})
			if err != nil {
				t.Fatal(err)
			}
			if _, known := d.ClockDifference(); known {
				t.Error("a clock is known before anybody has looked")
			}
			asked, known, err := d.AskClock(t.Context())
			if err != nil || known != d.Shared() || known && (asked-off).Abs() > db.ClockBound/2 {
				t.Errorf("by %v: asked %v, %t, %v", off, asked, known, err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- d.WatchAccess(ctx, db.AccessPoll, func() {}) }()
			for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(db.AccessPoll / 10) {
				if _, known := d.ClockDifference(); known || !d.Shared() {
					break
				}
			}
			seen, known := d.ClockDifference()
			if known != d.Shared() || known && (seen-off).Abs() > db.ClockBound/2 {
				t.Errorf("by %v: seen %v, %t", off, seen, known)
			}
			stop()
			<-ended
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
