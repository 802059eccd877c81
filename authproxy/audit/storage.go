package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/logrows"
	"sfmcp-proxy/authproxy/seal"
)

// storage is where the records of the log are. Whoever appends and whoever reads meet there alone, so
// files and rows have their own ways to be durable and everything else is one.
type storage interface {
	// open opens the log for appending. origin names it if it is begun.
	open(origin string, f logfile.Follower) (appender, error)
	// segments lists what there is, in order.
	segments() ([]logfile.Segment, error)
	// segment is the one that begins with a record.
	segment(first int64) logfile.Segment
	// remove removes segments for good; next is the number behind the last record of them.
	remove(ctx context.Context, old []logfile.Segment, next int64) error
	// removable says whether this process may do so.
	removable(ctx context.Context) (bool, error)
	// removed are the leaves of the tree that were removed, from that of a record on, as far as they are known.
	removed(from int64) iter.Seq2[tlog.Hash, error]
	// end ends the log of that name, so that another one can begin, and says where its records stay.
	end(ctx context.Context, origin string, at time.Time) (where string, err error)
	// String says where the log is.
	String() string
}

// appender is a log that is open for appending: [logfile.Log] or [logrows.Log].
type appender interface {
	CatchUp() error
	Append(fill func(*logfile.Group)) error
	Close() error
}

// files is a log that is a directory.
type files struct {
	dir         string
	segmentSize int64
	listed      *logfile.Directory // dir
}

func (s files) open(origin string, f logfile.Follower) (appender, error) {
	log, err := logfile.Open(logfile.Config{Dir: s.dir, Origin: origin, Follower: f, SegmentSize: s.segmentSize})
	if err != nil {
		return nil, err
	}
	return log, nil
}

func (s files) segments() ([]logfile.Segment, error) { return s.listed.Segments() }

func (s files) segment(first int64) logfile.Segment {
	return logfile.Segment{First: first, Path: filepath.Join(s.dir, logfile.SegmentName(first))}
}

func (s files) remove(_ context.Context, old []logfile.Segment, _ int64) error {
	for _, segment := range old {
		if err := os.Remove(segment.Path); err != nil {
			return fmt.Errorf("removing a segment of the audit log: %w", err)
		}
	}
	return nil
}

func (files) removable(context.Context) (bool, error) { return true, nil }

// removed has none: the tiles stay beside the segments.
func (files) removed(int64) iter.Seq2[tlog.Hash, error] { return func(func(tlog.Hash, error) bool) {} }

// end moves the log's files aside.
func (s files) end(_ context.Context, origin string, at time.Time) (aside string, err error) {
	aside = filepath.Join(s.dir, "ended-"+filepath.Base(origin)+at.UTC().Format("-20060102T150405Z"))
	if err := os.Mkdir(aside, 0o700); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(s.dir)
	for _, entry := range entries {
		if err == nil && entry.Type().IsRegular() && !strings.HasPrefix(entry.Name(), "lock") {
			err = os.Rename(filepath.Join(s.dir, entry.Name()), filepath.Join(aside, entry.Name()))
		}
	}
	return "its files are in " + aside, err
}

func (s files) String() string { return s.dir }

// rows is a log in the database.
type rows struct {
	logrows.Rows
	segmentSize int64
}

func (s rows) open(origin string, f logfile.Follower) (appender, error) {
	log, err := logrows.Open(logrows.Config{Rows: s.Rows, Origin: origin, Follower: f, SegmentSize: s.segmentSize})
	if err != nil {
		return nil, err
	}
	return log, nil
}

func (s rows) segments() ([]logfile.Segment, error) { return s.Segments() }

func (s rows) segment(first int64) logfile.Segment { return s.Segment(first) }

func (s rows) remove(ctx context.Context, old []logfile.Segment, next int64) error {
	return s.Remove(ctx, old, next)
}

func (s rows) removable(ctx context.Context) (bool, error) { return s.MayRemove(ctx) }

func (s rows) removed(from int64) iter.Seq2[tlog.Hash, error] { return s.Hashes(from) }

func (s rows) end(ctx context.Context, _ string, _ time.Time) (string, error) {
	origin, err := s.Leave(ctx)
	return "its rows stay in the database under the name " + origin, err
}

func (s rows) String() string { return "the database" }

// storageOf is where c has the log, and the directory for what can be made again from it. temporary is
// whether that directory goes with the Log.
func storageOf(c *Config) (s storage, temporary bool, err error) {
	if c.Machine == "" {
		if err := seal.MakeDirectory(c.Dir); err != nil {
			return nil, false, fmt.Errorf("opening the audit log: %w", err)
		}
		return files{c.Dir, c.segmentSize, &logfile.Directory{Path: c.Dir}}, false, nil
	}
	if c.Dir != "" {
		return nil, false, errors.New("opening the audit log: it is in a directory or in the database, and not in both")
	}
	if c.Dir, err = makeScratch(os.TempDir()); err != nil {
		return nil, false, fmt.Errorf("making a directory for the index of the audit log; TMPDIR names another place for it: %w", err)
	}
	return rows{logrows.Rows{DB: c.DB, Machine: c.Machine}, c.segmentSize}, true, nil
}

const (
	// scratchPrefix begins the names of directories for what can be made again.
	scratchPrefix = "sfmcp-proxy-audit-"
	// inUse is the file of such a directory that its process has locked for as long as it lives.
	inUse = "lock.used"
	// leftAfter is how old a directory must be to be one that a killed process left: before, somebody may be
	// about to lock it.
	leftAfter = time.Minute
)

// makeScratch makes a directory that only this user reads, and removes those that killed processes left.
func makeScratch(parent string) (dir string, err error) {
	left, err := filepath.Glob(filepath.Join(parent, scratchPrefix+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range left {
		if state, err := os.Lstat(dir); err == nil && state.IsDir() && time.Since(state.ModTime()) > leftAfter && logfile.Unused(filepath.Join(dir, inUse)) {
			_ = os.RemoveAll(dir) // another user's, or already gone
		}
	}
	return os.MkdirTemp(parent, scratchPrefix+"*")
}
