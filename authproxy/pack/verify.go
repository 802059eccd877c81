package pack

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/tree"
)

// Verified is what a check has seen.
type Verified struct {
	Manifest Manifest
	// Bound is the number of the log's entry that holds the manifest's SHA-256.
	Bound int64
}

// Verify checks a pack by the log's public key alone, or after rotations by several, one a line,
// as `sfmcp-proxy audit key` prints them. The error says the first thing that is not as the log
// and the manifest say.
func Verify(path, keys string) (v Verified, err error) {
	verifiers, err := verifiersOf(keys)
	if err != nil {
		return v, err
	}
	f, err := open(path)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := f.read(ManifestFile, Bounds.ManifestBytes)
	if err != nil {
		return v, err
	}
	if v.Manifest, err = readManifest(text); err != nil {
		return v, err
	}
	if v.Bound, err = f.bound(text, verifiers); err != nil {
		return v, err
	}
	if err := f.fit(v.Manifest); err != nil {
		return v, err
	}
	return v, f.entriesFit(v.Manifest, verifiers)
}

func verifiersOf(keys string) (all []note.Verifier, err error) {
	for line := range strings.SplitSeq(strings.TrimSpace(keys), "\n") {
		v, err := note.NewVerifier(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("reading the public key: %w; expected what `sfmcp-proxy audit key` printed", err)
		}
		all = append(all, v)
	}
	return all, nil
}

