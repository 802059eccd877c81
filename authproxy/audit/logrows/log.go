package logrows

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"sync"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/db"
)

const (
	// segmentSize is from how many bytes on a segment is full, as with files.
	segmentSize = 8 << 20
	// attempts is how often a group is written anew because others have written meanwhile.
	attempts = 100
	// repeats is how often a statement is made again that got no answer.
	repeats = 3
)

// Config is what a Log works with. Rows, Origin and Follower must be set.
type Config struct {
	Rows
	Origin string // names the log if it is begun; one that is there keeps its name
	logfile.Follower
	SegmentSize int64 // bytes from which on a segment is full; 0: 8 MiB
}

// Log is open for appending. It is safe for concurrent use.
type Log struct {
	config Config

	mu      sync.Mutex
	origin  string
	known   bool  // there is a log of that name
	segment int64 // number of the first record of the last segment; 0: there is none yet
	end     int64 // of the last segment, in bytes
	last    int64 // number of the first record of the last group
	next    int64 // number of the next record
}

// Open opens the log of c.Machine, or prepares a new one. The Follower hears of the last segment.
func Open(c Config) (*Log, error) {
	if c.SegmentSize == 0 {
		c.SegmentSize = segmentSize
	}
	l := &Log{config: c, origin: c.Origin, next: 1}
	if err := l.CatchUp(); err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	return l, nil
}

// Close does nothing: nothing is held.
func (l *Log) Close() error { return nil }

// Origin is the log's name.
func (l *Log) Origin() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.origin
}

// CatchUp tells the Follower of what other processes have appended.
func (l *Log) CatchUp() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.catchUp("")
	return err
}

// Append writes what fill adds to the group, and returns when it is durable. After an error it is
// written only if the database could not be asked whether it is. fill is called after the Follower has
// heard of everything before it, and again if others have written meanwhile.
func (l *Log) Append(fill func(*logfile.Group)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range attempts {
		written, err := l.try(fill)
		if written || err != nil {
			return err
		}
	}
	return fmt.Errorf("writing the audit log: others have written before it %d times", attempts)
}

// try writes one group; false: others have written there, and were heard of.
func (l *Log) try(fill func(*logfile.Group)) (written bool, err error) {
	g := logfile.NewGroup(l.next)
	fill(g)
	framed, err := g.Framed()
	if err != nil || framed == nil {
		return true, err
	}
	row := group{seq: l.next, next: g.Next(), segment: l.segment, place: l.end, content: string(framed), writer: rand.Text()}
	if l.segment == 0 || l.end >= l.config.SegmentSize {
		head := logfile.Head{Origin: l.origin, First: l.next, State: l.config.State()}
		row.segment, row.place, row.head = l.next, 0, string(head.Line())
	}
	return l.write(row, func() {
		for r := range g.Records(row.segment, row.place+int64(len(row.head))) {
			l.config.Record(r)
		}
	})
}

// write writes a row, by records of which the Follower hears; false: others have written there. A
// statement that got no answer is made again: if it has an effect after all, however late, the second one
// meets its row.
func (l *Log) write(row group, records func()) (written bool, err error) {
	ctx, cancel := limited()
	defer cancel()
	for again := 0; ; again++ {
		n, failed := l.insert(ctx, row)
		if failed == nil && n == 1 {
			l.known = true
			return true, l.add(row, records)
		}
		own, err := l.catchUp(row.writer)
		switch unanswered := db.FailureOf(failed) == db.Unavailable || db.FailureOf(failed) == db.TooSlow; {
		case own || err != nil && failed == nil:
			return own, err
		case err != nil, failed != nil && !(unanswered && again < repeats):
			return false, errors.Join(fmt.Errorf("writing the audit log: %w", failed), err)
		case l.next != row.seq:
			return false, nil
		case failed == nil:
			return false, l.refused(ctx)
		}
	}
}

// errTaken: the machine has got another log meanwhile.
var errTaken = errors.New("another process has begun the log")

// insert writes a group, if it belongs there. The first one names the log, too.
func (l *Log) insert(ctx context.Context, g group) (n int64, err error) {
	if l.last > 0 {
		return l.insertBehind(ctx, l.config.DB.Writes, g, `EXISTS (SELECT 1 FROM audit_groups WHERE log = $1 AND seq = $10 AND next_seq = $2)`, l.last)
	}
	err = l.config.DB.Tx(ctx, func(tx *sql.Tx) (err error) {
		n, err = db.Affected(ctx, tx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, named+l.config.Machine, l.origin)
		if err == nil && n == 1 {
			n, err = l.insertBehind(ctx, tx, g, `NOT EXISTS (SELECT 1 FROM audit_groups WHERE log = $1)`)
		}
		if err == nil && n == 0 {
			err = errTaken
		}
		return err
	})
	if errors.Is(err, errTaken) {
		return 0, nil
	}
	return n, err
}

