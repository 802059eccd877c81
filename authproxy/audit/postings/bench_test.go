package postings

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	_ "modernc.org/sqlite"
)

// A full segment: 64 MiB of records of 700 bytes, each with 12 terms. Intent and outcome of
// a call share a request id; a digest is unique.
const (
	fullRecords = 90_000
	recordSize  = 700
)

type field struct{ name, value string }

var full = sync.OnceValue(func() [][]field {
	r := rand.New(rand.NewPCG(13, 13))
	zipf := rand.NewZipf(r, 1.2, 5, 499)
	all := make([][]field, fullRecords)
	for i := range all {
		subject := fmt.Sprintf("005xx0000%09d", zipf.Uint64())
		digest := sha256.Sum256([]byte(fmt.Sprint(i)))
		request := sha256.Sum256([]byte(fmt.Sprint("request", i/2)))
		tool := fmt.Sprintf("tool%d", r.IntN(30))
		all[i] = []field{
			{"subject", subject}, {"actor", subject}, {"client", fmt.Sprintf("client%d", r.IntN(5))}, {"server", fmt.Sprintf("server%d", r.IntN(8))},
			{"tool", tool}, {"object", fmt.Sprintf("Object%d__c", r.IntN(200))}, {"action", "tool.call"}, {"outcome", []string{"intent", "ok"}[i%2]},
			{"rule", fmt.Sprintf("rule %d", r.IntN(20))}, {"org", "acme"}, {"request", hex.EncodeToString(request[:8])}, {"digest", hex.EncodeToString(digest[:])},
		}
	}
	return all
})

func fullBuilder(tb testing.TB) *Builder {
	b := NewBuilder(1)
	terms := make([]Term, 0, 12)
	for i, fields := range full() {
		terms = terms[:0]
		for _, f := range fields {
			terms = append(terms, NewTerm(f.name, f.value))
		}
		if _, err := b.Add(Record{Offset: int64(i * recordSize), At: int64(i)}, terms...); err != nil {
			tb.Fatal(err)
		}
	}
	return b
}

// BenchmarkBuild is what a full segment costs, hashing included.
func BenchmarkBuild(b *testing.B) {
	full()
	b.ReportAllocs()
	for b.Loop() {
		fullBuilder(b)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/fullRecords, "ns/record")
}

