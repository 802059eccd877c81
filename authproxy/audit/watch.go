package audit

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// Watcher hears of what this process writes, for whoever counts. Its methods are called one at a
// time, while others wait to write: they must cost little, and keep nothing of what they are given.
type Watcher interface {
	// Wrote is told of each group of entries how long it took until it was on the disk, or why
	// it was not written.
	Wrote(took time.Duration, err error)
	// Entry is told of each entry that is durable.
	Entry(*Entry)
}

// Watch makes w hear of what this process writes from now on.
func (l *Log) Watch(w Watcher) { l.watcher.Store(&w) }

// State is how the log stands, for whoever watches it.
type State struct {
	Entries    int64 // that the log has, as far as this process has heard
	Checkpoint int64 // of them in the checkpoint that this process stored last
	Queued     int   // waiting to be written
	Halted     bool  // nothing is appended any more
}

// State says how the log stands. It asks neither the disk nor the database.
func (l *Log) State() State {
	return State{Entries: l.follow.size(), Checkpoint: l.follow.storedSize(), Queued: l.queue.length(), Halted: l.halted.err() != nil}
}

// Appended says whether this process has written to the log.
func (l *Log) Appended() bool { return l.follow.hasAppended() }

// Acted says whether it has written of anything that is different since: reading is recorded, too, and is none, see [Action.Acts].
func (l *Log) Acted() bool { return l.follow.hasActed() }

// Unindexed is how many full segments have no index yet: what is in them is found by reading them
// whole, until the next search makes the index.
func (l *Log) Unindexed() (n int, err error) {
	segments, err := l.stored.segments()
	if err != nil || len(segments) == 0 {
		return 0, err
	}
	for _, s := range segments[:len(segments)-1] { // the last one's is in memory
		if _, err := os.Stat(l.indexes.path(s)); errors.Is(err, fs.ErrNotExist) {
			n++
		}
	}
	return n, nil
}
