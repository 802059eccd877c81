package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"
)

// Who signs in is known only when they are back from where they do it. So a cut of a user ends no sign-in that is under way: it is
// noted, with a number that is higher than that of every cut before it, and a sign-in keeps the number of the last cut before it began.
// Whoever comes back with a lower one than that of their own cut has begun before it, and gets nothing. The numbers are about times in
// milliseconds, so that those that nobody can have begun before are found; which came first they say whatever the clocks show. Only
// where a machine makes a note whose clock is three quarters of an hour behind may another forget it too early, and one
// whose clock was ahead makes notes that stay until that time has come.

// lastCut is the row of epochs with the number of the last cut of all.
const lastCut = "cut"

// cutsKept is how long a cut is remembered: longer than any sign-in that began before it is good for anything.
const cutsKept = time.Hour

// cutOf names the row of epochs, and the lock, for the cuts of one Salesforce user, or of one person of the company, whose org is their
// issuer. It does not name them in plain, and whoever knows or tries their id finds it: it stays for its hour also where they are erased.
func cutOf(org, subject string) string {
	sum := sha256.Sum256([]byte(org + "\x00" + subject))
	return "cut of " + hex.EncodeToString(sum[:])
}

// NoteCut notes, first in the transaction of [DB.Tx] that ends what somebody has, that sign-ins of theirs that have begun
// are to give nothing.
func (d *DB) NoteCut(ctx context.Context, tx *sql.Tx, org, subject string, now time.Time) error {
	name := cutOf(org, subject)
	if err := d.Lock(ctx, tx, name); err != nil { // see [DB.HoldCuts]
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO epochs (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = CASE WHEN epochs.value < excluded.value THEN excluded.value ELSE epochs.value + 1 END`, lastCut, Millis(now))
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO epochs (name, value) SELECT CAST($1 AS TEXT), value FROM epochs WHERE name = $2
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, lastCut)
	}
	if err != nil {
		return fmt.Errorf("noting that access was ended: %w", err)
	}
	return nil
}

// LastCut is the number of the last cut of anybody, for what begins now to keep.
func (d *DB) LastCut(ctx context.Context) (number int64, err error) {
	if err := d.Reads.QueryRowContext(ctx, `SELECT COALESCE(MAX(value), 0) FROM epochs WHERE name = $1`, lastCut).Scan(&number); err != nil {
		return 0, fmt.Errorf("reading when access was ended last: %w", err)
	}
	return number, nil
}

// CutSince reports whether somebody was cut off since what began with that number of [DB.LastCut]; 0: at any time that counts.
// It asks q, which is a transaction or [DB.Reads].
func (d *DB) CutSince(ctx context.Context, q RowQuerier, org, subject string, began int64) (is bool, err error) {
	if err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM epochs WHERE name = $1 AND value > $2)`, cutOf(org, subject), began).Scan(&is); err != nil {
		return false, fmt.Errorf("reading whether access was ended meanwhile: %w", err)
	}
	return is, nil
}

// HoldCuts keeps, until a transaction ends, a user from being cut off: what it makes for them is there when they are.
func (d *DB) HoldCuts(ctx context.Context, tx *sql.Tx, org, subject string) error {
	return d.Lock(ctx, tx, cutOf(org, subject))
}

// SweepCuts forgets cuts before which nothing that is still good can have begun. The bounds of the name, which hold in the order of any
// language, are for the index.
func (d *DB) SweepCuts(ctx context.Context, e Execer, now time.Time) error {
	_, err := e.ExecContext(ctx, `DELETE FROM epochs WHERE name >= 'cut of' AND name < 'cut og' AND name LIKE 'cut of %' AND value < $1`, Millis(now.Add(-cutsKept)))
	return err
}
