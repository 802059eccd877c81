package tree

import (
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

const origin = "proxy.example.com/audit/1"

func seed(n byte) [32]byte { return [32]byte{n, 1, 2, 3} }

// signerOf and verifierOf are the two halves of one key.
func signerOf(t testing.TB, origin string, n byte) note.Signer {
	t.Helper()
	s, err := NewSigner(origin, seed(n))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func verifierOf(t testing.TB, origin string, n byte) note.Verifier {
	t.Helper()
	text, err := VerifierKey(origin, seed(n))
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func checkpointOf(t testing.TB, stored storedHashes, size int64) Checkpoint {
	t.Helper()
	return Checkpoint{Origin: origin, Size: size, Root: rootOf(t, stored, size)}
}

func signed(t testing.TB, c Checkpoint, signers ...note.Signer) string {
	t.Helper()
	text, err := c.Sign(signers...)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCheckpointIsReadAsSigned(t *testing.T) {
	stored := treeOf(t, 300)
	for _, size := range []int64{0, 1, 2, 255, 256, 300} {
		want := checkpointOf(t, stored, size)
		text := signed(t, want, signerOf(t, origin, 1))
		got, err := ParseCheckpoint([]byte(text), verifierOf(t, origin, 1))
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	want := checkpointOf(t, stored, 7)
	want.Extension = "one\ntwo\n"
	if got, err := ParseCheckpoint([]byte(signed(t, want, signerOf(t, origin, 1))), verifierOf(t, origin, 1)); err != nil || got != want {
		t.Errorf("with extension lines: %v, %v", got, err)
	}
}

// The format and the key are those that the rest of the world reads: note's own signer
// makes the same signature from the same seed, and the example of the specification parses.
func TestCheckpointFormatIsThatOfTheSpecification(t *testing.T) {
	c := checkpointOf(t, treeOf(t, 3), 3)
	ours := signerOf(t, origin, 1)
	key := seed(1)
	secret := "PRIVATE+KEY+" + origin + "+" + strings.Split(must(VerifierKey(origin, key))(t), "+")[1] +
		"+" + base64.StdEncoding.EncodeToString(append([]byte{1}, key[:]...))
	theirs, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	if signed(t, c, ours) != signed(t, c, theirs) {
		t.Error("note signs otherwise with the same seed")
	}

	const example = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	read, err := parseText(example)
	if err != nil || read.Origin != "example.com/behind-the-sofa" || read.Size != 20852163 || read.Text() != example {
		t.Errorf("%v, %v", read, err)
	}
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// Who holds the log but not its key cannot make a checkpoint of it say anything else.
func TestS1CheckpointRefusesWhatTheKeyDidNotSign(t *testing.T) {
	stored := treeOf(t, 20)
	own, other := signerOf(t, origin, 1), signerOf(t, origin, 2)
	foreign := signerOf(t, "other.example.com/audit", 1)
	key := verifierOf(t, origin, 1)
	c := checkpointOf(t, stored, 20)
	good := signed(t, c, own)

	foreignOrigin := c
	foreignOrigin.Origin = "other.example.com/audit"
	for name, bad := range map[string]string{
		"nothing":              "",
		"no signature":         good[:strings.Index(good, "\n\n")+2],
		"another key":          signed(t, c, other),
		"another log":          signed(t, foreignOrigin, foreign),
		"other log, own key":   signed(t, foreignOrigin, own),
		"size off by one":      strings.Replace(good, "\n20\n", "\n19\n", 1),
		"older size":           strings.Replace(good, "\n20\n", "\n2\n", 1),
		"leading zero":         strings.Replace(good, "\n20\n", "\n020\n", 1),
		"trailing garbage":     good + "x",
		"trailing empty line":  good + "\n",
		"trailing text":        good + "\nmore\n",
		"cut":                  good[:len(good)-1],
		"carriage returns":     strings.ReplaceAll(good, "\n", "\r\n"),
		"line put in":          strings.Replace(good, "\n20\n", "\n20\n20\n", 1),
		"signature respelled":  good[:len(good)-3] + string(nextLetter(good[len(good)-3])) + "=\n",
		"too long":             good + strings.Repeat("— "+origin+" AAAAAAAA\n", 10000),
		"too many signatures":  good + strings.Repeat("— "+origin+" AAAAAAAA\n", 200),
		"own key, wrong bytes": strings.Replace(good, "\n\n", "\n\n— "+origin+" "+signatureOf(signed(t, checkpointOf(t, stored, 19), own))+"\n", 1),
	} {
		if got, err := ParseCheckpoint([]byte(bad), key, verifierOf(t, "other.example.com/audit", 3)); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
	// A bit anywhere, in the text or in the signature.
	for i := range len(good) * 8 {
		bad := []byte(good)
		bad[i/8] ^= 1 << (i % 8)
		if got, err := ParseCheckpoint(bad, key); err == nil {
			t.Errorf("bit %d of byte %d flipped: read as %+v", i%8, i/8, got)
		}
	}
	// The key of one log does not speak for another one, where both keys are at hand.
	borrowed := signed(t, c, foreign)
	if got, err := ParseCheckpoint([]byte(borrowed), key, verifierOf(t, "other.example.com/audit", 1)); err == nil {
		t.Errorf("signed by the key of another log, read as %+v", got)
	}
	if _, err := ParseCheckpoint([]byte(good)); err == nil {
		t.Error("read without any key")
	}
}

func signatureOf(signed string) string {
	return strings.TrimSuffix(signed[strings.LastIndex(signed, " ")+1:], "\n")
}

// Signatures that we do not know, as those of witnesses, neither help nor hinder.
func TestCheckpointIgnoresOtherSignatures(t *testing.T) {
	c := checkpointOf(t, treeOf(t, 20), 20)
	text := signed(t, c, signerOf(t, "witness.example/w1", 9), signerOf(t, origin, 1), signerOf(t, origin, 2))
	text += "— witness.example/w2 AAAAAAAAAAAA\n"
	for _, keys := range [][]note.Verifier{
		{verifierOf(t, origin, 1)},
		{verifierOf(t, origin, 2)},
		{verifierOf(t, origin, 1), verifierOf(t, origin, 2), verifierOf(t, "witness.example/w1", 9)},
	} {
		if got, err := ParseCheckpoint([]byte(text), keys...); err != nil || got != c {
			t.Errorf("%v, %v", got, err)
		}
	}
	if _, err := ParseCheckpoint([]byte(text), verifierOf(t, "witness.example/w1", 9)); err == nil {
		t.Error("a witness alone speaks for the log")
	}
}

func TestCheckpointIsSignedOnlyWhenItCanBeRead(t *testing.T) {
	good := checkpointOf(t, treeOf(t, 20), 20)
	for name, spoil := range map[string]func(c *Checkpoint){
		"no origin":         func(c *Checkpoint) { c.Origin = "" },
		"origin of two":     func(c *Checkpoint) { c.Origin = "a\nb" },
		"origin with space": func(c *Checkpoint) { c.Origin = "a b" },
		"negative":          func(c *Checkpoint) { c.Size = -1 },
		"too large":         func(c *Checkpoint) { c.Size = MaxSize + 1 },
		"empty with a root": func(c *Checkpoint) { c.Size = 0 },
		"extension open":    func(c *Checkpoint) { c.Extension = "x" },
		"extension empty":   func(c *Checkpoint) { c.Extension = "x\n\ny\n" },
		"root in extension": func(c *Checkpoint) { c.Extension = "\n" },
	} {
		c := good
		spoil(&c)
		if text, err := c.Sign(signerOf(t, origin, 1)); err == nil {
			t.Errorf("%s: signed as %q", name, text)
		}
	}
	if _, err := good.Sign(); err == nil {
		t.Error("signed by nobody")
	}
}

// However good the signature is: what is longer than any checkpoint is neither made nor read.
func TestCheckpointIsBounded(t *testing.T) {
	c := checkpointOf(t, treeOf(t, 20), 20)
	c.Extension = strings.Repeat("x\n", maxCheckpoint/2)
	if _, err := c.Sign(signerOf(t, origin, 1)); err != errLong {
		t.Errorf("signed: %v", err)
	}
	w := witnessOf("witness.example/w1", 2, 5)
	long := must(note.Sign(&note.Note{Text: c.Text()}, signerOf(t, origin, 1), w))(t)
	if _, err := ParseCheckpoint(long, verifierOf(t, origin, 1)); err != errLong {
		t.Errorf("read: %v", err)
	}
	if _, err := Cosignatures(long, w.verifier(t)); err != errLong {
		t.Errorf("its cosignatures: %v", err)
	}
}

func TestOriginMustBeTheNameOfAKey(t *testing.T) {
	for _, bad := range []string{"", "a b", "a+b", "a\nb", "a\tb", "a\x7fb", "a\u00a0b", "a\u2028b", "a\xff", strings.Repeat("a", 256)} {
		if _, err := NewSigner(bad, seed(1)); err == nil {
			t.Errorf("%q is taken by NewSigner", bad)
		}
		if _, err := VerifierKey(bad, seed(1)); err == nil {
			t.Errorf("%q is taken by VerifierKey", bad)
		}
	}
}

func FuzzCheckpointText(f *testing.F) {
	f.Add("example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")
	f.Add("a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseText(text)
		if err == nil && c.Text() != text {
			t.Fatalf("%q is written as %q", text, c.Text())
		}
	})
}
