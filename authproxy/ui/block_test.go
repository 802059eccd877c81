package ui

import "testing"

// Blanks at the beginning of a line stand as they are, also behind the sign of a line of a difference, so that it can be
// pasted; whatever else is blank in a line is shown for what it is.
func TestBlocksCanBePasted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]line{
		"+      - {effect: deny}": {"+      ", "- {effect: deny}"},
		"-      005xx":            {"-      ", "005xx"},
		"~    every user":         {"~    ", "every user"},
		"  indented":              {"  ", "indented"},
		"policy p,  two blanks":   {"", "policy p,  two blanks"},
		"-":                       {"-", ""},
		"":                        {},
	} {
		if got := (Section{Block: text}).Lines(); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
