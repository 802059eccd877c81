package db_test

import (
	"context"
	"database/sql"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// FT-34: a standby, which may be behind by any time, is not opened; and where the address of the primary leads to one
// that nobody has promoted, what it tells of the access epoch does not count: a process that serves decides
// nothing any more and changes nothing, until there is a primary again.
func TestFaultFT34StandbyIsNotBelieved(t *testing.T) {
	rounds.Thorough(t) // two servers, as for TestFaultFT53FailoverLosesNothingAcknowledged
	pair := dbtest.NewPair(t)
	refused(t, pair.Standby(), "the server is a standby")
	var clock atomic.Int64 // what nobody steps stands still
	clock.Store(time.Now().UnixMilli())
	d, err := db.Open(t.Context(), db.Config{URL: pair.URL, Now: func() time.Time { return time.UnixMilli(clock.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.WatchAccess(ctx, db.AccessPoll, func() {}) }()
	defer func() { stop(); <-ended }()
	until := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(db.AccessPoll) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	write := func() error {
		return d.Tx(ctx, func(tx *sql.Tx) error { return d.RaiseAccessEpoch(ctx, tx) })
	}
	if err := write(); err != nil || d.CheckInTouch() != nil {
		t.Fatalf("with the primary: %v, %v", err, d.CheckInTouch())
	}
	pair.Kill()
	pair.Misdirect()
	until("the address does not lead to the standby", func() bool {
		var standby bool
		return d.Reads.QueryRowContext(ctx, `SELECT pg_is_in_recovery()`).Scan(&standby) == nil && standby
	})
	until("a standby is believed", func() bool {
		clock.Add(time.Second.Milliseconds())
		return d.CheckInTouch() != nil
	})
	if err := write(); db.FailureOf(err) != db.ReadOnly {
		t.Errorf("writing to a standby: %v", err)
	}
	pair.Promote()
	until("the primary is not believed", func() bool { return d.CheckInTouch() == nil })
	if err := write(); err != nil {
		t.Errorf("with a primary again: %v", err)
	}
}
