package logfile

import (
	"fmt"
	"io"
	"math"
	"os"
)

// Content is what a segment holds, byte for byte as its file has it or would.
type Content interface {
	io.ReaderAt
	io.Closer
	// Size is how many bytes there are.
	Size() (int64, error)
	// End is what is wrong where the bytes end, as a [*Damage]; nil: nothing.
	End() error
}

// Store has segments that are not files. Nothing of what it has is half written.
type Store interface {
	Open(s Segment) (Content, error)
}

// Open opens a segment for reading.
func (s Segment) Open() (Content, error) {
	if s.Store != nil {
		return s.Store.Open(s)
	}
	file, err := os.Open(s.Path)
	if err != nil {
		return nil, fmt.Errorf("opening a segment of the audit log: %w", err)
	}
	return fileContent{file}, nil
}

// Size is how many bytes a segment has.
func (s Segment) Size() (size int64, err error) {
	content, err := s.Open()
	if err != nil {
		return 0, err
	}
	defer content.Close()
	return content.Size()
}

type fileContent struct{ *os.File }

func (c fileContent) Size() (int64, error) {
	state, err := c.Stat()
	if err != nil {
		return 0, fmt.Errorf("reading a segment of the audit log: %w", err)
	}
	return state.Size(), nil
}

func (fileContent) End() error { return nil }

// reader reads content from an offset on, and what is written behind it meanwhile.
func reader(c io.ReaderAt, from int64) io.Reader {
	return io.NewSectionReader(c, from, math.MaxInt64-from)
}
