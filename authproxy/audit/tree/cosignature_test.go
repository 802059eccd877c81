package tree

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// witness cosigns as a witness does, at a time.
type witness struct {
	name string
	key  ed25519.PrivateKey
	at   uint64
}

func witnessOf(name string, n byte, at uint64) witness {
	s := seed(n)
	return witness{name, ed25519.NewKeyFromSeed(s[:]), at}
}

func (w witness) public() ed25519.PublicKey { return w.key.Public().(ed25519.PublicKey) }
func (w witness) Name() string              { return w.name }
func (w witness) KeyHash() uint32           { return keyID(w.name, cosignatureType, w.public()) }

func (w witness) Sign(message []byte) ([]byte, error) {
	text := fmt.Sprintf("cosignature/v1\ntime %d\n%s", w.at, message)
	return append(binary.BigEndian.AppendUint64(nil, w.at), ed25519.Sign(w.key, []byte(text))...), nil
}

// text is the witness's public key as it is handed on.
func (w witness) text() string {
	return fmt.Sprintf("%s+%08x+%s", w.name, w.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{cosignatureType}, w.public()...)))
}

func (w witness) verifier(t testing.TB) note.Verifier {
	t.Helper()
	return must(WitnessKey(w.text()))(t)
}

func TestCosignaturesOfWitnesses(t *testing.T) {
	one, two, three := witnessOf("witness.example/w1", 11, 1679315147), witnessOf("witness.example/w2", 12, 1), witnessOf("witness.example/w3", 13, 5)
	c := checkpointOf(t, treeOf(t, 20), 20)
	text := []byte(signed(t, c, signerOf(t, origin, 1), one, two))
	for _, tc := range []struct {
		witnesses []note.Verifier
		want      []Cosignature
	}{
		{nil, nil},
		{[]note.Verifier{three.verifier(t)}, nil},
		{[]note.Verifier{one.verifier(t)}, []Cosignature{{one.name, time.Unix(1679315147, 0).UTC()}}},
		{[]note.Verifier{three.verifier(t), two.verifier(t), one.verifier(t)}, []Cosignature{{one.name, time.Unix(1679315147, 0).UTC()}, {two.name, time.Unix(1, 0).UTC()}}},
	} {
		got, err := Cosignatures(text, tc.witnesses...)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%v: %v, %v", tc.witnesses, got, err)
		}
	}
	// They are no obstacle to reading the checkpoint.
	if got, err := ParseCheckpoint(text, verifierOf(t, origin, 1)); err != nil || got != c {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCosignaturesAreThoseOfTheWitness(t *testing.T) {
	stored := treeOf(t, 20)
	w := witnessOf("witness.example/w1", 11, 1679315147)
	key := w.verifier(t)
	c := checkpointOf(t, stored, 20)
	good := signed(t, c, w)
	// The time is signed as well, and so is every other bit.
	for i := range len(good) * 8 {
		bad := []byte(good)
		bad[i/8] ^= 1 << (i % 8)
		if got, err := Cosignatures(bad, key); err == nil && len(got) > 0 {
			t.Errorf("bit %d of byte %d flipped: %v", i%8, i/8, got)
		}
	}
	impostor := witnessOf(w.name, 12, w.at)
	early, late := w, w
	early.at, late.at = 0, 1<<63
	noCheckpoint := must(note.Sign(&note.Note{Text: "pay me\n"}, w))(t)
	for name, bad := range map[string]string{
		"another key of the name": signed(t, c, impostor),
		"no time":                 signed(t, c, early),
		"a time beyond 63 bits":   signed(t, c, late),
		"of another checkpoint":   strings.Replace(good, c.Text(), checkpointOf(t, stored, 19).Text(), 1),
		"not of a checkpoint":     string(noCheckpoint),
		"a plain signature":       signed(t, c, signerOf(t, w.name, 11)),
		"too long":                good + strings.Repeat("— x AAAAAAAA\n", 20000),
	} {
		if got, err := Cosignatures([]byte(bad), key); err == nil && len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got, err := Cosignatures([]byte(signed(t, c, signerOf(t, origin, 1))), verifierOf(t, origin, 1)); err == nil {
		t.Errorf("the log is its own witness: %v", got)
	}
}

func TestWitnessKeyIsReadExactly(t *testing.T) {
	w := witnessOf("witness.example/w1", 11, 1)
	good := w.text()
	key := strings.Split(good, "+")
	plain := must(VerifierKey(w.name, seed(11)))(t)
	large := base64.StdEncoding.EncodeToString(append([]byte{mlDSAType}, make([]byte, 1312)...))
	for name, c := range map[string]struct{ text, want string }{
		"nothing":        {"", "looks like"},
		"no parts":       {"witness.example/w1", "looks like"},
		"no name":        {strings.TrimPrefix(good, w.name), "looks like"},
		"a space":        {"a b" + strings.TrimPrefix(good, w.name), "looks like"},
		"another name":   {"w" + good, "does not fit"},
		"short id":       {key[0] + "+" + key[1][1:] + "+" + strings.Join(key[2:], "+"), "looks like"},
		"another id":     {key[0] + "+00000000+" + strings.Join(key[2:], "+"), "does not fit"},
		"id in capitals": {key[0] + "+" + strings.ToUpper(key[1]) + "+" + strings.Join(key[2:], "+"), "does not fit"},
		"no key":         {key[0] + "+" + key[1] + "+", "looks like"},
		"line break":     {good + "\n", "looks like"},
		"a log's key":    {plain, "not one that a witness"},
		"post-quantum":   {key[0] + "+" + key[1] + "+" + large, "ML-DSA-44"},
		"half of a key":  {key[0] + "+" + key[1] + "+BAAA", "not one that a witness"},
	} {
		if _, err := WitnessKey(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzWitnessKey(f *testing.F) {
	f.Add(witnessOf("witness.example/w1", 11, 1).text())
	f.Fuzz(func(t *testing.T, text string) {
		v, err := WitnessKey(text)
		if err != nil {
			return
		}
		// It is the key that the text says, so the text follows from it.
		again := fmt.Sprintf("%s+%08x+%s", v.Name(), v.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{cosignatureType}, v.(*cosignatureVerifier).key...)))
		if again != text {
			t.Fatalf("%q is the key %q", text, again)
		}
	})
}
