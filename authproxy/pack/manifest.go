package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

// Format is what this package writes and reads.
const Format = "sfmcp-proxy evidence 1"

// Files of every pack.
const (
	EntriesFile    = "entries.jsonl"
	ProofsFile     = "proofs.jsonl"
	ReadableFile   = "readable.jsonl"
	CheckpointFile = "checkpoint"
	ManifestFile   = "manifest.json"
	EntryFile      = "manifest.entry"
	ProofFile      = "manifest.tlog-proof"
)

// Manifest says what a pack holds, and what it lacks. Times are UTC.
type Manifest struct {
	Format  string    `json:"format"`
	Created time.Time `json:"created"`
	By      string    `json:"by"`
	Version string    `json:"version"` // of the program
	// About is what the pack is of: "user 005…", "approval apr_…", "control access", "period".
	About string    `json:"about"`
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"` // before then
	Log   Log       `json:"log"`
	// Entries are those of entries.jsonl.
	Entries Entries  `json:"entries"`
	Files   []File   `json:"files"`
	Missing []string `json:"missing"` // sentences: what the pack lacks
}

// Log is the log that the entries are of.
type Log struct {
	Origin string `json:"origin"`
	Oldest int64  `json:"oldest"` // number of the first entry that it still had
	Size   int64  `json:"size"`   // entries that its checkpoint covers
}

// Entries counts the entries of a pack.
type Entries struct {
	Count    int64                  `json:"count"`
	First    int64                  `json:"first"` // number of the first; 0: there is none
	Last     int64                  `json:"last"`
	Whole    bool                   `json:"whole"` // every entry from First to Last is there
	ByAction map[audit.Action]int64 `json:"by_action"`
}

// File is one file of a pack.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // in hexadecimal
	Bytes  int64  `json:"bytes"`
	Lines  int64  `json:"lines"` // line breaks
}

// digestText is how the log names a manifest.
func digestText(manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return "manifest sha256 " + hex.EncodeToString(sum[:])
}

// record is what is read of a record to count it.
type record struct {
	Seq    int64        `json:"seq"`
	Action audit.Action `json:"action"`
}

// count takes one more entry in. They come in rising order.
func (e *Entries) count(r record) error {
	if r.Seq <= e.Last || r.Seq < 1 || r.Action == "" {
		return fmt.Errorf("entry %d stands behind entry %d", r.Seq, e.Last)
	}
	if e.First == 0 {
		e.First, e.ByAction = r.Seq, map[audit.Action]int64{}
	}
	e.Last = r.Seq
	e.Count++
	e.ByAction[r.Action]++
	e.Whole = e.Count == e.Last-e.First+1
	return nil
}

// readManifest reads a manifest in the one form that this package writes.
func readManifest(text []byte) (m Manifest, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%s: something follows the object", ManifestFile)
	}
	if m.Format != Format {
		return m, fmt.Errorf("%s: the format is %q; this version reads %q", ManifestFile, m.Format, Format)
	}
	return m, nil
}
