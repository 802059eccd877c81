package logfile

import (
	"errors"
	"testing"
)

// unreadable is a store that does not answer.
type unreadable struct{ Content }

func (u unreadable) Open(Segment) (Content, error)   { return u, nil }
func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, errors.New("no connection") }
func (unreadable) Close() error                      { return nil }

// What cannot be read is no damage: after that a log would be ended.
func TestUnreadIsNoDamage(t *testing.T) {
	t.Parallel()
	_, err := ReadHead(Segment{First: 1, Store: unreadable{}})
	if damage := (*Damage)(nil); !errors.Is(err, ErrUnread) || errors.As(err, &damage) {
		t.Errorf("the first line: %v", err)
	}
	_, err = ScanSegment(Segment{First: 1, Store: unreadable{}}, func(Record) error { return nil })
	if damage := (*Damage)(nil); err == nil || errors.As(err, &damage) {
		t.Errorf("the segment: %v", err)
	}
}
