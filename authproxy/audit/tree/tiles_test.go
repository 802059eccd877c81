package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// from yields the records of the log from index n on, without end.
func from(n int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for ; yield(record(n), nil); n++ {
		}
	}
}

// upTo yields the records from n to size, and then err, if there is one.
func upTo(n, size int64, err error) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for ; n < size; n++ {
			if !yield(record(n), nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func openTiles(t testing.TB, dir string, bundles bool) *Tiles {
	t.Helper()
	tiles, err := OpenTiles(TilesConfig{Dir: dir, Bundles: bundles})
	if err != nil {
		t.Fatal(err)
	}
	return tiles
}

// extend makes the tiles those of c.
func extend(t testing.TB, tiles *Tiles, c Checkpoint) {
	t.Helper()
	if err := tiles.Extend(c, []byte(signed(t, c, signerOf(t, c.Origin, 1))), from(tiles.Size())); err != nil {
		t.Fatal(err)
	}
	if tiles.Size() != c.Size {
		t.Fatalf("%d records, want %d", tiles.Size(), c.Size)
	}
}

// filesOf returns path and content of every file in the directory.
func filesOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// checkTiles checks that proofs made from the tiles are those of the tree, and that the bundles hold
// the records.
func checkTiles(t testing.TB, dir string, stored storedHashes, size int64, bundles bool) {
	t.Helper()
	c := checkpointOf(t, stored, size)
	hashes := TileHashes(dir, c)
	for _, index := range []int64{0, size / 3, size / 2, size - 1} {
		if size == 0 {
			break
		}
		proof, err := ProveInclusion(index, size, hashes)
		if err != nil {
			t.Fatalf("record %d of %d: %v", index, size, err)
		}
		if err := CheckInclusion(c, index, record(index), proof); err != nil {
			t.Fatalf("record %d of %d: %v", index, size, err)
		}
		proof, err = ProveConsistency(index+1, size, hashes)
		if err != nil {
			t.Fatalf("%d to %d: %v", index+1, size, err)
		}
		if err := CheckConsistency(checkpointOf(t, stored, index+1), c, proof); err != nil {
			t.Fatalf("%d to %d: %v", index+1, size, err)
		}
	}
	for n := int64(0); bundles && n < size; n += tileWidth {
		width := min(size-n, tileWidth)
		bundle, err := readTile(dir, entriesLevel, n/tileWidth, int(width))
		if err != nil {
			t.Fatal(err)
		}
		for i := range width {
			length := int(binary.BigEndian.Uint16(bundle))
			if !bytes.Equal(bundle[2:2+length], record(n+i)) {
				t.Fatalf("record %d of the bundle is %q", n+i, bundle[2:2+length])
			}
			bundle = bundle[2+length:]
		}
		if len(bundle) > 0 {
			t.Fatalf("%d bytes behind the last record of a bundle", len(bundle))
		}
	}
}

func TestTilePathIsThatOfTheSpecification(t *testing.T) {
	for want, got := range map[string]string{
		"tile/0/x001/x234/067":       tilePath(0, 1234067, 256),
		"tile/1/000":                 tilePath(1, 0, 256),
		"tile/0/273.p/112":           tilePath(0, 273, 112),
		"tile/entries/x001/000.p/1":  tilePath(entriesLevel, 1000, 1),
		"tile/entries/x123/x456/789": tilePath(entriesLevel, 123456789, 256),
	} {
		if filepath.ToSlash(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Whatever the sizes of the checkpoints were on the way, the full tiles are those that tlog
// makes, the partial ones of the last size are there, and what is read back proves.
func TestTilesAtEverySize(t *testing.T) {
	const most = 1300
	stored := treeOf(t, most)
	for _, sizes := range [][]int64{
		{0}, {1}, {255}, {256}, {257}, {512}, {1300},
		{0, 1, 2, 255, 256, 256, 257, 511, 512, 513, 1024, 1300},
		{100, 200, 300, 600},
	} {
		for _, bundles := range []bool{true, false} {
			dir := t.TempDir()
			tiles := openTiles(t, dir, bundles)
			for i, size := range sizes {
				if i%2 == 1 {
					tiles = openTiles(t, dir, bundles) // as after a restart
				}
				extend(t, tiles, checkpointOf(t, stored, size))
				checkTiles(t, dir, stored, size, bundles)
			}
			size := sizes[len(sizes)-1]
			files := filesOf(t, dir)
			for _, tile := range tlog.NewTiles(tileHeight, 0, size) {
				want := must(tlog.ReadTileData(tile, stored))(t)
				path := filepath.ToSlash(tilePath(tile.L, tile.N, tile.W))
				if files[path] != string(want) {
					t.Errorf("%v: %s has %d bytes, want %d", sizes, path, len(files[path]), len(want))
				}
				if _, ok := files[strings.Replace(path, "/0/", "/entries/", 1)]; tile.L == 0 && ok != bundles {
					t.Errorf("%v: entries beside %s: %v", sizes, path, ok)
				}
			}
			for path := range files {
				full, _, partial := strings.Cut(path, ".p/")
				if _, ok := files[full]; partial && ok {
					t.Errorf("%v: %s is left beside the full one", sizes, path)
				}
			}
		}
	}
}

// A level-2 tile needs 65,536 records; below them is also where a long Extend says on the way
// what is whole.
func TestTilesOfThreeLevels(t *testing.T) {
	const most = 70_000 // the example of the specification
	stored := treeOf(t, most)
	dir := t.TempDir()
	crash := errors.New("crash")
	tiles := openTiles(t, dir, true)
	if err := tiles.Extend(checkpointOf(t, stored, most), nil, upTo(0, 66_000, crash)); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	tiles = openTiles(t, dir, true)
	if tiles.Size() != commitEach {
		t.Errorf("after a crash at 66,000 records the tiles go on from %d", tiles.Size())
	}
	extend(t, tiles, checkpointOf(t, stored, most))
	checkTiles(t, dir, stored, most, true)
	files := filesOf(t, dir)
	for _, path := range []string{"tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"} {
		if files[path] == "" {
			t.Errorf("%s is missing", path)
		}
	}
}

// A crash anywhere leaves a directory that the next run goes on from, and a reader never sees
// anything but the tiles of the checkpoint that is there.
func TestTilesGoOnAfterACrash(t *testing.T) {
	const most = 900
	stored := treeOf(t, most)
	r := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		dir := t.TempDir()
		size := int64(0)
		for size < most {
			before := filesOf(t, dir)
			next := min(size+1+r.Int64N(500), most)
			tiles := openTiles(t, dir, true)
			switch r.IntN(3) {
			case 0:
				// It dies among the records.
				crash := errors.New("crash")
				err := tiles.Extend(checkpointOf(t, stored, next), nil, upTo(tiles.Size(), tiles.Size()+r.Int64N(next-size), crash))
				if !errors.Is(err, crash) {
					t.Fatal(err)
				}
				if tiles.Extend(checkpointOf(t, stored, next), nil, from(tiles.Size())) == nil {
					t.Fatal("it went on without being opened again")
				}
			case 1:
				// It dies at the very end.
				extend(t, tiles, checkpointOf(t, stored, next))
				restore(t, dir, before, r.IntN(2) == 0)
			default:
				extend(t, tiles, checkpointOf(t, stored, next))
				size = next
			}
			checkTiles(t, dir, stored, size, true)
			if got, _ := os.ReadFile(filepath.Join(dir, checkpointFile)); size > 0 && !strings.HasPrefix(string(got), checkpointOf(t, stored, size).Text()) {
				t.Fatalf("with %d records the checkpoint is %q", size, got)
			}
		}
	}
}

// restore takes the directory back to what a crash leaves that happened before the last sync
// of directories: the new full tiles are gone, new partial ones are cut short, and what was
// removed is there again. If late, the crash happened behind that sync: only the state and the
// checkpoint are as they were.
func restore(t *testing.T, dir string, before map[string]string, late bool) {
	t.Helper()
	files := filesOf(t, dir)
	for path, content := range before {
		if !late || path == stateFile || path == checkpointFile {
			files[path] = content
		}
	}
	for path, content := range files {
		_, known := before[path]
		switch {
		case known || late && path != stateFile && path != checkpointFile:
		case strings.Contains(path, ".p/"):
			content = content[:len(content)/2]
		default:
			if err := os.Remove(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Partial tiles of older checkpoints are read from wider ones, once those have replaced them.
func TestTilesOfOlderCheckpoints(t *testing.T) {
	stored := treeOf(t, 600)
	dir := t.TempDir()
	tiles := openTiles(t, dir, true)
	extend(t, tiles, checkpointOf(t, stored, 600))
	for size := int64(0); size <= 600; size += 7 {
		checkTiles(t, dir, stored, size, true)
	}
}

func TestFirstOfABundleThatEndsTooEarly(t *testing.T) {
	for _, bad := range []string{"", "\x00", "\x00\x05abcd", "\x00\x01a\x00", "\x00\x01a\x00\x05b", "\xff\xff"} {
		if got, err := firstOf([]byte(bad), entriesLevel, tileWidth, 2); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
	if got, err := firstOf([]byte("\x00\x01a\x00\x00\x00\x01c"), entriesLevel, tileWidth, 2); err != nil || string(got) != "\x00\x01a\x00\x00" {
		t.Errorf("%q, %v", got, err)
	}
}

func BenchmarkTiles(b *testing.B) {
	text := []byte(strings.Repeat("x", 700))
	const size = 50_000
	var f Frontier
	for range size {
		f.Append(text)
	}
	c := Checkpoint{Origin: origin, Size: size, Root: f.Root()}
	records := func(yield func([]byte, error) bool) {
		for yield(text, nil) {
		}
	}
	for _, bundles := range []bool{true, false} {
		b.Run(fmt.Sprintf("bundles=%v", bundles), func(b *testing.B) {
			for b.Loop() {
				if err := openTiles(b, b.TempDir(), bundles).Extend(c, []byte("x"), records); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(size*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
