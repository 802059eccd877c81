package tree

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint says what a log holds: so many records, with this root (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string    // which log, by the name of its key
	Size   int64     // number of records
	Root   tlog.Hash // root of the tree of that many records
	// Extension has the lines after the root, each with its newline, as they were signed.
	// Nothing here writes any: the specification advises against them.
	Extension string
}

// Text returns what is signed.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s", c.Origin, c.Size, c.Root, c.Extension)
}

// Sign returns the checkpoint as a signed note.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	// What could not be read back must not be signed.
	if read, err := parseText(c.Text()); err != nil {
		return nil, err
	} else if read != c {
		return nil, errors.New("the checkpoint would be read back as another one")
	}
	if len(signers) == 0 {
		return nil, errors.New("a checkpoint is signed by at least one key")
	}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signers...)
	if err == nil && len(signed) > maxCheckpoint {
		return nil, errLong
	}
	return signed, err
}

// maxCheckpoint bounds a signed checkpoint: 16 signatures of the largest kind that the
// specification speaks of, and some room.
const maxCheckpoint = 128 << 10

var errLong = fmt.Errorf("checkpoint: longer than %d bytes", maxCheckpoint)

// ParseCheckpoint reads a signed checkpoint. It must be of the log whose keys these are:
// each has the origin as its name, and one at least has signed. A log has several after its
// key was changed. Signatures of other keys, as those of witnesses, are not looked at.
func ParseCheckpoint(signed []byte, keys ...note.Verifier) (Checkpoint, error) {
	if len(signed) > maxCheckpoint {
		return Checkpoint{}, errLong
	}
	opened, err := note.Open(signed, note.VerifierList(keys...))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := parseText(opened.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	// The key of another log, where one was given, does not speak for this one.
	own := slices.DeleteFunc(opened.Sigs, func(s note.Signature) bool { return s.Name != c.Origin })
	if len(own) == 0 {
		return Checkpoint{}, fmt.Errorf("checkpoint: of %q, but signed by the key of %q", c.Origin, opened.Sigs[0].Name)
	}
	for _, signature := range own {
		if _, err := base64.StdEncoding.Strict().DecodeString(signature.Base64); err != nil {
			return Checkpoint{}, errors.New("checkpoint: the signature is not spelled as base64 is")
		}
	}
	return c, nil
}

// parseText reads the text of a checkpoint, exactly as the specification has it.
func parseText(text string) (Checkpoint, error) {
	parts := strings.SplitN(text, "\n", 4)
	if len(parts) < 4 {
		return Checkpoint{}, errors.New("checkpoint: not the three lines origin, size and root")
	}
	c := Checkpoint{Origin: parts[0], Extension: parts[3]}
	if err := checkOrigin(c.Origin); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	var err error
	if c.Size, err = ParseSize(parts[1]); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: size %w", err)
	}
	if c.Root, err = parseHash(parts[2]); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: root: %w", err)
	}
	if c.Size == 0 && c.Root != emptyRoot {
		return Checkpoint{}, errors.New("checkpoint: no records, but not the root of the empty tree")
	}
	if strings.HasPrefix(c.Extension, "\n") || strings.Contains(c.Extension, "\n\n") {
		return Checkpoint{}, errors.New("checkpoint: an empty line after the root")
	}
	return c, nil
}
