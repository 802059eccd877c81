package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

const (
	// maxGroup bounds one transaction, and so how long its last caller waits; entries that
	// nobody waits for may come on top.
	maxGroup = 256
	// commitTimeout is for one group, waiting for the database included.
	commitTimeout = 15 * time.Second
	// maxLater bounds the entries that nobody waits for.
	maxLater = 256
	// laterTime is how long such an entry lies in memory if no other takes it along.
	laterTime = 5 * time.Millisecond
)

// Config is what a Log works with; every field must be set, but Now and Log.
type Config struct {
	DB   *db.DB
	Ring *seal.KeyRing
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // hears of entries that are lost; nil: slog.Default
}

// Log is the audit log. It is safe for concurrent use.
type Log struct {
	db   *db.DB
	ring *seal.KeyRing
	now  func() time.Time
	log  *slog.Logger

	sealed atomic.Pointer[sealedHead] // the head that this process wrote last

	mu      sync.Mutex
	queue   []*waiting
	leading bool // somebody commits
	later   int  // entries of the queue that nobody waits for
	armed   bool // a timer will see to them

	// Of whoever leads:
	statements map[string]*sql.Stmt
	signer     *signer
	last       int64 // highest number that this process has seen committed
}

// waiting is one entry on its way.
type waiting struct {
	entry Entry
	tail  []byte // its stored form, but for number and time
	err   error
	// turn tells a queued caller to go on: true, it leads the next group; false, its
	// entry was committed, or err says why not. nil: nobody waits.
	turn chan bool
	lost func(error) // hears of the error if nobody waits
}

// New returns the log in c.DB.
func New(c Config) (*Log, error) {
	if _, err := c.Ring.Keys(chainPurpose); err != nil {
		return nil, fmt.Errorf("opening audit log: %w", err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Log{db: c.DB, ring: c.Ring, now: c.Now, log: c.Log}, nil
}

func newWaiting(ctx context.Context, e Entry) (*waiting, error) {
	if !e.Actor.Known() || e.Action == "" || e.Outcome == "" {
		return nil, errors.New("appending audit entry: actor, action and outcome are required")
	}
	w := &waiting{entry: e.from(OriginOf(ctx)).normalised()}
	w.tail = encodeTail(&w.entry)
	return w, nil
}

// Append stores e and returns its number once it is durable. Any error means that
// the caller must not do what the entry announces. It does not give up when ctx ends
// while the entry is being written, because the caller must know how that went.
func (l *Log) Append(ctx context.Context, e Entry) (seq int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("appending audit entry: %w", err)
	}
	w, err := newWaiting(ctx, e)
	if err != nil {
		return 0, err
	}
	l.append(w)
	return w.entry.Seq, w.err
}

// AppendLater stores e in its place behind what was appended before, and does not wait
// until it is durable: for what has happened already and changed nothing. Entries that
// cannot be stored are given to lost. When too many are under way it waits, as [Log.Append]
// does. What was appended later is there for every method of this Log, and after
// [Log.Close].
func (l *Log) AppendLater(ctx context.Context, e Entry, lost func(error)) {
	w, err := newWaiting(ctx, e)
	if err != nil {
		lost(err)
		return
	}
	if !l.enqueueLater(w, lost) {
		if l.append(w); w.err != nil {
			lost(w.err)
		}
	}
}

// enqueueLater reports whether there was room.
func (l *Log) enqueueLater(w *waiting, lost func(error)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.later == maxLater {
		return false
	}
	w.lost = lost
	l.later++
	l.queue = append(l.queue, w)
	if !l.leading {
		l.arm()
	}
	return true
}

// arm sees to it that what is queued is committed if nobody comes who waits for it.
// It is called with mu held.
func (l *Log) arm() {
	if l.armed {
		return
	}
	l.armed = true
	time.AfterFunc(laterTime, func() {
		l.mu.Lock()
		l.armed = false
		lead := !l.leading && len(l.queue) > 0
		l.leading = l.leading || lead
		l.mu.Unlock()
		if lead {
			l.lead(nil)
		}
	})
}

// Flush returns when everything that was appended before, by any method, is durable or
// lost.
func (l *Log) Flush() { l.append(&waiting{}) }

// append commits w and whatever is queued before it, or waits until somebody has.
func (l *Log) append(w *waiting) {
	w.turn = make(chan bool, 1)
	l.mu.Lock()
	l.queue = append(l.queue, w)
	lead := !l.leading
	l.leading = true
	l.mu.Unlock()
	if lead || <-w.turn {
		l.lead(w)
	}
}

// lead commits the group at the front of the queue and hands over to whoever came
// meanwhile. self is in the group; nil: nobody waits for it.
func (l *Log) lead(self *waiting) {
	runtime.Gosched() // whoever is about to append comes along
	l.mu.Lock()
	n := max(min(len(l.queue), maxGroup), slices.Index(l.queue, self)+1)
	group := l.queue[:n:n]
	l.queue = l.queue[n:]
	l.mu.Unlock()

	err := errors.New("appending audit entry: interrupted")
	defer func() { // also when commit panics: nobody may wait for ever
		for _, w := range group {
			w.ended(err, self)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, w := range group {
			if w.turn == nil {
				l.later--
			}
		}
		l.handOver()
	}()
	err = l.commit(group)
}

// ended tells whoever cares how it went.
func (w *waiting) ended(err error, leader *waiting) {
	if err != nil {
		w.err, w.entry.Seq = err, 0
	}
	switch {
	case w.turn == nil && err != nil:
		w.lost(err)
	case w.turn != nil && w != leader:
		w.turn <- false
	}
}

// handOver makes the first caller that waits lead, and a timer if there is none. It is
// called with mu held.
func (l *Log) handOver() {
	next := slices.IndexFunc(l.queue, func(w *waiting) bool { return w.turn != nil })
	if l.leading = next >= 0; l.leading {
		l.queue[next].turn <- true
	} else if len(l.queue) > 0 {
		l.arm()
	}
}

// commit appends a group in one transaction.
func (l *Log) commit(group []*waiting) error {
	group = slices.DeleteFunc(slices.Clone(group), func(w *waiting) bool { return w.tail == nil }) // Flush stores nothing
	if len(group) == 0 {
		return nil
	}
	// Not the context of one caller: it commits for others as well.
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	if err := l.prepare(ctx); err != nil {
		return fmt.Errorf("appending audit entry: %w", err)
	}
	var end head
	err := l.db.Tx(ctx, func(t *sql.Tx) error {
		tx := prepared{t, l.statements}
		if err := l.db.Lock(ctx, t, "audit head"); err != nil { // other processes append, too
			return err
		}
		h, err := l.readHead(ctx, tx)
		if err != nil {
			return err
		}
		if h.Seq < l.last {
			return fmt.Errorf("the log ends at entry %d, but entry %d was written: the database was put back", h.Seq, l.last)
		}
		if end, err = l.insert(ctx, tx, h, group); err != nil {
			return err
		}
		return l.writeHead(ctx, tx, end)
	})
	if err != nil {
		return fmt.Errorf("appending audit entry: %w", err)
	}
	l.last = end.Seq // only the leader is here
	return nil
}
