package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// servedMark is the row of meta that says when a proxy served on the database last, in milliseconds. It is for people to read:
// nothing is decided by it.
const servedMark = "served"

// Serving notes that a proxy serves on the database now. Call it once a minute.
func (d *DB) Serving(ctx context.Context, now time.Time) error {
	_, err := d.Writes.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
		servedMark, strconv.FormatInt(Millis(now), 10))
	if err != nil {
		return fmt.Errorf("noting that a proxy serves on the database: %w", err)
	}
	return nil
}

// Served is when a proxy served on the database last, up to a minute before; zero: none ever has, as far as it says.
func (d *DB) Served(ctx context.Context) (time.Time, error) {
	var text string
	err := d.Reads.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, servedMark).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading when a proxy served on the database: %w", err)
	}
	millis, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("the row %s of meta does not hold a time", servedMark)
	}
	return Time(millis), nil
}
