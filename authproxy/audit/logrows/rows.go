package logrows

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/db"
)

// patience bounds one statement, or the few that belong together. A server that does not answer is
// given up by the connection before that.
const patience = 30 * time.Second

// named begins the names of the rows of the table meta that say which log a machine writes.
const named = "audit_log "

// Rows is where the log of one machine is kept.
type Rows struct {
	DB      *db.DB
	Machine string // name of whoever writes the log, and goes on with it after a restart
}

var _ logfile.Store = Rows{}

func limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// Origin is the name of the log of this machine; "": it has none yet.
func (r Rows) Origin(ctx context.Context) (origin string, err error) {
	err = r.DB.Reads.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, named+r.Machine).Scan(&origin)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("reading which audit log is that of %s: %w", r.Machine, err)
	}
	return origin, nil
}

// Leave has the machine begin another log. The rows of the one that it had stay under its name.
func (r Rows) Leave(ctx context.Context) (origin string, err error) {
	if origin, err = r.Origin(ctx); err != nil {
		return "", err
	}
	if _, err := r.DB.Writes.ExecContext(ctx, `DELETE FROM meta WHERE name = $1 AND value = $2`, named+r.Machine, origin); err != nil {
		return "", fmt.Errorf("leaving the audit log %s: %w", origin, err)
	}
	return origin, nil
}

// Segments lists the segments of the log of this machine, in order.
func (r Rows) Segments() ([]logfile.Segment, error) {
	ctx, cancel := limited()
	defer cancel()
	origin, err := r.Origin(ctx)
	if err != nil {
		return nil, err
	}
	return r.SegmentsOf(ctx, origin)
}

// SegmentsOf lists the segments of a log of that name, of whichever machine, in order.
func (r Rows) SegmentsOf(ctx context.Context, origin string) ([]logfile.Segment, error) {
	rows, err := r.DB.Reads.QueryContext(ctx, `SELECT segment FROM audit_groups WHERE log = $1 AND head <> '' ORDER BY segment`, origin)
	if err != nil {
		return nil, fmt.Errorf("reading the segments of the audit log: %w", err)
	}
	defer rows.Close()
	var all []logfile.Segment
	for rows.Next() {
		var first int64
		if err := rows.Scan(&first); err != nil {
			return nil, fmt.Errorf("reading the segments of the audit log: %w", err)
		}
		all = append(all, r.segment(origin, first))
	}
	return all, rows.Err()
}

