package access

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// AD-11: what is at the path stops everything, whatever it is, before the database is asked.
func TestAD11StopFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		put  func(path string) error // nil: nothing
		why  string
		want bool
	}{
		{"nothing", nil, "", false},
		{"an empty file", func(path string) error { return os.WriteFile(path, nil, 0o600) }, "", true},
		{"a file with a reason", func(path string) error {
			return os.WriteFile(path, []byte("\nlaptop \x1b[31mstolen\u202e, ask Kim\nmore"), 0o600)
		}, "laptop [31mstolen, ask Kim", true},
		{"a file that nobody may read", func(path string) error { return os.WriteFile(path, []byte("x"), 0) }, "", true},
		{"a long file", func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("é", 5000)), 0o600) }, strings.Repeat("é", maxWhy/2), true},
		{"a folder", func(path string) error { return os.Mkdir(path, 0o700) }, "", true},
		{"a link to nothing", func(path string) error { return os.Symlink("nowhere", path) }, "", true},
		{"a pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "", true},
	} {
		path := filepath.Join(t.TempDir(), "STOP")
		if tt.put != nil {
			if err := tt.put(path); err != nil {
				t.Fatal(err)
			}
		}
		here, is := NewStopFile(path).Stopped()
		if is != tt.want || is && here.Path != path || here.Kept {
			t.Errorf("%s: %+v, %v", tt.name, here, is)
		}
		if here.Why != tt.why && !(os.Geteuid() == 0 && strings.Contains(tt.name, "nobody")) {
			t.Errorf("%s: why %q, want %q", tt.name, here.Why, tt.why)
		}
	}
	// A name that cannot be looked for is not known to be absent.
	if here, is := NewStopFile(filepath.Join(t.TempDir(), strings.Repeat("x", 300))).Stopped(); !is || !strings.Contains(here.Why, "cannot be looked for") {
		t.Errorf("a name that is too long: %+v, %v", here, is)
	}
}

// AD-11: the switch can be set from within, survives what takes over, and is lifted by removing
// the file; where no file can be made, the process is stopped all the same.
func TestAD11StopFileIsMade(t *testing.T) {
	t.Parallel()
	f, now := open(t), time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "STOP")
	f.config.StopFile = NewStopFile(path)
	var err error
	if f.Control, err = New(f.config); err != nil {
		t.Fatal(err)
	}
	if err := f.SetStop(t.Context(), StopOff, "alice"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time changes nothing
		if err := f.StopFile().Set(now, "signal"); err != nil {
			t.Fatal(err)
		}
	}
	if here, is := f.StoppedHere(); !is || here.Why != "signal" || here.Kept {
		t.Errorf("after it was made: %+v, %v", here, is)
	}
	f.db.Close() // the database is gone
	if mode, err := f.StopMode(t.Context()); mode != StopAll || err != nil {
		t.Errorf("without a database: %v, %v", mode, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, is := f.StoppedHere(); is {
		t.Error("still stopped after the file was removed")
	}

	kept := NewStopFile(filepath.Join(t.TempDir(), "no such folder", "STOP"))
	if err := kept.Set(now, "signal"); err == nil {
		t.Error("a file was made in a folder that is not there")
	}
	if here, is := kept.Stopped(); !is || !here.Kept || !strings.Contains(here.String(), "ends with the process") {
		t.Errorf("where it cannot be made: %+v, %v", here, is)
	}
	if _, is := (&StopFile{}).Stopped(); is {
		t.Error("the zero value stops")
	}
}

// AD-11: what every call asks is at most 5 ms late about a file that somebody made, and never
// about one that this process made, that somebody saw, or that was removed.
func TestAD11StopFileIsLookedForAnew(t *testing.T) {
	t.Parallel()
	path, now := filepath.Join(t.TempDir(), "STOP"), time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	s := NewStopFile(path)
	s.now = func() time.Time { return now }
	touch := func() {
		t.Helper()
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func() {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, stopped bool) {
		t.Helper()
		if got := s.StoppedNow(); got != stopped {
			t.Errorf("%s: %v", what, got)
		}
	}
	want("nothing is there", false)
	touch()
	now = now.Add(absentFor - 1)
	want("made less than 5 ms ago", false)
	now = now.Add(1)
	want("made 5 ms ago", true)
	remove()
	want("removed", false)

	touch()
	if _, is := s.Stopped(); !is {
		t.Error("the file is not seen")
	}
	want("seen by whoever looked for it anew", true)
	remove()
	want("removed again", false)

	touch()
	now = now.Add(-time.Hour)
	want("the clock was put back", true)
	remove()
	want("nothing is there any more", false)
	if err := s.Set(now, "signal"); err != nil {
		t.Fatal(err)
	}
	want("made by this process", true)

	elsewhere := NewStopFile(filepath.Join(t.TempDir(), "no such folder", "STOP"))
	elsewhere.now = s.now
	if elsewhere.StoppedNow() {
		t.Error("stopped by nothing")
	}
	if err := elsewhere.Set(now, "signal"); err == nil || !elsewhere.StoppedNow() {
		t.Errorf("where the file cannot be made: %v", err)
	}
	if (&StopFile{}).StoppedNow() {
		t.Error("the zero value stops")
	}
}
