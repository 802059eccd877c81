package tree

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// maxLevel bounds how many records a tree has: 2^48 of them, nine years at a million a
// second. Above 2^62 the arithmetic of tlog overflows, and never ends for some sizes, so a
// number that a stranger wrote must not come near it.
const maxLevel = 48

// MaxSize is the largest number of records of a tree.
const MaxSize = 1 << maxLevel

// Frontier is the right edge of a tree: the roots of the full subtrees that its records
// make up, from which the root follows and to which records are appended. The zero value is
// the empty tree. A copy is a tree of its own, and two are equal if they are of the same
// records. It is not safe for concurrent use.
type Frontier struct {
	size int64
	// roots has at l the root of the full subtree of 2^l records that is not yet part of a
	// larger one: where bit l of size is set. The others are zero.
	roots [maxLevel + 1]tlog.Hash
}

// Append adds a record.
func (f *Frontier) Append(record []byte) { f.AppendHash(tlog.RecordHash(record)) }

// AppendHash adds the record that has this [tlog.RecordHash].
func (f *Frontier) AppendHash(hash tlog.Hash) {
	// Each trailing set bit of the size is a subtree that this record completes.
	level := bits.TrailingZeros64(^uint64(f.size))
	for l := range level {
		hash, f.roots[l] = tlog.NodeHash(f.roots[l], hash), tlog.Hash{}
	}
	f.roots[level] = hash
	f.size++
}

// Size is the number of records.
func (f *Frontier) Size() int64 { return f.size }

// Root is the root of the tree of all records so far.
func (f *Frontier) Root() tlog.Hash {
	if f.size == 0 {
		return emptyRoot
	}
	level := bits.TrailingZeros64(uint64(f.size))
	root := f.roots[level]
	for l := level + 1; f.size>>l > 0; l++ {
		if f.size>>l&1 == 1 {
			root = tlog.NodeHash(f.roots[l], root)
		}
	}
	return root
}

// emptyRoot is the root of the tree without records, the hash of nothing.
var emptyRoot = func() tlog.Hash {
	root, err := tlog.TreeHash(0, nil)
	if err != nil {
		panic(err)
	}
	return root
}()

// MarshalText returns the size and the root of each full subtree, the largest first, in
// base64, separated by spaces.
func (f *Frontier) MarshalText() ([]byte, error) {
	text := strconv.AppendInt(nil, f.size, 10)
	for l := maxLevel; l >= 0; l-- {
		if f.size>>l&1 == 1 {
			text = append(append(text, ' '), f.roots[l].String()...)
		}
	}
	return text, nil
}

// UnmarshalText reads what MarshalText wrote, in that one spelling. After an error the
// frontier is as it was.
func (f *Frontier) UnmarshalText(text []byte) error {
	parts := bytes.Split(text, []byte{' '})
	size, err := ParseSize(string(parts[0]))
	if err != nil {
		return fmt.Errorf("frontier: %w", err)
	}
	if len(parts) != 1+bits.OnesCount64(uint64(size)) {
		return fmt.Errorf("frontier: %d hashes cannot be those of %d records", len(parts)-1, size)
	}
	read := Frontier{size: size}
	parts = parts[1:]
	for l := maxLevel; l >= 0; l-- {
		if size>>l&1 == 0 {
			continue
		}
		if read.roots[l], err = parseHash(string(parts[0])); err != nil {
			return fmt.Errorf("frontier: %w", err)
		}
		parts = parts[1:]
	}
	*f = read
	return nil
}

// ParseSize reads a size or an index as the specifications write it: decimal digits without a
// leading zero, at most [MaxSize].
func ParseSize(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > MaxSize || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%.32q is not a number from 0 to %d in digits alone", text, int64(MaxSize))
	}
	return n, nil
}

// parseHash reads a hash in its one spelling: 44 characters of base64 with padding. The
// decoder alone would skip line breaks and ignore the last bits.
func parseHash(text string) (hash tlog.Hash, err error) {
	if len(text) != base64.StdEncoding.EncodedLen(tlog.HashSize) {
		return hash, errHash
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(decoded) != tlog.HashSize {
		return hash, errHash
	}
	return tlog.Hash(decoded), nil
}

var errHash = errors.New("not a hash of 32 bytes in base64 with padding")
