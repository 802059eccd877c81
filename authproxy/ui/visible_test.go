package ui

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestAP10Visible(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                       "",
		"Nordwind Logistik GmbH": "Nordwind Logistik GmbH",
		"Grüße, 東京, مرحبا, किताब": "Grüße, 東京, مرحبا, किताब",
		"e\u0301":                            "e\u0301",
		"a\u202eb":                           "a⟨U+202E⟩b",
		"a\u2066b\u2069":                     "a⟨U+2066⟩b⟨U+2069⟩",
		"pass\u200bword\ufeff":               "pass⟨U+200B⟩word⟨U+FEFF⟩",
		"soft\u00adhyphen":                   "soft⟨U+00AD⟩hyphen",
		"\x1b[31mred":                        "⟨U+001B⟩[31mred",
		"nul\x00":                            "nul⟨U+0000⟩",
		"nbsp\u00a0x":                        "nbsp⟨U+00A0⟩x",
		"c1\u0085x\u2028y":                   "c1⟨U+0085⟩x⟨U+2028⟩y",
		"tag\U000e0041":                      "tag⟨U+E0041⟩",
		"filler\u3164\u2800":                 "filler⟨U+3164⟩⟨U+2800⟩",
		"variant\ufe0f":                      "variant⟨U+FE0F⟩",
		"private\ue000":                      "private⟨U+E000⟩",
		"bad\xff\xfeutf":                     "bad⟨byte FF⟩⟨byte FE⟩utf",
		"\ufffd":                             "\ufffd",
		"one\ntwo":                           "one↵\ntwo",
		"one\n\ntwo":                         "one↵\n↵\ntwo",
		"a" + strings.Repeat("\n", 10000):    "a⟨U+000A × 10000⟩\n",
		"crlf\r\n":                           "crlf⟨U+000D⟩↵\n",
		"far" + strings.Repeat(" ", 500):     "far⟨U+0020 × 500⟩",
		" lead":                              "⟨U+0020⟩lead",
		"trail ":                             "trail⟨U+0020⟩",
		"a    b":                             "a    b",
		"a     b":                            "a⟨U+0020 × 5⟩b",
		"a\u200b\u200b\u200b":                "a⟨U+200B × 3⟩",
		"forged ⟨U+202E⟩ ↵":                  "forged ⟨U+27E8⟩U+202E⟨U+27E9⟩ ⟨U+21B5⟩",
		"z" + strings.Repeat("\u0301", 5):    "z\u0301\u0301\u0301⟨U+0301⟩⟨U+0301⟩",
		"\u0301x":                            "⟨U+0301⟩x",
		strings.Repeat("APPROVED ", 3) + ".": "APPROVED APPROVED APPROVED .",
		"<b>[x](https://evil.example)</b>":   "<b>[x](https://evil.example)</b>",
	} {
		if got := Visible(in); got != want {
			t.Errorf("Visible(%+q) = %+q, want %+q", in, got, want)
		}
	}
	megabyte := strings.Repeat("abcdefgh", 1<<17)
	if Visible(megabyte) != megabyte {
		t.Error("a megabyte of text was changed")
	}
}

// Different texts must look different, and nothing invisible may remain.
func FuzzVisible(f *testing.F) {
	f.Add("a\u202eb", "a⟨U+202E⟩b")
	f.Add("x\n\n\n", "x\n")
	f.Add("\xff", "⟨byte FF⟩")
	f.Fuzz(func(t *testing.T, a, b string) {
		va, vb := Visible(a), Visible(b)
		if a != b && va == vb {
			t.Fatalf("%+q and %+q both look like %+q", a, b, va)
		}
		for _, r := range va {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("Visible(%+q) = %+q still holds %U", a, va, r)
			}
		}
	})
}

