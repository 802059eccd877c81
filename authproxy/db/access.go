package db

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// AccessPoll is how often a process that serves should look at the access epoch.
	AccessPoll = 100 * time.Millisecond
	// accessTrust is how long after a look at the access epoch a process believes that
	// nothing has changed. It is also how long a command has to wait until every process
	// has seen what it changed.
	accessTrust = 250 * time.Millisecond
	// accessLost is after how long without a look at the access epoch a process that serves
	// decides nothing any more, see [DB.CheckInTouch].
	accessLost = 5 * time.Second
	// accessLookTime is how long one look may take where a network is between: shorter than
	// accessLost, with time left to end what runs.
	accessLookTime = 2 * time.Second
)

// accessEpoch is what this process knows of the access epoch.
type accessEpoch struct {
	now func() time.Time
	// generation rises whenever access was taken away, as far as this process knows: at
	// once by its own transactions, by others when the watcher sees it.
	generation atomic.Uint64
	looked     atomic.Pointer[time.Time]     // when the watcher began its last good look
	watched    atomic.Pointer[time.Time]     // when a watcher began
	raising    sync.Map                      // *sql.Tx that have raised the epoch and not ended
	raised     atomic.Pointer[time.Time]     // when the last of them ended
	ahead      atomic.Pointer[time.Duration] // see [DB.ClockDifference]
	outdated   atomic.Pointer[error]         // what CheckInTouch returns from now on: see [ErrOutdated]
}

func newAccessEpoch(now func() time.Time) *accessEpoch {
	if now == nil {
		now = time.Now
	}
	return &accessEpoch{now: now}
}

// current returns the generation, the time, and whether the one can be relied on at the
// other: the watcher has looked a moment ago. A process without a watcher never relies on it.
func (e *accessEpoch) current() (generation uint64, now time.Time, trusted bool) {
	// In this order: what is seen after the time was read is at least as new as that.
	looked := e.looked.Load()
	generation = e.generation.Load()
	now = e.now()
	return generation, now, looked != nil && now.Sub(*looked) < accessTrust
}

// ended follows the end of a transaction, before its caller hears of it: what was
// remembered before is not believed by any call that begins afterwards. A transaction
// that failed may have been committed all the same.
func (e *accessEpoch) ended(tx *sql.Tx) {
	if _, raised := e.raising.LoadAndDelete(tx); raised {
		e.generation.Add(1)
		now := e.now()
		e.raised.Store(&now)
	}
}

// RaiseAccessEpoch marks, in the transaction of [DB.Tx] that takes access away, that it
// did.
func (d *DB) RaiseAccessEpoch(ctx context.Context, tx *sql.Tx) error {
	d.access.raising.Store(tx, true)
	_, err := tx.ExecContext(ctx, `UPDATE epochs SET value = value + 1 WHERE name = 'access'`)
	return err
}

// AwaitWatchers waits, a quarter of a second at most, until every process that serves
// goes by what this one has changed about access, also one whose watcher is stuck. A
// command calls it at its end, so that what it says is so. A process that watches
// itself has nothing to wait for.
func (d *DB) AwaitWatchers() {
	raised := d.access.raised.Load()
	if raised != nil && d.access.looked.Load() == nil {
		time.Sleep(accessTrust - min(accessTrust, d.access.now().Sub(*raised)))
	}
}

// CheckInTouch returns an error if this process watches access and has not seen the epoch for
// five seconds: what others have taken away since, it does not know, whatever single reads still
// tell it. It decides nothing then. A process that does not watch remembers nothing, and
// always gets nil. [ErrOutdated] says that the watcher has ended. On SQLite the error comes at once if
// the file was deleted, moved away or replaced, or the disk does not read or write it: see [sqliteFile].
func (d *DB) CheckInTouch() error {
	if err := d.access.outdated.Load(); err != nil {
		return *err
	}
	began := d.access.watched.Load()
	if began == nil {
		return nil
	}
	if err := d.dialect.sound(); err != nil {
		return err
	}
	last := *began
	if looked := d.access.looked.Load(); looked != nil && looked.After(last) {
		last = *looked
	}
	if d.access.now().Sub(last) >= accessLost { // the same text for as long as it lasts
		return fmt.Errorf("the database has not told since %s what was revoked, blocked or stopped", last.UTC().Format(time.RFC3339))
	}
	return nil
}

