package main

import (
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/ui"
)

// AP-03: whoever approves on the command line reads every character, too.
func TestAP03CommandLineHidesNothing(t *testing.T) {
	t.Parallel()
	for _, plain := range []string{"", "Persistent Systems Ltd", `{"Name":"a \"b\" \\"}`, "Zürich", "株式会社", "a  b"} {
		if got := printable(plain); got != plain {
			t.Errorf("%q is printed as %q", plain, got)
		}
	}
	for _, hidden := range []rune{
		'\n', '\t', 0x1b, 0x7f, 0x85, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x180e, 0x200b, 0x202e, 0x2028, 0x2066, 0x2800, 0x3164, 0xfe0f, 0xfeff, 0xe0041, 0xe000,
	} {
		if got := printable("a" + string(hidden) + "b"); strings.ContainsFunc(got, func(r rune) bool { return r >= 0x7f || r < ' ' || ui.Hidden(r) }) {
			t.Errorf("U+%04X is printed as %q", hidden, got)
		}
	}
	if got := printable("a\xffb"); got != `a\xffb` {
		t.Errorf("a broken byte is printed as %q", got)
	}
}
