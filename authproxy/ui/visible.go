package ui

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxBreaks and maxSpaces are the longest runs shown as such; longer ones could
	// push text out of sight and are shown as a count.
	maxBreaks = 2
	maxSpaces = 4
	// maxMarks is how many combining marks may sit on one letter; living scripts
	// need no more, stacks of them cover other lines.
	maxMarks = 3
)

// Visible returns s with everything a reader could not see, or could be deceived
// by, written out: U+202E becomes ⟨U+202E⟩, a byte that is no UTF-8 ⟨byte FF⟩, a run
// of blanks or line breaks ⟨U+000A × 10000⟩. A single line break stays one, behind
// the mark ↵. The marks themselves are written out where s contains them, so that
// the result cannot be forged and nothing is lost.
func Visible(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	marks := maxMarks // the first character must not combine with what stands before it
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		n := 1
		if Hidden(r) || r == ' ' {
			n = runLength(s[i:], s[i:i+size])
		}
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "⟨byte %02X⟩", s[i])
			n, marks = 1, maxMarks
		case r == '\n' && n <= maxBreaks:
			b.WriteString(strings.Repeat("↵\n", n))
			marks = maxMarks
		case r == ' ' && n <= maxSpaces && i > 0 && i+n < len(s):
			b.WriteString(s[i : i+n])
			marks = maxMarks
		case r == ' ' || Hidden(r):
			writeCode(&b, r, n)
			marks = maxMarks
		case unicode.Is(unicode.M, r) && marks >= maxMarks:
			writeCode(&b, r, 1)
		case unicode.Is(unicode.M, r):
			b.WriteRune(r)
			marks++
		default:
			b.WriteRune(r)
			marks = 0
		}
		i += n * size
	}
	return b.String()
}

func writeCode(b *strings.Builder, r rune, n int) {
	if n == 1 {
		fmt.Fprintf(b, "⟨U+%04X⟩", r)
	} else {
		fmt.Fprintf(b, "⟨U+%04X × %d⟩", r, n)
	}
	if r == '\n' {
		b.WriteByte('\n')
	}
}

// runLength counts how often unit stands at the head of s.
func runLength(s, unit string) int {
	n := 0
	for strings.HasPrefix(s[n*len(unit):], unit) {
		n++
	}
	return n
}

// blanks are letters and symbols that draw nothing: Hangul fillers, the empty
// Braille pattern, the Khmer inherent vowels.
var blanks = []rune{0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x1D159}

// Hidden reports characters that are shown by their number: without a picture, with
// an effect on others, or used by Visible itself.
func Hidden(r rune) bool {
	switch {
	case r == ' ':
		return false
	case r == '⟨', r == '⟩', r == '↵', slices.Contains(blanks, r):
		return true
	case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
		return true
	}
	// Letters, marks, numbers, punctuation and symbols remain: control, format, surrogate,
	// private and unassigned characters and every space but U+0020 do not.
	return !unicode.IsGraphic(r) || unicode.IsSpace(r) || unicode.Is(unicode.Zs, r)
}

// lookalikes are scripts whose letters pass for Latin ones.
var lookalikes = []string{"Cyrillic", "Greek", "Armenian", "Cherokee", "Lisu", "Coptic"}

// MixedScripts returns the first word of s that mixes Latin letters with those of a
// script that looks like it, or "": "аpple.com" with a Cyrillic first letter.
func MixedScripts(s string) string {
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		latin, other := false, false
		for _, r := range word {
			latin = latin || unicode.Is(unicode.Latin, r)
			for _, script := range lookalikes {
				other = other || unicode.Is(unicode.Scripts[script], r)
			}
		}
		if latin && other {
			return word
		}
	}
	return ""
}

// Printable writes a text out in ASCII, for a terminal, if a character of it cannot be seen
// or changes how others are seen: as on the pages, what is approved there is what is read.
func Printable(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, Hidden) {
		return s
	}
	quoted := fmt.Sprintf("%+q", s)
	return quoted[1 : len(quoted)-1]
}
