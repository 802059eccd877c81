package tree

import (
	"errors"
	"math"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestInclusionOfEveryRecord(t *testing.T) {
	const most = 70
	stored := treeOf(t, most)
	for size := int64(1); size <= most; size++ {
		c := checkpointOf(t, stored, size)
		for index := range size {
			proof, err := ProveInclusion(index, size, stored)
			if err != nil {
				t.Fatalf("%d of %d: %v", index, size, err)
			}
			if err := CheckInclusion(c, index, record(index), proof); err != nil {
				t.Fatalf("%d of %d: %v", index, size, err)
			}
			for _, wrong := range []int64{index - 1, index + 1, size, -1, math.MaxInt64, math.MinInt64} {
				if wrong != index && CheckInclusion(c, wrong, record(index), proof) == nil {
					t.Fatalf("%d of %d is shown to be at %d", index, size, wrong)
				}
			}
		}
	}
}

func TestS1InclusionRefusesForgedProofs(t *testing.T) {
	stored := treeOf(t, 100)
	c := checkpointOf(t, stored, 100)
	proof := must(ProveInclusion(41, 100, stored))(t)
	check := func(name string, c Checkpoint, index int64, text []byte, proof []tlog.Hash) {
		t.Helper()
		if err := CheckInclusion(c, index, text, proof); !errors.Is(err, ErrNotIncluded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("another record", c, 41, record(42), proof)
	check("record with newline", c, 41, append(record(41), '\n'), proof)
	for i := range proof {
		bad := slices.Clone(proof)
		bad[i][i] ^= 1
		check("a bit flipped", c, 41, record(41), bad)
		check("a hash left out", c, 41, record(41), slices.Delete(slices.Clone(proof), i, i+1))
		check("a hash twice", c, 41, record(41), slices.Insert(slices.Clone(proof), i, proof[i]))
	}
	for i := range len(proof) - 1 {
		bad := slices.Clone(proof)
		bad[i], bad[i+1] = bad[i+1], bad[i]
		check("hashes swapped", c, 41, record(41), bad)
	}
	check("no proof", c, 41, record(41), nil)
	for _, size := range []int64{-1, 0, 41, 42, 63, 64, 99, 101, 128, MaxSize, MaxSize + 1, math.MaxInt64} {
		wrong := c
		wrong.Size = size
		if size > 64 && size <= 128 {
			// The path of record 41 is the same in every tree of these sizes; what tells
			// them apart is the root, which a signature binds to the size.
			continue
		}
		check("size of another tree", wrong, 41, record(41), proof)
	}
	// An inner node is not a record: the hashes are of different kinds.
	left, right := tlog.RecordHash(record(0)), tlog.RecordHash(record(1))
	two := checkpointOf(t, stored, 2)
	check("an inner node as a record", Checkpoint{Origin: origin, Size: 1, Root: two.Root}, 0, append(left[:], right[:]...), nil)
}

func TestConsistencyOfEveryTwoSizes(t *testing.T) {
	const most = 40
	stored := treeOf(t, most)
	for newer := range int64(most + 1) {
		for older := range newer + 1 {
			from, to := checkpointOf(t, stored, older), checkpointOf(t, stored, newer)
			proof, err := ProveConsistency(older, newer, stored)
			if err != nil {
				t.Fatalf("%d to %d: %v", older, newer, err)
			}
			if err := CheckConsistency(from, to, proof); err != nil {
				t.Fatalf("%d to %d: %v", older, newer, err)
			}
			if older < newer && CheckConsistency(to, from, proof) == nil {
				t.Fatalf("%d grew to %d", newer, older)
			}
		}
	}
}

// Somebody keeps two logs, or puts back an older one and goes on from there.
func TestS1ConsistencyRefusesAFork(t *testing.T) {
	const size, fork = 100, 60
	stored := treeOf(t, size)
	var forked storedHashes
	for n := range int64(size) {
		text := record(n)
		if n >= fork {
			text = append(text, '!')
		}
		forked.append(t, n, text)
	}
	for _, older := range []int64{fork + 1, fork + 4, 64, 80, size} {
		for _, hashes := range []storedHashes{stored, forked} {
			proof := must(ProveConsistency(older, size, hashes))(t)
			if err := CheckConsistency(checkpointOf(t, stored, older), checkpointOf(t, forked, size), proof); !errors.Is(err, ErrInconsistent) {
				t.Errorf("from %d of one to the other: %v", older, err)
			}
		}
	}
	proof := must(ProveConsistency(fork, size, forked))(t)
	if err := CheckConsistency(checkpointOf(t, stored, fork), checkpointOf(t, forked, size), proof); err != nil {
		t.Errorf("up to the fork they are one: %v", err)
	}

	from, to := checkpointOf(t, stored, fork), checkpointOf(t, stored, size)
	proof = must(ProveConsistency(fork, size, stored))(t)
	for i := range proof {
		bad := slices.Clone(proof)
		bad[i][31] ^= 0x80
		if CheckConsistency(from, to, bad) == nil || CheckConsistency(from, to, slices.Delete(slices.Clone(proof), i, i+1)) == nil {
			t.Errorf("hash %d of the proof does not count", i)
		}
	}
	foreign := to
	foreign.Origin = "other.example.com/audit"
	if CheckConsistency(from, foreign, proof) == nil {
		t.Error("one log grew to another one")
	}
	empty := checkpointOf(t, stored, 0)
	for name, c := range map[string][2]Checkpoint{
		"empty with a root":  {{Origin: origin, Root: to.Root}, to},
		"to less than none":  {empty, {Origin: origin, Size: -1}},
		"to an empty root":   {empty, {Origin: origin, Root: to.Root}},
		"negative":           {{Origin: origin, Size: -1}, to},
		"beyond the largest": {from, {Origin: origin, Size: math.MaxInt64, Root: to.Root}},
	} {
		if CheckConsistency(c[0], c[1], nil) == nil || c[0].Size > 0 && CheckConsistency(c[0], c[1], proof) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if CheckConsistency(empty, to, proof) == nil {
		t.Error("from the empty tree, with hashes that nobody needs: taken")
	}
}

func TestProofsOfWhatIsNotThere(t *testing.T) {
	stored := treeOf(t, 10)
	for _, c := range [][2]int64{{0, 0}, {10, 10}, {-1, 10}, {0, -1}, {3, MaxSize + 1}, {0, math.MaxInt64}} {
		if _, err := ProveInclusion(c[0], c[1], stored); err == nil {
			t.Errorf("record %d of %d is proven", c[0], c[1])
		}
	}
	for _, c := range [][2]int64{{11, 10}, {-1, 10}, {3, MaxSize + 1}, {1, math.MaxInt64}, {-5, -5}} {
		if _, err := ProveConsistency(c[0], c[1], stored); err == nil {
			t.Errorf("%d to %d is proven", c[0], c[1])
		}
	}
	// Of a tree whose hashes are not all there, no proof is made up.
	if _, err := ProveInclusion(3, 11, stored); err == nil {
		t.Error("a proof with hashes that are not there")
	}
}
