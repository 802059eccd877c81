package audit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/audit/tree"
)

// cosignedFile is the newest checkpoint that a witness has signed too, in the log's directory.
const cosignedFile = "checkpoint.cosigned"

// ErrNoEntry is that the log has no entry of that number.
var ErrNoEntry = errors.New("there is no such entry")

// Entry returns the entry of a number, and the line that is a leaf of the tree. [ErrNoEntry]
func (l *Log) Entry(ctx context.Context, seq int64) (e Entry, line []byte, err error) {
	err = reading{l}.selected(ctx, Filter{After: seq - 1}, func(text []byte, found Entry) error {
		if found.Seq != seq {
			return errEnough
		}
		e, line = found, text
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err == nil && line == nil {
		err = fmt.Errorf("entry %d: %w; the log ends at entry %d", seq, ErrNoEntry, l.follow.size())
	}
	return e, line, err
}

// Published is a log as it is known elsewhere: by its checkpoints, tiles and proofs.
type Published struct{ log *Log }

// Published is the log as it is known elsewhere.
func (l *Log) Published() Published { return Published{l} }

// Prove returns the proof that an entry is in the log, as the content of a .tlog-proof file
// (C2SP tlog-proof): with the public key and the entry's line anybody can check it. The checkpoint
// in it is one that a witness has signed, if there is one that covers the entry. [ErrNoEntry]
func (p Published) Prove(ctx context.Context, seq int64) ([]byte, error) {
	l := p.log
	if _, _, err := l.Entry(ctx, seq); err != nil {
		return nil, err
	}
	prover, err := p.Prover(ctx)
	if err != nil {
		return nil, err
	}
	if cosigned, err := readCheckpoint(filepath.Join(l.config.Dir, cosignedFile)); err == nil && cosigned != nil {
		if older, err := l.checkpoints.parse(cosigned); err == nil && older.Size >= seq {
			prover = l.tiles.proverOf(older, cosigned)
		}
	}
	hashes, err := prover.Prove(seq)
	if err != nil {
		return nil, err
	}
	return tree.Proof{Index: seq - 1, Hashes: hashes, Checkpoint: prover.Signed}.MarshalText()
}

// Records calls f with every entry that matches, oldest first, until f fails: with the line that is
// a leaf of the tree, and the entry as far as what it says about people can be read.
func (p Published) Records(ctx context.Context, filter Filter, f func(line []byte, e Entry) error) error {
	return reading(p).selected(ctx, filter, f)
}

// Oldest is the number of the first entry that the log still has, and when it was written; 0: there
// is none.
func (p Published) Oldest(ctx context.Context) (seq int64, at time.Time, err error) {
	err = p.log.List(ctx, Filter{}, func(e Entry) error {
		seq, at = e.Seq, e.At
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return seq, at, err
}

// ExportTiles writes the whole log to a directory as any client of a tiled log reads it (C2SP
// tlog-tiles): hashes, entries and checkpoint. A directory that has it up to an earlier entry is
// brought up to date.
func (p Published) ExportTiles(ctx context.Context, dir string) (size int64, err error) {
	l := p.log
	if err := l.Checkpoint(ctx); err != nil {
		return 0, err
	}
	c, signed, err := l.checkpoints.newest()
	if err != nil {
		return 0, err
	}
	return c.Size, l.tiles.extend(tree.TilesConfig{Dir: dir, Bundles: true}, c, signed)
}

// ProveGrowth returns the hashes that show that the log of newer entries begins with that of older
// ones: what a witness asks for.
func (p Published) ProveGrowth(older, newer int64) ([]tlog.Hash, error) {
	l := p.log
	c, _, err := l.tiles.newest(&l.checkpoints)
	if err != nil {
		return nil, err
	}
	root, err := tlog.TreeHash(newer, tree.TileHashes(l.tiles.dir, c))
	if err != nil {
		return nil, fmt.Errorf("proving that the log has grown: %w", err)
	}
	return tree.ProveConsistency(older, newer, tree.TileHashes(l.tiles.dir, tree.Checkpoint{Origin: c.Origin, Size: newer, Root: root}))
}

// KeepCosigned keeps a checkpoint with the signatures of a witness, for the proofs that are
// made from then on.
func (p Published) KeepCosigned(c publish.Checkpoint, lines []byte) error {
	return writeFile(filepath.Join(p.log.config.Dir, cosignedFile), append(append([]byte(nil), c.Signed...), lines...))
}

// Newest is the newest checkpoint as places elsewhere get it. Its size is 0 if there is none.
func (p Published) Newest() publish.Checkpoint {
	_, origin := p.log.follow.now()
	c, signed, err := p.log.checkpoints.newest()
	if err != nil {
		return publish.Checkpoint{Origin: origin}
	}
	return publish.Checkpoint{Origin: c.Origin, Size: c.Size, Signed: signed}
}

// Lacks is how many entries the newest checkpoint here has that what a place elsewhere has of the log has not.
func (p Published) Lacks(found publish.Found) int64 {
	c, err := p.log.checkpoints.parse(found.Signed)
	if err != nil {
		c.Size = 0 // it has none
	}
	return max(0, p.Newest().Size-c.Size)
}

// AgreeWith compares the log with what places elsewhere have of it, as [Log.Agree] does with
// those that are here. A place that cannot be reached is logged: it is no reason not to serve.
func (p Published) AgreeWith(found []publish.Found) error {
	for _, f := range found {
		switch {
		case errors.Is(f.Err, publish.ErrNone):
			continue
		case errors.Is(f.Err, publish.ErrContradicted):
			return &Disagreement{Place: f.Place, Why: f.Err.Error(), lost: true}
		case f.Err != nil:
			p.log.config.Log.Warn("a place of checkpoints cannot be read: the log was not compared with it", "place", f.Place, "error", f.Err)
			continue
		}
		if _, err := p.log.checkpoints.check(f.Place, f.Signed); err != nil {
			return err
		}
	}
	return nil
}
