package tree

import (
	"bytes"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tiles of a log whose records were changed are not published.
func TestAU02TilesAreOnlyThoseOfTheCheckpoint(t *testing.T) {
	stored := treeOf(t, 400)
	changed := func(n int64, change func(int64) []byte) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for ; yield(change(n), nil); n++ {
			}
		}
	}
	for name, change := range map[string]func(int64) []byte{
		"edited": func(n int64) []byte {
			if n == 150 {
				return append(record(n), ' ')
			}
			return record(n)
		},
		"left out": func(n int64) []byte {
			if n >= 150 {
				n++
			}
			return record(n)
		},
		"put in": func(n int64) []byte {
			if n > 150 {
				n--
			}
			return record(n)
		},
		"swapped": func(n int64) []byte {
			if n == 150 || n == 151 {
				n = 301 - n
			}
			return record(n)
		},
	} {
		dir := t.TempDir()
		tiles := openTiles(t, dir, true)
		extend(t, tiles, checkpointOf(t, stored, 100))
		before := must(os.ReadFile(filepath.Join(dir, checkpointFile)))(t)
		err := tiles.Extend(checkpointOf(t, stored, 400), []byte("x"), changed(100, change))
		if !errors.Is(err, ErrInconsistent) {
			t.Errorf("%s: %v", name, err)
		}
		if after := must(os.ReadFile(filepath.Join(dir, checkpointFile)))(t); !bytes.Equal(before, after) {
			t.Errorf("%s: the checkpoint is %q", name, after)
		}
		checkTiles(t, dir, stored, 100, true)
		// The log as it was: on it goes.
		extend(t, openTiles(t, dir, true), checkpointOf(t, stored, 400))
		checkTiles(t, dir, stored, 400, true)
	}
}

func TestTilesRefuseCheckpointsThatDoNotFit(t *testing.T) {
	stored := treeOf(t, 400)
	dir := t.TempDir()
	tiles := openTiles(t, dir, true)
	extend(t, tiles, checkpointOf(t, stored, 300))
	if err := tiles.Extend(checkpointOf(t, stored, 299), nil, from(300)); err == nil {
		t.Error("an older checkpoint is taken")
	}
	forked := checkpointOf(t, stored, 300)
	forked.Root[0] ^= 1
	if err := openTiles(t, dir, true).Extend(forked, nil, from(300)); !errors.Is(err, ErrInconsistent) {
		t.Errorf("another root of the same size: %v", err)
	}
	if err := openTiles(t, dir, true).Extend(checkpointOf(t, stored, 400), nil, upTo(300, 399, nil)); err == nil {
		t.Error("a log that is shorter than its checkpoint is taken")
	}
	long := func(yield func([]byte, error) bool) { yield(make([]byte, maxBundled+1), nil) }
	if err := openTiles(t, dir, true).Extend(checkpointOf(t, stored, 400), nil, long); err == nil || !strings.Contains(err.Error(), "record 301 has 65536 bytes") {
		t.Errorf("a record that no bundle takes: %v", err)
	}
}

// Who changes a tile is noticed by whoever reads it with the checkpoint, and by whoever goes on.
func TestAU02TilesThatWereChanged(t *testing.T) {
	const size = 700
	stored := treeOf(t, size)
	c := checkpointOf(t, stored, size)
	dir := t.TempDir()
	extend(t, openTiles(t, dir, true), c)
	for path, content := range filesOf(t, dir) {
		if !strings.HasPrefix(path, "tile/0/") && !strings.HasPrefix(path, "tile/1/") {
			continue
		}
		for name, bad := range map[string]string{
			"a bit flipped": content[:40] + string(content[40]^4) + content[41:],
			"swapped":       content[32:64] + content[:32] + content[64:],
			"shorter":       content[:len(content)-32],
			"longer":        content + content[:32],
			"empty":         "",
		} {
			if err := os.WriteFile(filepath.Join(dir, path), []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			failed := 0
			for _, index := range []int64{0, 40, 255, 256, 300, 511, 512, 699} {
				proof, err := ProveInclusion(index, size, TileHashes(dir, c))
				if err != nil {
					failed++
				} else if err := CheckInclusion(c, index, record(index), proof); err != nil {
					t.Fatalf("%s, %s: a proof was made that proves nothing: %v", path, name, err)
				}
			}
			if failed == 0 {
				t.Errorf("%s, %s: nobody noticed", path, name)
			}
			if _, err := OpenTiles(TilesConfig{Dir: dir, Bundles: true}); err == nil && strings.Contains(path, ".p/") {
				t.Errorf("%s, %s: opened to go on", path, name)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenTiles(TilesConfig{Dir: dir, Bundles: true}); err != nil {
		t.Error(err)
	}
	if _, err := OpenTiles(TilesConfig{Dir: dir}); err == nil || !strings.Contains(err.Error(), "remove "+dir) {
		t.Errorf("tiles with bundles, opened without: %v", err)
	}
	for _, bad := range []string{"", "700", "700 bundles\n", "0 bundles\nx"} {
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenTiles(TilesConfig{Dir: dir, Bundles: true}); err == nil {
			t.Errorf("with the state %q: opened", bad)
		}
	}
}

// A directory that cannot be written refuses, loses nothing, and heals.
func TestTilesThatCannotBeWritten(t *testing.T) {
	stored := treeOf(t, 600)
	dir := t.TempDir()
	extend(t, openTiles(t, dir, true), checkpointOf(t, stored, 200))
	for _, place := range []string{"tile/0/001.p", "tile/1", "tile/entries/000", "tiles", "checkpoint", writing} {
		// Something else stands where a file or a folder belongs.
		path := filepath.Join(dir, filepath.FromSlash(place))
		kept := filepath.Join(t.TempDir(), "kept")
		had := os.Rename(path, kept) == nil
		obstacle := filepath.Join(path, "full")
		if place == "tile/0/001.p" || place == "tile/1" {
			obstacle = path
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(obstacle), 0o700), os.WriteFile(obstacle, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		tiles, err := OpenTiles(TilesConfig{Dir: dir, Bundles: true})
		if err == nil {
			err = tiles.Extend(checkpointOf(t, stored, 300), []byte("x"), from(tiles.Size()))
		}
		if err == nil && place != writing {
			t.Errorf("%s: written", place)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if had {
			if err := os.Rename(kept, path); err != nil {
				t.Fatal(err)
			}
		}
	}
	extend(t, openTiles(t, dir, true), checkpointOf(t, stored, 600))
	checkTiles(t, dir, stored, 600, true)
}
