package export

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// lease is how long a destination belongs to the process that sends there. It is longer than
// any attempt, and is prolonged with each.
const lease = time.Minute

// Position is how far a destination has a log.
type Position struct {
	Destination, Log string
	Seq              int64     // number of the last entry that the destination took; 0: none
	SentAt           time.Time // when it took that
	Failures         int64     // since it took something last
	FailedAt         time.Time // the first of them
	ReportedAt       time.Time // when the audit log was told of them; zero: it was not
	Problem          string    // of the last of them

	stored int64 // what the row has, which is Seq if it is authentic
	mac    string
}

// positions keeps them.
type positions struct {
	db  *db.DB
	now func() time.Time
}

const positionColumns = `destination, log, position, sent_at, failures, failed_at, reported_at, problem, mac`

// scan reads a row. One that was changed by something else than the proxy counts as absent: its
// destination gets everything again.
func (p positions) scan(row interface{ Scan(...any) error }) (*Position, error) {
	var at Position
	var sent, failed, reported int64
	if err := row.Scan(&at.Destination, &at.Log, &at.stored, &sent, &at.Failures, &failed, &reported, &at.Problem, &at.mac); err != nil {
		return nil, err
	}
	at.SentAt, at.FailedAt, at.ReportedAt = db.Time(sent), db.Time(failed), db.Time(reported)
	authentic, err := p.db.Verify(db.ExportPositions, at.mac, at.Destination, at.Log, at.stored)
	if err != nil {
		return nil, err
	}
	if authentic {
		at.Seq = at.stored
	}
	return &at, nil
}

// take makes this process the one that sends to a destination, or keeps it that; nil: another
// one is.
func (p positions) take(ctx context.Context, destination, log, owner string) (*Position, error) {
	if _, err := p.db.Writes.ExecContext(ctx, `
		INSERT INTO export_positions (destination, log, position, mac) VALUES ($1, $2, 0, $3) ON CONFLICT (destination, log) DO NOTHING`,
		destination, log, p.db.MAC(db.ExportPositions, destination, log, int64(0))); err != nil {
		return nil, fmt.Errorf("beginning an export: %w", err)
	}
	now := p.now()
	at, err := p.scan(p.db.Writes.QueryRowContext(ctx, `
		UPDATE export_positions SET owner = $1, owner_until = $2
		WHERE destination = $3 AND log = $4 AND (owner = $1 OR owner = '' OR owner_until < $5)
		RETURNING `+positionColumns, owner, db.Millis(now.Add(lease)), destination, log, db.Millis(now)))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("taking an export: %w", err)
	}
	return at, nil
}

// advance notes that the destination took everything up to an entry, and ends its failures. It
// is false, and notes nothing, if another process sends by now, or somebody moved the position.
func (p positions) advance(ctx context.Context, at *Position, owner string, to int64) (bool, error) {
	now := p.now()
	mac := p.db.MAC(db.ExportPositions, at.Destination, at.Log, to)
	n, err := db.Affected(ctx, p.db.Writes, `
		UPDATE export_positions SET position = $1, mac = $2, sent_at = $3, owner_until = $4, failures = 0, failed_at = 0, reported_at = 0, problem = ''
		WHERE destination = $5 AND log = $6 AND owner = $7 AND position = $8 AND mac = $9`,
		to, mac, db.Millis(now), db.Millis(now.Add(lease)), at.Destination, at.Log, owner, at.stored, at.mac)
	if err != nil {
		return false, fmt.Errorf("recording an export: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	at.Seq, at.stored, at.mac, at.SentAt = to, to, mac, now
	at.Failures, at.FailedAt, at.ReportedAt, at.Problem = 0, time.Time{}, time.Time{}, ""
	return true, nil
}

// failed notes a failure.
func (p positions) failed(ctx context.Context, at *Position, owner, problem string) error {
	now := p.now()
	if at.FailedAt.IsZero() {
		at.FailedAt = now
	}
	at.Failures, at.Problem = at.Failures+1, problem
	_, err := p.db.Writes.ExecContext(ctx, `
		UPDATE export_positions SET failures = failures + 1, failed_at = CASE WHEN failed_at = 0 THEN $1 ELSE failed_at END, problem = $2
		WHERE destination = $3 AND log = $4 AND owner = $5`, db.Millis(now), problem, at.Destination, at.Log, owner)
	if err != nil {
		return fmt.Errorf("recording a failed export: %w", err)
	}
	return nil
}

// reported notes that the audit log knows of the failures.
func (p positions) reported(ctx context.Context, at *Position) error {
	at.ReportedAt = p.now()
	_, err := p.db.Writes.ExecContext(ctx, `UPDATE export_positions SET reported_at = $1 WHERE destination = $2 AND log = $3 AND reported_at = 0 AND failures > 0`,
		db.Millis(at.ReportedAt), at.Destination, at.Log)
	if err != nil {
		return fmt.Errorf("recording a failed export: %w", err)
	}
	return nil
}

// release lets another process send at once.
func (p positions) release(ctx context.Context, owner string) error {
	_, err := p.db.Writes.ExecContext(ctx, `UPDATE export_positions SET owner = '', owner_until = 0 WHERE owner = $1`, owner)
	if err != nil {
		return fmt.Errorf("ending exports: %w", err)
	}
	return nil
}

// Positions returns how far each destination has each log, in order.
func Positions(ctx context.Context, d *db.DB) (all []*Position, err error) {
	rows, err := d.Reads.QueryContext(ctx, `SELECT `+positionColumns+` FROM export_positions ORDER BY destination, log`)
	if err != nil {
		return nil, fmt.Errorf("reading exports: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		at, err := positions{db: d}.scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading exports: %w", err)
		}
		all = append(all, at)
	}
	return all, rows.Err()
}

// ErrMoved: the position has changed since it was read.
var ErrMoved = errors.New("the position has changed meanwhile: try again")

// Move has a destination go on behind another entry of the log, whichever process sends there.
func Move(ctx context.Context, d *db.DB, at *Position, to int64) error {
	n, err := db.Affected(ctx, d.Writes, `
		UPDATE export_positions SET position = $1, mac = $2 WHERE destination = $3 AND log = $4 AND position = $5 AND mac = $6`,
		to, d.MAC(db.ExportPositions, at.Destination, at.Log, to), at.Destination, at.Log, at.stored, at.mac)
	if err != nil {
		return fmt.Errorf("moving an export: %w", err)
	}
	if n == 0 {
		return ErrMoved
	}
	return nil
}
