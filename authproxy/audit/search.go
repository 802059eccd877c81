package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/postings"
)

// indexKey is what the keys that seal index files are derived for.
const indexKey = "audit index"

// segmentIndex is the index of one segment, in memory or in a file.
type segmentIndex interface {
	Search(postings.Query) ([]uint32, error)
	Place(ordinal uint32) (offset int64, err error)
}

// indexFile is the index beside a segment.
func (l *Log) indexFile(segment string) (postings.File, error) {
	keys, err := l.config.Ring.Keys(indexKey)
	if err != nil {
		return postings.File{}, fmt.Errorf("opening an index of the audit log: %w", err)
	}
	return postings.File{Path: strings.TrimSuffix(segment, filepath.Ext(segment)) + ".idx", Key: keys[0].Key}, nil
}

// writeIndex makes the file of a segment that is full, beside whoever appends.
func (f *follower) writeIndex(first int64, index *postings.Builder) {
	path := filepath.Join(f.log.config.Dir, logfile.SegmentName(first))
	f.indexing.Go(func() {
		if err := f.log.storeIndex(path, index); err != nil {
			f.log.config.Log.Warn("the index of a segment could not be written: it is made again when it is asked for", "error", err)
		}
	})
}

func (l *Log) storeIndex(segment string, index *postings.Builder) error {
	file, err := l.indexFile(segment)
	if err != nil {
		return err
	}
	state, err := os.Stat(segment)
	if err != nil {
		return fmt.Errorf("writing the index of a segment: %w", err)
	}
	return file.Write(index, state.Size())
}

// indexOf returns the index of a segment; next is the one behind it, nil: it is the last.
// One that is missing, or was made for something else, is made from the segment.
func (l *Log) indexOf(s logfile.Segment, next *logfile.Segment) (index segmentIndex, closing func() error, err error) {
	nothing := func() error { return nil }
	if next == nil {
		l.follow.mu.RLock()
		defer l.follow.mu.RUnlock()
		if l.follow.index != nil && l.follow.head.First == s.First {
			return l.follow.index, nothing, nil
		}
	} else {
		state, err := os.Stat(s.Path)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the audit log: %w", err)
		}
		file, err := l.indexFile(s.Path)
		if err != nil {
			return nil, nil, err
		}
		index, err := file.Open(postings.Segment{First: s.First, Records: int(next.First - s.First), Size: state.Size()})
		if err == nil {
			return index, index.Close, nil
		}
		if !errors.Is(err, postings.ErrUnusable) && !errors.Is(err, fs.ErrNotExist) {
			l.config.Log.Warn("the index of a segment cannot be read", slog.String("segment", s.Path), slog.Any("error", err))
		}
	}
	built, err := buildIndex(s)
	if err != nil {
		return nil, nil, err
	}
	if next != nil {
		if err := l.storeIndex(s.Path, built); err != nil { // it serves this once
			l.config.Log.Warn("the index of a segment could not be written", slog.String("segment", s.Path), slog.Any("error", err))
		}
	}
	return built, nothing, nil
}

// buildIndex makes the index of a segment from its records, as far as they can be read.
func buildIndex(s logfile.Segment) (*postings.Builder, error) {
	index := &follower{index: postings.NewBuilder(s.First), log: &Log{config: Config{Log: slog.Default()}}}
	_, err := logfile.ScanSegment(s, func(r logfile.Record) error {
		index.Record(r)
		return nil
	})
	var damage *logfile.Damage
	if err != nil && !errors.As(err, &damage) {
		return nil, err
	}
	return index.index, nil
}

// Reindex makes the index of every segment anew, and returns how many segments there are.
func (l *Log) Reindex() (n int, err error) {
	segments, err := logfile.Segments(l.config.Dir)
	if err != nil || len(segments) == 0 {
		return 0, err
	}
	for _, s := range segments[:len(segments)-1] { // the last one's is in memory
		index, err := buildIndex(s)
		if err == nil {
			err = l.storeIndex(s.Path, index)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n + 1, nil
}

// catchUp hears of everything that was appended before, by this process or another. What is
// there can be read even if that fails.
func (l *Log) catchUp() {
	l.Flush()
	if l.file == nil {
		return
	}
	if err := l.file.CatchUp(); err != nil {
		l.config.Log.Warn("reading the audit log", "error", err)
	}
}

// segments are those of the log, after everything that was appended before can be read.
func (l *Log) segments() ([]logfile.Segment, error) {
	l.catchUp()
	return logfile.Segments(l.config.Dir)
}

// forward leaves ordinals as they are.
func forward([]uint32) {}

// search is what is asked of every segment.
type search struct {
	query   postings.Query
	matches func(Entry) bool // of those that the index gives, because it may give too many
	order   func([]uint32)   // brings the ordinals of a segment into the order that is wanted
	after   int64            // number behind which entries count
}

// in calls f with the entries of segment i that match, until f fails or has enough. It may
// keep the text.
func (q search) in(l *Log, segments []logfile.Segment, i int, f func(text []byte, e Entry) (enough bool, err error)) (enough bool, err error) {
	s, next := segments[i], (*logfile.Segment)(nil)
	if i+1 < len(segments) {
		next = &segments[i+1]
	}
	index, closing, err := l.indexOf(s, next)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, closing()) }()
	ordinals, err := index.Search(q.query)
	if err != nil || len(ordinals) == 0 {
		return false, err
	}
	ordinals = slices.Clone(ordinals)
	q.order(ordinals)
	file, err := os.Open(s.Path)
	if err != nil {
		return false, fmt.Errorf("reading the audit log: %w", err)
	}
	defer file.Close()
	for _, ordinal := range ordinals {
		offset, err := index.Place(ordinal)
		if err != nil {
			return false, err
		}
		text, err := logfile.ReadAt(file, offset)
		if err != nil {
			return false, err
		}
		e, err := decode(text)
		if err != nil {
			return false, fmt.Errorf("audit entry %d: %w", s.First+int64(ordinal), err)
		}
		if !q.matches(e) {
			continue
		}
		if enough, err := f(text, e); err != nil || enough {
			return enough, err
		}
	}
	return false, nil
}
