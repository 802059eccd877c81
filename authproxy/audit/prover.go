package audit

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/tree"
)

// Prover proves entries up to one checkpoint, so that many proofs need one signature. It is for one
// caller at a time.
type Prover struct {
	Checkpoint tree.Checkpoint
	Signed     []byte // the same, signed

	hashes tlog.HashReader
}

// Prover is of everything that the log holds now.
func (p Published) Prover(ctx context.Context) (Prover, error) {
	l := p.log
	if err := l.Checkpoint(ctx); err != nil {
		return Prover{}, err
	}
	c, signed, err := l.tiles.newest(&l.checkpoints)
	return l.tiles.proverOf(c, signed), err
}

func (t tiles) proverOf(c tree.Checkpoint, signed []byte) Prover {
	return Prover{c, signed, &remembered{from: tree.TileHashes(t.dir, c), size: c.Size}}
}

// Prove returns the hashes from the neighbour of an entry up to below the root.
func (p Prover) Prove(seq int64) ([]tlog.Hash, error) {
	hashes, err := tree.ProveInclusion(seq-1, p.Checkpoint.Size, p.hashes)
	if err != nil {
		return nil, fmt.Errorf("proving entry %d: %w", seq, err)
	}
	return hashes, nil
}

// remembered reads hashes together with their neighbours and remembers them: each time that hashes
// are read, every tile up to the root is verified, which costs most of a proof.
type remembered struct {
	from tlog.HashReader
	size int64
	have map[int64]tlog.Hash
}

// Leaves whose hashes are read together, up to which level, and how many hashes are remembered.
const (
	leavesTogether    = 256
	levelsTogether    = 8
	mostRemembered    = 1 << 16
	hashesOfATogether = 2 * leavesTogether
)

// ReadHashes implements [tlog.HashReader].
func (r *remembered) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var missing []int64
	asked := map[int64]bool{}
	for _, index := range indexes {
		if _, known := r.have[index]; known {
			continue
		}
		for _, near := range r.together(index) {
			if _, known := r.have[near]; !known && !asked[near] {
				asked[near] = true
				missing = append(missing, near)
			}
		}
	}
	if len(missing) > 0 {
		read, err := r.from.ReadHashes(missing)
		if err != nil {
			return nil, err
		}
		if r.have == nil || len(r.have) > mostRemembered {
			kept := map[int64]tlog.Hash{}
			for _, index := range indexes { // what is asked for now stays
				if hash, known := r.have[index]; known {
					kept[index] = hash
				}
			}
			r.have = kept
		}
		for i, index := range missing {
			r.have[index] = read[i]
		}
	}
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = r.have[index]
	}
	return hashes, nil
}

// together are the hashes over the same leaves as one that is asked for, which is among them.
func (r *remembered) together(index int64) []int64 {
	level, n := tlog.SplitStoredHashIndex(index)
	if level >= levelsTogether {
		return []int64{index}
	}
	all := make([]int64, 0, hashesOfATogether)
	first := n << level &^ (leavesTogether - 1)
	for l := range levelsTogether {
		for k := first >> l; k < (first+leavesTogether)>>l && (k+1)<<l <= r.size; k++ {
			all = append(all, tlog.StoredHashIndex(l, k))
		}
	}
	return all
}
