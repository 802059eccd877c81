package pack

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit"
)

// Bounds are what a pack may be at most: entries, files, bytes of one line, bytes of one file.
// What is larger is refused when it is made and when it is read.
var Bounds = struct {
	Entries, Files int
	LineBytes      int
	FileBytes      int64
	ManifestBytes  int64
}{Entries: 100_000, Files: 32, LineBytes: 1 << 20, FileBytes: 1 << 30, ManifestBytes: 1 << 20}

// Builder writes a pack. What it writes lies beside the place where the pack will be until
// [Builder.Finish]: a pack is there whole or not at all.
type Builder struct {
	Manifest Manifest

	dir, to string
	archive bool
	lines   *lineFiles
}

// lineFiles are the three files that are written entry by entry.
type lineFiles struct{ entries, proofs, readable *counted }

// Create begins a pack at a path that is new: an archive if the name ends with ".tar", else a
// directory, which may also be there and be empty.
func Create(path string, m Manifest) (_ *Builder, err error) {
	b := &Builder{Manifest: m, to: path, archive: filepath.Ext(path) == ".tar"}
	b.Manifest.Format = Format
	if there, err := os.ReadDir(path); err == nil && (len(there) > 0 || b.archive) {
		return nil, fmt.Errorf("%s is not empty", path)
	} else if _, err := os.Lstat(path); err == nil && (b.archive || there == nil) {
		return nil, fmt.Errorf("%s is there already", path)
	}
	if b.dir, err = os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".unfinished-"); err != nil {
		return nil, fmt.Errorf("making a pack: %w", err)
	}
	b.lines = &lineFiles{}
	for _, f := range []struct {
		name string
		to   **counted
	}{{EntriesFile, &b.lines.entries}, {ProofsFile, &b.lines.proofs}, {ReadableFile, &b.lines.readable}} {
		if *f.to, err = b.create(f.name); err != nil {
			return nil, errors.Join(err, b.Abandon())
		}
	}
	return b, nil
}

// Abandon removes what was written of a pack that is not finished.
func (b *Builder) Abandon() error {
	for _, c := range []*counted{b.lines.entries, b.lines.proofs, b.lines.readable} {
		if c != nil {
			_ = c.file.Close() // removed with the others, or closed already
		}
	}
	return os.RemoveAll(b.dir)
}

// counted is a file of a pack that is being written.
type counted struct {
	File
	file *os.File
	out  *bufio.Writer
	sum  hash.Hash
}

func (b *Builder) create(name string) (*counted, error) {
	file, err := os.OpenFile(filepath.Join(b.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making a pack: %w", err)
	}
	c := &counted{File: File{Name: name}, file: file, sum: sha256.New()}
	c.out = bufio.NewWriterSize(io.MultiWriter(file, c.sum), 1<<16)
	return c, nil
}

// Write implements [io.Writer].
func (c *counted) Write(text []byte) (int, error) {
	if c.Bytes+int64(len(text)) > Bounds.FileBytes {
		return 0, fmt.Errorf("%s would be larger than %d bytes: choose a shorter time", c.Name, Bounds.FileBytes)
	}
	c.Bytes, c.Lines = c.Bytes+int64(len(text)), c.Lines+int64(bytes.Count(text, []byte("\n")))
	return c.out.Write(text)
}

// close makes the file durable and says what it is.
func (c *counted) close() (File, error) {
	err := errors.Join(c.out.Flush(), c.file.Sync(), c.file.Close())
	c.SHA256 = hex.EncodeToString(c.sum.Sum(nil))
	return c.File, err
}

// proofLine is a line of proofs.jsonl.
type proofLine struct {
	Entry  int64       `json:"entry"`
	Hashes []tlog.Hash `json:"hashes"`
}

// Entry is one entry of a pack.
type Entry struct {
	Record   []byte      // the line that is a leaf of the tree
	Readable []byte      // the same, with what it says about people
	Hashes   []tlog.Hash // its proof
}

// Add adds an entry, in rising order of their numbers.
func (b *Builder) Add(e Entry) error {
	var r record
	if err := json.Unmarshal(e.Record, &r); err != nil {
		return fmt.Errorf("packing an entry: %w", err)
	}
	if b.Manifest.Entries.Count >= int64(Bounds.Entries) {
		return fmt.Errorf("more than %d entries: choose a shorter time, or hand over the files of the log, which `sfmcp-proxy audit verify --log` checks", Bounds.Entries)
	}
	if err := b.Manifest.Entries.count(r); err != nil {
		return err
	}
	proof, err := json.Marshal(proofLine{r.Seq, e.Hashes})
	for _, line := range []struct {
		to   *counted
		text []byte
	}{{b.lines.entries, e.Record}, {b.lines.proofs, proof}, {b.lines.readable, e.Readable}} {
		if len(line.text) >= Bounds.LineBytes || bytes.ContainsRune(line.text, '\n') {
			return fmt.Errorf("entry %d does not fit into a line of %s", r.Seq, line.to.Name)
		}
		_, writeErr := line.to.Write(append(line.text[:len(line.text):len(line.text)], '\n'))
		err = errors.Join(err, writeErr)
	}
	return err
}

// File adds another file. What cannot be made of it is written down as missing, and the rest is
// packed all the same.
func (b *Builder) File(name string, write func(io.Writer) error) error {
	if len(b.Manifest.Files) >= Bounds.Files {
		return fmt.Errorf("more than %d files in one pack", Bounds.Files)
	}
	c, err := b.create(name)
	if err != nil {
		return err
	}
	if err := write(c); err != nil {
		b.Manifest.Missing = append(b.Manifest.Missing, name+": "+err.Error())
	}
	f, err := c.close()
	b.Manifest.Files = append(b.Manifest.Files, f)
	return err
}

// Bind records that there is a manifest, under the text that names it, and returns the record
// and its proof (a .tlog-proof file).
type Bind func(digest string) (line, proof []byte, err error)

// Finish writes the checkpoint that the proofs of the entries lead to and the manifest, has it
// bound, and puts the pack in its place.
func (b *Builder) Finish(checkpoint []byte, bind Bind) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Abandon())
		}
	}()
	var files []File
	for _, c := range []*counted{b.lines.entries, b.lines.proofs, b.lines.readable} {
		f, err := c.close()
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	b.Manifest.Files = append(files, b.Manifest.Files...)
	if err := b.File(CheckpointFile, func(w io.Writer) error { _, err := w.Write(checkpoint); return err }); err != nil {
		return err
	}
	if b.Manifest.Missing == nil {
		b.Manifest.Missing = []string{}
	}
	if b.Manifest.Entries.ByAction == nil {
		b.Manifest.Entries.ByAction = map[audit.Action]int64{}
	}
	text, err := json.MarshalIndent(b.Manifest, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	line, proof, err := bind(digestText(text))
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{ManifestFile: text, EntryFile: append(line, '\n'), ProofFile: proof} {
		if err := os.WriteFile(filepath.Join(b.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return b.place()
}

// place puts the pack where it was asked for.
func (b *Builder) place() error {
	if b.archive {
		if err := b.writeTar(b.Manifest.Created.UTC().Truncate(time.Second)); err != nil {
			return err
		}
		return os.RemoveAll(b.dir)
	}
	if err := os.Remove(b.to); err != nil && !errors.Is(err, os.ErrNotExist) { // it was empty
		return err
	}
	return os.Rename(b.dir, b.to)
}
