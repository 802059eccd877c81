package tree

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// storedHashes keeps every hash of a tree as tlog does, to compare with.
type storedHashes []tlog.Hash

func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= int64(len(s)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		hashes[i] = s[index]
	}
	return hashes, nil
}

func (s *storedHashes) append(t testing.TB, n int64, record []byte) {
	t.Helper()
	hashes, err := tlog.StoredHashes(n, record, *s)
	if err != nil {
		t.Fatal(err)
	}
	*s = append(*s, hashes...)
}

func record(n int64) []byte { return fmt.Appendf(nil, `{"seq":%d,"action":"tool.call"}`, n+1) }

// treeOf returns every hash of a tree of size records.
func treeOf(t testing.TB, size int64) storedHashes {
	t.Helper()
	var stored storedHashes
	for n := range size {
		stored.append(t, n, record(n))
	}
	return stored
}

// rootOf is the root of the first size records of a tree.
func rootOf(t testing.TB, stored storedHashes, size int64) tlog.Hash {
	t.Helper()
	root, err := tlog.TreeHash(size, stored)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// The frontier has the root that tlog computes from all hashes, at every size, and goes on
// from its own text as if it had never stopped.
func TestFrontierRootIsThatOfTlog(t *testing.T) {
	const size = 1100
	stored := treeOf(t, size)
	var f Frontier
	for n := range int64(size) {
		if got, want := f.Root(), rootOf(t, stored, n); got != want || f.Size() != n {
			t.Fatalf("with %d records: root %v of %d, want %v", n, got, f.Size(), want)
		}
		text, err := f.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		read := Frontier{size: 1<<40 - 1} // what is read replaces everything
		if err := read.UnmarshalText(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if read != f {
			t.Fatalf("with %d records: what is read from its text is not equal", n)
		}
		if n%2 == 0 {
			f = read
		}
		again, _ := f.MarshalText()
		if !bytes.Equal(text, again) {
			t.Fatalf("%s is written as %s", text, again)
		}
		f.Append(record(n))
	}
}

func TestFrontierOfRandomRecordsAndSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		size := r.Int64N(3000)
		var f Frontier
		var stored storedHashes
		for n := range size {
			random := make([]byte, r.IntN(300))
			for i := range random {
				random[i] = byte(r.Uint32())
			}
			f.Append(random)
			stored.append(t, n, random)
		}
		if got, want := f.Root(), rootOf(t, stored, size); got != want {
			t.Fatalf("with %d records: root %v, want %v", size, got, want)
		}
	}
}

func TestFrontierIsCopiedByValue(t *testing.T) {
	var f Frontier
	for n := range int64(5) {
		f.Append(record(n))
	}
	other := f
	root := f.Root()
	other.Append(record(5))
	if f.Root() != root || f.Size() != 5 || other.Size() != 6 || other.Root() == root {
		t.Error("appending to a copy changed the original, or not the copy")
	}
}

func TestFrontierRefusesWhatItDidNotWrite(t *testing.T) {
	var f Frontier
	for n := range int64(5) {
		f.Append(record(n))
	}
	text, _ := f.MarshalText()
	good := string(text)
	parts := strings.Split(good, " ")
	hash := parts[1]
	for name, bad := range map[string]string{
		"nothing":                  "",
		"leading zero":             "0" + good,
		"plus":                     "+" + good,
		"negative":                 "-" + good,
		"fraction":                 strings.Replace(good, "5", "5.0", 1),
		"size off by one":          strings.Replace(good, "5", "4", 1),
		"size that needs more":     strings.Replace(good, "5", "7", 1),
		"huge":                     strings.Replace(good, "5", "9223372036854775807", 1),
		"beyond 64 bits":           strings.Replace(good, "5", "18446744073709551621", 1),
		"above the largest":        fmt.Sprintf("%d %s %s", int64(MaxSize)+1, hash, hash),
		"trailing space":           good + " ",
		"trailing newline":         good + "\n",
		"one hash less":            parts[0] + " " + hash,
		"one hash more":            good + " " + hash,
		"two spaces":               strings.Replace(good, " ", "  ", 1),
		"base64url":                "1 " + strings.Repeat("-", 43) + "=",
		"without padding":          strings.TrimSuffix(good, "="),
		"last bits set":            good[:len(good)-2] + string(nextLetter(good[len(good)-2])) + "=",
		"line break in the base64": good[:len(good)-1] + "\n",
	} {
		read := f
		if err := read.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%s: %q is read", name, bad)
		}
		if read != f {
			t.Errorf("%s: an error left another frontier behind", name)
		}
	}
	largest := fmt.Sprintf("%d %s", int64(MaxSize), hash)
	if err := new(Frontier).UnmarshalText([]byte(largest)); err != nil {
		t.Errorf("%s: %v", largest, err)
	}
}

// nextLetter is the letter whose value in base64 is one more: before padding it differs in
// bits that are not part of what is encoded.
func nextLetter(letter byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return alphabet[strings.IndexByte(alphabet, letter)+1]
}

func TestFrontierAllocatesNothing(t *testing.T) {
	var f Frontier
	text := bytes.Repeat([]byte("x"), 700)
	if n := testing.AllocsPerRun(1000, func() { f.Append(text); f.Root() }); n != 0 {
		t.Errorf("%v allocations to append a record", n)
	}
}

func FuzzFrontierText(f *testing.F) {
	f.Add([]byte("0"))
	f.Add([]byte("1 " + base64.StdEncoding.EncodeToString(make([]byte, 32))))
	f.Fuzz(func(t *testing.T, text []byte) {
		var read Frontier
		if read.UnmarshalText(text) != nil {
			return
		}
		read.Root()
		if again, err := read.MarshalText(); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q is written as %q (%v)", text, again, err)
		}
	})
}

func BenchmarkFrontierAppend(b *testing.B) {
	var f Frontier
	text := bytes.Repeat([]byte("x"), 700)
	b.ReportAllocs()
	for b.Loop() {
		f.Append(text)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}
