package db

import (
	"context"
	"fmt"
	"time"
)

// ClockBound is by how much the clock of a process may differ from the database's. Replicas that keep to it
// differ by a minute at most, which is well below the grace of a refresh token that two of them are asked with.
const ClockBound = 30 * time.Second

// ClockDifference is by how much the clock of this process is ahead of PostgreSQL's, below zero if it is
// behind, as the last look of [DB.WatchAccess] told. How long the answer took counts in its favour. SQLite has
// no clock of its own: known is false there, and before the first look.
func (d *DB) ClockDifference() (ahead time.Duration, known bool) {
	if last := d.access.ahead.Load(); last != nil {
		return *last, true
	}
	return 0, false
}

// AskClock is by how much the clock of this process is ahead of PostgreSQL's, as [DB.ClockDifference] says it,
// for a process that does not watch.
func (d *DB) AskClock(ctx context.Context) (ahead time.Duration, known bool, err error) {
	if !d.Shared() {
		return 0, false, nil
	}
	began, theirs := d.access.now(), int64(0)
	if err := d.Reads.QueryRowContext(ctx, `SELECT `+clockOfPostgres).Scan(&theirs); err != nil {
		return 0, false, fmt.Errorf("asking the database for its time: %w", err)
	}
	return aheadOf(time.UnixMilli(theirs), began, d.access.now()), true, nil
}

// clockOfPostgres is its time at that moment, in milliseconds.
const clockOfPostgres = `CAST(1000 * extract(epoch FROM clock_timestamp()) AS BIGINT)`

// aheadOf is by how much a clock is ahead of one that said its time between two moments of the first, at
// least: 0 if they may agree.
func aheadOf(theirs, began, ended time.Time) time.Duration {
	theirs, began, ended = theirs.Round(0), began.Round(0), ended.Round(0) // by what the clocks show
	switch {
	case theirs.Before(began):
		return began.Sub(theirs)
	case theirs.After(ended):
		return ended.Sub(theirs)
	}
	return 0
}
