package audit

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"sfmcp-proxy/authproxy/audit/tree"
)

// KeysOf are the public keys that the checkpoints of the log with a name verify with, if this
// key file signs them, the one in force first, as [Log.Keys] has them.
func (l *Log) KeysOf(origin string) ([]string, error) { return l.checkpoints.publicKeys(origin) }

// CheckpointOf is the checkpoint that the database has of a log, whichever process writes that; its
// keys are public ones, as [Log.Keys] has them. It is nil if there is none; the error is a
// [*Disagreement] if what is there is not one of this log.
func (l *Log) CheckpointOf(ctx context.Context, origin string, keys []string) (*tree.Checkpoint, error) {
	signed, err := (&checkpointRow{db: l.config.DB, name: checkpointRows + origin}).read(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint of the audit log %s in the database: %w", origin, err)
	}
	if signed == nil {
		return nil, nil
	}
	verifiers, err := parseVerifiers(keys)
	if err != nil {
		return nil, err
	}
	c, err := tree.ParseCheckpoint(signed, verifiers...)
	if err != nil {
		return nil, &Disagreement{Place: "the database", Why: fmt.Sprintf("what it has as checkpoint of the log %s is not one of that log: %v", origin, err)}
	}
	return &c, nil
}

func parseVerifiers(keys []string) (all []note.Verifier, err error) {
	for _, key := range keys {
		verifier, err := note.NewVerifier(strings.TrimSpace(key))
		if err != nil {
			return nil, fmt.Errorf("reading a public key of an audit log: %w", err)
		}
		all = append(all, verifier)
	}
	return all, nil
}

// Expected is what somebody says of a log who is not asked to prove it: that it had so many entries,
// with this root.
type Expected struct {
	Who  string // says so
	Size int64
	Root [32]byte
}

// VerifyCopy does as [VerifyFiles] with keys one by one, and compares with what others expect. A log
// that has fewer entries than one of them says, or others, is a [*Broken].
func VerifyCopy(ctx context.Context, dir string, keys []string, expected []Expected) (Verified, error) {
	v, err := verificationOf(dir, keys)
	if err != nil {
		return Verified{}, err
	}
	for _, e := range expected {
		v.expected = append(v.expected, parsedCheckpoint{e.Who, tree.Checkpoint{Origin: v.keys[0].Name(), Size: e.Size, Root: e.Root}, true})
	}
	return v.runFiles(ctx, dir)
}
