package oracle

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/tree"
)

// leafHashes hashes the entries of a bundle, as the fsck command of Tessera does.
func leafHashes(bundle []byte) (hashes [][]byte, err error) {
	var parsed api.EntryBundle
	if err := parsed.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	for _, entry := range parsed.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

func (l *auditLog) fsck(t *testing.T) error {
	t.Helper()
	return fsck.New(origin, l.verifier, client.FileFetcher{Root: l.tiles}, leafHashes, fsck.Opts{N: 2}).Check(t.Context())
}

// Tessera's fsck makes the whole tree from the entry bundles, and compares every tile and the
// root in the checkpoint.
func TestTesseraFsckAgrees(t *testing.T) {
	l := newLog(t)
	for _, size := range []int64{1, 255, 256, 257, 700, 65_536, 70_000} {
		l.grow(t, size)
		if err := l.fsck(t); err != nil {
			t.Fatalf("%d records: %v", size, err)
		}
	}
	// It does look: one bit of any of these is found.
	for _, path := range []string{"tile/0/001", "tile/0/273.p/112", "tile/1/000", "tile/2/000.p/1", "tile/entries/100", "checkpoint"} {
		path = filepath.Join(l.tiles, path)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := slices.Clone(content)
		bad[len(bad)/2] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if l.fsck(t) == nil {
			t.Errorf("%s was changed, and fsck is content", path)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.fsck(t); err != nil {
		t.Fatal(err)
	}
}

// Tessera's client makes the same proofs from our tiles as we do.
func TestTesseraClientMakesTheSameProofs(t *testing.T) {
	l := newLog(t)
	c := l.grow(t, 1300)
	prover, err := client.NewProofBuilder(t.Context(), uint64(c.Size), client.FileFetcher{Root: l.tiles}.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	same := func(name string, got [][]byte, err error, want []tlog.Hash, err2 error) {
		t.Helper()
		if err != nil || err2 != nil {
			t.Fatalf("%s: %v, %v", name, err, err2)
		}
		if !slices.EqualFunc(got, want, func(a []byte, b tlog.Hash) bool { return string(a) == string(b[:]) }) {
			t.Errorf("%s: the proofs differ", name)
		}
	}
	hashes := tree.TileHashes(l.tiles, c)
	for _, index := range []int64{0, 1, 255, 256, 511, 1000, 1279, 1280, 1299} {
		got, err := prover.InclusionProof(t.Context(), uint64(index))
		want, err2 := tree.ProveInclusion(index, c.Size, hashes)
		same("inclusion", got, err, want, err2)
		got, err = prover.ConsistencyProof(t.Context(), uint64(index+1), uint64(c.Size))
		want, err2 = tree.ProveConsistency(index+1, c.Size, hashes)
		same("consistency", got, err, want, err2)
	}
}

// torchwood verifies our proofs, and refuses those of other records.
func TestTorchwoodVerifiesProofs(t *testing.T) {
	l := newLog(t)
	c := l.grow(t, 700)
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(l.verifier))
	for _, index := range []int64{0, 255, 256, 699} {
		text := l.proof(t, c, index, nil)
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(l.record(t, index)), text); err != nil {
			t.Errorf("record %d: %v\n%s", index, err, text)
		}
		if err := torchwood.VerifyProof(policy, tlog.RecordHash([]byte("another")), text); err == nil {
			t.Errorf("record %d: another one is taken for it", index)
		}
	}
}

// Nothing lies in the directory that a client of a tiled log would stumble over.
func TestFilesOfTheTiles(t *testing.T) {
	l := newLog(t)
	l.grow(t, 300)
	err := fs.WalkDir(os.DirFS(l.tiles), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !strings.HasPrefix(path, "tile/") && path != "checkpoint" && path != "tiles" {
			t.Errorf("there is %s", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
