package api

import (
	"slices"
	"testing"

	"sfmcp-proxy/authproxy/packing"
)

// A program can ask for every control that there are packs of.
func TestControlsOfPacks(t *testing.T) {
	t.Parallel()
	for _, p := range packParams() {
		if p.Name == "control" && slices.Equal(p.Enum, packing.Controls()) {
			return
		}
	}
	t.Errorf("a pack can be of %q: %+v", packing.Controls(), packParams())
}

// null is no body, and no value of a member: it would count as {}, or as a member that was left away.
func TestNullIsRefused(t *testing.T) {
	t.Parallel()
	for body, good := range map[string]bool{`{}`: true, `{"client":"c","reason":"lost"}`: true, `null`: false, ` null `: false,
		`{"client":null,"reason":"lost"}`: false, `{"client":"null","reason":"lost"}`: true} {
		_, nothing := decoded[Nothing]([]byte(body))
		_, client := decoded[OfClient]([]byte(body))
		if (nothing == nil || client == nil) != good {
			t.Errorf("%s: %v, %v", body, nothing, client)
		}
	}
}
