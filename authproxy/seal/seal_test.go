package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func ring(t testing.TB) *KeyRing {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := CreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	r, err := LoadKeyRing(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var place = Place{Table: "links", Row: "1", Org: "acme", Subject: "005A", Purpose: "refresh"}

func TestSealOpens(t *testing.T) {
	r := ring(t)
	a, err := r.Seal(place, []byte("canary"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := r.Seal(place, []byte("canary"))
	if a == b {
		t.Error("two sealings of one text are equal")
	}
	if strings.Contains(a, "canary") || strings.Contains(a, base64.RawURLEncoding.EncodeToString([]byte("canary"))) {
		t.Error("the text shows")
	}
	if got, err := r.Open(place, a); err != nil || string(got) != "canary" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestST03SealedElsewhereOrChangedDoesNotOpen(t *testing.T) {
	r := ring(t)
	sealed, err := r.Seal(place, []byte("canary"))
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Place{
		"table":   {"grants", "1", "acme", "005A", "refresh"},
		"row":     {"links", "2", "acme", "005A", "refresh"},
		"org":     {"links", "1", "other", "005A", "refresh"},
		"subject": {"links", "1", "acme", "005B", "refresh"},
		"purpose": {"links", "1", "acme", "005A", "access"},
		"shifted": {"links", "1a", "cme", "005A", "refresh"},
	} {
		if _, err := r.Open(p, sealed); !errors.Is(err, ErrSealed) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "cut": sealed[:len(sealed)-2], "version": "v2" + sealed[2:], "no key": "v1." + sealed[strings.LastIndex(sealed, "."):],
		"no name of a key": "v1.k other" + sealed[strings.LastIndex(sealed, "."):], "endless name": "v1." + strings.Repeat("k", maxID+1) + sealed[strings.LastIndex(sealed, "."):],
		"flipped": sealed[:len(sealed)-5] + flip(sealed[len(sealed)-5]) + sealed[len(sealed)-4:], "padded": sealed + "=",
	} {
		if _, err := r.Open(place, text); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Whether what names another key is genuine, nobody here can know.
	for name, open := range map[string]func() ([]byte, error){
		"another ring": func() ([]byte, error) { return ring(t).Open(place, sealed) },
		"another key":  func() ([]byte, error) { return r.Open(place, "v1.kother"+sealed[strings.LastIndex(sealed, "."):]) },
	} {
		if text, err := open(); text != nil || !errors.Is(err, ErrUnknownKey) || errors.Is(err, ErrSealed) {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestRotationKeepsOldOpenable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := CreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	old, err := LoadKeyRing(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := old.Seal(place, []byte("x"))
	if err := RotateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	both, err := LoadKeyRing(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := both.Open(place, sealed); err != nil || string(got) != "x" {
		t.Errorf("old value: %q, %v", got, err)
	}
	fresh, _ := both.Seal(place, []byte("y"))
	if strings.Split(fresh, ".")[1] == strings.Split(sealed, ".")[1] {
		t.Error("the new value is sealed under the old key")
	}
	keys, err := both.Keys("audit")
	if err != nil || len(keys) != 2 || bytes.Equal(keys[0].Key, keys[1].Key) {
		t.Errorf("keys %v, %v", len(keys), err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
}

func TestST04BadKeyFiles(t *testing.T) {
	good := NewKeyLine()
	zero := "k1 " + base64.RawURLEncoding.EncodeToString(make([]byte, 32)) + "\n"
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"readable by others":      {good, 0o644, "chmod 600"},
		"empty":                   {"# nothing\n", 0o600, "no key"},
		"short":                   {"k1 " + base64.RawURLEncoding.EncodeToString(make([]byte, 16)), 0o600, "line 1"},
		"all zero":                {zero, 0o600, "line 1"},
		"repeated pattern":        {"k1 " + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte("0123456789"), 4)[:32]), 0o600, "line 1"},
		"counted, as in examples": {"k1 " + base64.RawURLEncoding.EncodeToString(counted(32)), 0o600, "line 1"},
		"counted down":            {"k1 " + base64.RawURLEncoding.EncodeToString(counted(-32)), 0o600, "line 1"},
		"a sentence":              {"k1 " + base64.RawURLEncoding.EncodeToString([]byte("change me, I am a secret: 0123456")[:32]), 0o600, "line 1"},
		"bad line after a good":   {good + "k2 short", 0o600, "line 2"},
		"not base64":              {"k1 ????", 0o600, "line 1"},
		"no id":                   {base64.RawURLEncoding.EncodeToString(make([]byte, 32)), 0o600, "line 1"},
		"same id twice":           {good + good, 0o600, "line 2"},
	} {
		path := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKeyRing(path)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && len(c.text) > 20 && strings.Contains(err.Error(), c.text[10:20]) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
	if _, err := LoadKeyRing(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "key generate") {
		t.Errorf("missing: %v", err)
	}
}

// counted is n, n-1, … or 0, 1, …
func counted(n int) (key []byte) {
	for i := range max(n, -n) {
		if n < 0 {
			i = -n - i
		}
		key = append(key, byte(i))
	}
	return key
}

// ST-07: nobody's link leads a new key, or a rotated one, elsewhere.
func TestST07PlantedLinkAtKeyPath(t *testing.T) {
	dir := t.TempDir()
	path, elsewhere := filepath.Join(dir, "keys"), filepath.Join(dir, "elsewhere")
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	if err := CreateKeyFile(path); err == nil {
		t.Error("created through a link")
	}
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("a key lies where the link leads")
	}
	if err := os.WriteFile(elsewhere, []byte(NewKeyLine()), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyRing(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a link to a file that others read: %v", err)
	}
}

// ST-05: equal plaintexts never seal to equal text, or under an equal nonce, and no
// purpose opens what another sealed.
func TestST05NoncesAndKeysDiffer(t *testing.T) {
	r := ring(t)
	rounds := 100_000
	if testing.Short() {
		rounds = 2_000
	}
	nonces, texts := make(map[[12]byte]bool, rounds), make(map[[16]byte]bool, rounds)
	for range rounds {
		sealed, err := r.Seal(place, []byte("the same plaintext"))
		if err != nil {
			t.Fatal(err)
		}
		box, err := base64.RawURLEncoding.DecodeString(sealed[strings.LastIndex(sealed, ".")+1:])
		if err != nil {
			t.Fatal(err)
		}
		nonce, text := [12]byte(box), [16]byte(box[12:])
		if nonces[nonce] || texts[text] {
			t.Fatal("a nonce or ciphertext came twice")
		}
		nonces[nonce], texts[text] = true, true
	}

	// The purpose is part of the associated data, too: here that is equal.
	k := r.now.Load().keys[0]
	box, err := k.aead("refresh")
	if err != nil {
		t.Fatal(err)
	}
	sealed := box.Seal(nil, nil, []byte("x"), nil)
	derived := map[string]bool{string(k.root): true}
	for _, purpose := range []string{"access", "refresh ", "Refresh", ""} {
		other, err := k.aead(purpose)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Open(nil, nil, sealed, nil); err == nil {
			t.Errorf("the key for %q opens what was sealed for refresh", purpose)
		}
		keys, err := r.Keys(purpose)
		if err != nil || derived[string(keys[0].Key)] {
			t.Errorf("the MAC key for %q is another purpose's, or the root (%v)", purpose, err)
		}
		derived[string(keys[0].Key)] = true
	}
	if label, err := NewAEAD(k.root, "refresh"); err != nil {
		t.Fatal(err)
	} else if _, err := label.Open(nil, nil, sealed, nil); err == nil {
		t.Error("a bare label opens what a key ring sealed")
	}
}

func TestCreateKeyFileNeverReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := CreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if err := CreateKeyFile(path); err == nil {
		t.Error("created twice")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
}

// ST-12: a million secrets, no two alike in their first 128 bits, each bit as often set
// as not.
func TestST12SecretsAreLongAndDistinct(t *testing.T) {
	rounds := 1_000_000
	if testing.Short() {
		rounds = 10_000
	}
	seen := make(map[[16]byte]bool, rounds)
	var set [256]int
	for range rounds {
		s := Secret("sfa_")
		bits, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(s, "sfa_"))
		if err != nil || len(bits) != 32 {
			t.Fatalf("a secret of %d bytes, %v", len(bits), err)
		}
		if seen[[16]byte(bits)] {
			t.Fatal("a secret came twice")
		}
		seen[[16]byte(bits)] = true
		for i := range set {
			set[i] += int(bits[i/8] >> (i % 8) & 1)
		}
	}
	// Six standard deviations; a fair bit is outside once in 10^9.
	for i, n := range set {
		if off := n - rounds/2; off*off > 36*rounds/4 {
			t.Errorf("bit %d is set %d times in %d", i, n, rounds)
		}
	}
	if Hash("a") == Hash("b") || len(Hash("a")) != 43 {
		t.Error("hash")
	}
}

// FT-46: a ring that is in use takes new keys from its file, also when it meets one first
// in what another process sealed, and keeps what it has when the file is no good.
func TestFaultFT46RingIsReloaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := CreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	load := func() *KeyRing {
		r, err := LoadKeyRing(path)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	running, place := load(), Place{Table: "t", Row: "1", Purpose: "p"}
	before, err := running.Seal(place, []byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := running.Reload(); changed || err != nil {
		t.Errorf("nothing changed: %t %v", changed, err)
	}
	if err := RotateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	elsewhere, err := load().Seal(place, []byte("elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	for sealed, want := range map[string]string{elsewhere: "elsewhere", before: "before"} {
		if got, err := running.Open(place, sealed); err != nil || string(got) != want {
			t.Errorf("%s: %q %v", want, got, err)
		}
	}
	now, err := running.Seal(place, []byte("now"))
	if err != nil || now[:12] != elsewhere[:12] {
		t.Errorf("sealed with another key than the new one: %.12s, %.12s, %v", now, elsewhere, err)
	}
	if keys, err := running.Keys("chain"); err != nil || len(keys) != 2 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"empty": "", "half": string(good[:20]), "other keys": NewKeyLine()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if changed, err := running.Reload(); changed || err == nil {
			t.Errorf("%s: %t %v", name, changed, err)
		}
		if got, err := running.Open(place, now); err != nil || string(got) != "now" {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if err := os.WriteFile(path, good[:strings.Index(string(good), "\n")+1], 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := running.Reload(); !changed || err != nil {
		t.Errorf("the old key was retired: %t %v", changed, err)
	}
	if _, err := running.Open(place, before); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("what the retired key sealed: %v", err)
	}
}
