package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// tileHeight is the levels of the tree that a tile spans (C2SP tlog-tiles, "Merkle Tree").
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// entriesLevel stands for the entry bundles, which lie beside the tiles of level 0.
	entriesLevel = -1
	// maxBundled is the longest record that an entry bundle can hold: lengths are uint16.
	maxBundled = 1<<16 - 1
)

// tilePath is the path of a tile in the directory of the log: tile/LEVEL/NUMBER, the number in
// groups of three digits, with the width behind it where it is not full.
func tilePath(level int, number int64, width int) string {
	place := fmt.Sprintf("%03d", number%1000)
	for number >= 1000 {
		number /= 1000
		place = fmt.Sprintf("x%03d/%s", number%1000, place)
	}
	kind := "entries"
	if level != entriesLevel {
		kind = strconv.Itoa(level)
	}
	path := filepath.Join("tile", kind, filepath.FromSlash(place))
	if width < tileWidth {
		path = filepath.Join(path+".p", strconv.Itoa(width))
	}
	return path
}

// readTile reads the tile with width hashes, or the bundle with width records: the file with
// this width, or the beginning of a wider one, for a partial tile may be removed when there is
// a full one.
func readTile(dir string, level int, number int64, width int) ([]byte, error) {
	// The width that was asked for, the full one, then those between.
	widths := []int{width, tileWidth}
	for wider := width + 1; wider < tileWidth; wider++ {
		widths = append(widths, wider)
	}
	failure := fmt.Errorf("%s: %w", filepath.Join(dir, tilePath(level, number, width)), fs.ErrNotExist)
	for _, have := range widths {
		path := filepath.Join(dir, tilePath(level, number, have))
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			content, err = firstOf(content, level, have, width)
		}
		if err == nil {
			return content, nil
		}
		failure = fmt.Errorf("%s: %w", path, err)
	}
	return nil, failure
}

// firstOf returns the first width hashes or records of a tile that has have of them.
func firstOf(content []byte, level, have, width int) ([]byte, error) {
	if level != entriesLevel {
		if len(content) != have*tlog.HashSize {
			return nil, fmt.Errorf("a tile of %d bytes, expected %d", len(content), have*tlog.HashSize)
		}
		return content[:width*tlog.HashSize], nil
	}
	end := 0
	for range width {
		if len(content)-end < 2 {
			return nil, errBundle
		}
		end += 2 + int(binary.BigEndian.Uint16(content[end:]))
		if end > len(content) {
			return nil, errBundle
		}
	}
	return content[:end], nil
}

var errBundle = errors.New("an entry bundle ends too early")

// writing is the directory for files that are not whole yet.
const writing = "writing"

// writeFile puts a file in its place whole, for everybody who looks while the machine runs.
// That it is whole after a loss of power needs [syncFile], before it replaces what counts; that
// it is there, [syncDirectory].
func writeFile(dir, path string, content []byte, synced bool) error {
	for _, parent := range []string{filepath.Join(dir, writing), filepath.Dir(filepath.Join(dir, path))} {
		if err := os.MkdirAll(parent, 0o700); err != nil {
			return err
		}
	}
	file, err := os.CreateTemp(filepath.Join(dir, writing), "file-")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil && synced {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, path))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// syncFile makes durable what is in a file.
func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// syncDirectory makes durable which files are in a directory. On Windows they are once the
// files are.
func syncDirectory(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
