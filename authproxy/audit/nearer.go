package audit

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/tree"
)

// unsound is that the log is not what was written behind the last checkpoint that fits.
type unsound struct {
	from, to int64   // entries that no checkpoint fits
	by       string  // the checkpoint that they should fit; "": there is none
	behind   *Broken // what is wrong there even if they are sound
}

func (u *unsound) Error() string { return u.broken().Error() }

func (u *unsound) broken() *Broken {
	switch {
	case u.behind == nil:
		return &Broken{u.from, fmt.Sprintf("it, or one up to entry %d, was changed: they do not fit %s", u.to, u.by)}
	case u.from > u.to:
		return u.behind
	}
	return &Broken{u.from, fmt.Sprintf("it, or one up to entry %d, may have been changed, added or taken out: no checkpoint tells of them, and of entry %d: %s", u.to, u.behind.Seq, u.behind.Why)}
}

// changed is that the entries since the last checkpoint that fits are not those of the next.
func (v *verification) changed(by string) error {
	return &unsound{from: v.fits + 1, to: v.edge.Size(), by: by}
}

// unsound is that the log goes on otherwise than it should: because of what is missing there, or
// of an entry that was added or taken out before, with new numbers for those behind it.
func (v *verification) unsound(behind *Broken) error {
	return &unsound{from: v.fits + 1, to: v.edge.Size(), behind: behind}
}

// nearer returns the [*Broken] that says as exactly as can be told what err found, if that is
// an entry.
func (v *verification) nearer(all []logfile.Segment, tiles string, err error) error {
	var many *unsound
	var one *Broken
	if !errors.As(err, &many) && !errors.As(err, &one) {
		return err
	}
	sound, other := v.soundByTiles(all, tiles)
	switch {
	case other > 0 && (many != nil || other < one.Seq):
		return &Broken{other, "it was changed: the tiles have the hash of another one"}
	case many != nil && many.behind == nil && sound >= many.to:
		return &Broken{many.from, fmt.Sprintf("it and what follows, up to entry %d, fit the checkpoint of the tiles and do not fit %s: there were two logs of this name", many.to, many.by)}
	case many != nil:
		many.from = sound + 1
		return many.broken()
	case one.Seq > sound+1:
		one.Why += fmt.Sprintf("; no checkpoint tells whether the entries before it, from %d on, are sound", sound+1)
	}
	return one
}

// soundByTiles compares the entries behind the last checkpoint that fits with the hashes in the
// tiles, which are of no use if they do not fit their own checkpoint. It returns up to which
// entry the log is sound, and which one behind it is another than the tiles have; 0: they
// tell of none.
func (v *verification) soundByTiles(all []logfile.Segment, tiles string) (sound, other int64) {
	signed, err := readCheckpoint(filepath.Join(tiles, checkpointFile))
	if err != nil || signed == nil {
		return v.fits, 0
	}
	c, err := tree.ParseCheckpoint(signed, v.keys...)
	if err != nil {
		return v.fits, 0
	}
	leaves := leafReader{hashes: tree.TileHashes(tiles, c), end: c.Size}
	sound = v.fits
	// It ends where the log can be read no further, or the tiles have no more.
	_ = logfile.ScanSegments(all, v.fits+1, func(r logfile.Record) error {
		want, err := leaves.at(r.Seq - 1)
		switch {
		case err != nil || r.Seq > v.edge.Size():
			return errEnough
		case tlog.RecordHash(r.Text) != want:
			other = r.Seq
			return errEnough
		}
		sound = r.Seq
		return nil
	})
	return sound, other
}

// leafReader reads the hashes of the leaves of a tree, many at once.
type leafReader struct {
	hashes tlog.HashReader
	end    int64 // leaves of the tree
	first  int64 // of those that were read
	read   []tlog.Hash
}

// at returns the hash of the leaf n. Whoever asks goes on from leaf to leaf.
func (l *leafReader) at(n int64) (tlog.Hash, error) {
	if n >= l.end {
		return tlog.Hash{}, errEnough
	}
	if i := n - l.first; i >= 0 && i < int64(len(l.read)) {
		return l.read[i], nil
	}
	const atOnce = 256 // those of one tile
	var places []int64
	for i := n; i < min((n/atOnce+1)*atOnce, l.end); i++ {
		places = append(places, tlog.StoredHashIndex(0, i))
	}
	read, err := l.hashes.ReadHashes(places)
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("reading the hashes of the log: %w", err)
	}
	l.first, l.read = n, read
	return read[0], nil
}
