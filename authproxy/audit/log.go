package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/db"
)

const (
	// maxGroup bounds one transaction, and so how long its last caller waits.
	maxGroup = 256
	// commitTimeout is for one group, waiting for the database included.
	commitTimeout = 15 * time.Second
)

// Config is what a Log works with; every field must be set, but Now.
type Config struct {
	DB   *db.DB
	Ring *db.KeyRing
	Now  func() time.Time // nil: time.Now
}

// Log is the audit log. It is safe for concurrent use.
type Log struct {
	db   *db.DB
	ring *db.KeyRing
	now  func() time.Time

	mu      sync.Mutex
	queue   []*waiting
	leading bool  // somebody commits
	last    int64 // highest number that this process has seen committed
}

// waiting is one Append call.
type waiting struct {
	entry Entry
	err   error
	// turn tells a queued caller to go on: true, it leads the next group; false, its
	// entry was committed, or err says why not.
	turn chan bool
}

// New returns the log in c.DB.
func New(c Config) (*Log, error) {
	if _, err := c.Ring.Keys(chainPurpose); err != nil {
		return nil, fmt.Errorf("opening audit log: %w", err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Log{db: c.DB, ring: c.Ring, now: c.Now}, nil
}

// Append stores e and returns its number once it is durable. Any error means that
// the caller must not do what the entry announces. It does not give up when ctx ends
// while the entry is being written, because the caller must know how that went.
func (l *Log) Append(ctx context.Context, e Entry) (seq int64, err error) {
	if e.Actor == "" || e.Action == "" || e.Outcome == "" {
		return 0, errors.New("appending audit entry: actor, action and outcome are required")
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("appending audit entry: %w", err)
	}
	w := &waiting{entry: e.from(OriginOf(ctx)).normalised(), turn: make(chan bool, 1)}
	if !l.enqueue(w) {
		if lead := <-w.turn; !lead {
			return w.entry.Seq, w.err
		}
	}
	l.lead(w)
	return w.entry.Seq, w.err
}

// enqueue reports whether w is the one to commit.
func (l *Log) enqueue(w *waiting) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, w)
	first := !l.leading
	l.leading = true
	return first
}

// lead commits the group at the front of the queue, of which self is the first, and
// hands over to whoever came meanwhile.
func (l *Log) lead(self *waiting) {
	l.mu.Lock()
	n := min(len(l.queue), maxGroup)
	group := l.queue[:n:n]
	l.queue = l.queue[n:]
	l.mu.Unlock()

	err := errors.New("appending audit entry: interrupted")
	defer func() { // also when commit panics: nobody may wait for ever
		for _, w := range group {
			if err != nil {
				w.err, w.entry.Seq = err, 0
			}
			if w != self {
				w.turn <- false
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.leading = len(l.queue) > 0; l.leading {
			l.queue[0].turn <- true
		}
	}()
	err = l.commit(group)
}

// commit appends a group in one transaction.
func (l *Log) commit(group []*waiting) error {
	// Not the context of one caller: it commits for others as well.
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	var end head
	err := l.db.Tx(ctx, func(tx *sql.Tx) error {
		h, err := l.readHead(ctx, tx)
		if err != nil {
			return err
		}
		if h.Seq < l.last {
			return fmt.Errorf("the log ends at entry %d, but entry %d was written: the database was put back", h.Seq, l.last)
		}
		for _, w := range group {
			w.entry.Seq, w.entry.At = h.Seq+1, l.now().UTC().Truncate(time.Millisecond)
			if h, err = l.insert(ctx, tx, h, w.entry); err != nil {
				return err
			}
		}
		end = h
		return l.writeHead(ctx, tx, h)
	})
	if err != nil {
		return fmt.Errorf("appending audit entry: %w", err)
	}
	l.last = end.Seq // only the leader is here
	return nil
}

// insert appends e after h and returns the new head.
func (l *Log) insert(ctx context.Context, tx *sql.Tx, h head, e Entry) (head, error) {
	text, err := encode(e)
	if err != nil {
		return head{}, err
	}
	keys, err := l.ring.Keys(chainPurpose)
	if err != nil {
		return head{}, err
	}
	next := head{Seq: e.Seq, MAC: sign(keys[0], h.MAC, text)}
	_, err = tx.ExecContext(ctx,
		`INSERT INTO audit_entries (seq, at, actor, action, tool, entry, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		e.Seq, db.Millis(e.At), column(e.Actor), column(e.Action), column(e.Tool), string(text), next.MAC)
	return next, err
}
