package tree

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// proofOf is a proof that the record with this index is in the log of size records.
func proofOf(t testing.TB, index, size int64) Proof {
	t.Helper()
	stored := treeOf(t, size)
	return Proof{
		Index:      index,
		Hashes:     must(ProveInclusion(index, size, stored))(t),
		Checkpoint: []byte(signed(t, checkpointOf(t, stored, size), signerOf(t, origin, 1))),
	}
}

func TestProofIsReadAsWritten(t *testing.T) {
	for _, size := range []int64{1, 2, 3, 255, 256, 300} {
		for _, index := range []int64{0, size / 2, size - 1} {
			for _, extra := range []string{"", "x", "of the audit log"} {
				want := proofOf(t, index, size)
				if extra != "" {
					want.Extra = []byte(extra)
				}
				text := must(want.MarshalText())(t)
				var got Proof
				if err := got.UnmarshalText(text); err != nil {
					t.Fatalf("%s\n%v", text, err)
				}
				if got.Index != want.Index || !slices.Equal(got.Hashes, want.Hashes) || !bytes.Equal(got.Checkpoint, want.Checkpoint) || string(got.Extra) != extra {
					t.Fatalf("%s\nis read as %+v", text, got)
				}
				c, err := got.Verify(record(index), verifierOf(t, origin, 1))
				if err != nil || c.Size != size {
					t.Fatalf("%s\n%+v, %v", text, c, err)
				}
			}
		}
	}
}

// The form is the one of the specification, byte for byte.
func TestProofFormatIsThatOfTheSpecification(t *testing.T) {
	p := proofOf(t, 1, 3)
	p.Extra = []byte("age-v1.2.1")
	stored := treeOf(t, 3)
	want := "c2sp.org/tlog-proof@v1\nextra YWdlLXYxLjIuMQ==\nindex 1\n" + stored[0].String() + "\n" + stored[3].String() + "\n\n" + string(p.Checkpoint)
	if got := must(p.MarshalText())(t); string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Whoever hands over a proof cannot make it show anything that the log's key did not sign.
func TestS1ProofRefusesForgeries(t *testing.T) {
	const index, size = 41, 100
	key := verifierOf(t, origin, 1)
	good := string(must(proofOf(t, index, size).MarshalText())(t))
	lines := strings.SplitAfter(good, "\n")
	hash := lines[2]
	replaced := func(at int, with ...string) string {
		return strings.Join(slices.Replace(slices.Clone(lines), at, at+1, with...), "")
	}
	verify := func(text string, record []byte) error {
		var p Proof
		if err := p.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		_, err := p.Verify(record, key)
		return err
	}
	if err := verify(good, record(index)); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"nothing":               "",
		"another version":       replaced(0, "c2sp.org/tlog-proof@v2\n"),
		"no header":             replaced(0),
		"no index":              replaced(1),
		"index off by one":      replaced(1, "index 42\n"),
		"index off by one, too": replaced(1, "index 40\n"),
		"leading zero":          replaced(1, "index 041\n"),
		"negative index":        replaced(1, "index -41\n"),
		"signed index":          replaced(1, "index +41\n"),
		"huge index":            replaced(1, "index 9223372036854775807\n"),
		"index beyond 64 bits":  replaced(1, "index 18446744073709551657\n"),
		"index beyond the log":  replaced(1, "index 100\n"),
		"index of the largest":  replaced(1, "index "+strconv.FormatInt(MaxSize, 10)+"\n"),
		"two spaces":            replaced(1, "index  41\n"),
		"index twice":           replaced(1, "index 41\n", "index 41\n"),
		"empty extra data":      replaced(1, "extra \n", "index 41\n"),
		"extra respelled":       replaced(1, "extra YWdlLXYxLjIuMR==\n", "index 41\n"),
		"extra with a break":    replaced(1, "extra YWdl\r\n", "index 41\n"),
		"extra twice":           replaced(1, "extra YWdl\n", "extra YWdl\n", "index 41\n"),
		"extra after the index": replaced(1, "index 41\n", "extra YWdl\n"),
		"a hash less":           replaced(2),
		"a hash twice":          replaced(2, hash, hash),
		"hash respelled":        replaced(2, hash[:len(hash)-3]+string(nextLetter(hash[len(hash)-3]))+"=\n"),
		"hash without padding":  replaced(2, strings.TrimSuffix(hash, "=\n")+"\n"),
		"hash with a break":     replaced(2, hash[:10]+"\r"+hash[10:]),
		"too many hashes":       replaced(2, strings.Repeat(hash, 64)),
		"carriage returns":      strings.ReplaceAll(good, "\n", "\r\n"),
		"checkpoint of another": good[:strings.Index(good, "\n\n")+2] + string(proofOf(t, 41, 101).Checkpoint),
		"without a checkpoint":  good[:strings.Index(good, "\n\n")+2],
		"trailing garbage":      good + "x",
		"trailing line":         good + "x\n",
		"too long":              good + strings.Repeat("x", 1<<20),
	} {
		if err := verify(bad, record(index)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for i := range len(good) * 8 {
		bad := []byte(good)
		bad[i/8] ^= 1 << (i % 8)
		if verify(string(bad), record(index)) == nil {
			t.Errorf("bit %d of byte %d flipped: taken", i%8, i/8)
		}
	}
	swapped := slices.Clone(lines)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	for name, bad := range map[string][2]string{
		"another record":   {good, string(record(index + 1))},
		"a newline behind": {good, string(record(index)) + "\n"},
		"hashes swapped":   {strings.Join(swapped, ""), string(record(index))},
	} {
		if err := verify(bad[0], []byte(bad[1])); !errors.Is(err, ErrNotIncluded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var p Proof
	if err := p.UnmarshalText([]byte(good)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Verify(record(index), verifierOf(t, origin, 2)); err == nil {
		t.Error("verified by another key")
	}
	if _, err := p.Verify(record(index)); err == nil {
		t.Error("verified without a key")
	}
}

func TestProofIsWrittenOnlyWithinBounds(t *testing.T) {
	for name, p := range map[string]Proof{
		"negative":    {Index: -1},
		"too large":   {Index: MaxSize},
		"many hashes": {Hashes: make([]tlog.Hash, maxLevel+1)},
		"extra data":  {Extra: make([]byte, maxExtra+1)},
		"checkpoint":  {Checkpoint: make([]byte, maxCheckpoint+1)},
	} {
		if _, err := p.MarshalText(); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	hash := tlog.Hash{}.String() + "\n"
	for name, text := range map[string]string{
		"many hashes": proofHeader + "\nindex 0\n" + strings.Repeat(hash, maxLevel+1) + "\n",
		"too large":   fmt.Sprintf("%s\nindex %d\n\n", proofHeader, int64(MaxSize)),
		"checkpoint":  proofHeader + "\nindex 0\n\n" + strings.Repeat("x", 1<<20),
	} {
		if err := new(Proof).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	largest := Proof{Index: MaxSize - 1, Hashes: make([]tlog.Hash, maxLevel), Extra: make([]byte, maxExtra), Checkpoint: make([]byte, maxCheckpoint)}
	if err := new(Proof).UnmarshalText(must(largest.MarshalText())(t)); err != nil {
		t.Errorf("the largest that is written is not read: %v", err)
	}
}

func FuzzProof(f *testing.F) {
	f.Add(must(proofOf(f, 4, 7).MarshalText())(f))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra YWdl\nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p Proof
		if p.UnmarshalText(text) != nil {
			return
		}
		if again, err := p.MarshalText(); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q is written as %q (%v)", text, again, err)
		}
		p.Verify(nil, verifierOf(t, origin, 1))
	})
}
