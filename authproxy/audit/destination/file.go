package destination

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// FileConfig says which file records are appended to.
type FileConfig struct {
	Path string
	// MaxBytes is from what size on a file is moved to PATH.1, and PATH.1 to PATH.2: as many as
	// Keep. What was in the last of them is gone.
	MaxBytes int64
	Keep     int
}

type file struct{ config FileConfig }

// NewFile is a file of lines that only its owner reads. The folder must exist: one that was
// made here would be on the wrong disk while a mount is missing.
func NewFile(c FileConfig) Destination { return file{c} }

// Send appends the lines and syncs. What a crash left of a line is cut off first: its batch
// comes again.
func (f file) Send(_ context.Context, b *Batch) error {
	file, size, err := f.open()
	if err == nil && size >= f.config.MaxBytes {
		if err = errors.Join(file.Close(), f.rotate()); err == nil {
			file, size, err = f.open()
		}
	}
	if err != nil {
		return err
	}
	var text []byte
	if size == 0 && b.Head != "" {
		text = append([]byte(b.Head), '\n')
	}
	_, err = file.Write(b.lines(text))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	return syncDirectory(filepath.Dir(f.config.Path))
}

// open opens the file at the end of its last whole line.
func (f file) open() (*os.File, int64, error) {
	file, err := os.OpenFile(f.config.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("opening the file: %w", err)
	}
	size, err := wholeLines(file)
	if err == nil {
		err = file.Truncate(size)
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("reading the end of the file: %w", err), file.Close())
	}
	return file, size, nil
}

// wholeLines is where the last whole line of a file ends.
func wholeLines(file *os.File) (int64, error) {
	state, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if !state.Mode().IsRegular() {
		return 0, errors.New("it is no file")
	}
	const step = 64 << 10
	buffer := make([]byte, step)
	for end := state.Size(); end > 0; {
		begin := max(end-step, 0)
		n, err := file.ReadAt(buffer[:end-begin], begin)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if i := bytes.LastIndexByte(buffer[:n], '\n'); i >= 0 {
			return begin + int64(i) + 1, nil
		}
		end = begin
	}
	return 0, nil
}

// rotate moves each file to the next number.
func (f file) rotate() error {
	name := func(i int) string {
		if i == 0 {
			return f.config.Path
		}
		return fmt.Sprintf("%s.%d", f.config.Path, i)
	}
	for i := f.config.Keep - 1; i >= 0; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("moving the file that is full: %w", err)
		}
	}
	return nil
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the folder of the file: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
