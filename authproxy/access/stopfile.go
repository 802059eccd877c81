package access

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

// StopFile is the kill switch of one machine: while the file is there, whatever it is,
// everything is stopped in every process that looks there. It needs neither the database nor
// a process that answers: touch makes it, rm lifts it. The zero value stops nothing.
type StopFile struct {
	path string
	// kept is why everything is stopped although the file could not be made.
	kept atomic.Pointer[Here]
	// absent is when it was looked for last and was not there; nil: that is not known.
	absent atomic.Pointer[time.Time]
	now    func() time.Time // nil: time.Now
}

// absentFor is how long a file that was not there is taken not to be there by [StopFile.StoppedNow].
// A call asks three times, and to ask the file system costs more than all else that it asks of
// access. Under load the answer is thus up to so much late; a call that comes alone asks anew.
const absentFor = 5 * time.Millisecond

// NewStopFile returns the switch at path. The folder need not exist: then nothing is stopped.
func NewStopFile(path string) *StopFile { return &StopFile{path: path} }

// Path is where the file is looked for; "": nowhere.
func (s *StopFile) Path() string { return s.path }

// Here says that everything is stopped on this machine, whatever the database says.
type Here struct {
	// Path is the file, which lifts the stop when it is removed.
	Path string
	// Since is when it was written last; zero where that is not known.
	Since time.Time
	// Why is its first line, as whoever made it wrote it, or what keeps it from being looked for.
	Why string
	// Kept says that there is no file, because it could not be made: the stop ends with the process.
	Kept bool
}

// String says what is stopped, and how that ends.
func (h Here) String() string {
	text := "everything is stopped on this machine by the file " + h.Path
	if h.Kept {
		text = "everything is stopped in this process by a signal, and the file " + h.Path + " could not be made: it ends with the process"
	}
	if !h.Since.IsZero() {
		text += " since " + h.Since.UTC().Format(time.RFC3339)
	}
	if h.Why != "" {
		text += ": " + h.Why
	}
	return text
}

// maxWhy is how many bytes of the file are read.
const maxWhy = 200

// StoppedNow is [StopFile.Stopped] for what is asked several times for every call. That the file
// is there holds as soon as it is asked for; that it is not was true at most 5 ms ago, and not
// before this process made it ([StopFile.Set]).
func (s *StopFile) StoppedNow() bool {
	if s.path == "" {
		return false
	}
	now := time.Now
	if s.now != nil {
		now = s.now
	}
	began := now() // before it is looked for: it may be made while that is done
	known := s.absent.Load()
	if known != nil && began.Before(known.Add(absentFor)) && !began.Before(*known) {
		return false
	}
	if _, stopped := s.Stopped(); stopped {
		return true
	}
	seen := began
	s.absent.CompareAndSwap(known, &seen) // unless Set, or somebody who saw the file, has said otherwise
	return false
}

// Stopped reports whether everything is stopped here. What keeps the file from being looked
// for stops everything too: absence denies, and only a file that is known to be absent lets pass.
func (s *StopFile) Stopped() (Here, bool) {
	here, stopped := s.look()
	if stopped {
		s.absent.Store(new(time.Time))
	}
	return here, stopped
}

func (s *StopFile) look() (Here, bool) {
	if s.path == "" {
		return Here{}, false
	}
	var info fs.FileInfo
	err := error(fs.ErrNotExist)
	if !isAbsent(s.path) {
		info, err = os.Lstat(s.path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if kept := s.kept.Load(); kept != nil {
			return *kept, true
		}
		return Here{}, false
	case err != nil:
		return Here{Path: s.path, Why: "it cannot be looked for: " + err.Error()}, true
	}
	here := Here{Path: s.path, Since: info.ModTime()}
	if info.Mode().IsRegular() { // a pipe would keep us waiting
		here.Why = firstLine(s.path)
	}
	return here, true
}

// Set makes the file, so that everything is stopped by it from now on, also after a restart.
// Where it cannot be made, this process is stopped all the same until it ends.
func (s *StopFile) Set(now time.Time, why string) error {
	s.kept.Store(&Here{Path: s.path, Since: now, Why: why, Kept: true})
	defer s.absent.Store(new(time.Time)) // long ago: it is looked for anew, whoever is looking now
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // it is stopped already
		s.kept.Store(nil)
		return nil
	}
	if err != nil {
		return fmt.Errorf("making the stop file: %w", err)
	}
	_, err = io.WriteString(f, why+"\n")
	s.kept.Store(nil) // it is there, with or without what it says
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the stop file: %w", err)
	}
	return nil
}

// firstLine is the first line of a file, without what cannot be seen.
func firstLine(path string) string {
	f, err := os.Open(path)
	if err != nil { // that it is there is enough
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, maxWhy)) // as much as there is
	line, _, _ := strings.Cut(strings.TrimLeft(string(text), "\r\n"), "\n")
	return strings.TrimSpace(strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, line), ""))
}
