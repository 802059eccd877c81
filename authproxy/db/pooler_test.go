package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// FT-34: behind a pooler that gives each transaction another session, whether it refuses
// settings of the session or ignores them: the schema is made, locks and conditional
// statements hold, no statement is missed that another session has prepared.
func TestFaultFT34Pooler(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	for name, lines := range map[string][]string{
		"settings refused": nil,
		"settings ignored": {"ignore_startup_parameters = default_transaction_isolation,lock_timeout,idle_in_transaction_session_timeout,default_transaction_read_only"},
	} {
		t.Run(name, func(t *testing.T) {
			url := dbtest.Pooler(t, dbtest.EmptyPostgres(t), lines...)
			processes := make([]*db.DB, 2)
			var all sync.WaitGroup
			for i := range processes {
				all.Go(func() {
					d, err := db.Open(t.Context(), db.Config{URL: url})
					if err != nil {
						t.Error(err)
						return
					}
					t.Cleanup(func() { d.Close() })
					processes[i] = d
				})
			}
			all.Wait()
			if t.Failed() {
				return
			}
			for i := range 40 {
				all.Go(func() { addOne(t, processes[i%2]) })
			}
			all.Wait()
			var n string
			if err := processes[0].Reads.QueryRow(`SELECT value FROM meta WHERE name = $1`, "n").Scan(&n); err != nil || n != "40" {
				t.Errorf("%s of 40, %v", n, err)
			}
			err := processes[0].Tx(t.Context(), func(tx *sql.Tx) error {
				var isolation, lock string
				if err := tx.QueryRow(`SELECT current_setting('transaction_isolation'), current_setting('lock_timeout')`).Scan(&isolation, &lock); err != nil {
					return err
				}
				if isolation != "read committed" || lock != "5s" {
					return fmt.Errorf("isolation %q, lock_timeout %q", isolation, lock)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// addOne adds one to a number, which is wrong where a lock does not hold.
func addOne(t *testing.T, d *db.DB) {
	err := d.Tx(t.Context(), func(tx *sql.Tx) error {
		if err := d.Lock(t.Context(), tx, "n"); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(`SELECT COALESCE(max(CAST(value AS INTEGER)), 0) FROM meta WHERE name = $1`, "n").Scan(&n); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, "n", fmt.Sprint(n+1))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// FT-34, FT-53: a network that swallows everything, and a server that is gone, are noticed and
// told apart from nothing having changed; when they are back, so is the process.
func TestFaultFT53WatchThroughFailures(t *testing.T) {
	t.Parallel()
	database := dbtest.Postgres(t)
	network := dbtest.Between(t, database)
	other := dbtest.OpenURL(t, database)
	d, err := db.Open(t.Context(), db.Config{URL: network.URL(database)})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, cancel := context.WithCancel(t.Context())
	called, done := make(chan struct{}, 1000), make(chan struct{})
	go func() {
		defer close(done)
		d.WatchAccess(ctx, 10*time.Millisecond, func() {
			select {
			case called <- struct{}{}:
			default:
			}
		})
	}()
	for _, failure := range []struct {
		name  string
		begin func()
	}{{"down", network.Down}, {"cut", network.Cut}} {
		failure.begin()
		select {
		case <-called:
		case <-time.After(time.Minute):
			t.Fatalf("%s: what runs was not ended", failure.name)
		}
		network.Heal()
		// It looks again: a revocation elsewhere is seen.
		for len(called) > 0 {
			<-called
		}
		deadline := time.After(time.Minute)
		for seen := false; !seen; {
			if err := other.Tx(ctx, func(tx *sql.Tx) error { return other.RaiseAccessEpoch(ctx, tx) }); err != nil {
				t.Fatal(err)
			}
			select {
			case <-called:
				seen = d.CheckInTouch() == nil && d.Reads.PingContext(ctx) == nil
			case <-time.After(20 * time.Millisecond):
			case <-deadline:
				t.Fatalf("%s: a rise afterwards was not seen", failure.name)
			}
		}
	}
	cancel()
	<-done
}

// FT-34: after the server was started again every connection that was kept is dead, and none of
// the transactions that come then fails for that.
func TestFaultFT34TransactionsAfterARestart(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	database := dbtest.Postgres(t)
	network := dbtest.Between(t, database)
	d, err := db.Open(t.Context(), db.Config{URL: network.URL(database)})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var all sync.WaitGroup
	begun := make(chan struct{}, 8)
	for range cap(begun) { // as many as are kept
		all.Go(func() {
			err := d.Tx(t.Context(), func(*sql.Tx) error {
				begun <- struct{}{}
				for len(begun) < cap(begun) {
					time.Sleep(time.Millisecond)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for range 5 {
		network.Down()
		network.Heal()
		for range cap(begun) {
			all.Go(func() { addOne(t, d) })
		}
		all.Wait()
	}
}
