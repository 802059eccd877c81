package audit

import (
	"slices"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/tree"
)

// What is remembered while many entries are proven is what each proof alone would read, also where
// the log ends within the leaves that are read together.
func TestProverOfManyEntries(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	const entries = 700
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			for range entries / 20 {
				l.Record(t.Context(), Entry{Actor: actor.Proxy, Action: ToolList, Outcome: OK})
			}
		})
	}
	group.Wait()
	many, err := l.Published().Prover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq := int64(1); seq <= entries; seq++ {
		got, err := many.Prove(seq)
		if err != nil {
			t.Fatal(err)
		}
		if seq%37 != 1 && seq < entries-2 {
			continue
		}
		alone, err := tree.ProveInclusion(seq-1, many.Checkpoint.Size, tree.TileHashes(l.tiles.dir, many.Checkpoint))
		if err != nil || !slices.Equal(got, tlog.RecordProof(alone)) {
			t.Fatalf("entry %d: %v, %v, want %v", seq, err, got, alone)
		}
	}
	if _, err := many.Prove(entries + 1); err == nil {
		t.Error("an entry behind the checkpoint is proven")
	}
}
