package pack

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// names are the files of a pack in the order of an archive: what a reader looks at first is first.
func (m Manifest) names() []string {
	all := []string{ManifestFile, EntryFile, ProofFile}
	for _, f := range m.Files {
		all = append(all, f.Name)
	}
	return all
}

// writeTar writes the archive and makes it durable.
func (b *Builder) writeTar(at time.Time) (err error) {
	out, err := os.OpenFile(b.to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(b.to))
		}
	}()
	w := tar.NewWriter(out)
	for _, name := range b.Manifest.names() {
		if err := addFile(w, filepath.Join(b.dir, name), at); err != nil {
			return errors.Join(err, out.Close())
		}
	}
	return errors.Join(w.Close(), out.Sync(), out.Close())
}

func addFile(w *tar.Writer, path string, at time.Time) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	state, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: filepath.Base(path), Size: state.Size(), Mode: 0o600, ModTime: at, Format: tar.FormatUSTAR}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// files are those of a pack that is read, by name.
type files struct {
	of     map[string]*io.SectionReader
	closes []io.Closer
}

func (f *files) Close() (err error) {
	for _, c := range f.closes {
		err = errors.Join(err, c.Close())
	}
	return err
}

// add takes a file in.
func (f *files) add(name string, of io.ReaderAt, offset, size int64) error {
	switch {
	case f.of[name] != nil:
		return fmt.Errorf("%q is there twice", name)
	case len(f.of) > Bounds.Files+3:
		return fmt.Errorf("more than %d files", Bounds.Files)
	case size > Bounds.FileBytes:
		return fmt.Errorf("%q is larger than %d bytes", name, Bounds.FileBytes)
	}
	f.of[name] = io.NewSectionReader(of, offset, size)
	return nil
}

// open opens a pack: a directory or an archive.
func open(path string) (f *files, err error) {
	f = &files{of: map[string]*io.SectionReader{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	state, err := os.Stat(path)
	if err != nil {
		return f, err
	}
	if state.IsDir() {
		return f, f.openDirectory(path)
	}
	return f, f.openArchive(path)
}

func (f *files) openDirectory(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			return fmt.Errorf("%q is no regular file", e.Name())
		}
		file, err := os.Open(filepath.Join(path, e.Name()))
		if err != nil {
			return err
		}
		f.closes = append(f.closes, file)
		state, err := file.Stat()
		if err != nil {
			return err
		}
		if err := f.add(e.Name(), file, 0, state.Size()); err != nil {
			return err
		}
	}
	return nil
}

// openArchive finds the files in an archive without unpacking them. What is no plain file of a
// pack, such as a link or a name with a folder, makes it none.
func (f *files) openArchive(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	f.closes = append(f.closes, file)
	r := tar.NewReader(file)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not an archive of a pack: %w", err)
		}
		if h.Typeflag != tar.TypeReg || len(h.PAXRecords) > 0 || !fs.ValidPath(h.Name) || filepath.Base(h.Name) != h.Name || h.Name == "." {
			return fmt.Errorf("%q is no plain file of a pack", h.Name)
		}
		offset, err := file.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if err := f.add(h.Name, file, offset, h.Size); err != nil {
			return err
		}
	}
}

// read reads a small file whole.
func (f *files) read(name string, limit int64) ([]byte, error) {
	r := f.of[name]
	switch {
	case r == nil:
		return nil, fmt.Errorf("%s is missing", name)
	case r.Size() > limit:
		return nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
}

// besides are the names of files that a manifest does not name.
func (f *files) besides(m Manifest) (all []string) {
	names := m.names()
	for name := range f.of {
		if !slices.Contains(names, name) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}
