package logfile

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// segmentSize is from how many bytes on a segment is full: the last one is read whole
// whenever a log is opened, and of every other one the index is asked.
const segmentSize = 8 << 20

// Follower hears of every record of the log, in order, whoever wrote it: at [Open] from the
// beginning of the last segment, later when other processes have appended, and after each
// group that this process wrote. Its methods are called one at a time.
type Follower interface {
	// Begin says that a segment begins, and gives what State returned when it was begun: at
	// the start of a log that is the State of a Follower that has heard nothing.
	Begin(h Head) error
	// Record tells of a record that is in the log. It must copy what it keeps.
	Record(r Record)
	// State is what the Follower needs to go on from here: one line, at most 60 KiB.
	State() string
}

// Config is what a Log works with. Dir, Origin and Follower must be set.
type Config struct {
	Dir    string
	Origin string // names the log if it is begun; one that is there keeps its name
	Follower
	SegmentSize int64                // bytes from which on a segment is full; 0: 8 MiB
	Room        int64                // bytes that are written ahead of the end; 0: 256 KiB
	RoomAfter   int                  // of how many groups of this process that pays; 0: 64
	Sync        func(*os.File) error // nil: fdatasync where there is one
	// Write writes to a segment that was begun; nil: (*os.File).WriteAt.
	Write func(f *os.File, b []byte, at int64) (int, error)
}

// Log is open for appending. It is safe for concurrent use.
type Log struct {
	config Config
	lock   lock

	mu      sync.Mutex
	origin  string
	segment Segment  // the last; zero: there is none yet
	file    *os.File // open for writing
	end     int64    // of what is known, in bytes
	size    int64    // of the file: behind end there may be room
	groups  int      // that this process has written, up to RoomAfter
	next    int64    // number of the next record
	cut     int64    // bytes that were cut off and nobody has been told of
	looked  bool     // at all of the segment: what follows end is new if it is not room
	// unsure: what follows end may be whole in memory and not on disk, because a sync failed;
	// it is written again before it counts.
	unsure bool
	group  Group // the last one, whose memory the next one uses
}

// Open opens the log in c.Dir, or prepares a new one: its first segment is made with its first
// record. The Follower hears of the last segment.
func Open(c Config) (*Log, error) {
	if c.SegmentSize == 0 {
		c.SegmentSize = segmentSize
	}
	if c.Room == 0 {
		c.Room = roomAhead
	}
	if c.RoomAfter == 0 {
		c.RoomAfter = roomAfter
	}
	if c.Sync == nil {
		c.Sync = syncData
	}
	if c.Write == nil {
		c.Write = (*os.File).WriteAt
	}
	if c.Origin == "" || strings.ContainsAny(c.Origin, " \n") {
		return nil, fmt.Errorf("opening the audit log: %q does not name a log", c.Origin)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	if network := networkFileSystem(c.Dir); network != "" {
		return nil, fmt.Errorf("opening the audit log: %s is on a network file system (%s), where a lock and a sync do not hold; expected a local disk", c.Dir, network)
	}
	lock, err := openLock(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	l := &Log{config: c, lock: lock, origin: c.Origin, next: 1}
	if err := l.locked(l.catchUp); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the audit log: %w", err), l.Close())
	}
	return l, nil
}

// Close closes the files.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if l.file != nil {
		l.leaveNoRoom()
		err = l.file.Close()
	}
	return errors.Join(err, l.lock.close())
}

// Origin is the log's name.
func (l *Log) Origin() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.origin
}

// CatchUp tells the Follower of what other processes have appended.
func (l *Log) CatchUp() error { return l.locked(l.catchUp) }

// Append writes what fill adds to the group, and returns when it is on disk. After an error
// nothing of it is in the log. fill is called with the lock held, after the Follower has heard
// of everything before it, and not at all if the log cannot be written.
func (l *Log) Append(fill func(*Group)) error {
	return l.locked(func() error {
		if err := l.catchUp(); err != nil {
			return err
		}
		if err := l.roll(); err != nil {
			return err
		}
		g := &l.group
		*g = Group{first: l.next, cut: l.cut, buffer: append(g.buffer[:0], make([]byte, prefixSize)...), records: g.records[:0]}
		fill(g)
		framed, err := g.Framed()
		if err != nil || framed == nil {
			return err
		}
		if err := l.write(framed); err != nil {
			return err
		}
		for r := range g.Records(l.segment.First, l.end) {
			l.config.Record(r)
		}
		l.next = g.Next()
		l.end, l.cut = l.end+int64(len(g.buffer)), 0
		if cap(g.buffer) > 1<<20 {
			l.group = Group{}
		}
		return nil
	})
}

// locked runs f while no other process and nobody else in this one writes.
func (l *Log) locked(f func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.lock.take(); err != nil {
		return fmt.Errorf("locking the audit log: %w", err)
	}
	return errors.Join(f(), l.lock.giveBack())
}

// write appends b to the segment. After an error the segment is as it was, if it could be cut
// back.
func (l *Log) write(b []byte) error {
	l.makeRoom(l.end + int64(len(b)))
	_, err := l.config.Write(l.file, b, l.end)
	if err == nil {
		err = l.config.Sync(l.file)
	}
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("writing the audit log: %w", err), l.undo())
}

// undo cuts off what a failed write has left.
func (l *Log) undo() error {
	if state, err := l.file.Stat(); err == nil && state.Size() == l.end {
		return nil
	}
	if err := l.file.Truncate(l.end); err != nil {
		l.unsure = true
		return fmt.Errorf("cutting off what was not written: %w", err)
	}
	return nil
}

// roll begins the next segment if the last one is full or there is none. The new one
// appears with its first line whole, and after everything before it is on disk.
func (l *Log) roll() error {
	if l.file != nil && l.end < l.config.SegmentSize {
		return nil
	}
	if l.file != nil {
		if err := errors.Join(l.cutBack(), l.config.Sync(l.file)); err != nil {
			return fmt.Errorf("writing the audit log: %w", err)
		}
	}
	head := Head{Origin: l.origin, First: l.next, State: l.config.State()}
	segment := Segment{First: l.next, Path: filepath.Join(l.config.Dir, SegmentName(l.next))}
	if err := createSegment(segment, head, l.config.Sync); err != nil {
		return fmt.Errorf("beginning a segment of the audit log: %w", err)
	}
	return l.use(segment)
}

// createSegment makes a segment that holds its first line only.
func createSegment(s Segment, h Head, sync func(*os.File) error) (err error) {
	temporary := s.Path + ".new"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(h.Line())
	if err == nil {
		err = sync(file)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, s.Path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(s.Path))
}

// use makes s the segment that is written, and tells the Follower how it begins.
func (l *Log) use(s Segment) error {
	file, err := os.OpenFile(s.Path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	head, size, err := readHead(bufio.NewReaderSize(file, maxFirstLine), s)
	if err == nil && head.First != l.next && l.file != nil {
		err = &Damage{Segment: s, Seq: l.next, Why: "it does not begin where the segment before it ends"}
	}
	if err == nil {
		err = l.config.Begin(head)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	l.file, l.segment, l.origin, l.end, l.next = file, s, head.Origin, size, head.First
	l.size, l.looked = size, false
	return nil
}
