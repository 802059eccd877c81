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

type file struct {
	config FileConfig
	// write and written are of tests: write is instead of [os.File.Write]; written is called before
	// it is looked whether the file still is at its place.
	write   func(*os.File, []byte) (int, error)
	written func()
}

// NewFile is a file of lines that only its owner reads. The folder must exist: one that was
// made here would be on the wrong disk while a mount is missing.
func NewFile(c FileConfig) Destination {
	return file{config: c, write: (*os.File).Write, written: func() {}}
}

// Send appends the lines and syncs. What a crash left of a line is cut off first: its batch
// comes again. So does one of which a full disk took a part, which is cut off at once, and one whose
// file was moved or removed meanwhile: whoever did that may not have all of it.
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
	if _, err = f.write(file, b.lines(text)); err == nil {
		err = file.Sync()
	}
	if err != nil { // else a disk that stays full would get the same lines with each attempt
		return fmt.Errorf("writing the file: %w", errors.Join(err, file.Truncate(size), file.Close()))
	}
	f.written()
	if err := errors.Join(f.atItsPlace(file), file.Close()); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	return syncDirectory(filepath.Dir(f.config.Path))
}

// atItsPlace is an error if the file is not where it was opened any more.
func (f file) atItsPlace(file *os.File) error {
	is, err := file.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(f.config.Path)
	if err != nil {
		return fmt.Errorf("it was moved or removed meanwhile: %w", err)
	}
	if !os.SameFile(is, there) {
		return errors.New("another was put in its place meanwhile")
	}
	return nil
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
