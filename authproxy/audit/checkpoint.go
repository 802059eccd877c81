package audit

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"sfmcp-proxy/authproxy/audit/tree"
	"sfmcp-proxy/authproxy/db"
)

const (
	// checkpointKey is what the Ed25519 keys that sign checkpoints are derived for.
	checkpointKey = "audit checkpoint"
	// checkpointFile is the name of the newest checkpoint in the log's directory, as in C2SP
	// tlog-tiles.
	checkpointFile = "checkpoint"
	// maxCheckpoint bounds a checkpoint that is read, in bytes.
	maxCheckpoint = 64 << 10
)

// newOrigin names a log that is begun: no other one has its name.
func newOrigin(host string) string {
	if host == "" {
		host = "sfmcp-proxy"
	}
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	return host + "/audit/" + hex.EncodeToString(id)
}

// seeds are those of the keys that sign, the one in force first.
func (l *Log) seeds() (seeds [][32]byte, err error) {
	keys, err := l.config.Ring.Keys(checkpointKey)
	if err != nil {
		return nil, fmt.Errorf("deriving the keys of checkpoints: %w", err)
	}
	for _, key := range keys {
		seeds = append(seeds, [32]byte(key.Key))
	}
	return seeds, nil
}

// sign returns the signed checkpoint of a tree. Every key of the ring signs, so that whoever
// knows an earlier public key can go on with it while that key is in the ring.
func (l *Log) sign(origin string, edge *tree.Frontier) ([]byte, error) {
	seeds, err := l.seeds()
	if err != nil {
		return nil, err
	}
	var signers []note.Signer
	for _, seed := range seeds {
		signer, err := tree.NewSigner(origin, seed)
		if err != nil {
			return nil, fmt.Errorf("signing a checkpoint: %w", err)
		}
		signers = append(signers, signer)
	}
	return tree.Checkpoint{Origin: origin, Size: edge.Size(), Root: edge.Root()}.Sign(signers...)
}

