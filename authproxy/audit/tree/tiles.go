package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// TilesConfig is what [OpenTiles] works with. Dir must be set.
type TilesConfig struct {
	// Dir is the directory that a client of a tiled log is pointed to. It has nothing
	// that the log has not, and is written again from the log if it is removed.
	Dir string
	// Bundles: the records are written beside the hashes. Without them a client can check
	// proofs, and the records stay where they are.
	Bundles bool
}

// Tiles writes a log as the files that any client of the C2SP specification tlog-tiles reads:
// tiles of hashes, of 256 each, the records in bundles, and the checkpoint. One process at a
// time writes a directory; two would hinder but not damage each other. It is not safe for
// concurrent use.
type Tiles struct {
	config   TilesConfig
	frontier Frontier // of the records in the tiles
	// edge has for each level the hashes of the tile at the right edge, which is not full;
	// bundle the records that belong to the one of level 0.
	edge   [][]byte
	bundle []byte
	// What commit has to do: files to sync, directories to sync, partial tiles to remove.
	written   []string
	touched   map[string]bool
	obsolete  []string
	committed int64 // how many records the state says are whole; -1: there is no state
	broken    bool  // an error left what is in memory ahead of the files
}

const (
	// stateFile says how much of the tiles is whole: the frontier, and whether there are bundles.
	stateFile      = "tiles"
	checkpointFile = "checkpoint"
	withBundles    = " bundles\n"
	withoutBundles = " hashes\n"
	// commitEach is after how many records a long Extend says that they are whole, so that
	// the next one need not begin again.
	commitEach = tileWidth * tileWidth
)

// OpenTiles opens the directory, or prepares a new one, and checks that the right edge of what
// is there is that of one tree. What a crash has left behind that edge is written over.
func OpenTiles(c TilesConfig) (*Tiles, error) {
	t := &Tiles{config: c, touched: map[string]bool{}, committed: -1}
	// What a crash has left half written is in nobody's way, but takes room.
	if err := os.RemoveAll(filepath.Join(c.Dir, writing)); err != nil {
		return nil, fmt.Errorf("opening tiles: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(c.Dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening tiles: %w", err)
	}
	if err := t.load(text); err != nil {
		return nil, fmt.Errorf("opening tiles: %w; remove %s, and it is written again from the log", err, c.Dir)
	}
	return t, nil
}

func (t *Tiles) load(state []byte) error {
	text, ok := bytes.CutSuffix(state, []byte(t.kind()))
	if !ok {
		return errors.New("they were written with other settings (bundles)")
	}
	if err := t.frontier.UnmarshalText(text); err != nil {
		return err
	}
	t.committed = t.Size()
	// The edge makes up a tree; it must be the one that the state speaks of.
	size := t.frontier.size
	for level := 0; size>>(level*tileHeight) > 0; level++ {
		number, width := edgeTile(size, level)
		var hashes []byte
		if width > 0 {
			var err error
			if hashes, err = readTile(t.config.Dir, level, number, width); err != nil {
				return err
			}
		}
		t.edge = append(t.edge, hashes)
	}
	if edgeRoot(t.edge) != t.frontier.Root() {
		return errors.New("the tiles are not those of one tree")
	}
	number, width := edgeTile(size, 0)
	if !t.config.Bundles || width == 0 {
		return nil
	}
	var err error
	t.bundle, err = readTile(t.config.Dir, entriesLevel, number, width)
	return err
}

func (t *Tiles) kind() string {
	if t.config.Bundles {
		return withBundles
	}
	return withoutBundles
}

// edgeTile is the tile of a level that is not full in a tree of size records, and how many
// hashes it has; none, if all are full.
func edgeTile(size int64, level int) (number int64, width int) {
	hashes := size >> (level * tileHeight)
	return hashes / tileWidth, int(hashes % tileWidth)
}

// edgeRoot is the root of the tree that ends with these hashes: in each level those of full
// subtrees, smaller than the ones of the level above.
func edgeRoot(edge [][]byte) tlog.Hash {
	var root *tlog.Hash
	for _, hashes := range edge {
		var f Frontier
		for hash := range slices.Chunk(hashes, tlog.HashSize) {
			f.AppendHash(tlog.Hash(hash))
		}
		for l := range tileHeight {
			if f.size>>l&1 == 0 {
				continue
			}
			next := f.roots[l]
			if root != nil {
				next = tlog.NodeHash(next, *root)
			}
			root = &next
		}
	}
	if root == nil {
		return emptyRoot
	}
	return *root
}

// Size is the number of records that are in the tiles.
func (t *Tiles) Size() int64 { return t.frontier.size }

// Extend writes the tiles of the tree that signed is the checkpoint of, and then the
// checkpoint. It takes from records what comes after the first Size, and no more than is
// needed. [ErrInconsistent] is returned, and no checkpoint written, if they do not make up the
// tree that was signed. After an error the tiles have to be opened again; they go on from what
// was whole.
func (t *Tiles) Extend(c Checkpoint, signed []byte, records iter.Seq2[[]byte, error]) error {
	if t.broken {
		return errors.New("writing tiles: an error was met before; open them again")
	}
	if c.Size < t.Size() || c.Size > MaxSize {
		return fmt.Errorf("writing tiles: the checkpoint is of %d records, the tiles have %d", c.Size, t.Size())
	}
	t.broken = true
	if err := t.append(c.Size, records); err != nil {
		return fmt.Errorf("writing tiles: %w", err)
	}
	if t.frontier.Root() != c.Root {
		return fmt.Errorf("writing tiles: the log's first %d records are not those of its checkpoint: %w", c.Size, ErrInconsistent)
	}
	if err := t.commit(); err != nil {
		return fmt.Errorf("writing tiles: %w", err)
	}
	if err := t.replace(checkpointFile, signed); err != nil {
		return fmt.Errorf("writing tiles: %w", err)
	}
	t.broken = false
	return nil
}

