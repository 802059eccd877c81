package logfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A directory is remembered while nothing in it changes, and never from a moment in which something may have.
func TestDirectoryRemembersItsSegments(t *testing.T) {
	t.Parallel()
	d := &Directory{Path: filepath.Join(t.TempDir(), "audit")}
	lists := func(what string, want int, remembers bool) {
		t.Helper()
		all, err := d.Segments()
		if err != nil || len(all) != want || d.changed.IsZero() == remembers {
			t.Errorf("%s: %d segments, want %d; remembered: %t; %v", what, len(all), want, !d.changed.IsZero(), err)
		}
	}
	touch := func(first int64) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(d.Path, SegmentName(first)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	changed := func(ago time.Duration) {
		t.Helper()
		at := time.Now().Add(-ago)
		if err := os.Chtimes(d.Path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	lists("no directory", 0, false)
	if err := os.Mkdir(d.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	touch(1)
	lists("just changed", 1, false)
	changed(time.Minute)
	lists("changed a minute ago", 1, true)
	lists("unchanged", 1, true)
	touch(2)
	lists("changed since", 2, false)
	changed(time.Hour)
	touch(3)
	changed(-time.Hour)
	lists("changed by a clock that was ahead", 3, false)
	lists("and again", 3, false)
	changed(time.Minute)
	lists("settled", 3, true)
	if err := os.Remove(filepath.Join(d.Path, SegmentName(1))); err != nil {
		t.Fatal(err)
	}
	lists("without the oldest", 2, false)
	if err := os.RemoveAll(d.Path); err != nil {
		t.Fatal(err)
	}
	lists("removed", 0, false)
}
