package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// Config is what a Log works with. DB, Ring, and one of Dir and Machine must be set.
type Config struct {
	Dir string // of the log's files, see package logfile
	// Machine: the log is in the database, see package logrows, and is that of the machine of this name.
	Machine string
	Name    string           // host that the log is named after when it is begun; "": sfmcp-proxy
	DB      *db.DB           // keeps a checkpoint, and has the entries of versions before 0.1.0
	Ring    *seal.KeyRing    // its keys sign checkpoints and seal the index; beside its file stands a checkpoint too
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // hears of entries that are lost; nil: slog.Default

	segmentSize int64 // bytes from which on a segment is full; 0: 8 MiB
}

// Log is the audit log. It is safe for concurrent use.
type Log struct {
	config Config
	file   appender // nil: it was found damaged, and is only read
	stored storage  // has the records
	// temporary: the directory has what can be made again, and goes with this Log.
	temporary bool
	used      *logfile.FileLock // of that directory; nil: it stays
	follow    *follower
	queue     queue
	text      []byte               // of whoever writes a group: the entry that is being encoded
	group     []*waiting           // of whoever writes a group: its entries
	fill      func(*logfile.Group) // adds them; made once, as each group would make it anew

	checkpoints checkpoints
	persons     *persons
	tiles       tiles
	indexes     *indexes
	halted      halt
	refuse      atomic.Pointer[func(Entry) error]
	watcher     atomic.Pointer[Watcher]
	failing     atomic.Pointer[failing]
}

// New opens the log in c.Dir, or begins one. Entries that an earlier version kept in the
// database are taken over first, see [takeover].
func New(c Config) (*Log, error) {
	l, err := openLog(c)
	if errors.Is(err, fs.ErrPermission) && c.Dir != "" {
		err = seal.OwnerOf(err, c.Dir)
	}
	if err != nil || l.file == nil {
		return l, seal.NameOwner(err)
	}
	if err := (takeover{l}).run(context.Background()); err != nil {
		return nil, errors.Join(err, l.closeFiles())
	}
	return l, nil
}

// openLog does so without taking anything over.
func openLog(c Config) (_ *Log, err error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	stored, temporary, err := storageOf(&c)
	if err != nil {
		return nil, err
	}
	l := &Log{config: c, stored: stored, temporary: temporary, persons: newPersons(c), indexes: &indexes{ring: c.Ring, dir: c.Dir, stored: stored, log: c.Log},
		tiles: tiles{dir: filepath.Join(c.Dir, tilesDirectory), stored: stored}}
	l.halted.log = c.Log
	l.checkpoints = checkpoints{signing: signing{c.Ring}, stored: stored, db: c.DB, halted: &l.halted}
	if !temporary {
		l.checkpoints.file = filepath.Join(c.Dir, checkpointFile)
	}
	l.queue.write, l.fill = writing{l}.commit, writing{l}.fill
	defer func() {
		if err != nil {
			err = errors.Join(err, l.closeFiles())
		}
	}()
	if temporary {
		if l.used, err = logfile.OpenFileLock(filepath.Join(c.Dir, inUse)); err == nil {
			err = l.used.Hold()
		}
		if err != nil {
			return nil, fmt.Errorf("opening the audit log: %w", err)
		}
	}
	if l.checkpoints.lock, err = l.openCheckpointsLock(); err == nil {
		l.tiles.lock, err = logfile.OpenFileLock(filepath.Join(c.Dir, "lock.tiles"))
	}
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

// openCheckpointsLock opens the lock that all processes of this machine have in common. Those whose log is in the
// database have no directory of it in common, and so the lock is beside the one file that they write; a folder
// that nobody can write has no checkpoint.
func (l *Log) openCheckpointsLock() (*logfile.FileLock, error) {
	if path := l.config.Ring.Path(); l.temporary && path != "" {
		lock, err := logfile.OpenFileLock(path + "." + checkpointFile + ".lock")
		if err == nil || !isReadOnly(err) {
			return lock, err
		}
	}
	return logfile.OpenFileLock(filepath.Join(l.config.Dir, "lock.checkpoints"))
}

// open opens the files. If they are not as they were written, the log can be read as far as
// it is sound, and appends nothing.
func (l *Log) open() error {
	l.follow = &follower{signing: l.checkpoints.signing, indexes: l.indexes, halted: &l.halted, log: l.config.Log, begun: newOrigin(l.config.Name), due: make(chan struct{}, 1)}
	l.checkpoints.follow, l.file = l.follow, nil
	file, err := l.stored.open(l.follow.begun, l.follow)
	var lost *Disagreement
	if errors.As(asDisagreement(err), &lost) {
		l.Halt(lost)
		return nil
	}
	if err == nil {
		l.file = file
	}
	return err
}

// Refuse makes the log refuse each entry for which f returns an error, as a disk would that
// is full: for tests of whoever must do nothing then.
func (l *Log) Refuse(f func(Entry) error) { l.refuse.Store(&f) }

// Close stores what is queued and, if this process has appended, a checkpoint, and closes
// the files. A [*Disagreement] is returned: what was recorded stays recorded, but it was done in
// a database, or with places of checkpoints, that are not those of the log.
func (l *Log) Close(ctx context.Context) error {
	l.Flush()
	var err error
	if l.follow.hasAppended() {
		err = l.Checkpoint(ctx)
	}
	l.indexes.writing.Wait()
	return errors.Join(err, l.closeFiles())
}

func (l *Log) closeFiles() (err error) {
	for _, lock := range []*logfile.FileLock{l.checkpoints.lock, l.tiles.lock, l.used} {
		if lock != nil {
			err = errors.Join(err, lock.Close())
		}
	}
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
	}
	if l.temporary {
		err = errors.Join(err, os.RemoveAll(l.config.Dir))
	}
	return err
}

// Append stores e and returns its number once it is durable. Any error means that
// the caller must not do what the entry announces. It does not give up when ctx ends
// while the entry is being written, because the caller must know how that went.
func (l *Log) Append(ctx context.Context, e Entry) (seq int64, err error) {
	w, err := writing{l}.append(ctx, accepted(ctx, e), nil)
	if err != nil {
		return 0, err
	}
	return w.entry.Seq, nil
}

// AppendLater stores e in its place behind what was appended before, and does not wait
// until it is durable: for what has happened already and changed nothing. Entries that
// cannot be stored are given to lost. When too many are under way it waits, as [Log.Append]
// does. What was appended later is there for every method of this Log, and after
// [Log.Close].
func (l *Log) AppendLater(ctx context.Context, e Entry, lost func(error)) {
	writing{l}.later(ctx, accepted(ctx, e), nil, lost)
}

// Flush returns when everything that was appended before, by any method, is durable or
// lost.
func (l *Log) Flush() { l.queue.flush() }
