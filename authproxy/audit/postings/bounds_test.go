package postings

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// A page of another segment's index, with the same key and in the same place, is refused.
func TestRefusesPageOfAnotherIndex(t *testing.T) {
	t.Parallel()
	var files [][]byte
	file := File{Path: filepath.Join(t.TempDir(), "index"), Key: []byte("key")}
	for seed := range uint64(2) {
		m := random(rand.New(rand.NewPCG(17, seed)), 600)
		if err := file.Write(m.build(t, NewBuilder(1)), m.size); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file.Path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, content)
	}
	for page := range min(len(files[0]), len(files[1])) / pageSize {
		mixed := slices.Clone(files[0])
		copy(mixed[page*pageSize:], files[1][page*pageSize:(page+1)*pageSize])
		if slices.Equal(mixed, files[0]) {
			continue
		}
		if err := os.WriteFile(file.Path, mixed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := file.Load(1); !errors.Is(err, ErrUnusable) {
			t.Errorf("page %d: %v", page, err)
		}
	}
}

func TestRefusesPlaceOutsideOfTheSegment(t *testing.T) {
	t.Parallel()
	b := NewBuilder(1)
	for _, offset := range []int64{10, 700} {
		if _, err := b.Add(Record{Offset: offset}); err != nil {
			t.Fatal(err)
		}
	}
	file := File{Path: filepath.Join(t.TempDir(), "index")}
	if err := file.Write(b, 700); err != nil {
		t.Fatal(err)
	}
	x, err := file.Open(Segment{1, 2, 700})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if at, err := x.Place(0); at != 10 || err != nil {
		t.Errorf("the first: %d %v", at, err)
	}
	if at, err := x.Place(1); !errors.Is(err, ErrUnusable) {
		t.Errorf("the second: %d %v", at, err)
	}
	if _, _, err := file.Load(1); !errors.Is(err, ErrUnusable) {
		t.Errorf("loaded: %v", err)
	}
}

func TestRefusesListThatIsNone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		bytes []byte
		count uint32
		want  []uint32 // nil: refused
	}{
		"all records":       {[]byte{0, 1, 1}, 3, []uint32{0, 1, 2}},
		"the last record":   {[]byte{2}, 1, []uint32{2}},
		"beyond the last":   {[]byte{3}, 1, nil},
		"the next beyond":   {[]byte{2, 1}, 2, nil},
		"the same twice":    {[]byte{1, 0}, 2, nil},
		"more than it says": {[]byte{0, 1}, 1, nil},
		"less than it says": {[]byte{0}, 2, nil},
		"more than there":   {[]byte{0, 1, 1, 1}, 4, nil},
		"cut":               {[]byte{0x80}, 1, nil},
		"huge":              {[]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1}, 1, nil},
	} {
		got, err := list{bytes: tt.bytes, count: tt.count}.ordinals(3)
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.want != nil) || err != nil && !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

func TestTimesOfAQuery(t *testing.T) {
	t.Parallel()
	b := NewBuilder(1)
	for i := range 2 * timeBlock {
		if _, err := b.Add(Record{Offset: int64(i), At: 100 + int64(i/timeBlock)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		from, until int64
		want        int // blocks
	}{{0, 0, 2}, {100, 102, 2}, {100, 101, 1}, {101, 0, 1}, {101, 102, 1}, {102, 0, 0}, {0, 100, 0}, {0, 101, 1}, {101, 101, 0}} {
		found, err := b.Search(Query{From: tt.from, Until: tt.until})
		if err != nil || len(found) != tt.want*timeBlock {
			t.Errorf("from %d until %d: %d records, want %d blocks", tt.from, tt.until, len(found), tt.want)
		}
	}
}

// What is added while a search runs is not part of it.
func TestSearchEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	b := NewBuilder(1)
	often, once := NewTerm("often", ""), NewTerm("once", "")
	for i := range 5 {
		terms := []Term{often}
		if i == 3 {
			terms = append(terms, once)
		}
		if _, err := b.Add(Record{Offset: int64(i)}, terms...); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.lookup(often, 3); !slices.Equal(got, []uint32{0, 1, 2}) || err != nil {
		t.Errorf("%v %v", got, err)
	}
	if got, err := b.lookup(once, 3); len(got) > 0 || err != nil {
		t.Errorf("%v %v", got, err)
	}
}

// A length that is wrong, behind MACs that fit, makes nobody allocate it.
func TestAllocatesNoMoreThanTheFile(t *testing.T) {
	m := random(rand.New(rand.NewPCG(19, 19)), 2000)
	var file bytes.Buffer
	if err := m.build(t, NewBuilder(1)).write(&file, m.size, nil); err != nil {
		t.Fatal(err)
	}
	open := func(content []byte) (*Index, error) {
		x := &Index{pages: pages{from: bytes.NewReader(content)}}
		return x, x.begin(int64(len(content)))
	}
	x, err := open(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	table, err := x.all(x.sections.terms)
	if err != nil {
		t.Fatal(err)
	}
	org := NewTerm("org", "acme")
	for Term(binary.LittleEndian.Uint64(table)) != org {
		table = table[termWidth:]
	}
	list := x.sections.lists.page*payload + binary.LittleEndian.Uint32(table[8:])&^isList
	edits := map[string][]byte{
		"records": edit(40, 1<<31), "terms": edit(44, 1<<31), "bytes of lists": edit(48, 1<<31),
		"a list": append(edit(list, 0xFFFFFFFF), edit(list+4, 0x01010107)...), // 2 GiB less 1 byte
	}
	for name, e := range edits {
		content := changed(file.Bytes(), e)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		x, err := open(content)
		if err == nil {
			_, err = x.Search(Query{All: [][]Term{{org}}})
		}
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%s: %d bytes were allocated for a file of %d", name, n, len(content))
		}
	}
}
