package logfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// catchUp reads what other processes have appended since this one looked last, follows them
// into their next segments, and cuts off a group that a crash left. It is called with the lock
// held.
func (l *Log) catchUp() error {
	if l.file == nil {
		segments, err := Segments(l.config.Dir)
		if err != nil || len(segments) == 0 {
			return err
		}
		if err := l.use(segments[len(segments)-1]); err != nil {
			return err
		}
	}
	for {
		if err := l.readRest(); err != nil {
			return err
		}
		next := Segment{First: l.next, Path: filepath.Join(l.config.Dir, SegmentName(l.next))}
		if l.end < l.config.SegmentSize || next.First == l.segment.First {
			return nil
		}
		if _, err := os.Stat(next.Path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err := l.use(next); err != nil {
			return err
		}
	}
}

// readRest brings the end of the last segment up to date.
func (l *Log) readRest() error {
	state, err := l.file.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(l.segment.Path); err != nil {
		return fmt.Errorf("the segment that is being written is gone: %w", err)
	} else if !os.SameFile(state, there) {
		return fmt.Errorf("%s is another file than the one that was being written: the log was put back or exchanged", l.segment.Path)
	}
	switch l.size = state.Size(); {
	case l.size == l.end:
		l.looked = true
		return nil
	case l.size < l.end:
		return fmt.Errorf("%s is shorter (%d bytes) than what was written (%d): it was cut", l.segment.Path, l.size, l.end)
	}
	if nothing, err := l.onlyRoom(); nothing || err != nil {
		return err
	}
	err = l.adopt(l.size)
	var damage *Damage
	if errors.As(err, &damage) && damage.Last {
		if err := l.cutBack(); err != nil {
			return fmt.Errorf("cutting off a group that is not whole: %w", err)
		}
		l.cut += damage.Torn
		err = nil
	}
	if err == nil {
		err = l.clearRoom()
	}
	if err != nil {
		return err
	}
	// Whoever wrote it may have died before it was on disk.
	if err := l.config.Sync(l.file); err != nil {
		return err
	}
	l.unsure, l.looked = false, true
	return nil
}

// adopt tells the Follower of the whole groups between the end that is known and size.
func (l *Log) adopt(size int64) error {
	s := &scanner{segment: l.segment, offset: l.end, next: l.next}
	s.reader = bufio.NewReaderSize(io.NewSectionReader(l.file, l.end, size-l.end), 256<<10)
	for {
		payload, err := s.group()
		if err != nil || payload == nil {
			return err
		}
		if l.unsure {
			if _, err := l.file.WriteAt(payload, s.offset+prefixSize); err != nil {
				return err
			}
		}
		if err := s.records(payload, func(r Record) error {
			l.config.Record(r)
			return nil
		}); err != nil {
			return err
		}
		s.offset += int64(prefixSize + len(payload))
		l.end, l.next = s.offset, s.next
	}
}
