package roster

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
)

// Log is an audit log as the roster has it.
type Log struct {
	Origin    string    // its name
	Host      string    // name of the machine that it was begun on
	Verifiers []string  // public keys that its checkpoints verify with, as `sfmcp-proxy audit key` prints them
	JoinedAt  time.Time // when it was entered
	HeardAt   time.Time // when the process that writes it was here last
	Closed    *Closing  // nil: it is open
	Entries   int64     // by its checkpoint in the database; set by [Roster.Logs]
}

// Closing is that a log gets nothing more.
type Closing struct {
	At      time.Time
	By      actor.Actor
	Why     string
	Entries int64 // that it had, by its last checkpoint
}

// ErrNotFound: the roster has no such log.
var ErrNotFound = errors.New("the roster has no audit log of that name")

const columns = `origin, host, verifiers, joined_at, heard_at, closed_at, closed_by_kind, closed_by_id, closed_by_as, closed_why, closed_entries, mac`

// rows are the table audit_logs.
type rows struct{ db *db.DB }

// row is a row as it was read.
type row struct {
	Log
	mac       string
	authentic bool
}

// values are what the MAC covers, in its order.
func (l Log) values() []any {
	c := l.Closed
	if c == nil {
		c = &Closing{}
	}
	return []any{l.Origin, l.Host, strings.Join(l.Verifiers, "\n"), db.Millis(l.JoinedAt), db.Millis(c.At), string(c.By.Kind), c.By.ID, c.By.As, c.Why, c.Entries}
}

func (t rows) mac(l Log) string { return t.db.MAC(db.AuditLogs, l.values()...) }

func (t rows) scan(from interface{ Scan(...any) error }) (r row, err error) {
	var c Closing
	var verifiers string
	var joined, heard, closed int64
	if err := from.Scan(&r.Origin, &r.Host, &verifiers, &joined, &heard, &closed, &c.By.Kind, &c.By.ID, &c.By.As, &c.Why, &c.Entries, &r.mac); err != nil {
		return r, err
	}
	r.Verifiers = strings.Split(verifiers, "\n")
	r.JoinedAt, r.HeardAt, c.At = db.Time(joined), db.Time(heard), db.Time(closed)
	if closed != 0 {
		r.Closed = &c
	}
	r.authentic, err = t.db.Verify(db.AuditLogs, r.mac, r.Origin, r.Host, verifiers, joined, closed, string(c.By.Kind), c.By.ID, c.By.As, c.Why, c.Entries)
	return r, err
}

// all reads the roster, by name.
func (t rows) all(ctx context.Context) (all []row, err error) {
	found, err := t.db.Reads.QueryContext(ctx, `SELECT `+columns+` FROM audit_logs ORDER BY origin`)
	if err != nil {
		return nil, fmt.Errorf("reading the roster of audit logs: %w", err)
	}
	defer found.Close()
	for found.Next() {
		r, err := t.scan(found)
		if err != nil {
			return nil, fmt.Errorf("reading the roster of audit logs: %w", err)
		}
		all = append(all, r)
	}
	return all, found.Err()
}

// one reads the row of a log, or says [ErrNotFound].
func (t rows) one(ctx context.Context, origin string) (row, error) {
	r, err := t.scan(t.db.Reads.QueryRowContext(ctx, `SELECT `+columns+` FROM audit_logs WHERE origin = $1`, origin))
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("reading the roster of audit logs: %w", err)
	}
	return r, nil
}

// insert enters a log, unless the roster has one of that name.
func (t rows) insert(ctx context.Context, l Log) error {
	_, err := t.db.Writes.ExecContext(ctx, `
		INSERT INTO audit_logs (origin, host, verifiers, joined_at, heard_at, mac) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (origin) DO NOTHING`,
		l.Origin, l.Host, strings.Join(l.Verifiers, "\n"), db.Millis(l.JoinedAt), db.Millis(l.HeardAt), t.mac(l))
	if err != nil {
		return fmt.Errorf("entering an audit log into the roster: %w", err)
	}
	return nil
}

// overwrite writes a row whatever is there, after a person has looked.
func (t rows) overwrite(ctx context.Context, l Log) error {
	v := l.values()
	_, err := t.db.Writes.ExecContext(ctx, `
		INSERT INTO audit_logs (origin, host, verifiers, joined_at, closed_at, closed_by_kind, closed_by_id, closed_by_as, closed_why, closed_entries, mac, heard_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (origin) DO UPDATE SET host = excluded.host, verifiers = excluded.verifiers, joined_at = excluded.joined_at, closed_at = excluded.closed_at,
			closed_by_kind = excluded.closed_by_kind, closed_by_id = excluded.closed_by_id, closed_by_as = excluded.closed_by_as, closed_why = excluded.closed_why,
			closed_entries = excluded.closed_entries, mac = excluded.mac`,
		slices.Concat(v, []any{t.mac(l), db.Millis(l.HeardAt)})...)
	if err != nil {
		return fmt.Errorf("entering an audit log into the roster again: %w", err)
	}
	return nil
}

// hear notes that the process which writes a log is here. A row that is closed, or not as it was
// read, stays as it is; the next look finds out why.
func (t rows) hear(ctx context.Context, of row, l Log) error {
	_, err := t.db.Writes.ExecContext(ctx, `UPDATE audit_logs SET heard_at = $1, verifiers = $2, mac = $3 WHERE origin = $4 AND mac = $5 AND closed_at = 0`,
		db.Millis(l.HeardAt), strings.Join(l.Verifiers, "\n"), t.mac(l), l.Origin, of.mac)
	if err != nil {
		return fmt.Errorf("noting in the roster that an audit log is written: %w", err)
	}
	return nil
}

// sign writes the MACs of rows anew that an earlier key made: that key may be taken out of the file.
func (t rows) sign(ctx context.Context, all []row) (err error) {
	for _, r := range all {
		if mac := t.mac(r.Log); r.authentic && mac != r.mac && err == nil {
			_, err = t.db.Writes.ExecContext(ctx, `UPDATE audit_logs SET mac = $1 WHERE origin = $2 AND mac = $3`, mac, r.Origin, r.mac)
		}
	}
	if err != nil {
		return fmt.Errorf("signing the roster of audit logs anew: %w", err)
	}
	return nil
}

// close closes a log that is as it was read, unless its process was here since silent. It is
// false if nothing was closed.
func (t rows) close(ctx context.Context, of row, c Closing, silent time.Time) (closed bool, err error) {
	l := of.Log
	l.Closed = &c
	err = t.db.Tx(ctx, func(tx *sql.Tx) error {
		n, err := db.Affected(ctx, tx, `
			UPDATE audit_logs SET closed_at = $1, closed_by_kind = $2, closed_by_id = $3, closed_by_as = $4, closed_why = $5, closed_entries = $6, mac = $7
			WHERE origin = $8 AND mac = $9 AND closed_at = 0 AND heard_at < $10`,
			db.Millis(c.At), string(c.By.Kind), c.By.ID, c.By.As, c.Why, c.Entries, t.mac(l), of.Origin, of.mac, db.Millis(silent))
		if closed = n > 0; err != nil || !closed {
			return err
		}
		return t.db.RaiseAccessEpoch(ctx, tx) // whoever writes it after all looks at once
	})
	if err != nil {
		return false, fmt.Errorf("closing an audit log in the roster: %w", err)
	}
	return closed, nil
}