// AddHashes adds the leaves of records that are nowhere any more, up to size records at most, before
// [Tiles.Extend] adds those that are. That compares all of them with what was signed. There are no
// bundles of them.
func (t *Tiles) AddHashes(size int64, leaves iter.Seq2[tlog.Hash, error]) error {
	if t.config.Bundles || t.broken {
		return errors.New("writing tiles: records that are gone cannot be written")
	}
	t.broken = true
	for hash, err := range leaves {
		if err == nil && t.Size() < size {
			err = t.addHash(hash)
		}
		if err != nil {
			return fmt.Errorf("writing tiles: %w", err)
		}
	}
	t.broken = false
	return nil
}

// append adds records until there are size of them.
func (t *Tiles) append(size int64, records iter.Seq2[[]byte, error]) error {
	if t.Size() == size {
		return nil
	}
	for record, err := range records {
		if err != nil {
			return err
		}
		if err := t.add(record); err != nil {
			return err
		}
		if t.Size() == size {
			return nil
		}
		if t.Size()%commitEach == 0 {
			if err := t.commit(); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("the log has %d records, its checkpoint says %d", t.Size(), size)
}

// add adds one record.
func (t *Tiles) add(record []byte) error {
	if t.config.Bundles {
		if len(record) > maxBundled {
			return fmt.Errorf("record %d has %d bytes, of which a bundle takes at most %d", t.Size()+1, len(record), maxBundled)
		}
		t.bundle = append(binary.BigEndian.AppendUint16(t.bundle, uint16(len(record))), record...)
	}
	return t.addHash(tlog.RecordHash(record))
}

// addHash adds one leaf, and writes the tiles that it fills.
func (t *Tiles) addHash(hash tlog.Hash) error {
	t.frontier.AppendHash(hash)
	for level := 0; ; level++ {
		if level == len(t.edge) {
			t.edge = append(t.edge, nil)
		}
		t.edge[level] = append(t.edge[level], hash[:]...)
		if len(t.edge[level]) < tileWidth*tlog.HashSize {
			return nil
		}
		number := t.Size()>>((level+1)*tileHeight) - 1
		if err := t.writeFull(level, number); err != nil {
			return err
		}
		// The root of a full tile is a hash of the level above.
		hash = subtreeRoot(t.edge[level])
		t.edge[level] = t.edge[level][:0]
	}
}

// subtreeRoot is the root of the subtree over the hashes of a full tile.
func subtreeRoot(hashes []byte) tlog.Hash {
	if len(hashes) == tlog.HashSize {
		return tlog.Hash(hashes)
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtreeRoot(hashes[:half]), subtreeRoot(hashes[half:]))
}

// writeFull writes a tile that has become full, and its bundle.
func (t *Tiles) writeFull(level int, number int64) error {
	if err := t.writeTile(level, number, tileWidth, t.edge[level]); err != nil {
		return err
	}
	if level > 0 || !t.config.Bundles {
		return nil
	}
	err := t.writeTile(entriesLevel, number, tileWidth, t.bundle)
	t.bundle = t.bundle[:0]
	return err
}

func (t *Tiles) writeTile(level int, number int64, width int, content []byte) error {
	path := tilePath(level, number, width)
	if width == tileWidth {
		t.obsolete = append(t.obsolete, path+".p")
	}
	for parent := filepath.Dir(path); !t.touched[parent] && parent != "."; parent = filepath.Dir(parent) {
		t.touched[parent] = true
	}
	t.written = append(t.written, path)
	return writeFile(t.config.Dir, path, content, false)
}

// replace replaces a file at the top of the directory, durably.
func (t *Tiles) replace(path string, content []byte) error {
	if err := writeFile(t.config.Dir, path, content, true); err != nil {
		return err
	}
	return syncDirectory(t.config.Dir)
}

// commit writes the tiles that are not full, makes all of them durable, and then says in
// the state that they are whole.
func (t *Tiles) commit() error {
	if t.committed == t.Size() {
		return nil
	}
	for level, hashes := range t.edge {
		number, width := edgeTile(t.Size(), level)
		if width == 0 {
			continue
		}
		if err := t.writeTile(level, number, width, hashes); err != nil {
			return err
		}
	}
	if number, width := edgeTile(t.Size(), 0); width > 0 && t.config.Bundles {
		if err := t.writeTile(entriesLevel, number, width, t.bundle); err != nil {
			return err
		}
	}
	if err := t.makeDurable(); err != nil {
		return err
	}
	state, err := t.frontier.MarshalText()
	if err != nil {
		return err
	}
	if err := t.replace(stateFile, append(state, t.kind()...)); err != nil {
		return err
	}
	t.committed = t.Size()
	return nil
}

// makeDurable syncs what was written since the last time, and then removes what it replaces.
// One after the other, as they are written, the files would each wait for the disk.
func (t *Tiles) makeDurable() error {
	for _, path := range t.written {
		if err := syncFile(filepath.Join(t.config.Dir, path)); err != nil {
			return err
		}
	}
	for directory := range t.touched {
		if err := syncDirectory(filepath.Join(t.config.Dir, directory)); err != nil {
			return err
		}
	}
	if len(t.touched) > 0 {
		if err := syncDirectory(t.config.Dir); err != nil {
			return err
		}
	}
	for _, partial := range t.obsolete {
		if err := os.RemoveAll(filepath.Join(t.config.Dir, partial)); err != nil {
			return err
		}
	}
	t.written, t.obsolete = nil, nil
	clear(t.touched)
	return nil
}
