package seal

import (
	"strings"
	"testing"
)

// AS-29: of all texts that could be read as a secret one is accepted, the one that it was
// given out as.
func TestAS29WellFormed(t *testing.T) {
	good := Secret("sfa_")
	random := strings.TrimPrefix(good, "sfa_")
	if !WellFormed(good, "sfa_") || !WellFormed(random, "") {
		t.Errorf("%q is refused", good)
	}
	for name, text := range map[string]string{
		"no prefix": random, "another prefix": "sfr_" + random, "nothing": "", "prefix alone": "sfa_",
		"one more": good + "A", "one less": good[:len(good)-1], "padded": good + "=", "31 bytes": "sfa_" + random[:42], "33 bytes": "sfa_" + random + "A",
		"line end within": good[:20] + "\n" + good[20:], "line end after": good + "\n", "line end in the place of one": good[:20] + "\r" + good[21:],
		"line end in the place of the last": "sfa_" + strings.Repeat("A", 42) + "\n", "line ends in the place of three": "sfa_" + strings.Repeat("A", 20) + "\r\n\r" + strings.Repeat("A", 20),
		"two line ends for two": good[:20] + "\r\n" + good[22:], "other alphabet": "sfa_" + strings.Repeat("+", 43), "space": " " + good,
		"no base64": "sfa_" + strings.Repeat("!", 43), "bits beyond 32 bytes": "sfa_" + strings.Repeat("A", 42) + "B",
	} {
		if WellFormed(text, "sfa_") {
			t.Errorf("%s: %q is accepted", name, text)
		}
	}
}

// ST-04: what people write where a key is asked for is told from 32 random bytes at the
// bounds: sixteen different bytes and sixteen different steps are random enough, fifteen are not.
func TestST04LooksRandom(t *testing.T) {
	key := func(values int) []byte { // so many different bytes, in steps that differ as often
		k := make([]byte, keySize)
		at := byte(0)
		for i := range k {
			at += byte(i%values)*7 + 1
			k[i] = at
		}
		return k
	}
	count := func(k []byte) (values, steps int) {
		v, s := map[byte]bool{}, map[byte]bool{}
		for i := range k {
			v[k[i]] = true
			if i > 0 {
				s[k[i]-k[i-1]] = true
			}
		}
		return len(v), len(s)
	}
	for values := 2; values <= keySize; values++ {
		k := key(values)
		v, s := count(k)
		if got, want := looksRandom(k), v >= 16 && s >= 16; got != want {
			t.Errorf("%d bytes, %d steps: random %t", v, s, got)
		}
	}
	// The first step counts as the others do: fifteen differ without it.
	first := make([]byte, keySize)
	first[0], first[1] = 0, 200
	for i, step := 2, byte(1); i < keySize; i, step = i+1, step%15+1 {
		first[i] = first[i-1] + step
	}
	if _, s := count(first); s != 16 || !looksRandom(first) {
		t.Errorf("%d steps with the first: random %t", s, looksRandom(first))
	}
	sentence := []byte("Pack my box with 5 dozen jugs!?+")
	if len(sentence) != keySize || looksRandom(sentence) {
		t.Errorf("a sentence of %d is random", len(sentence))
	}
	sentence[7] = 0x1f // one byte that nobody types
	if !looksRandom(sentence) {
		t.Error("a byte that cannot be printed does not count")
	}
}
