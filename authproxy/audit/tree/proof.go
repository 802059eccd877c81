package tree

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Proof shows, to somebody who has the record and the log's public key and nothing else, that
// the record is in the log (C2SP tlog-proof).
type Proof struct {
	// Extra is whatever the maker of the proof put there. It is not authenticated.
	Extra      []byte
	Index      int64       // of the record, counted from 0
	Hashes     []tlog.Hash // from the record's neighbour up to below the root
	Checkpoint []byte      // the signed checkpoint, with the cosignatures of witnesses
}

const (
	proofHeader = "c2sp.org/tlog-proof@v1"
	extraPrefix = "extra "
	indexPrefix = "index "
	// maxExtra bounds the extra data of a proof, in bytes.
	maxExtra = 64 << 10
)

// MarshalText returns the proof as the content of a .tlog-proof file.
func (p Proof) MarshalText() ([]byte, error) {
	if p.Index < 0 || p.Index >= MaxSize || len(p.Hashes) > maxLevel || len(p.Extra) > maxExtra || len(p.Checkpoint) > maxCheckpoint {
		return nil, errors.New("proof: an index, hashes, extra data or a checkpoint beyond the bounds of a log")
	}
	text := fmt.Appendln(nil, proofHeader)
	if len(p.Extra) > 0 {
		text = fmt.Appendf(text, "%s%s\n", extraPrefix, base64.StdEncoding.EncodeToString(p.Extra))
	}
	text = fmt.Appendf(text, "%s%d\n", indexPrefix, p.Index)
	for _, hash := range p.Hashes {
		text = fmt.Appendln(text, hash)
	}
	return append(append(text, '\n'), p.Checkpoint...), nil
}

// UnmarshalText reads a proof in its one spelling. It does not look at the checkpoint, which
// [Proof.Verify] does.
func (p *Proof) UnmarshalText(text []byte) error {
	// Hashes take 45 bytes each, extra data four for three.
	if len(text) > 256+maxLevel*45+maxExtra*4/3+maxCheckpoint {
		return errors.New("proof: too long")
	}
	head, checkpoint, ok := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !ok || lines[0] != proofHeader {
		return fmt.Errorf("proof: not a file of %s", proofHeader)
	}
	read := Proof{Checkpoint: bytes.Clone(checkpoint)}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], extraPrefix) {
		extra, err := base64.StdEncoding.Strict().DecodeString(lines[0][len(extraPrefix):])
		if err != nil || len(extra) == 0 || len(extra) > maxExtra || strings.Contains(lines[0], "\r") {
			return errors.New("proof: the extra data is not base64 with padding")
		}
		read.Extra, lines = extra, lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], indexPrefix) {
		return errors.New(`proof: there is no line "index"`)
	}
	var err error
	if read.Index, err = ParseSize(lines[0][len(indexPrefix):]); err != nil {
		return fmt.Errorf("proof: index %w", err)
	}
	if lines = lines[1:]; len(lines) > maxLevel || read.Index == MaxSize {
		return errors.New("proof: of a log larger than any can be")
	}
	for _, line := range lines {
		hash, err := parseHash(line)
		if err != nil {
			return fmt.Errorf("proof: %w", err)
		}
		read.Hashes = append(read.Hashes, hash)
	}
	*p = read
	return nil
}

// Verify returns the checkpoint of the log that record is shown to be in, by one of its keys as
// in [ParseCheckpoint]. [ErrNotIncluded] says that it is not shown.
func (p Proof) Verify(record []byte, keys ...note.Verifier) (Checkpoint, error) {
	c, err := ParseCheckpoint(p.Checkpoint, keys...)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := CheckInclusion(c, p.Index, record, p.Hashes); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}