// WatchAccess calls f after each rise of the access epoch, whichever process caused
// it, until ctx ends. It polls; every is the longest delay, apart from a database
// that does not answer, in which case f is called as well, and once more when it answers
// again: not knowing must end what runs, not keep it. While it runs, every [Cache] of d may be believed.
//
// It ends with [ErrOutdated], after a last call of f, as soon as a newer program has changed the
// database so that this one must not use it any more; otherwise with nil.
func (d *DB) WatchAccess(ctx context.Context, every time.Duration, f func()) error {
	epoch := epochReader{db: d}
	defer epoch.close()
	start := d.access.now()
	d.access.watched.Store(&start)
	last, failed := int64(-1), false
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		began := d.access.now()
		now, err := epoch.read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if d.dialect.looked(ctx, d, err); err == nil {
			err = d.dialect.sound()
		}
		if errors.Is(err, ErrOutdated) {
			d.access.outdated.Store(&err)
			d.access.generation.Add(1) // nothing that is remembered counts
			f()
			return err
		}
		if err == nil {
			if now != last || failed { // also at first: nobody watched before
				d.access.generation.Add(1)
			}
			d.access.looked.Store(&began)
		}
		if err != nil && d.Shared() {
			d.dropIdle()
		}
		if err != nil || failed || last >= 0 && now != last {
			f()
		}
		if failed = err != nil; !failed {
			last = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// epochReader reads the access epoch again and again, and whether a newer program has changed the schema. SQLite compiles a statement each time
// that it is not prepared, which takes longer than to run this one. PostgreSQL's driver keeps
// its own, unless something in between does not allow it.
type epochReader struct {
	db       *DB
	conn     *sql.Conn // on SQLite, for as long as is watched; nil: not yet, or it broke
	prepared *sql.Stmt // on conn
}

const (
	epochColumns = `SELECT value, COALESCE((SELECT value FROM epochs WHERE name = '` + oldestSchema + `'), 0),
	(SELECT max(version_id) FROM ` + versionTable + `)`
	ofAccess  = ` FROM epochs WHERE name = 'access'`
	readEpoch = epochColumns + ofAccess
	// A standby may be behind by any time, so what it says of the epoch is not known to be so.
	readEpochOfPrimary = epochColumns + `, ` + clockOfPostgres + ofAccess + ` AND NOT pg_is_in_recovery()`
)

func (r *epochReader) read(ctx context.Context) (value int64, err error) {
	var oldest, at int64
	if err := r.row(ctx, &value, &oldest, &at); err != nil {
		return 0, err
	}
	r.db.at.Store(at)
	return value, outdated(at, oldest, newestVersion())
}

func (r *epochReader) row(ctx context.Context, into ...any) (err error) {
	if r.db.dialect.shared() {
		ctx, cancel := context.WithTimeout(ctx, accessLookTime)
		defer cancel()
		began, theirs := r.db.access.now(), int64(0)
		if err := r.db.Reads.QueryRowContext(ctx, readEpochOfPrimary).Scan(append(into, &theirs)...); err != nil {
			return err
		}
		ahead := aheadOf(time.UnixMilli(theirs), began, r.db.access.now())
		r.db.access.ahead.Store(&ahead)
		return nil
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	err = r.prepared.QueryRowContext(ctx).Scan(into...)
	if errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		r.close()
	}
	return err
}

// prepare keeps a connection: as long as there is one, the files beside the database's stay, and what
// was deleted can still be read.
func (r *epochReader) prepare(ctx context.Context) (err error) {
	if r.conn == nil {
		if r.conn, err = r.db.Reads.Conn(ctx); err != nil {
			return err
		}
	}
	if r.prepared == nil {
		r.prepared, err = r.conn.PrepareContext(ctx, readEpoch)
	}
	return err
}

func (r *epochReader) close() {
	if r.prepared != nil {
		r.prepared.Close()
	}
	if r.conn != nil {
		r.conn.Close()
	}
	r.conn, r.prepared = nil, nil
}