// Keys are the public keys that the log's checkpoints verify with, the one in force
// first, as "ORIGIN+ID+KEY" (C2SP signed-note).
func (l *Log) Keys() (keys []string, err error) {
	l.catchUp()
	edge, origin := l.follow.now()
	if edge.Size() == 0 {
		return nil, errors.New("the audit log has no entry yet: it gets its name, which is part of the key, with the first one")
	}
	seeds, err := l.seeds()
	if err != nil {
		return nil, err
	}
	for _, seed := range seeds {
		key, err := tree.VerifierKey(origin, seed)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// place is where this log's newest checkpoint is kept beside others. All of them get each
// checkpoint in this order, so that one never holds more than one before it does.
type place struct {
	name  string
	read  func(context.Context) ([]byte, error) // nil: there is none
	write func(ctx context.Context, checkpoint []byte) error
}

// places are the log's directory, the database, and the directory of the key file.
func (l *Log) places() []place {
	_, origin := l.follow.now()
	row := checkpointRow{l.config.DB, "audit_checkpoint " + origin}
	all := []place{
		filePlace("the log's directory", filepath.Join(l.config.Dir, checkpointFile)),
		{"the database", row.read, row.write},
	}
	if path := l.config.Ring.Path(); path != "" {
		all = append(all, filePlace("the directory of the key file", path+"."+checkpointFile))
	}
	return all
}

func filePlace(name, path string) place {
	return place{name + " (" + path + ")",
		func(context.Context) ([]byte, error) { return readCheckpoint(path) },
		func(_ context.Context, checkpoint []byte) error { return writeFile(path, checkpoint) },
	}
}

// readCheckpoint reads a file that may not be there.
func readCheckpoint(path string) ([]byte, error) {
	state, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && state.Size() > maxCheckpoint {
		err = fmt.Errorf("%s: %d bytes are not a checkpoint", path, state.Size())
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// writeFile puts a file in the place of the one that may be there: at any time it is one or
// the other, whole.
func writeFile(path string, content []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // only its owner may read it
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// checkpointRow keeps a checkpoint in the table meta.
type checkpointRow struct {
	db   *db.DB
	name string
}

func (r checkpointRow) read(ctx context.Context) ([]byte, error) {
	var text string
	err := r.db.Reads.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, r.name).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return []byte(text), err
}

func (r checkpointRow) write(ctx context.Context, checkpoint []byte) error {
	_, err := r.db.Writes.ExecContext(ctx, `
		INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, r.name, string(checkpoint))
	return err
}

// Applied is up to which entry the database is known to be as the log says: that of the
// checkpoint that it has. A database that was put back has an older one; 0: it has none.
func (l *Log) Applied(ctx context.Context) (int64, error) {
	l.catchUp()
	_, origin := l.follow.now()
	text, err := checkpointRow{l.config.DB, "audit_checkpoint " + origin}.read(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the database's checkpoint of the audit log: %w", err)
	}
	c, err := l.parse(text)
	if err != nil {
		return 0, nil // everything is applied again
	}
	return c.Size, nil
}

// Checkpoint signs what the log holds and stores that in every place, unless it has not grown since
// the last one. An error names the places that did not take it; it is a [*Disagreement], and nothing
// is stored, if the log does not agree with the checkpoints that are there.
func (l *Log) Checkpoint(ctx context.Context) error {
	l.Flush()
	return l.checkpoints.With(func() error { return l.checkpoint(ctx) })
}

// checkpoint does so while nobody else reads or writes checkpoints.
func (l *Log) checkpoint(ctx context.Context) error {
	edge, origin := l.follow.now()
	if edge.Size() == 0 || edge.Size() == l.follow.storedSize() {
		return nil
	}
	if !l.agreed { // a newer checkpoint would hide what does not agree
		if err := l.agree(ctx); err != nil {
			return err
		}
	}
	signed, err := l.sign(origin, &edge)
	if err != nil {
		return err
	}
	if err := l.storeCheckpoint(ctx, signed, edge.Size()); err != nil {
		return err
	}
	l.follow.setStored(edge.Size())
	return nil
}

// storeCheckpoint brings a checkpoint to the places that have an older one. A place that has a
// newer one got it from another process.
func (l *Log) storeCheckpoint(ctx context.Context, signed []byte, size int64) error {
	var failed []error
	for _, p := range l.places() {
		newer, err := l.hasNewer(ctx, p, size)
		if err == nil && !newer {
			err = p.write(ctx, signed)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("storing a checkpoint of the audit log in %s: %w", p.name, err))
		}
	}
	return errors.Join(failed...)
}

// hasNewer says whether a place has a checkpoint of that size or more. What this process
// stored there before must not have become less: then nothing is appended any more.
func (l *Log) hasNewer(ctx context.Context, p place, size int64) (bool, error) {
	there, err := p.read(ctx)
	if err != nil || there == nil {
		return false, err
	}
	c, err := l.parse(there)
	stored := l.follow.storedSize()
	switch {
	case err != nil && stored > 0:
		l.Halt(&Disagreement{Place: p.name, Why: "its checkpoint was changed: " + err.Error()})
	case err == nil && c.Size < stored:
		l.Halt(&Disagreement{Place: p.name, Why: fmt.Sprintf("its checkpoint is of %d entries, and one of %d was stored there: it was put back", c.Size, stored)})
	}
	if why := l.halted.Load(); why != nil {
		return false, why
	}
	return err == nil && c.Size >= size, nil
}

// parse reads a checkpoint of this log that one of our keys signed.
func (l *Log) parse(signed []byte) (tree.Checkpoint, error) {
	_, origin := l.follow.now()
	keys, err := l.verifiers(origin)
	if err != nil {
		return tree.Checkpoint{}, err
	}
	return tree.ParseCheckpoint(signed, keys...)
}

// signedHere returns an error unless a key of our ring has signed the state of a segment of the log
// of that name.
func (l *Log) signedHere(origin string, s segmentState) error {
	keys, err := l.verifiers(origin)
	if err != nil {
		return err
	}
	c, err := tree.ParseCheckpoint(s.checkpoint, keys...)
	if err == nil && (c.Size != s.edge.Size() || c.Root != s.edge.Root()) {
		err = errors.New("its checkpoint is of other entries")
	}
	return err
}

// verifiers are the keys of our ring for a log of that name.
func (l *Log) verifiers(origin string) (keys []note.Verifier, err error) {
	seeds, err := l.seeds()
	if err != nil {
		return nil, err
	}
	for _, seed := range seeds {
		text, err := tree.VerifierKey(origin, seed)
		if err != nil {
			return nil, err
		}
		key, err := note.NewVerifier(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
