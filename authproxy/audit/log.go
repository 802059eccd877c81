package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

const (
	// maxGroup bounds one write, and so how long its last caller waits; entries that nobody
	// waits for may come on top.
	maxGroup = 256
	// maxLater bounds the entries that nobody waits for.
	maxLater = 256
	// laterTime is how long such an entry lies in memory if no other takes it along.
	laterTime = 5 * time.Millisecond
)

// Config is what a Log works with. Dir, DB and Ring must be set.
type Config struct {
	Dir  string           // of the log's files, see package logfile
	Name string           // host that the log is named after when it is begun; "": sfmcp-proxy
	DB   *db.DB           // keeps a checkpoint, and has the entries of versions before 0.9
	Ring *seal.KeyRing    // its keys sign checkpoints and seal the index; beside its file stands a checkpoint too
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // hears of entries that are lost; nil: slog.Default
}

// Log is the audit log. It is safe for concurrent use.
type Log struct {
	config Config
	file   *logfile.Log
	follow *follower
	halted atomic.Pointer[Disagreement] // why nothing is appended any more
	refuse atomic.Pointer[func(Entry) error]

	mu      sync.Mutex
	queue   []*waiting
	leading bool // somebody commits
	later   int  // entries of the queue that nobody waits for
	armed   bool // a timer will see to them

	text []byte // of whoever leads: the entry that is being encoded

	// checkpoints is held by whoever reads or writes the places of checkpoints: else one
	// that is older could be written over a newer one, or one of them be read before, and
	// another after they were written.
	checkpoints *logfile.FileLock
	agreed      bool              // this process has seen that log and checkpoints agree; with the lock
	tilesLock   *logfile.FileLock // held by whoever writes the tiles
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

// New opens the log in c.Dir, or begins one. Entries that an earlier version kept in the
// database are taken over first, see takeOver.
func New(c Config) (*Log, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	l := &Log{config: c}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	var err error
	if l.checkpoints, err = logfile.OpenFileLock(filepath.Join(c.Dir, "lock.checkpoints")); err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	if l.tilesLock, err = logfile.OpenFileLock(filepath.Join(c.Dir, "lock.tiles")); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the audit log: %w", err), l.checkpoints.Close())
	}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.closeLocks())
	}
	if l.file == nil {
		return l, nil
	}
	if err := l.takeOver(context.Background()); err != nil {
		return nil, errors.Join(err, l.file.Close(), l.closeLocks())
	}
	return l, nil
}

// open opens the files. If they are not as they were written, the log can be read as far as
// it is sound, and appends nothing.
func (l *Log) open() error {
	l.follow, l.file = &follower{log: l, begun: newOrigin(l.config.Name), due: make(chan struct{}, 1)}, nil
	file, err := logfile.Open(logfile.Config{Dir: l.config.Dir, Origin: l.follow.begun, Follower: l.follow})
	var lost *Disagreement
	if errors.As(asDisagreement(err), &lost) {
		l.Halt(lost)
		return nil
	}
	l.file = file
	return err
}

// Refuse makes the log refuse each entry for which f returns an error, as a disk would that
// is full: for tests of whoever must do nothing then.
func (l *Log) Refuse(f func(Entry) error) { l.refuse.Store(&f) }

// Close stores what is queued and, if this process has appended, a checkpoint, and closes
// the files.
func (l *Log) Close(ctx context.Context) error {
	l.Flush()
	var err error
	if l.follow.hasAppended() {
		err = l.Checkpoint(ctx)
	}
	if disagrees := (*Disagreement)(nil); errors.As(err, &disagrees) { // what was to be done is done
		l.config.Log.Error("no checkpoint was stored", "error", err)
		err = nil
	}
	l.follow.indexing.Wait()
	err = errors.Join(err, l.closeLocks())
	if l.file == nil {
		return err
	}
	return errors.Join(err, l.file.Close())
}

func (l *Log) closeLocks() error { return errors.Join(l.checkpoints.Close(), l.tilesLock.Close()) }

func (l *Log) newWaiting(ctx context.Context, e Entry) (*waiting, error) {
	if !e.Actor.Known() || e.Action == "" || e.Outcome == "" {
		return nil, errors.New("appending audit entry: actor, action and outcome are required")
	}
	if refuse := l.refuse.Load(); refuse != nil {
		if err := (*refuse)(e); err != nil {
			return nil, fmt.Errorf("appending audit entry: %w", err)
		}
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
	w, err := l.newWaiting(ctx, e)
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
	w, err := l.newWaiting(ctx, e)
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

// commit appends a group.
func (l *Log) commit(group []*waiting) error {
	group = slices.DeleteFunc(slices.Clone(group), func(w *waiting) bool { return w.tail == nil }) // Flush stores nothing
	if len(group) == 0 {
		return nil
	}
	if why := l.halted.Load(); why != nil {
		return fmt.Errorf("appending audit entry: %w", why)
	}
	err := l.file.Append(func(g *logfile.Group) {
		l.follow.group = group
		if n := g.Cut(); n > 0 {
			l.follow.group = slices.Insert(group, 0, l.cutOff(n))
		}
		at := l.config.Now().UTC().Truncate(time.Millisecond)
		for _, w := range l.follow.group {
			w.entry.Seq, w.entry.At = g.Next(), at
			l.text = append(encodeHead(l.text[:0], w.entry.Seq, at), w.tail...)
			g.Add(l.text)
		}
	})
	l.follow.group = nil
	if err != nil {
		return fmt.Errorf("appending audit entry: %w", err)
	}
	return nil
}

// cutOff is the entry that says what a crash left and nobody was told of.
func (l *Log) cutOff(bytes int64) *waiting {
	e := Entry{Actor: actor.Proxy, Action: LogCut, Outcome: OK, Source: "audit log", Bytes: bytes,
		Reason: "a process died while it wrote the log: what it had begun and told nobody of was cut off"}.normalised()
	return &waiting{entry: e, tail: encodeTail(&e)}
}
