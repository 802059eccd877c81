package audit

import (
	"errors"
	"fmt"
	"iter"
	"os"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/tree"
)

// tilesDirectory has the hashes of the tree as tiles, in the log's directory.
const tilesDirectory = "tiles"

// tiles keeps the hashes of the tree as files, from which proofs are made. They have nothing
// that does not follow from the log, and are made again from it if they are gone or damaged.
type tiles struct {
	dir    string
	stored storage           // of the records
	lock   *logfile.FileLock // held by whoever writes them
}

// bringUpTo writes the tiles up to a checkpoint.
func (t tiles) bringUpTo(c tree.Checkpoint, signed []byte) error {
	return t.lock.With(func() error {
		err := t.extend(tree.TilesConfig{Dir: t.dir}, c, signed)
		if err == nil {
			return nil
		}
		if removeErr := os.RemoveAll(t.dir); removeErr != nil {
			return errors.Join(err, removeErr)
		}
		return t.extend(tree.TilesConfig{Dir: t.dir}, c, signed)
	})
}

// newest brings the tiles up to the newest checkpoint and returns that.
func (t tiles) newest(of *checkpoints) (c tree.Checkpoint, signed []byte, err error) {
	if c, signed, err = of.newest(); err == nil {
		err = t.bringUpTo(c, signed)
	}
	return c, signed, err
}

// extend writes tiles to a directory, from where it has them up to a checkpoint.
func (t tiles) extend(to tree.TilesConfig, c tree.Checkpoint, signed []byte) error {
	written, err := tree.OpenTiles(to)
	if err != nil || written.Size() >= c.Size {
		return err
	}
	if !to.Bundles {
		if err := written.AddHashes(c.Size, t.stored.removed(written.Size()+1)); err != nil {
			return err
		}
	}
	return written.Extend(c, signed, t.records(written.Size()+1))
}

// records are those of the log from a number on.
func (t tiles) records(from int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		next := from
		segments, err := t.stored.segments()
		if err != nil {
			yield(nil, err)
			return
		}
		err = logfile.ScanSegments(segments, from, func(r logfile.Record) error {
			if r.Seq != next {
				return fmt.Errorf("the log begins with entry %d: the tiles of what was removed are gone", r.Seq)
			}
			next++
			if !yield(r.Text, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}
