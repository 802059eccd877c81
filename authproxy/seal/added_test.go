package seal

import (
	"os"
	"strings"
	"testing"
)

// FT-46: a key that is added opens and does not seal until it is told to; so two machines whose files are copied one
// after the other open what the other seals at each step, and nothing that an earlier version could not read is in the file.
func TestFaultFT46KeyInTwoSteps(t *testing.T) {
	t.Parallel()
	a, b := ring(t), ring(t)
	copied := func() {
		t.Helper()
		text, err := os.ReadFile(a.Path())
		if err == nil {
			err = os.WriteFile(b.Path(), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	copied()
	b, err := LoadKeyRing(b.Path())
	if err != nil {
		t.Fatal(err)
	}
	first := a.IDs()[0]
	source := Source{File: a.Path()}
	both := func(step string, sealing [2]string) {
		t.Helper()
		for i, r := range []*KeyRing{a, b} {
			if _, err := r.Reload(); err != nil {
				t.Fatal(err)
			}
			sealed, err := r.Seal(place, []byte("canary"))
			if err != nil || SealedWith(sealed) != sealing[i] {
				t.Errorf("%s: machine %d seals with %s, want %s, %v", step, i, SealedWith(sealed), sealing[i], err)
			}
			for _, other := range []*KeyRing{a, b} {
				if got, err := other.Open(place, sealed); err != nil || string(got) != "canary" {
					t.Errorf("%s: %q %v", step, got, err)
				}
			}
		}
	}
	if err := source.UseKey(t.Context()); err == nil || !strings.Contains(err.Error(), "--add") {
		t.Errorf("used, and none was added: %v", err)
	}
	if err := source.AddKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	both("added at one", [2]string{first, first})
	added := a.IDs()[1]
	for name, again := range map[string]error{"add": source.AddKey(t.Context()), "rotate": source.Rotate(t.Context())} {
		if again == nil || !strings.Contains(again.Error(), "--use") {
			t.Errorf("%s while a key waits: %v", name, again)
		}
	}
	copied()
	both("added at both", [2]string{first, first})
	if !a.Added(added) || a.Added(first) {
		t.Error("it is not known which key was added")
	}
	if err := source.UseKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	both("used at one", [2]string{added, first})
	copied()
	both("used at both", [2]string{added, added})
	if b.Added(added) {
		t.Error("a key that seals counts as added")
	}
	text, err := os.ReadFile(a.Path())
	if err != nil || strings.Contains(string(text), addedMark) || !strings.HasPrefix(string(text), added+" ") {
		t.Errorf("%v: the file is\n%s", err, text)
	}
	if err := source.Rotate(t.Context()); err != nil {
		t.Errorf("rotated afterwards: %v", err)
	}
}