func TestAP10MixedScripts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://аpple.com":   "аpple", // Cyrillic а
		"Москва and London":   "",
		"Ωmega":               "Ωmega",
		"plain, Größe, naïve": "",
		"東京Tower":             "",
		"":                    "",
	} {
		if got := MixedScripts(in); got != want {
			t.Errorf("MixedScripts(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAP10ArgumentsAreComplete(t *testing.T) {
	t.Parallel()
	field := func(names ...string) (path []Step) {
		for _, name := range names {
			path = append(path, Step{Name: name})
		}
		return path
	}
	item := func(path []Step, n string) []Step { return append(path, Step{Name: n, Index: true}) }
	got, err := Arguments([]byte(`{"a":1.0,"b":{"":"x","c.d":[true,null,{},[],"\u202e"]},"big":12345678901234567890,"e":"","mixed":"\u0430pple"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Argument{
		{Path: field("a"), Kind: "number", Value: "1.0", Plain: true},
		{Path: field("b", ""), Kind: "text", Value: "x", Plain: true},
		{Path: item(field("b", "c.d"), "1"), Kind: "true or false", Value: "true", Plain: true},
		{Path: item(field("b", "c.d"), "2"), Kind: "null", Plain: true},
		{Path: item(field("b", "c.d"), "3"), Kind: "empty object", Plain: true},
		{Path: item(field("b", "c.d"), "4"), Kind: "empty list", Plain: true},
		{Path: item(field("b", "c.d"), "5"), Kind: "text", Value: "⟨U+202E⟩"},
		{Path: field("big"), Kind: "number", Value: "12345678901234567890", Plain: true},
		{Path: field("e"), Kind: "empty text", Plain: true},
		{Path: field("mixed"), Kind: "text", Value: "аpple", Plain: true, Mixed: "аpple"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("arguments (-want +got): %s", diff)
	}
	for _, none := range []string{"", "{}", " "} {
		if got, err := Arguments([]byte(none)); len(got) != 0 || err != nil {
			t.Errorf("Arguments(%q) = %v, %v", none, got, err)
		}
	}
	for _, bad := range []string{"{", `{"a":1}{"b":2}`, `{"a":1,"a":2}`, "\"\xff\"", "nul", "[1,]", `{"a":[}`} {
		if got, err := Arguments([]byte(bad)); err == nil {
			t.Errorf("Arguments(%q) = %v", bad, got)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 seconds", time.Second: "1 second", time.Minute: "1 minute", 15 * time.Minute: "15 minutes", 90 * time.Minute: "90 minutes",
		12 * time.Hour: "12 hours", 36 * time.Hour: "36 hours", 2160 * time.Hour: "90 days", -time.Hour: "0 seconds",
	} {
		if got := Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.FixedZone("CEST", 7200))
	for d, want := range map[time.Duration]string{
		0: "1 May 2026, 10:00 UTC (now)", -5 * time.Minute: "1 May 2026, 09:55 UTC (5 minutes ago)", 48 * time.Hour: "3 May 2026, 10:00 UTC (in 2 days)",
		15*time.Minute - time.Second: "1 May 2026, 10:14 UTC (in 15 minutes)", time.Minute: "1 May 2026, 10:01 UTC (in 1 minute)",
	} {
		if got := Moment(now.Add(d), now); got != want {
			t.Errorf("Moment(%v) = %q, want %q", d, got, want)
		}
	}
	if got := Moment(time.Time{}, now); got != "" {
		t.Errorf("Moment of never = %q", got)
	}
}

// AP-03: whoever approves on the command line reads every character, too.
func TestAP03CommandLineHidesNothing(t *testing.T) {
	t.Parallel()
	for _, plain := range []string{"", "Persistent Systems Ltd", `{"Name":"a \"b\" \\"}`, "Zürich", "株式会社", "a  b"} {
		if got := Printable(plain); got != plain {
			t.Errorf("%q is printed as %q", plain, got)
		}
	}
	for _, hidden := range []rune{
		'\n', '\t', 0x1b, 0x7f, 0x85, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x180e, 0x200b, 0x202e, 0x2028, 0x2066, 0x2800, 0x3164, 0xfe0f, 0xfeff, 0xe0041, 0xe000,
	} {
		if got := Printable("a" + string(hidden) + "b"); strings.ContainsFunc(got, func(r rune) bool { return r >= 0x7f || r < ' ' || Hidden(r) }) {
			t.Errorf("U+%04X is printed as %q", hidden, got)
		}
	}
	if got := Printable("a\xffb"); got != `a\xffb` {
		t.Errorf("a broken byte is printed as %q", got)
	}
}
