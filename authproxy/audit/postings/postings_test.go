package postings

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// model is what an index should know, kept without thought of size.
type model struct {
	records []Record
	terms   [][]Term
	size    int64
}

// search is the truth: the records with the terms, of blocks that reach into the time.
func (m model) search(q Query) []uint32 {
	var found []uint32
	for i := range m.records {
		block := noTime
		for j := i / timeBlock * timeBlock; j < len(m.records) && j < (i/timeBlock+1)*timeBlock; j++ {
			block = block.with(m.records[j].At)
		}
		matches := q.meets(block)
		for _, anyOf := range q.All {
			matches = matches && slices.ContainsFunc(anyOf, func(t Term) bool { return slices.Contains(m.terms[i], t) })
		}
		if matches {
			found = append(found, uint32(i))
		}
	}
	return found
}

// random is n records whose terms are some common ones, some rare ones, and one of their own.
func random(r *rand.Rand, n int) model {
	m := model{size: r.Int64N(100)}
	at := int64(1_800_000_000_000)
	for i := range n {
		at += r.Int64N(200) - 20 // clocks are put back
		m.records = append(m.records, Record{Offset: m.size, At: at})
		m.size += 1 + r.Int64N(2000)
		terms := []Term{NewTerm("org", "acme"), NewTerm("request", fmt.Sprint(i/2)), NewTerm("digest", fmt.Sprint(i))}
		for _, field := range []struct {
			name   string
			values int
		}{{"tool", 5}, {"subject", 40}, {"object", 400}} {
			if r.IntN(10) > 0 {
				terms = append(terms, NewTerm(field.name, fmt.Sprint(r.IntN(field.values))))
			}
		}
		m.terms = append(m.terms, append(terms, terms[r.IntN(len(terms))])) // one of them twice
	}
	return m
}

func (m model) build(t testing.TB, from *Builder) *Builder {
	t.Helper()
	for i := from.Records(); i < len(m.records); i++ {
		if ordinal, err := from.Add(m.records[i], m.terms[i]...); err != nil || int(ordinal) != i {
			t.Fatalf("record %d: ordinal %d, %v", i, ordinal, err)
		}
	}
	return from
}

// searcher is what a Builder and an Index have in common.
type searcher interface {
	Search(Query) ([]uint32, error)
	Place(uint32) (int64, error)
}

func (m model) compare(t *testing.T, r *rand.Rand, name string, have searcher) {
	t.Helper()
	for i, rec := range m.records {
		if at, err := have.Place(uint32(i)); at != rec.Offset || err != nil {
			t.Fatalf("%s: record %d begins at %d (%v), want %d", name, i, at, err, rec.Offset)
		}
	}
	if _, err := have.Place(uint32(len(m.records))); err == nil {
		t.Errorf("%s: there is a record more", name)
	}
	for range 60 {
		q := m.randomQuery(r)
		got, err := have.Search(q)
		if err != nil {
			t.Fatal(name, err)
		}
		if want := m.search(q); !slices.Equal(got, want) {
			t.Fatalf("%s: %+v finds %v, want %v", name, q, got, want)
		}
	}
}

func (m model) randomQuery(r *rand.Rand) Query {
	var q Query
	for range r.IntN(4) {
		var anyOf []Term
		for range r.IntN(4) {
			anyOf = append(anyOf, NewTerm([]string{"org", "request", "digest", "tool", "subject", "object"}[r.IntN(6)], []string{"acme", fmt.Sprint(r.IntN(40)), "nobody"}[r.IntN(3)]))
		}
		q.All = append(q.All, anyOf)
	}
	if len(m.records) > 0 && r.IntN(2) == 0 {
		q.From = m.records[r.IntN(len(m.records))].At
	}
	if len(m.records) > 0 && r.IntN(2) == 0 {
		q.Until = m.records[r.IntN(len(m.records))].At
	}
	return q
}

func TestFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 255, 256, 257, 700, 3000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(n)))
			m := random(r, n)
			b := m.build(t, NewBuilder(4711))
			m.compare(t, r, "builder", b)
			f := File{Path: filepath.Join(t.TempDir(), "index"), Key: []byte("key")}
			if err := f.Write(b, m.size); err != nil {
				t.Fatal(err)
			}
			x, err := f.Open(Segment{4711, n, m.size})
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			m.compare(t, r, "file", x)
			loaded, of, err := f.Load(4711)
			if err != nil || of != (Segment{4711, n, m.size}) {
				t.Fatal(of, err)
			}
			more := random(r, 300)
			for i := range more.records {
				more.records[i].Offset += m.size
			}
			m.records, m.terms = append(m.records, more.records...), append(m.terms, more.terms...)
			m.compare(t, r, "loaded and continued", m.build(t, loaded))
		})
	}
}

// The same records make the same bytes, so that two files can be compared.
func TestSameRecordsMakeTheSameFile(t *testing.T) {
	t.Parallel()
	m := random(rand.New(rand.NewPCG(3, 3)), 1000)
	var files [][]byte
	for range 2 {
		f := File{Path: filepath.Join(t.TempDir(), "index")}
		if err := f.Write(m.build(t, NewBuilder(1)), m.size); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, content)
	}
	if !slices.Equal(files[0], files[1]) {
		t.Error("the files differ")
	}
}

func TestRefusesIndexOfAnotherSegment(t *testing.T) {
	t.Parallel()
	m := random(rand.New(rand.NewPCG(5, 5)), 500)
	b := m.build(t, NewBuilder(100))
	f := File{Path: filepath.Join(t.TempDir(), "index"), Key: []byte("key")}
	right := Segment{100, 500, m.size}
	if _, err := f.Open(right); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := f.Write(b, m.size); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Segment){
		"first":   func(s *Segment) { s.First++ },
		"records": func(s *Segment) { s.Records-- },
		"size":    func(s *Segment) { s.Size++ },
	} {
		want := right
		change(&want)
		if x, err := f.Open(want); !errors.Is(err, ErrUnusable) || x != nil {
			t.Errorf("%s differs: %v", name, err)
		}
	}
	x, err := f.Open(right)
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	if _, _, err := f.Load(101); !errors.Is(err, ErrUnusable) {
		t.Errorf("loading that of another segment: %v", err)
	}
	if _, err := (File{Path: f.Path, Key: []byte("other")}).Open(right); !errors.Is(err, ErrUnusable) {
		t.Errorf("another key: %v", err)
	}
}