// BenchmarkWrite is what its file costs, and how large it is in relation to the segment.
func BenchmarkWrite(b *testing.B) {
	built := fullBuilder(b)
	var content bytes.Buffer
	for b.Loop() {
		content.Reset()
		if err := built.write(&content, fullRecords*recordSize, []byte("key")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(content.Len()), "bytes")
	b.ReportMetric(100*float64(content.Len())/(fullRecords*recordSize), "%segment")
}

// BenchmarkSearch opens the file, searches and closes it, as a command does with each of
// many segments.
func BenchmarkSearch(b *testing.B) {
	file := File{Path: filepath.Join(b.TempDir(), "index"), Key: []byte("key")}
	built := fullBuilder(b)
	if err := file.Write(built, fullRecords*recordSize); err != nil {
		b.Fatal(err)
	}
	some := full()[fullRecords/2]
	for name, fields := range map[string][]int{
		"absent": nil, "request": {10}, "subject": {0}, "tool": {4}, "org": {9}, "subject+tool+outcome": {0, 4, 7},
	} {
		q := Query{All: [][]Term{{NewTerm("request", "absent")}}}
		if fields != nil {
			q.All = nil
		}
		for _, i := range fields {
			q.All = append(q.All, []Term{NewTerm(some[i].name, some[i].value)})
		}
		b.Run("file/"+name, func(b *testing.B) {
			for b.Loop() {
				x, err := file.Open(Segment{1, fullRecords, fullRecords * recordSize})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := x.Search(q); err != nil {
					b.Fatal(err)
				}
				x.Close()
			}
		})
		b.Run("memory/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := built.Search(q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLoad takes a file up again.
func BenchmarkLoad(b *testing.B) {
	file := File{Path: filepath.Join(b.TempDir(), "index"), Key: []byte("key")}
	if err := file.Write(fullBuilder(b), fullRecords*recordSize); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := file.Load(1); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStringTerms is the alternative to hashes: the terms themselves, sorted, each
// without the beginning that it shares with the one before it, and a value.
func BenchmarkStringTerms(b *testing.B) {
	size := 0
	for b.Loop() {
		lists := map[string]*list{}
		for i, fields := range full() {
			for _, f := range fields {
				term := f.name + "=" + f.value
				l := lists[term]
				if l == nil {
					l = &list{}
					lists[term] = l
				}
				if l.count == 0 || l.last != uint32(i) {
					l.add(uint32(i))
				}
			}
		}
		var out []byte
		before := ""
		for _, term := range slices.Sorted(maps.Keys(lists)) {
			shared := 0
			for shared < min(len(term), len(before)) && term[shared] == before[shared] {
				shared++
			}
			out = binary.AppendUvarint(out, uint64(shared))
			out = binary.AppendUvarint(out, uint64(len(term)-shared))
			out = append(append(out, term[shared:]...), lists[term].bytes...)
			before = term
		}
		size = len(out) + placeWidth*fullRecords
	}
	b.ReportMetric(float64(size), "bytes")
	b.ReportMetric(100*float64(size)/(fullRecords*recordSize), "%segment")
}

// BenchmarkDatabase is the alternative to a file: a table of terms in SQLite, in batches of
// 1,000 records. "columns" has one row a record with an index on each column that is asked
// for, "terms" one row for each term of a record.
func BenchmarkDatabase(b *testing.B) {
	for _, layout := range []struct {
		name, schema, insert string
		args                 func(seq int, fields []field) []any
	}{
		{"columns", columnSchema(), `INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`, columnArgs},
		{"terms", `CREATE TABLE t (term BIGINT, seq BIGINT, PRIMARY KEY (term, seq)) WITHOUT ROWID`,
			`INSERT INTO t (seq, term) VALUES ($1, $2), ($1, $3), ($1, $4), ($1, $5), ($1, $6), ($1, $7), ($1, $8), ($1, $9), ($1, $10), ($1, $11), ($1, $12), ($1, $13)`, termArgs},
	} {
		b.Run(layout.name, func(b *testing.B) {
			size := int64(0)
			for b.Loop() {
				size = fillDatabase(b, layout.schema, layout.insert, layout.args)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/fullRecords, "ns/record")
			b.ReportMetric(float64(size), "bytes")
			b.ReportMetric(100*float64(size)/(fullRecords*recordSize), "%segment")
		})
	}
}

func columnSchema() string {
	columns, indexes := "", ""
	for _, f := range full()[0] {
		columns += ", c_" + f.name + " TEXT"
		indexes += fmt.Sprintf("; CREATE INDEX i_%s ON t (c_%s)", f.name, f.name)
	}
	return "CREATE TABLE t (seq INTEGER PRIMARY KEY" + columns + ")" + indexes
}

func columnArgs(seq int, fields []field) []any {
	args := []any{seq}
	for _, f := range fields {
		args = append(args, f.value)
	}
	return args
}

func termArgs(seq int, fields []field) []any {
	args := []any{seq}
	for _, f := range fields {
		args = append(args, int64(NewTerm(f.name, f.value)))
	}
	return args
}

func fillDatabase(b *testing.B, schema, insert string, args func(int, []field) []any) (size int64) {
	database, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	if err != nil {
		b.Fatal(err)
	}
	defer database.Close()
	database.SetMaxOpenConns(1)
	if _, err := database.Exec(schema); err != nil {
		b.Fatal(err)
	}
	seq := 0
	for batch := range slices.Chunk(full(), 1000) {
		tx, err := database.Begin()
		if err != nil {
			b.Fatal(err)
		}
		row, err := tx.Prepare(insert)
		if err != nil {
			b.Fatal(err)
		}
		for _, fields := range batch {
			seq++
			if _, err := row.Exec(args(seq, fields)...); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	if err := database.QueryRow(`SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`).Scan(&size); err != nil {
		b.Fatal(err)
	}
	return size
}
