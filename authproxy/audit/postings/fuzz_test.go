package postings

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzOpen gives whoever can write the file everything but the key that most files do not
// have either: the MACs fit whatever the content is. Nothing may crash, and what is found
// must be records of the segment.
func FuzzOpen(f *testing.F) {
	var files [][]byte
	for _, n := range []int{0, 3, 600} {
		m := random(rand.New(rand.NewPCG(11, uint64(n))), n)
		var content bytes.Buffer
		if err := m.build(f, NewBuilder(1)).write(&content, m.size, nil); err != nil {
			f.Fatal(err)
		}
		files = append(files, content.Bytes())
		for _, at := range []uint32{16, 40, 44, 48, payload, payload + 8, 2 * payload, 2*payload + 8, 5 * payload} {
			f.Add(byte(len(files)), edit(at, 0), uint64(0))
			f.Add(byte(len(files)), edit(at, 1<<31), uint64(NewTerm("org", "acme")))
			f.Add(byte(len(files)), edit(at, 1<<32-1), uint64(NewTerm("tool", "1")))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, edits []byte, term uint64) {
		content := changed(files[int(which)%len(files)], edits)
		x := &Index{pages: pages{from: bytes.NewReader(content)}}
		if err := x.begin(int64(len(content))); err != nil {
			wantUnusable(t, err)
			return
		}
		readAll(t, x, x.records(), Term(term))
		if b, err := x.load(); err != nil {
			wantUnusable(t, err)
		} else {
			readAll(t, b, uint32(b.Records()), Term(term))
		}
	})
}

// edit writes a number at a place of the content of the pages.
func edit(at, value uint32) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, at), value)
}

// changed is a file after the edits, with MACs that fit.
func changed(file, edits []byte) []byte {
	content := payloads(file)
	for ; len(edits) >= 8; edits = edits[8:] {
		at := int(binary.LittleEndian.Uint32(edits)) % (len(content) - 3)
		copy(content[at:], edits[4:8])
	}
	var out bytes.Buffer
	w := &writer{to: &out, sealer: newSealer(nil)}
	if err := errors.Join(w.write(content), w.flush()); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return out.Bytes()
}

func readAll(t *testing.T, s searcher, records uint32, extra Term) {
	for i := range min(records, 20) {
		if _, err := s.Place(i); err != nil {
			wantUnusable(t, err)
		}
	}
	for _, q := range []Query{
		{}, {From: 1_800_000_000_100}, {Until: 1_800_000_000_100}, {All: [][]Term{{extra}}}, {All: [][]Term{{NewTerm("org", "acme")}, {NewTerm("tool", "1"), NewTerm("tool", "2")}}},
	} {
		found, err := s.Search(q)
		if err != nil {
			wantUnusable(t, err)
		}
		if !slices.IsSorted(found) || len(found) > 0 && found[len(found)-1] >= records {
			t.Fatalf("found %v of %d records", found, records)
		}
	}
}

func wantUnusable(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrUnusable) {
		t.Fatalf("not said to be unusable: %v", err)
	}
}

// payloads is the content of a file without its MACs.
func payloads(file []byte) []byte {
	var all []byte
	for page := range slices.Chunk(file, pageSize) {
		all = append(all, page[:payload]...)
	}
	return all
}
