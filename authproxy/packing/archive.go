package packing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/pack"
)

// Bounds of a pack that somebody waits for.
const (
	// MostAnswered is how many entries it has at most, unless [Config] says so; the command line packs more.
	MostAnswered = 20_000
	// longestMade is how long it may take to make.
	longestMade = 45 * time.Second
	// mostOpen is how many archives of one process lie on the disk, the one that is made included: whoever
	// takes one slowly keeps its place.
	mostOpen = 4
	// scratchPrefix begins the name of each directory that archives are made in, and leftAfter is
	// when one of them belongs to a process that is gone.
	scratchPrefix = "sfmcp-proxy-evidence-"
	leftAfter     = time.Hour
)

// ErrBusy is that this process makes a pack for somebody else, or that as many as may be are being taken.
var ErrBusy = errors.New("packs of evidence are being made or taken by others")

// Archive is a pack as one file, for an answer. Whoever has it closes it.
type Archive struct {
	Manifest pack.Manifest
	Bound    int64 // the entry that holds the SHA-256 of the manifest
	Size     int64

	file  *os.File
	dir   string
	close func() error // once
}

// Archive makes a pack for whoever waits for the answer: with at most Config.Most entries,
// within a minute, and one at a time in each process; else the error is an
// [*oversight.InputError] or [ErrBusy].
func (m *Maker) Archive(ctx context.Context, asked Asked, by approval.Decider) (_ *Archive, err error) {
	if !m.busy.TryLock() {
		return nil, ErrBusy
	}
	defer m.busy.Unlock()
	of, err := m.Preview(ctx, asked) // says before anything is recorded that it would be too many
	if err == nil && of.TooMany != "" {
		err = &oversight.InputError{Text: of.TooMany}
	}
	if err != nil {
		return nil, err
	}
	a, err := m.open()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	making, cancel := context.WithTimeout(ctx, longestMade)
	defer cancel()
	path := filepath.Join(a.dir, "evidence.tar")
	made, err := m.make(making, asked, by, path, m.Most)
	if err != nil && ctx.Err() == nil && making.Err() != nil {
		err = &oversight.InputError{Text: fmt.Sprintf("not made within %s: choose a shorter time, or have it made at the command line, where `sfmcp-proxy evidence` takes as long as it needs", longestMade)}
	}
	if err != nil {
		return nil, err
	}
	a.Manifest, a.Bound = made.Manifest, made.Bound
	if a.file, err = os.Open(path); err != nil {
		return nil, err
	}
	state, err := a.file.Stat()
	if err != nil {
		return nil, err
	}
	a.Size = state.Size()
	return a, nil
}

// open begins an archive in a directory of its own, unless there are as many as may be.
func (m *Maker) open() (a *Archive, err error) {
	if m.opened.Add(1) > mostOpen {
		m.opened.Add(-1)
		return nil, ErrBusy
	}
	a = &Archive{}
	if a.dir, err = m.scratch(); err != nil {
		m.opened.Add(-1)
		return nil, err
	}
	a.close = sync.OnceValue(func() (err error) {
		defer m.opened.Add(-1)
		if a.file != nil {
			err = a.file.Close()
		}
		return errors.Join(err, os.RemoveAll(a.dir))
	})
	return a, nil
}

// scratch is a new directory that only this user reads. What a killed process left is removed.
func (m *Maker) scratch() (dir string, err error) {
	var all error
	for _, parent := range m.Scratch {
		removeLeft(parent)
		if dir, err = os.MkdirTemp(parent, scratchPrefix); err == nil {
			return dir, nil
		}
		all = errors.Join(all, err)
	}
	return "", fmt.Errorf("making a directory for a pack of evidence; TMPDIR names another place for it: %w", all)
}

// removeLeft removes what processes left that ended while they made a pack.
func removeLeft(parent string) {
	left, err := filepath.Glob(filepath.Join(parent, scratchPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range left {
		if state, err := os.Lstat(dir); err == nil && state.IsDir() && time.Since(state.ModTime()) > leftAfter {
			_ = os.RemoveAll(dir) // another user's, or already gone
		}
	}
}

// WriteTo writes the archive.
func (a *Archive) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, a.file) }

// Close removes it.
func (a *Archive) Close() error { return a.close() }

// Answer answers a request with the archive. After an error the connection has to be cut, so that
// nobody takes a part for the whole.
func (a *Archive) Answer(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", MediaType)
	h.Set("Content-Disposition", `attachment; filename="evidence-`+a.Manifest.Created.UTC().Format("20060102-150405")+`.tar"`)
	h.Set("Content-Length", strconv.FormatInt(a.Size, 10))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, err := a.WriteTo(w)
	return err
}

// MediaType is that of an archive.
const MediaType = "application/x-tar"
