package db

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"
)

// accessTrust is how long after a look at the access epoch this process believes that
// nothing has changed. Cutting off must hold within a second on every process; the rest
// of it is for the call that is under way.
const accessTrust = 750 * time.Millisecond

// accessEpoch is what this process knows of the access epoch.
type accessEpoch struct {
	now func() time.Time
	// generation rises whenever access was taken away, as far as this process knows: at
	// once by its own transactions, by others when the watcher sees it.
	generation atomic.Uint64
	looked     atomic.Pointer[time.Time] // when the watcher began its last good look
	raising    sync.Map                  // *sql.Tx that have raised the epoch and not ended
}

func newAccessEpoch(now func() time.Time) *accessEpoch {
	if now == nil {
		now = time.Now
	}
	return &accessEpoch{now: now}
}

// current returns the generation, and whether it can be relied on now: the watcher has
// looked a moment ago. A process without a watcher never relies on it.
func (e *accessEpoch) current() (generation uint64, trusted bool) {
	// In this order: what is seen after the time was read is at least as new as that.
	looked := e.looked.Load()
	generation = e.generation.Load()
	return generation, looked != nil && e.now().Sub(*looked) < accessTrust
}

// ended follows the end of a transaction, before its caller hears of it: what was
// remembered before is not believed by any call that begins afterwards. A transaction
// that failed may have been committed all the same.
func (e *accessEpoch) ended(tx *sql.Tx) {
	if _, raised := e.raising.LoadAndDelete(tx); raised {
		e.generation.Add(1)
	}
}

// RaiseAccessEpoch marks, in the transaction of [DB.Tx] that takes access away, that it
// did.
func (d *DB) RaiseAccessEpoch(ctx context.Context, tx *sql.Tx) error {
	d.access.raising.Store(tx, true)
	_, err := tx.ExecContext(ctx, `UPDATE epochs SET value = value + 1 WHERE name = 'access'`)
	return err
}

// WatchAccess calls f after each rise of the access epoch, whichever process caused
// it, until ctx ends. It polls; every is the longest delay, apart from a database
// that does not answer, in which case f is called as well: not knowing must end
// what runs, not keep it. While it runs, every [Cache] of d may be believed.
func (d *DB) WatchAccess(ctx context.Context, every time.Duration, f func()) {
	last := int64(-1)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		began := d.access.now()
		var now int64
		err := d.Reads.QueryRowContext(ctx, `SELECT value FROM epochs WHERE name = 'access'`).Scan(&now)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			if now != last { // also at first: nobody watched before
				d.access.generation.Add(1)
			}
			d.access.looked.Store(&began)
		}
		if err != nil || last >= 0 && now != last {
			f()
		}
		if err == nil {
			last = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
