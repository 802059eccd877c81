package db_test

import (
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// How long ago a proxy served is told by one clock, PostgreSQL's where that is the database: a replica or a command whose own is
// wrong takes nothing for longer ago, or more recent, than it is. A SQLite file has those of its machine.
func TestServedByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		d, err := db.Open(t.Context(), db.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		now := time.Now()
		if last, ago, err := d.Served(t.Context(), now); err != nil || !last.IsZero() || ago != 0 {
			t.Errorf("before the first: %v, %v ago, %v", last, ago, err)
		}
		for _, off := range []time.Duration{time.Hour, 0, -time.Hour} { // of the replicas, one after the other
			if err := d.Serving(t.Context(), now.Add(off)); err != nil {
				t.Fatal(err)
			}
			for _, mine := range []time.Duration{0, time.Hour, -time.Hour} { // of the machine of the command
				want := mine - off
				if d.Shared() {
					want = 0
				}
				last, ago, err := d.Served(t.Context(), now.Add(mine))
				if err != nil || last.IsZero() || (ago-want).Abs() > time.Minute {
					t.Errorf("noted by a clock %v ahead, asked by one %v ahead: %v, %v ago, %v", off, mine, last, ago, err)
				}
			}
		}
	})
}