// bound checks that the log has an entry which names the manifest.
func (f *files) bound(manifest []byte, keys []note.Verifier) (seq int64, err error) {
	line, err := f.read(EntryFile, int64(Bounds.LineBytes))
	if err != nil {
		return 0, err
	}
	text, err := f.read(ProofFile, Bounds.ManifestBytes)
	if err != nil {
		return 0, err
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	var proof tree.Proof
	if err := proof.UnmarshalText(text); err != nil {
		return 0, fmt.Errorf("%s: %w", ProofFile, err)
	}
	if _, err := proof.Verify(line, keys...); err != nil {
		return 0, fmt.Errorf("%s: %w", ProofFile, err)
	}
	var e struct {
		record
		Object  string        `json:"object"`
		Outcome audit.Outcome `json:"outcome"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return 0, fmt.Errorf("%s: %w", EntryFile, err)
	}
	if e.Action != audit.EvidenceMake || e.Outcome != audit.OK || e.Object != digestText(manifest) {
		return 0, fmt.Errorf("%s is not what entry %d of the log says: it was changed, or the entry is of another pack", ManifestFile, e.Seq)
	}
	return e.Seq, nil
}

// fit checks that the files are those that the manifest names.
func (f *files) fit(m Manifest) error {
	if others := f.besides(m); len(others) > 0 {
		return fmt.Errorf("%s is not in the manifest", others[0])
	}
	if len(m.Files) > Bounds.Files {
		return fmt.Errorf("%s names more than %d files", ManifestFile, Bounds.Files)
	}
	for _, want := range m.Files {
		r := f.of[want.Name]
		if r == nil {
			return fmt.Errorf("%s is missing", want.Name)
		}
		sum, lines := sha256.New(), &lineCounter{}
		n, err := io.Copy(io.MultiWriter(sum, lines), io.NewSectionReader(r, 0, r.Size()))
		if err != nil {
			return fmt.Errorf("%s: %w", want.Name, err)
		}
		if got := (File{want.Name, hex.EncodeToString(sum.Sum(nil)), n, lines.n}); got != want {
			return fmt.Errorf("%s was changed: it has %d bytes and SHA-256 %s, the manifest says %d and %s", want.Name, got.Bytes, got.SHA256, want.Bytes, want.SHA256)
		}
	}
	return nil
}

// lineCounter counts line breaks.
type lineCounter struct{ n int64 }

func (c *lineCounter) Write(text []byte) (int, error) {
	c.n += int64(bytes.Count(text, []byte("\n")))
	return len(text), nil
}

// lines reads a file line by line.
func (f *files) lines(name string) (*bufio.Scanner, error) {
	r := f.of[name]
	if r == nil {
		return nil, fmt.Errorf("%s is missing", name)
	}
	s := bufio.NewScanner(io.NewSectionReader(r, 0, r.Size()))
	s.Buffer(nil, Bounds.LineBytes)
	return s, nil
}

// entriesFit checks each entry: that the log has it in its place, and that the readable one says
// nothing else than the record.
func (f *files) entriesFit(m Manifest, keys []note.Verifier) error {
	signed, err := f.read(CheckpointFile, Bounds.ManifestBytes)
	if err != nil {
		return err
	}
	c, err := tree.ParseCheckpoint(signed, keys...)
	if err != nil {
		return err
	}
	if c.Origin != m.Log.Origin || c.Size != m.Log.Size {
		return fmt.Errorf("the checkpoint is of %d entries of %s, the manifest says %d of %s", c.Size, c.Origin, m.Log.Size, m.Log.Origin)
	}
	records, err := f.lines(EntriesFile)
	proofs, err2 := f.lines(ProofsFile)
	readable, err3 := f.lines(ReadableFile)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	var seen Entries
	for records.Scan() {
		if !proofs.Scan() || !readable.Scan() {
			return fmt.Errorf("entry %d: %s or %s ends before it", seen.Last+1, ProofsFile, ReadableFile)
		}
		if err := checkEntry(&seen, c, records.Bytes(), proofs.Bytes(), readable.Bytes()); err != nil {
			return err
		}
		if seen.Count > int64(Bounds.Entries) {
			return fmt.Errorf("more than %d entries", Bounds.Entries)
		}
	}
	if proofs.Scan() || readable.Scan() {
		return fmt.Errorf("%s ends before %s or %s", EntriesFile, ProofsFile, ReadableFile)
	}
	if err := errors.Join(records.Err(), proofs.Err(), readable.Err()); err != nil {
		return err
	}
	if seen.ByAction == nil {
		seen.ByAction = map[audit.Action]int64{}
	}
	if !reflect.DeepEqual(seen, m.Entries) {
		return errors.New("the entries are not as many, or not of the actions, that the manifest says")
	}
	return nil
}

func checkEntry(seen *Entries, c tree.Checkpoint, line, proof, readable []byte) error {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("%s: behind entry %d: %w", EntriesFile, seen.Last, err)
	}
	if err := seen.count(r); err != nil {
		return err
	}
	var p proofLine
	if err := json.Unmarshal(proof, &p); err != nil || p.Entry != r.Seq {
		return fmt.Errorf("%s: entry %d has no proof in its place", ProofsFile, r.Seq)
	}
	if err := tree.CheckInclusion(c, r.Seq-1, line, p.Hashes); err != nil {
		return fmt.Errorf("entry %d: %w", r.Seq, err)
	}
	return sameFacts(r.Seq, line, readable)
}

// facts are the members that a record has in the clear, whomever it is about.
var facts = []string{"seq", "at", "action", "outcome", "actor_kind", "org", "client", "grant", "server", "tool", "class", "decision", "rule", "definition_hash", "policy_version",
	"approval", "status", "duration_ms", "bytes", "rows", "records_total", "hidden", "cut", "intent", "request_id"}

// sameFacts compares what an entry says besides people.
func sameFacts(seq int64, line, readable []byte) error {
	var is, says map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(line, &is), json.Unmarshal(readable, &says)); err != nil {
		return fmt.Errorf("%s: entry %d: %w", ReadableFile, seq, err)
	}
	for _, name := range facts {
		if !bytes.Equal(is[name], says[name]) {
			return fmt.Errorf("%s: entry %d says another %s than the log", ReadableFile, seq, name)
		}
	}
	return nil
}
