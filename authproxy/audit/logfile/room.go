package logfile

import (
	"bytes"
	"fmt"
	"io"
)

const (
	// room is what a segment has behind its end, if anything: a line that begins with # and does not
	// end, so that whoever takes the lines without marks for the log finds nothing in it.
	room = "#"
	// roomAhead is how many bytes of it are written at a time. A group that is written over it leaves
	// the file's size and blocks as they are, so that its sync writes the group and no journal of the
	// file system: half the time on the disk that it was measured on.
	roomAhead = 256 << 10
	// roomAfter is after how many groups a process makes room. A command writes one or two.
	roomAfter = 64
)

// isRoom reports whether b, the bytes where a group would begin, are room. Fewer than a prefix are
// what is left of one.
func isRoom(b []byte) bool {
	return len(b) >= prefixSize && len(bytes.TrimLeft(b, room)) == 0
}

// withoutRoom is how many bytes b has without the room at its end.
func withoutRoom(b []byte) int64 {
	written := bytes.TrimRight(b, room)
	if len(b)-len(written) < prefixSize {
		return int64(len(b))
	}
	return int64(len(written))
}

// onlyRoom reports whether there is nothing but room behind the end, once all of the segment was
// looked at. Groups are written from front to back, so the first bytes say so.
func (l *Log) onlyRoom() (bool, error) {
	if !l.looked || l.unsure {
		return false, nil
	}
	var begin [prefixSize]byte
	n, err := l.file.ReadAt(begin[:], l.end)
	if err == io.EOF {
		err = nil
	}
	return isRoom(begin[:n]), err
}

// clearRoom cuts off what is behind room. Room ends the log: a disk that lost power may have the
// end of a group and not its beginning, and whoever copies a file that is being written may copy
// room, and behind it a group that came since. That must not be found once the room is used up.
func (l *Log) clearRoom() error {
	if l.size <= l.end {
		return nil
	}
	rest := make([]byte, l.size-l.end)
	if _, err := l.file.ReadAt(rest, l.end); err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	written := withoutRoom(rest)
	if written == 0 {
		return nil
	}
	l.cut += written
	if err := l.cutBack(); err != nil {
		return fmt.Errorf("cutting off what is behind room: %w", err)
	}
	return nil
}

// makeRoom sees to it that there is room, or the end of the file, where a group will end. It
// does without where the disk is full: the group may still find its place.
func (l *Log) makeRoom(end int64) {
	l.groups = min(l.groups+1, l.config.RoomAfter)
	left := l.size - end
	if left >= prefixSize || left <= 0 && l.groups < l.config.RoomAfter {
		return
	}
	ahead := max(end+prefixSize-l.size, l.config.Room)
	n, err := l.config.Write(l.file, bytes.Repeat([]byte(room), int(ahead)), l.size)
	if l.size += int64(n); err != nil {
		_ = l.cutBack() // what is left of room would pass for a group that was begun
	}
}

// cutBack ends the file where the log ends.
func (l *Log) cutBack() error {
	if l.size == l.end {
		return nil
	}
	err := l.file.Truncate(l.end)
	if err == nil {
		l.size = l.end
	}
	return err
}

// leaveNoRoom ends the file where the log ends, unless others are writing, or have written what
// this process does not know: they do it then.
func (l *Log) leaveNoRoom() {
	if got, err := tryLock(l.lock.held); !got || err != nil {
		return
	}
	if state, err := l.file.Stat(); err == nil && state.Size() > l.end {
		l.size = state.Size()
		if nothing, err := l.onlyRoom(); nothing && err == nil {
			_ = l.cutBack()
		}
	}
	_ = unlockFile(l.lock.held)
}