// Keeps says whether a log of that name is or was one of these: a machine writes it, or some of its records were
// removed by age.
func (r Rows) Keeps(ctx context.Context, origin string) (bool, error) {
	var n int
	err := r.DB.Reads.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM meta WHERE name LIKE '`+named+`%' AND value = $1) + (SELECT COUNT(*) FROM audit_hashes WHERE log = $1)`, origin).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("reading whether the audit log %s is in the database: %w", origin, err)
	}
	return n > 0, nil
}

// segment is one of a log.
func (r Rows) segment(origin string, first int64) logfile.Segment {
	return logfile.Segment{First: first, Path: fmt.Sprintf("rows of %s from entry %d on", origin, first), Store: inLog{r, origin}}
}

// Segment is the one that begins with a record, which need not be there.
func (r Rows) Segment(first int64) logfile.Segment {
	return logfile.Segment{First: first, Path: fmt.Sprintf("rows from entry %d on", first), Store: r}
}

// Open implements [logfile.Store].
func (r Rows) Open(s logfile.Segment) (logfile.Content, error) {
	ctx, cancel := limited()
	defer cancel()
	origin, err := r.Origin(ctx)
	if err != nil {
		return nil, err
	}
	return inLog{r, origin}.Open(s)
}

// inLog opens segments of one log.
type inLog struct {
	Rows
	origin string
}

func (l inLog) Open(s logfile.Segment) (logfile.Content, error) {
	return &content{log: l, segment: s}, nil
}

// Remove removes the rows of segments that are whole, and keeps the hashes of their records. next is
// the number behind the last of these.
func (r Rows) Remove(ctx context.Context, old []logfile.Segment, next int64) error {
	origin, err := r.Origin(ctx)
	if err != nil {
		return err
	}
	return r.RemoveOf(ctx, origin, old, next)
}

// RemoveOf does so with segments of a log of that name, of whichever machine.
func (r Rows) RemoveOf(ctx context.Context, origin string, old []logfile.Segment, next int64) error {
	for i, s := range old {
		end := next
		if i+1 < len(old) {
			end = old[i+1].First
		}
		var hashes []byte
		found, err := logfile.ScanSegment(s, func(r logfile.Record) error {
			hash := tlog.RecordHash(r.Text)
			hashes = append(hashes, hash[:]...)
			return nil
		})
		if err != nil {
			return err
		}
		if found != end {
			return &logfile.Damage{Segment: s, Seq: found, Why: fmt.Sprintf("the next segment begins with entry %d", end)}
		}
		if err := r.DB.Tx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `INSERT INTO audit_hashes (log, seq, next_seq, hashes) VALUES ($1, $2, $3, $4) ON CONFLICT (log, seq) DO NOTHING`,
				origin, s.First, end, base64.StdEncoding.EncodeToString(hashes)); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `DELETE FROM audit_groups WHERE log = $1 AND seq >= $2 AND seq < $3`, origin, s.First, end)
			return err
		}); err != nil {
			return fmt.Errorf("removing a segment of the audit log: %w", err)
		}
	}
	return nil
}

// MayRemove says whether the role of this process may remove rows of audit logs. On PostgreSQL that can be
// a right of its own.
func (r Rows) MayRemove(ctx context.Context) (bool, error) {
	_, err := r.DB.Writes.ExecContext(ctx, `DELETE FROM audit_groups WHERE log = ''`) // no log has no name
	if db.FailureOf(err) == db.Refused {
		return false, nil
	}
	return err == nil, err
}

// Hashes are those of records that were removed, from a number on.
func (r Rows) Hashes(from int64) iter.Seq2[tlog.Hash, error] {
	return func(yield func(tlog.Hash, error) bool) {
		for next := from; ; {
			hashes, end, err := r.hashes(next)
			if err != nil {
				yield(tlog.Hash{}, err)
				return
			}
			if next == end {
				return
			}
			for ; len(hashes) > 0; hashes = hashes[tlog.HashSize:] {
				if !yield(tlog.Hash(hashes[:tlog.HashSize]), nil) {
					return
				}
			}
			next = end
		}
	}
}

// hashes are those of the removed segment that has a record, from that one on, and the number behind them.
func (r Rows) hashes(from int64) (hashes []byte, end int64, err error) {
	ctx, cancel := limited()
	defer cancel()
	origin, err := r.Origin(ctx)
	if err != nil {
		return nil, 0, err
	}
	var text string
	var first int64
	err = r.DB.Reads.QueryRowContext(ctx, `SELECT seq, next_seq, hashes FROM audit_hashes WHERE log = $1 AND seq <= $2 AND next_seq > $2 ORDER BY seq DESC LIMIT 1`,
		origin, from).Scan(&first, &end, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, from, nil
	}
	if err == nil {
		hashes, err = base64.StdEncoding.Strict().DecodeString(text)
	}
	if err == nil && int64(len(hashes)) != (end-first)*tlog.HashSize {
		err = fmt.Errorf("%d bytes for entries %d to %d", len(hashes), first, end-1)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the hashes of removed entries of the audit log: %w", err)
	}
	return hashes[(from-first)*tlog.HashSize:], end, nil
}

// group is a row.
type group struct {
	seq, next, segment, place int64
	head, content, writer     string
}

// end is where the segment goes on behind it, in bytes.
func (g group) end() int64 { return g.place + int64(len(g.head)) + int64(len(g.content)) }

// groups calls f with the rows of a log from the record from up to that before until, in order.
func (l inLog) groups(ctx context.Context, from, until int64, f func(group) error) error {
	rows, err := l.DB.Reads.QueryContext(ctx, `SELECT seq, next_seq, segment, place, head, content, writer FROM audit_groups WHERE log = $1 AND seq >= $2 AND seq < $3 ORDER BY seq`,
		l.origin, from, until)
	if err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var g group
		if err := rows.Scan(&g.seq, &g.next, &g.segment, &g.place, &g.head, &g.content, &g.writer); err != nil {
			return fmt.Errorf("reading the audit log: %w", err)
		}
		if err := f(g); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	return nil
}

// behind is the first record of the segment behind one.
func (l inLog) behind(ctx context.Context, segment int64) (next int64, err error) {
	err = l.DB.Reads.QueryRowContext(ctx, `SELECT COALESCE(MIN(segment), $3) FROM audit_groups WHERE log = $1 AND head <> '' AND segment > $2`,
		l.origin, segment, int64(math.MaxInt64)).Scan(&next)
	if err != nil {
		return 0, fmt.Errorf("reading the segments of the audit log: %w", err)
	}
	return next, nil
}