// Whatever byte of a file is changed, wherever it is cut: nothing that is read is wrong.
func TestRefusesChangedFile(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	m := random(r, 2000)
	b := m.build(t, NewBuilder(1))
	f := File{Path: filepath.Join(t.TempDir(), "index")}
	if err := f.Write(b, m.size); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	changed := File{Path: filepath.Join(t.TempDir(), "changed")}
	refused := func(what string, content []byte) {
		t.Helper()
		if err := os.WriteFile(changed.Path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := changed.Load(1); !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for range 300 {
		content := slices.Clone(whole)
		i := r.IntN(len(content))
		content[i] ^= 1 << r.IntN(8)
		refused(fmt.Sprintf("byte %d", i), content)
	}
	for _, n := range []int{0, 1, pageSize - 1, pageSize, len(whole) / 2, len(whole) - 1} {
		refused(fmt.Sprintf("cut to %d", n), whole[:n])
	}
	refused("longer", append(slices.Clone(whole), make([]byte, pageSize)...))
	// Two pages of the table of terms, which say nothing that is wrong by itself.
	swapped := slices.Concat(whole[:2*pageSize], whole[3*pageSize:4*pageSize], whole[2*pageSize:3*pageSize], whole[4*pageSize:])
	refused("two pages exchanged", swapped)
}

func TestRefusesRecordThatDoesNotFit(t *testing.T) {
	t.Parallel()
	b := NewBuilder(1)
	for _, tt := range []struct {
		offset int64
		fits   bool
	}{{-1, false}, {10, true}, {10, false}, {9, false}, {1<<32 - 1, true}, {1 << 32, false}} {
		before := b.Records()
		if _, err := b.Add(Record{Offset: tt.offset}, NewTerm("at", fmt.Sprint(tt.offset))); (err == nil) != tt.fits || (b.Records() > before) != tt.fits {
			t.Errorf("at %d: %v", tt.offset, err)
		}
	}
	if got, err := b.Search(Query{All: [][]Term{{NewTerm("at", "9")}}}); len(got) > 0 || err != nil {
		t.Errorf("a refused record is found: %v %v", got, err)
	}
}

// Readers see the records up to some moment, in full.
func TestSearchWhileAnotherAdds(t *testing.T) {
	t.Parallel()
	const n = 20_000
	b := NewBuilder(1)
	term := NewTerm("org", "acme")
	var readers sync.WaitGroup
	path := filepath.Join(t.TempDir(), "index")
	for range 3 {
		readers.Go(func() {
			for len := 0; len < n; {
				found, err := b.Search(Query{All: [][]Term{{term}}, From: 1})
				if err != nil {
					t.Error(err)
					return
				}
				len = max(len, checkRow(t, found))
			}
		})
	}
	readers.Go(func() {
		for range 5 {
			f := File{Path: path}
			if err := f.Write(b, n); err != nil {
				t.Error(err)
				return
			}
			loaded, of, err := f.Load(1)
			if err != nil {
				t.Error(err)
				return
			}
			found, err := loaded.Search(Query{All: [][]Term{{term}}})
			if err != nil || checkRow(t, found) != of.Records {
				t.Errorf("a file has %d of %d records: %v", len(found), of.Records, err)
			}
		}
	})
	for i := range n {
		if _, err := b.Add(Record{Offset: int64(i), At: int64(i + 1)}, term, NewTerm("n", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	readers.Wait()
}

// checkRow says how many there are of 0, 1, 2…
func checkRow(t *testing.T, found []uint32) int {
	for i, ordinal := range found {
		if int(ordinal) != i {
			t.Errorf("place %d has %d", i, ordinal)
			break
		}
	}
	return len(found)
}

func TestAndOr(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 9))
	some := func(n, below int) []uint32 {
		in := map[uint32]bool{}
		for range n {
			in[r.Uint32N(uint32(below))] = true
		}
		var all []uint32
		for v := range in {
			all = append(all, v)
		}
		slices.Sort(all)
		return all
	}
	for range 500 {
		a, b := some(r.IntN(50), 1+r.IntN(500)), some(r.IntN(400), 1+r.IntN(500))
		var both, either []uint32
		for v := range uint32(500) {
			inA, inB := slices.Contains(a, v), slices.Contains(b, v)
			if inA && inB {
				both = append(both, v)
			}
			if inA || inB {
				either = append(either, v)
			}
		}
		if got := And(a, b); !slices.Equal(got, both) {
			t.Fatalf("%v and %v: %s", a, b, cmp.Diff(both, got))
		}
		if got := Or(a, b); !slices.Equal(got, either) {
			t.Fatalf("%v or %v: %s", a, b, cmp.Diff(either, got))
		}
	}
}

func TestTermsAllocateNothing(t *testing.T) {
	value := "005xx000001Sv6AAAS"
	if n := testing.AllocsPerRun(100, func() { NewTerm("subject", value) }); n > 0 {
		t.Errorf("a term allocates %v times", n)
	}
	if NewTerm("tool", "a") == NewTerm("server", "a") || NewTerm("tool", "a") == NewTerm("tool", "b") {
		t.Error("different terms are the same")
	}
}
