package db

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func ring(t *testing.T) *KeyRing {
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
		"empty": "", "cut": sealed[:len(sealed)-2], "version": "v2" + sealed[2:], "other key": "v1.kother" + sealed[strings.LastIndex(sealed, "."):],
		"flipped": sealed[:len(sealed)-5] + flip(sealed[len(sealed)-5]) + sealed[len(sealed)-4:], "padded": sealed + "=",
	} {
		if _, err := r.Open(place, text); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ring(t).Open(place, sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("another ring: %v", err)
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
	if _, err := old.Open(place, fresh); !errors.Is(err, ErrSealed) {
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
		"readable by others": {good, 0o644, "chmod 600"},
		"empty":              {"# nothing\n", 0o600, "no key"},
		"short":              {"k1 " + base64.RawURLEncoding.EncodeToString(make([]byte, 16)), 0o600, "line 1"},
		"all zero":           {zero, 0o600, "line 1"},
		"repeated pattern":   {"k1 " + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte("0123456789"), 4)[:32]), 0o600, "line 1"},
		"not base64":         {"k1 ????", 0o600, "line 1"},
		"no id":              {base64.RawURLEncoding.EncodeToString(make([]byte, 32)), 0o600, "line 1"},
		"same id twice":      {good + good, 0o600, "line 2"},
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

func TestClaimRefusesAnotherRing(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "p.db"))
	mine, other := ring(t), ring(t)
	for range 2 {
		if err := mine.Claim(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Claim(t.Context(), d); err == nil {
		t.Error("another ring claims the database")
	}
}

func TestST12SecretsAreLongAndDistinct(t *testing.T) {
	seen := map[string]bool{}
	for range 10000 {
		s := Secret("sfa_")
		if len(s) != len("sfa_")+43 || seen[s] {
			t.Fatalf("secret %d characters, repeated %v", len(s), seen[s])
		}
		seen[s] = true
	}
	if Hash("a") == Hash("b") || len(Hash("a")) != 43 {
		t.Error("hash")
	}
}
