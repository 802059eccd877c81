package tree

import "golang.org/x/mod/sumdb/tlog"

// TileHashes reads the hashes of the tree of c from the tiles in dir. Each is checked against
// the root of c before it is used, so the tiles need not be trusted, only the checkpoint.
func TileHashes(dir string, c Checkpoint) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, tileDirectory(dir))
}

// tileDirectory is a [tlog.TileReader] of a directory that [Tiles] has written.
type tileDirectory string

func (d tileDirectory) Height() int { return tileHeight }

func (d tileDirectory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	contents := make([][]byte, len(tiles))
	for i, tile := range tiles {
		var err error
		if contents[i], err = readTile(string(d), tile.L, tile.N, tile.W); err != nil {
			return nil, err
		}
	}
	return contents, nil
}

// SaveTiles does nothing: they are read where they lie.
func (d tileDirectory) SaveTiles([]tlog.Tile, [][]byte) {}
