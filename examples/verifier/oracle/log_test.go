package oracle

import (
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/tree"
)

const origin = "proxy.example.com/audit/1"

// auditLog is a log as the product keeps it: segments, tiles and a key.
type auditLog struct {
	dir, tiles string
	key        string // public
	verifier   note.Verifier
	signer     note.Signer
	edge       tree.Frontier
	signed     []byte // last checkpoint
}

func newLog(t *testing.T) *auditLog {
	t.Helper()
	seed := [32]byte{1, 2, 3}
	l := &auditLog{dir: t.TempDir(), tiles: t.TempDir()}
	var err error
	if l.signer, err = tree.NewSigner(origin, seed); err != nil {
		t.Fatal(err)
	}
	if l.key, err = tree.VerifierKey(origin, seed); err != nil {
		t.Fatal(err)
	}
	if l.verifier, err = note.NewVerifier(l.key); err != nil {
		t.Fatal(err)
	}
	return l
}

// The follower of the segments.
func (l *auditLog) Record(r logfile.Record) { l.edge.Append(r.Text) }

func (l *auditLog) Begin(h logfile.Head) error {
	_, edge, _ := strings.Cut(h.State, " ")
	return l.edge.UnmarshalText([]byte(edge))
}

func (l *auditLog) State() string {
	text, err := l.edge.MarshalText()
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(l.signed) + " " + string(text)
}

// grow appends records up to size, signs, and writes the tiles.
func (l *auditLog) grow(t *testing.T, size int64) tree.Checkpoint {
	t.Helper()
	file, err := logfile.Open(logfile.Config{Dir: l.dir, Origin: origin, Follower: l, SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for at := l.edge.Size(); at < size; {
		err := file.Append(func(g *logfile.Group) {
			for range min(size-at, 100) {
				at++
				g.Add(fmt.Appendf(nil, `{"seq":%d,"action":"tool.call","tool":"soqlQuery","text":"%x"}`, at, tlog.RecordHash([]byte{byte(at)})))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c := tree.Checkpoint{Origin: origin, Size: l.edge.Size(), Root: l.edge.Root()}
	if l.signed, err = c.Sign(l.signer); err != nil {
		t.Fatal(err)
	}
	tiles, err := tree.OpenTiles(tree.TilesConfig{Dir: l.tiles, Bundles: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := tiles.Extend(c, l.signed, records(l.dir, tiles.Size())); err != nil {
		t.Fatal(err)
	}
	return c
}

// records yields the records of the log's segments from an index on.
func records(dir string, index int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		stopped := errors.New("enough")
		err := logfile.Scan(dir, index+1, func(r logfile.Record) error {
			if !yield(r.Text, nil) {
				return stopped
			}
			return nil
		})
		if err != nil && err != stopped {
			yield(nil, err)
		}
	}
}

// record returns one record of the log.
func (l *auditLog) record(t *testing.T, index int64) []byte {
	t.Helper()
	for record, err := range records(l.dir, index) {
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte(nil), record...)
	}
	t.Fatalf("no record %d", index)
	return nil
}

// proof is the proof of a record by the tiles, with these lines of witnesses under the checkpoint.
func (l *auditLog) proof(t *testing.T, c tree.Checkpoint, index int64, cosignatures []byte) []byte {
	t.Helper()
	hashes, err := tree.ProveInclusion(index, c.Size, tree.TileHashes(l.tiles, c))
	if err != nil {
		t.Fatal(err)
	}
	text, err := tree.Proof{Index: index, Hashes: hashes, Checkpoint: append(l.signed[:len(l.signed):len(l.signed)], cosignatures...)}.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
