package logfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	suffix  = ".log"
	version = "1"
	// maxFirstLine bounds the first line of a segment, in bytes.
	maxFirstLine = 64 << 10
)

// Segment is a part of a log: one file of it, or what a [Store] has in the place of that.
type Segment struct {
	First int64  // number of its first record
	Path  string // of its file; with a Store what it is called in messages
	Store Store  // has its content; nil: the file does
}

// SegmentName is the name of the file whose first record is first.
func SegmentName(first int64) string { return fmt.Sprintf("%020d%s", first, suffix) }

// Segments lists the segments in dir, in order. None, also where there is no dir: the log
// is empty.
func Segments(dir string) ([]Segment, error) {
	names, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the audit log's directory: %w", err)
	}
	var all []Segment
	for _, entry := range names {
		number, is := strings.CutSuffix(entry.Name(), suffix)
		if !is || len(number) != 20 {
			continue
		}
		first, err := strconv.ParseInt(number, 10, 64)
		if err != nil || first < 1 {
			return nil, fmt.Errorf("%s: not the name of a segment of the log", filepath.Join(dir, entry.Name()))
		}
		all = append(all, Segment{First: first, Path: filepath.Join(dir, entry.Name())})
	}
	slices.SortFunc(all, func(a, b Segment) int { return int(min(max(a.First-b.First, -1), 1)) })
	return all, nil
}

// Head is the first line of a segment.
type Head struct {
	Origin string // the log's name: no white space
	First  int64  // number of the segment's first record
	State  string // the Follower's, of all records before: no line break
}

// Line is the first line of a segment, with its line break.
func (h Head) Line() []byte {
	return fmt.Appendf(nil, "#segment %s %s %d %s\n", version, h.Origin, h.First, h.State)
}

// ErrUnread: what a segment holds could not be read, which says nothing of it.
var ErrUnread = errors.New("reading a segment of the audit log")

// ReadHead reads the first line of a segment.
func ReadHead(s Segment) (Head, error) {
	content, err := s.Open()
	if err != nil {
		return Head{}, err
	}
	defer content.Close()
	head, _, err := readHead(bufio.NewReaderSize(reader(content, 0), maxFirstLine), s)
	return head, err
}

// ParseHead reads a first line, with its line break, of a segment.
func ParseHead(line string, s Segment) (Head, error) {
	head, _, err := readHead(bufio.NewReaderSize(strings.NewReader(line), maxFirstLine), s)
	return head, err
}

// readHead also returns how long the line is.
func readHead(from *bufio.Reader, s Segment) (h Head, size int64, err error) {
	line, err := from.ReadSlice('\n')
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return Head{}, 0, fmt.Errorf("%w: %w", ErrUnread, err)
	}
	if err != nil {
		return Head{}, 0, &Damage{Segment: s, Seq: s.First, Why: "its first line is not whole"}
	}
	parts := strings.SplitN(strings.TrimSuffix(string(line), "\n"), " ", 5)
	if len(parts) != 5 || parts[0] != "#segment" {
		return Head{}, 0, &Damage{Segment: s, Seq: s.First, Why: "it does not begin as a segment of the log does"}
	}
	if parts[1] != version {
		return Head{}, 0, fmt.Errorf("%s: it is of version %s, and this program reads version %s", s.Path, parts[1], version)
	}
	first, err := strconv.ParseInt(parts[3], 10, 64)
	if err != nil || first != s.First {
		return Head{}, 0, &Damage{Segment: s, Seq: s.First, Why: "its first line names another first record than its name"}
	}
	return Head{Origin: parts[2], First: first, State: parts[4]}, int64(len(line)), nil
}
