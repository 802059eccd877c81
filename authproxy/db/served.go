package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ServedMark is the row of meta that says when a proxy served on the database last, in milliseconds. It is for people to read:
// nothing is decided by it.
const ServedMark = "served"

// Serving notes that a proxy serves on the database now, which its own clock tells if it has one: those of machines differ. Call it
// once a minute.
func (d *DB) Serving(ctx context.Context, now time.Time) error {
	_, err := d.Writes.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, CAST(`+d.clockOr(now)+` AS TEXT)) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
		ServedMark)
	if err != nil {
		return fmt.Errorf("noting that a proxy serves on the database: %w", err)
	}
	return nil
}

// Served is when a proxy served on the database last, up to a minute before, and how long ago that is, by the clock of
// [DB.Serving]; zero: none ever has, as far as it says.
func (d *DB) Served(ctx context.Context, now time.Time) (last time.Time, ago time.Duration, err error) {
	var text string
	var is int64
	err = d.Reads.QueryRowContext(ctx, `SELECT value, `+d.clockOr(now)+` FROM meta WHERE name = $1`, ServedMark).Scan(&text, &is)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, 0, nil
	}
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("reading when a proxy served on the database: %w", err)
	}
	millis, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("the row %s of meta does not hold a time", ServedMark)
	}
	last = Time(millis)
	return last, Time(is).Sub(last), nil
}

// clockOr is the time of PostgreSQL in milliseconds, as an expression; now where the database has no clock of its own.
func (d *DB) clockOr(now time.Time) string {
	if d.Shared() {
		return clockOfPostgres
	}
	return strconv.FormatInt(Millis(now), 10)
}