// insertBehind is the statement that writes a group, if the log is that of the machine and what is
// before it is what was seen.
func (l *Log) insertBehind(ctx context.Context, by db.Execer, g group, seen string, more ...any) (int64, error) {
	args := []any{l.origin, g.seq, g.next, g.segment, g.place, g.head, g.content, g.writer, named + l.config.Machine}
	return db.Affected(ctx, by, `
		INSERT INTO audit_groups (log, seq, next_seq, segment, place, head, content, writer)
		SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS TEXT), CAST($7 AS TEXT), CAST($8 AS TEXT)
		WHERE EXISTS (SELECT 1 FROM meta WHERE name = $9 AND value = $1) AND `+seen+`
		ON CONFLICT (log, seq) DO NOTHING`, append(args, more...)...)
}

// refused says why nothing can be written although nobody has written.
func (l *Log) refused(ctx context.Context) error {
	is, err := l.config.Rows.Origin(ctx)
	switch {
	case err != nil:
		return err
	case is != l.origin:
		return fmt.Errorf("the log of %s is not %s any more, but %q: it was ended, or the database was put back", l.config.Machine, l.origin, is)
	}
	return fmt.Errorf("the rows of the audit log end before entry %d, and it had more: they were removed, or the database was put back", l.next)
}

// catchUp hears of the rows behind the last that is known. own is whether writer wrote one of them.
func (l *Log) catchUp(writer string) (own bool, err error) {
	ctx, cancel := limited()
	defer cancel()
	if !l.known {
		if err := l.find(ctx); err != nil || !l.known {
			return false, err
		}
	}
	seen, from := l.last == 0, cmp.Or(l.last, l.next)
	err = inLog{l.config.Rows, l.origin}.groups(ctx, from, math.MaxInt64, func(g group) error {
		if !seen && g.seq == l.last && g.next == l.next {
			seen = true
			return nil
		}
		if !seen && g.seq > l.last { // what others have written behind it does not make up for it
			return &logfile.Damage{Segment: l.config.Rows.segment(l.origin, l.segment), Seq: l.last, Why: "its row is not there any more"}
		}
		own = own || g.writer == writer
		return l.adopt(g)
	})
	if err == nil && !seen {
		err = l.refused(ctx)
	}
	return own, err
}

// find looks which log the machine has, and where its last segment begins.
func (l *Log) find(ctx context.Context) error {
	origin, err := l.config.Rows.Origin(ctx)
	if err != nil || origin == "" {
		return err
	}
	var first int64
	if err := l.config.DB.Reads.QueryRowContext(ctx, `SELECT COALESCE(MAX(segment), 0) FROM audit_groups WHERE log = $1 AND head <> ''`, origin).Scan(&first); err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	if first == 0 {
		return &logfile.Damage{Segment: l.config.Rows.segment(origin, 1), Seq: 1, Why: "the log of " + l.config.Machine + " has no rows any more"}
	}
	l.origin, l.known, l.next = origin, true, first
	return nil
}

// adopt tells the Follower of a row.
func (l *Log) adopt(g group) error {
	segment := l.config.Rows.segment(l.origin, g.segment)
	place := l.end
	if g.head != "" {
		place = 0
	}
	damage := &logfile.Damage{Segment: segment, Offset: place, Seq: l.next}
	switch {
	case g.seq != l.next:
		damage.Why = fmt.Sprintf("its row is not there: the next one begins with entry %d", g.seq)
		return damage
	case g.head != "" && g.segment != g.seq, g.head == "" && g.segment != l.segment:
		damage.Why = "its row was moved"
		return damage
	}
	if damage.Why = g.wrong(g.segment, place); damage.Why != "" {
		return damage
	}
	whole := true
	err := l.add(g, func() {
		var next int64
		next, whole = logfile.ParseGroup([]byte(g.content), g.seq, g.segment, g.place+int64(len(g.head)), l.config.Record)
		whole = whole && next == g.next
	})
	if err == nil && !whole {
		damage.Why = "what is there does not fit its checksum"
		return damage
	}
	return err
}

// add has the Follower hear of a row that is in the log, by records.
func (l *Log) add(g group, records func()) error {
	if g.head != "" {
		head, err := logfile.ParseHead(g.head, l.config.Rows.segment(l.origin, g.segment))
		if err == nil && head.Origin != l.origin {
			err = &logfile.Damage{Segment: l.config.Rows.segment(l.origin, g.segment), Seq: g.seq, Why: "its segment is of another log, " + head.Origin}
		}
		if err == nil {
			err = l.config.Begin(head)
		}
		if err != nil {
			return err
		}
	}
	records()
	l.segment, l.end, l.last, l.next = g.segment, g.end(), g.seq, g.next
	return nil
}
