package seal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// S7: a MAC fits what it was made of and for, and nothing else.
func TestS7MACFitsNothingElse(t *testing.T) {
	t.Parallel()
	r := ring(t)
	mac := r.MAC("row grants", "grt_1", "acme", "")
	if err := r.CheckMAC(mac, "row grants", "grt_1", "acme", ""); err != nil {
		t.Fatal(err)
	}
	for name, fields := range map[string][]string{
		"changed": {"grt_2", "acme", ""}, "order": {"acme", "grt_1", ""}, "shifted": {"grt_1a", "cme", ""}, "one less": {"grt_1", "acme"},
		"one more": {"grt_1", "acme", "", ""}, "none": nil, "joined": {"grt_1acme"}, "with a length in it": {"grt_1", "acme0:"}, "NUL": {"grt_1", "acme", "\x00"},
	} {
		if err := r.CheckMAC(mac, "row grants", fields...); !errors.Is(err, ErrMAC) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.CheckMAC(mac, "row users", "grt_1", "acme", ""); !errors.Is(err, ErrMAC) {
		t.Errorf("another purpose: %v", err)
	}
	id, text, _ := strings.Cut(mac, ":")
	for _, bad := range []string{"", ":", id, id + ":", ":" + text, mac[:len(mac)-1], mac + "A", mac + "=", id + ":\n" + text, "x y:" + text, id + ":" + strings.Repeat("A", 43)} {
		if err := r.CheckMAC(bad, "row grants", "grt_1", "acme", ""); !errors.Is(err, ErrMAC) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if other := ring(t); other.MAC("row grants", "grt_1", "acme", "") == mac {
		t.Error("another ring makes the same")
	}
}

// After a rotation, here or by another process, older MACs are good; without their key the
// error names it.
func TestMACOutlivesRotation(t *testing.T) {
	t.Parallel()
	r := ring(t)
	behind, err := LoadKeyRing(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	before := r.MAC("p", "x")
	if err := RotateKeyFile(r.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	after := r.MAC("p", "x")
	if before == after {
		t.Fatal("the new key makes the same")
	}
	for name, ring := range map[string]*KeyRing{"reloaded": r, "not reloaded": behind} {
		for _, mac := range []string{before, after} {
			if err := ring.CheckMAC(mac, "p", "x"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	text, err := os.ReadFile(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(r.Path(), []byte(first+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	alone, err := LoadKeyRing(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(before, ":")
	if err := alone.CheckMAC(before, "p", "x"); !errors.Is(err, ErrUnknownKey) || errors.Is(err, ErrMAC) || !strings.Contains(err.Error(), `names key "`+id+`"`) {
		t.Errorf("without its key: %v", err)
	}
}

// After a rotation many requests meet the new key at once. One of them reads the file; none
// of the others may take what it finds for foreign, which would stop everything.
func TestFaultFT46ManyMeetTheNewKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := CreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	load := func() *KeyRing {
		t.Helper()
		r, err := LoadKeyRing(path)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	place := Place{Table: "links", Row: "1"}
	for range 20 {
		behind := load()
		if err := RotateKeyFile(path); err != nil {
			t.Fatal(err)
		}
		ahead := load()
		mac := ahead.MAC("p", "x")
		sealed, err := ahead.Seal(place, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		begin := make(chan struct{})
		for range 8 {
			all.Go(func() {
				<-begin
				if err := behind.CheckMAC(mac, "p", "x"); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				<-begin
				if _, err := behind.Open(place, sealed); err != nil {
					t.Error(err)
				}
			})
		}
		close(begin)
		all.Wait()
	}
}
