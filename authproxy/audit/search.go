package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/postings"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// indexKey is what the keys that seal index files are derived for.
const indexKey = "audit index"

// segmentIndex is the index of one segment, in memory or in a file.
type segmentIndex interface {
	Search(postings.Query) ([]uint32, error)
	Place(ordinal uint32) (offset int64, err error)
}

// indexes are the index files beside the segments.
type indexes struct {
	ring    *seal.KeyRing
	dir     string // of the files
	stored  storage
	log     *slog.Logger
	writing sync.WaitGroup // those of segments that have just become full

	mu    sync.Mutex
	times map[int64]postings.Times // of full segments whose index was opened, by their first entries
}

// outside says whether all entries of a segment are known to be of another time than a query asks for.
func (x *indexes) outside(s logfile.Segment, q postings.Query) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	times, known := x.times[s.First]
	return known && !times.Meets(q)
}

// opened remembers the times of a segment.
func (x *indexes) opened(s logfile.Segment, times postings.Times) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.times == nil {
		x.times = map[int64]postings.Times{}
	}
	x.times[s.First] = times
}

// removed forgets those of a segment that is gone, and its file.
func (x *indexes) removed(s logfile.Segment) {
	x.mu.Lock()
	delete(x.times, s.First)
	x.mu.Unlock()
	index := x.path(s)
	if err := os.Remove(index); err != nil && !os.IsNotExist(err) {
		x.log.Warn("removing the index of a segment", slog.String("file", index), slog.Any("error", err))
	}
}

// file is that of the index of a segment.
func (x *indexes) file(s logfile.Segment) (postings.File, error) {
	keys, err := x.ring.Keys(indexKey)
	if err != nil {
		return postings.File{}, fmt.Errorf("opening an index of the audit log: %w", err)
	}
	return postings.File{Path: x.path(s), Key: keys[0].Key}, nil
}

// path is the name of the file: that of the segment, but for its end.
func (x *indexes) path(s logfile.Segment) string {
	name := logfile.SegmentName(s.First)
	return filepath.Join(x.dir, strings.TrimSuffix(name, filepath.Ext(name))+".idx")
}

