package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxHistory is how large a history grows before it becomes the one before: two such files
// have the last 20,000 checkpoints or so.
const maxHistory = 4 << 20

// file is a file on another mount.
type file struct{ path string }

// NewFile is the place of a file: the newest checkpoint is in it, those before it are in
// PATH.history and PATH.history.1. A path that ends in a slash is a folder with one file for
// each log. The folder must exist: one that was made here would be on the wrong disk while
// the mount is missing.
func NewFile(path string) Place { return file{path} }

func (f file) String() string { return "file " + f.path }

// Publish replaces the file at once. It takes no time limit from the context: a mount that
// hangs, hangs.
func (f file) Publish(_ context.Context, c Checkpoint) error {
	path := own(f.path, c.Origin)
	before, err := readBounded(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case originOf(before) != c.Origin && !c.Instead:
		return fmt.Errorf("%s has the checkpoint of another log, %q: each log needs a file of its own", path, originOf(before))
	}
	if err := appendHistory(path+".history", c.Signed); err != nil {
		return err
	}
	return replace(path, c.Signed)
}

// Latest reads the file.
func (f file) Latest(_ context.Context, c Checkpoint) ([]byte, error) {
	path := own(f.path, c.Origin)
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("is the mount missing? %w", err)
	}
	signed, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	return signed, err
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxCheckpoint+1))
	if err == nil && len(content) > maxCheckpoint {
		err = fmt.Errorf("%s is longer than a checkpoint", path)
	}
	return content, err
}

// replace puts the content into the place of a file. Readers see the former or the new one.
func replace(path string, content []byte) error {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) // a checkpoint is no secret
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// appendHistory appends a checkpoint and an empty line.
func appendHistory(path string, signed []byte) error {
	if state, err := os.Stat(path); err == nil && state.Size() > maxHistory {
		if err := os.Rename(path, path+".1"); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(append([]byte{}, signed...), '\n'))
	return errors.Join(err, f.Close())
}
