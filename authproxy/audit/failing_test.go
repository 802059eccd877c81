package audit

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit/logfile"
)

// full is a log whose disk is full for a while.
type full struct {
	appender
	is atomic.Bool
}

var errFull = errors.New("no space left on device")

func (f *full) Append(fill func(*logfile.Group)) error {
	if f.is.Load() {
		return errFull
	}
	return f.appender.Append(fill)
}

// AU-08: a process knows that it cannot write its log, finds out by itself that it can again, and the log says
// what was missing.
func TestAU08LogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	disk := &full{appender: l.file}
	l.file = disk
	appendAll(t, l, entry("tool.call"))
	if err := l.Unwritable(); err != nil {
		t.Fatal(err)
	}
	disk.is.Store(true)
	if _, err := l.Append(t.Context(), entry("tool.call")); !errors.Is(err, errFull) {
		t.Fatalf("Append: %v", err)
	}
	if err := l.Unwritable(); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "cannot be written since 20") {
		t.Errorf("Unwritable: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx, Upkeep{Every: time.Millisecond}) }()
	t.Cleanup(func() { stop(); <-ended })
	disk.is.Store(false)
	for deadline := time.Now().Add(time.Minute); l.Unwritable() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a minute after the disk has room again: %v", l.Unwritable())
		}
	}
	appendAll(t, l, entry("tool.call"))
	all := list(t, l, Filter{})
	if len(all) != 3 || all[1].Action != LogResume || !strings.Contains(all[1].Reason, "entries could not be written from ") || !strings.Contains(all[1].Reason, errFull.Error()) {
		t.Errorf("the log has %+v", all)
	}
	sound(t, l, 3)
}

// Whoever writes first when that is possible again has the same said before it.
func TestAU08FirstWriterSaysThatItCouldNot(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	disk := &full{appender: l.file}
	l.file = disk
	disk.is.Store(true)
	for range 2 {
		if _, err := l.Append(t.Context(), entry("tool.call")); err == nil {
			t.Fatal("it was written")
		}
	}
	disk.is.Store(false)
	appendAll(t, l, entry("tool.call"))
	if all := list(t, l, Filter{}); len(all) != 2 || all[0].Action != LogResume || l.Unwritable() != nil {
		t.Errorf("the log has %+v", all)
	}
	sound(t, l, 2)
}