// forget removes the files of a log that was ended, if they are still there.
func (x *indexes) forget() error {
	x.writing.Wait()
	x.mu.Lock()
	x.times = nil
	x.mu.Unlock()
	all, err := filepath.Glob(filepath.Join(x.dir, "*.idx"))
	for _, path := range all {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// store makes the file of an index that is whole.
func (x *indexes) store(s logfile.Segment, index *postings.Builder) error {
	file, err := x.file(s)
	if err != nil {
		return err
	}
	size, err := s.Size()
	if err != nil {
		return fmt.Errorf("writing the index of a segment: %w", err)
	}
	return file.Write(index, size)
}

// storeLater does so beside whoever appends.
func (x *indexes) storeLater(first int64, index *postings.Builder) {
	s := x.stored.segment(first)
	x.writing.Go(func() {
		if err := x.store(s, index); err != nil {
			x.log.Warn("the index of a segment could not be written: it is made again when it is asked for", "error", err)
		}
	})
}

// open opens the index of a segment that is full; next is the number behind it. One that is
// missing, or was made for something else, is made from the segment.
func (x *indexes) open(s logfile.Segment, next int64) (index segmentIndex, closing func() error, err error) {
	size, err := s.Size()
	if err != nil {
		return nil, nil, err
	}
	file, err := x.file(s)
	if err != nil {
		return nil, nil, err
	}
	there, err := file.Open(postings.Segment{First: s.First, Records: int(next - s.First), Size: size})
	if err == nil {
		x.opened(s, there.Times())
		return there, there.Close, nil
	}
	if !errors.Is(err, postings.ErrUnusable) && !errors.Is(err, fs.ErrNotExist) {
		x.log.Warn("the index of a segment cannot be read", slog.String("segment", s.Path), slog.Any("error", err))
	}
	built, err := buildIndex(s)
	if err != nil {
		return nil, nil, err
	}
	if err := x.store(s, built); err != nil { // it serves this once
		x.log.Warn("the index of a segment could not be written", slog.String("segment", s.Path), slog.Any("error", err))
	}
	return built, noClosing, nil
}

func noClosing() error { return nil }

// buildIndex makes the index of a segment from its records, as far as they can be read.
func buildIndex(s logfile.Segment) (*postings.Builder, error) {
	index := postings.NewBuilder(s.First)
	_, err := logfile.ScanSegment(s, func(r logfile.Record) error {
		var entry Entry
		_ = json.Unmarshal(r.Text, &entry) // what does not decode is found by number alone
		return addToIndex(index, r, &entry, termsOf(&entry))
	})
	var damage *logfile.Damage
	if err != nil && !errors.As(err, &damage) {
		return nil, err
	}
	return index, nil
}

// addToIndex adds a record to the index of its segment, under its terms.
func addToIndex(index *postings.Builder, r logfile.Record, entry *Entry, terms []postings.Term) error {
	if _, err := index.Add(postings.Record{Offset: r.At.Offset, At: db.Millis(entry.At)}, terms...); err != nil {
		return fmt.Errorf("indexing audit entry %d: %w", r.Seq, err)
	}
	return nil
}

// indexOf returns the index of segment i.
func indexOf(l *Log, segments []logfile.Segment, i int) (index segmentIndex, closing func() error, err error) {
	if i+1 < len(segments) {
		return l.indexes.open(segments[i], segments[i+1].First)
	}
	if last := l.follow.indexOf(segments[i].First); last != nil {
		return last, noClosing, nil
	}
	built, err := buildIndex(segments[i])
	return built, noClosing, err
}

// Reindex makes the index of every segment anew, and returns how many segments there are.
func (l *Log) Reindex() (n int, err error) {
	segments, err := l.stored.segments()
	if err != nil || len(segments) == 0 {
		return 0, err
	}
	for _, s := range segments[:len(segments)-1] { // the last one's is in memory
		index, err := buildIndex(s)
		if err == nil {
			err = l.indexes.store(s, index)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n + 1, nil
}

// reading is how entries are found in the log, and read.
type reading struct{ log *Log }

// catchUp hears of everything that was appended before, by this process or another. What is
// there can be read even if that fails.
func (r reading) catchUp() {
	l := r.log
	l.Flush()
	if l.file == nil {
		return
	}
	if err := l.file.CatchUp(); err != nil {
		l.config.Log.Warn("reading the audit log", "error", err)
	}
}

// segments are those of the log, after everything that was appended before can be read.
func (r reading) segments() ([]logfile.Segment, error) {
	r.catchUp()
	return r.log.stored.segments()
}

// forward leaves ordinals as they are.
func forward([]uint32) {}

// search is what is asked of every segment.
type search struct {
	query   postings.Query
	matches func(Entry) bool // of those that the index gives, because it may give too many
	order   func([]uint32)   // brings the ordinals of a segment into the order that is wanted
	after   int64            // number behind which entries count
	before  int64            // number before which they do; 0: all do
	reveal  func([]record) error
}

// record is a record of the log with the entry that it holds.
type record struct {
	text  []byte
	entry Entry
}

// readAtOnce is how many records are read at most before they are revealed and judged: the first alone,
// then twice as many each time, so that whoever wants few reads few, and whoever wants many asks the
// database for the keys of many people at once.
const readAtOnce = 256

// search is one whose entries can be read as far as the keys of people are there.
func (r reading) search(ctx context.Context, query postings.Query, matches func(Entry) bool, order func([]uint32), f Filter) search {
	revealer := r.log.persons.revealer()
	return search{query, matches, order, f.After, f.Before, func(of []record) error { return revealer.revealAll(ctx, of) }}
}

// in calls f with the entries of segment i that match, until f fails or has enough. It may
// keep the text.
func (q search) in(l *Log, segments []logfile.Segment, i int, f func(text []byte, e Entry) (enough bool, err error)) (enough bool, err error) {
	if i+1 < len(segments) && l.indexes.outside(segments[i], q.query) {
		return false, nil
	}
	index, closing, err := indexOf(l, segments, i)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, closing()) }()
	ordinals, err := q.found(index, segments[i])
	if err != nil {
		return false, err
	}
	ordinals = slices.Clone(ordinals)
	q.order(ordinals)
	return q.read(index, segments[i], ordinals, f)
}

// found are the records of a segment that may match, in rising order.
func (q search) found(index segmentIndex, s logfile.Segment) ([]uint32, error) {
	ordinals, err := index.Search(q.query)
	atLeast := func(number int64) int {
		return sort.Search(len(ordinals), func(i int) bool { return s.First+int64(ordinals[i]) >= number })
	}
	if q.before > 0 {
		ordinals = ordinals[:atLeast(q.before)]
	}
	return ordinals[atLeast(q.after+1):], err
}

// read calls f with those of the records that match.
func (q search) read(index segmentIndex, s logfile.Segment, ordinals []uint32, f func(text []byte, e Entry) (enough bool, err error)) (enough bool, err error) {
	if len(ordinals) == 0 {
		return false, nil
	}
	content, err := s.Open()
	if err != nil {
		return false, err
	}
	defer content.Close()
	groups, stop := readAhead(ordinals, func(some []uint32) ([]record, error) { return recordsOf(content, index, s, some) })
	defer stop()
	for g := range groups {
		if g.err == nil {
			g.err = q.reveal(g.records)
		}
		if g.err != nil {
			return false, g.err
		}
		for _, r := range g.records {
			if !q.matches(r.entry) {
				continue
			}
			if enough, err := f(r.text, r.entry); err != nil || enough {
				return enough, err
			}
		}
	}
	return false, nil
}

// group is some records, or why they cannot be read.
type group struct {
	records []record
	err     error
}

// readAhead reads records in groups: the next one while whoever takes a group asks the database for the keys
// of its people. Whoever has enough stops it.
func readAhead(ordinals []uint32, read func([]uint32) ([]record, error)) (groups <-chan group, stop func()) {
	out, done := make(chan group), make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(out)
		for n := 1; len(ordinals) > 0; n = min(2*n, readAtOnce) {
			n = min(n, len(ordinals))
			records, err := read(ordinals[:n])
			select {
			case out <- group{records, err}:
			case <-done:
				return
			}
			if err != nil {
				return
			}
			ordinals = ordinals[n:]
		}
	})
	return out, func() {
		close(done)
		reading.Wait()
	}
}

// recordsOf reads some records of a segment.
func recordsOf(content io.ReaderAt, index segmentIndex, s logfile.Segment, ordinals []uint32) (group []record, err error) {
	for _, ordinal := range ordinals {
		offset, err := index.Place(ordinal)
		if err != nil {
			return nil, err
		}
		text, err := logfile.ReadAt(content, offset)
		if err != nil {
			return nil, err
		}
		e, err := decode(text)
		if err != nil {
			return nil, fmt.Errorf("audit entry %d: %w", s.First+int64(ordinal), err)
		}
		e.Seq = s.First + int64(ordinal) // where it stands, whatever it says
		group = append(group, record{text, e})
	}
	return group, nil
}
