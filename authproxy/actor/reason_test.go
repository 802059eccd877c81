package actor

import (
	"errors"
	"strings"
	"testing"
)

func TestReasonsAreCleanedInOneWay(t *testing.T) {
	t.Parallel()
	for of, bounds := range map[Reason]struct {
		least, most int
		text        string
	}{ForAct: {1, 200, "1 to 200 characters"}, ForDecision: {1, 500, "1 to 500 characters"}, ForDenial: {0, 500, "at most 500 characters"}} {
		if of.String() != bounds.text {
			t.Errorf("%s, want %s", of, bounds.text)
		}
		for _, tt := range []struct {
			text, want string
			good       bool
		}{
			{" No.\n\x1b[31mAsk\u202e the\u200b owner \U000E0041first\x00 \uE000", "No. [31mAsk the owner first", true},
			{"a\u2028b\u00a0c\r\n\td", "a b c d", true},
			{"李小龍 ❤\ufe0f", "李小龍 ❤\ufe0f", true},
			{strings.Repeat("é", bounds.most) + "\u200b\n", strings.Repeat("é", bounds.most), true},
			{strings.Repeat("é", bounds.most+1), "", false},
			{"", "", bounds.least == 0},
			{" \u200b\n\u202e", "", bounds.least == 0},
			{"\xff", "", false},
		} {
			got, err := of.Clean(tt.text)
			if got != tt.want || (err == nil) != tt.good || err != nil && !errors.Is(err, ErrReason) {
				t.Errorf("%s: %.20q is %q, %v", of, tt.text, got, err)
			}
			if again, err := of.Clean(got); tt.good && (again != got || err != nil) {
				t.Errorf("%s: %.20q is cleaned again: %q, %v", of, tt.text, again, err)
			}
		}
	}
	_, err := ForAct.Clean(strings.Repeat("x", 201))
	if want := "the reason must be one short plain text: it has 201 characters, expected 1 to 200 characters"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// Names that look the same are the same.
func TestPlainNames(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"Ann  Lee", " Ann\u00a0Lee\n", "A\u200bnn\u2060 L\u00adee", "Ａｎｎ Lee", "Ann Lee\ufe0f", "Ann\u2028Lee", "Ann \uE000Lee"} {
		if got := PlainName(typed); got != "Ann Lee" {
			t.Errorf("%q is %q", typed, got)
		}
	}
	if PlainName("Ann Lee") == PlainName("Ann Leé") {
		t.Error("other letters are the same")
	}
}
