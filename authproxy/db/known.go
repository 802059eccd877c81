package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrInDoubt: whether it was done is not known: the database took it, and did not answer any more.
var ErrInDoubt = errors.New("whether it was done is not known, because the database did not answer")

// doubtTime is how long the database is asked what became of a transaction unless [Config.InDoubt] says otherwise, and
// lastDoubt how long after [Config.Waits] has ended; doubtPause is between two tries.
const (
	doubtTime  = 20 * time.Second
	lastDoubt  = time.Second
	doubtPause = 200 * time.Millisecond
)

// ErrUnchanged, returned by the function of [DB.KnownTx], ends the transaction with nothing written, its name neither. KnownTx then
// returns no error.
var ErrUnchanged = errors.New("nothing was to be changed")

// KnownAffected is [Affected] in a transaction of [DB.KnownTx].
func (d *DB) KnownAffected(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = d.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		if n, err = Affected(ctx, tx, query, args...); err == nil && n == 0 {
			err = ErrUnchanged
		}
		return err
	})
	return n, err
}

// KnownTx is [DB.Tx] of which whoever asked is told, and the audit log has, whether it was committed: without an error it was, once, and
// with one it was not, and will not be. Where the answer to its COMMIT is lost, it is tried again until the database says so, also when ctx has ended.
// The error is [ErrInDoubt] if it does not say so in time.
//
// Each transaction begins with a row of its own name, so that of any number of tries at most one is committed: behind
// it the next one finds the row, and one that the server has not ended yet is waited for. What f left
// behind is thus that of the try that was committed. f is run with the context of its try. On SQLite the answer to a COMMIT is
// that of a function.
func (d *DB) KnownTx(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	err := d.knownTx(ctx, f)
	if errors.Is(err, ErrUnchanged) {
		return nil
	}
	return err
}

func (d *DB) knownTx(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	if !d.Shared() {
		return notDone(d.Tx(ctx, func(tx *sql.Tx) error { return f(ctx, tx) }))
	}
	name, doubtful := doneMark+rand.Text(), false // doubtful: a try may have been committed
	try := func(ctx context.Context) error {
		err := d.Tx(ctx, func(tx *sql.Tx) error {
			n, err := Affected(ctx, tx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, markTime(d.access.now()))
			if err != nil || n == 0 {
				return err
			}
			doubtful = false // no try before has the row
			return f(ctx, tx)
		})
		if _, committing := errors.AsType[*commitError](err); committing && InDoubt(err) {
			doubtful = true
		}
		return err
	}
	err := try(ctx)
	if err == nil || !doubtful && !(lost(err) && ctx.Err() == nil) {
		return notDone(err)
	}
	ctx, end := d.Doubting(ctx)
	defer end()
	for {
		if err = try(ctx); err == nil || !doubtful && !Passes(err) {
			return notDone(err)
		}
		select {
		case <-time.After(doubtPause):
			continue
		case <-ctx.Done():
		}
		if doubtful {
			return fmt.Errorf("%w: %w", ErrInDoubt, err)
		}
		return notDone(err)
	}
}

// Doubting is the time in which it is tried to find out what became of something. It does not end with ctx, and soon after
// [Config.Waits].
func (d *DB) Doubting(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), d.inDoubt)
	if d.stopWaiting == nil {
		return ctx, end
	}
	stop := context.AfterFunc(d.stopWaiting, func() { time.AfterFunc(lastDoubt, end) })
	return ctx, func() { stop(); end() }
}

// lost says of an error that the connection went with a statement: the next one may be good.
func lost(err error) bool {
	why := FailureOf(err)
	return (why == Unavailable || why == TooSlow) && InDoubt(err)
}

// notDoneError is why a transaction was not committed, whatever its statements ended with.
type notDoneError struct{ error }

func (e *notDoneError) Unwrap() error { return e.error }

func notDone(err error) error {
	if err == nil {
		return nil
	}
	return &notDoneError{err}
}

// commitError is that of a COMMIT: all else that fails leaves a transaction that is not committed.
type commitError struct{ error }

func (e *commitError) Unwrap() error { return e.error }

// doneMark begins the names of the rows of meta by which [DB.KnownTx] finds its transactions, and doneKept is how long they
// are kept: longer than anybody asks.
const (
	doneMark = "done "
	doneKept = time.Hour
)

// markTime is a time as those rows have it, in the order of texts.
func markTime(at time.Time) string { return fmt.Sprintf("%013d", Millis(at)) }

// Sweep deletes the rows by which nobody looks for a transaction any more. Call it once a minute. The bounds of the name, which
// hold in the order of any language, are for the index.
func (d *DB) Sweep(ctx context.Context) error {
	_, err := d.Writes.ExecContext(ctx, `DELETE FROM meta WHERE name >= 'done' AND name < 'donf' AND name LIKE '`+doneMark+`%' AND value < $1`, markTime(d.access.now().Add(-doneKept)))
	if err != nil {
		return fmt.Errorf("sweeping the names of transactions: %w", err)
	}
	return nil
}
