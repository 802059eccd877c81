package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Directory is that of a log. It remembers which segments there are, so that a search of a log of a thousand segments does not
// list them each time. It may be used by several goroutines.
type Directory struct {
	Path string

	mu       sync.Mutex
	changed  time.Time // when the directory had been changed last, as it was listed; zero: nothing is remembered
	segments []Segment
}

// settled is how long a directory must not have been changed to be remembered as it is: a file system that tells times apart less
// well than this gives two changes the same time.
const settled = 2 * time.Second

// Segments lists the segments, as [Segments] does. The result is not to be changed.
func (d *Directory) Segments() ([]Segment, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	state, err := os.Stat(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.changed = time.Time{}
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the audit log's directory: %w", err)
	case !d.changed.IsZero() && d.changed.Equal(state.ModTime()):
		return d.segments, nil
	}
	begun := time.Now()
	all, err := Segments(d.Path)
	if err != nil {
		return nil, err
	}
	d.changed, d.segments = time.Time{}, all
	if begun.Sub(state.ModTime()) >= settled { // not where the clock was put back since
		d.changed = state.ModTime()
	}
	return all, nil
}
