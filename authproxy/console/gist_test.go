package console

import (
	"strings"
	"testing"
)

func TestShortened(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "Account · Persistent Systems": "Account · Persistent Systems",
		strings.Repeat("é", 81): strings.Repeat("é", 80) + "…",
	} {
		if got := shortened(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
