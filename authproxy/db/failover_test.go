package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// FT-53: the primary dies under load and its standby, which has each COMMIT before it is acknowledged, takes
// its place at the same address. Nothing that was acknowledged is lost, the access epoch does not go back,
// and the processes go on by themselves.
func TestFaultFT53FailoverLosesNothingAcknowledged(t *testing.T) {
	rounds.Thorough(t) // two servers cost more than all other tests here
	pair := dbtest.NewPair(t)
	d := dbtest.OpenURL(t, pair.URL)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go d.WatchAccess(ctx, db.AccessPoll, func() {})
	w := writers{t: t, db: d}
	for i := range 8 {
		w.all.Go(func() { w.run(ctx, i) })
	}
	w.until(300)
	pair.Kill()
	if err := d.CheckInTouch(); err != nil {
		t.Logf("at once: %v", err)
	}
	pair.Promote()
	promoted := time.Now()
	w.until(w.acknowledged.Load() + 300)
	took := time.Since(promoted)
	stop()
	w.all.Wait()
	lost := 0
	w.good.Range(func(name, _ any) bool {
		var value string
		if err := d.Reads.QueryRow(`SELECT value FROM meta WHERE name = $1`, name).Scan(&value); err != nil {
			lost++
		}
		return true
	})
	var epoch int64
	if err := d.Reads.QueryRow(`SELECT value FROM epochs WHERE name = 'access'`).Scan(&epoch); err != nil || epoch < w.acknowledged.Load() {
		t.Errorf("the access epoch is %d after %d that were raised, %v", epoch, w.acknowledged.Load(), err)
	}
	t.Logf("%d transactions acknowledged, %d of them lost, %d failed; 300 more took %v after the promotion", w.acknowledged.Load(), lost, w.failed.Load(), took.Round(time.Millisecond))
	if lost > 0 {
		t.Errorf("%d acknowledged transactions are lost", lost)
	}
}

// writers change what access goes by, each transaction another row.
type writers struct {
	t                    *testing.T
	db                   *db.DB
	all                  sync.WaitGroup
	good                 sync.Map // names of rows that were acknowledged
	acknowledged, failed atomic.Int64
}

func (w *writers) run(ctx context.Context, who int) {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("failover %d %d", who, i)
		err := w.db.Tx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, 'x')`, name); err != nil {
				return err
			}
			return w.db.RaiseAccessEpoch(ctx, tx)
		})
		if err != nil {
			w.failed.Add(1)
			time.Sleep(20 * time.Millisecond) // as a client does that is told to come back
			continue
		}
		w.good.Store(name, true)
		w.acknowledged.Add(1)
	}
}

// until waits until so many are acknowledged.
func (w *writers) until(n int64) {
	w.t.Helper()
	for end := time.Now().Add(2 * time.Minute); w.acknowledged.Load() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%d acknowledged after two minutes, want %d", w.acknowledged.Load(), n)
		}
	}
}
