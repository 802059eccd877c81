package tree

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrInconsistent is returned where two checkpoints cannot be of one log that only grew.
var ErrInconsistent = errors.New("the two checkpoints are not of one log that has only grown")

// ErrNotIncluded is returned where a proof does not show that a record is in the log.
var ErrNotIncluded = errors.New("the proof does not show that this record has this place in the log")

// ProveInclusion returns the proof that the record with this index, counted from 0, is in
// the tree of the first size records (RFC 6962, section 2.1.1).
func ProveInclusion(index, size int64, hashes tlog.HashReader) ([]tlog.Hash, error) {
	if size < 1 || size > MaxSize || index < 0 || index >= size {
		return nil, fmt.Errorf("there is no record %d among %d", index, size)
	}
	return tlog.ProveRecord(size, index, hashes)
}

// CheckInclusion returns [ErrNotIncluded] unless proof shows that record is the one with
// this index in the log of c.
func CheckInclusion(c Checkpoint, index int64, record []byte, proof []tlog.Hash) error {
	if c.Size > MaxSize || tlog.CheckRecord(proof, c.Size, c.Root, index, tlog.RecordHash(record)) != nil {
		return ErrNotIncluded
	}
	return nil
}

// ProveConsistency returns the proof that the tree of newer records begins with the tree of
// older ones (RFC 6962, section 2.1.2). It has no hashes where older is 0 or newer.
func ProveConsistency(older, newer int64, hashes tlog.HashReader) ([]tlog.Hash, error) {
	if older < 0 || newer > MaxSize || older > newer {
		return nil, fmt.Errorf("a log of %d records does not begin with %d", newer, older)
	}
	if older == 0 {
		return nil, nil
	}
	return tlog.ProveTree(newer, older, hashes)
}

// CheckConsistency returns [ErrInconsistent] unless proof shows that the log of newer
// begins with all of the log of older.
func CheckConsistency(older, newer Checkpoint, proof []tlog.Hash) error {
	if older.Origin != newer.Origin || older.Size < 0 || older.Size > newer.Size || newer.Size > MaxSize {
		return ErrInconsistent
	}
	// Of the empty tree there is nothing to prove; tlog does not take it.
	if older.Size == 0 {
		if older.Root != emptyRoot || len(proof) > 0 || newer.Size == 0 && newer.Root != emptyRoot {
			return ErrInconsistent
		}
		return nil
	}
	if tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root) != nil {
		return ErrInconsistent
	}
	return nil
}
