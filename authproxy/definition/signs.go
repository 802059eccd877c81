package definition

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// orders are the beginnings of sentences that speak to a model and not of the tool. The list
// is short and plain on purpose: it points a reader somewhere and judges nothing.
var orders = []string{
	"ignore previous", "ignore all", "ignore any", "ignore the", "disregard", "instead of", "before each", "before using", "before calling",
	"before you", "after each", "always call", "always use", "must call", "must use", "must first", "you must", "you should", "you are",
	"do not tell", "don't tell", "do not mention", "do not show", "do not ask", "without telling", "without asking", "do not reveal",
	"system prompt", "whole conversation", "conversation history", "<important", "<system", "api key", "password",
}

// maxSigns bounds what is pointed out of one definition.
const maxSigns = 20

// Signs returns what a person should look at in a definition before accepting it, as
// sentences: characters that cannot be seen or change how others are, letters that look like
// other letters, and text that speaks to a model. others are the names of the server's other
// tools. A definition without signs is not therefore harmless.
func Signs(text jsontext.Value, others []string) (signs []string) {
	add := func(format string, args ...any) {
		if sign := fmt.Sprintf(format, args...); len(signs) < maxSigns && !slices.Contains(signs, sign) {
			signs = append(signs, sign)
		}
	}
	for _, c := range Difference(nil, text) {
		for _, part := range []string{c.Path, c.After} {
			for _, r := range part {
				if hidden(r) {
					add("%s has a character that cannot be seen or changes how others are seen: U+%04X", c.Path, r)
				}
			}
			for _, word := range strings.FieldsFunc(part, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }) {
				if why := alike(word); why != "" {
					add("%s has the word %+q: %s", c.Path, word, why)
				}
			}
		}
		lower := strings.ToLower(c.After)
		for _, order := range orders {
			if i := strings.Index(lower, order); i >= 0 {
				_, around := Around(lower[:i], lower, 80)
				add("%s speaks to a model: %s", c.Path, around)
			}
		}
		if c.Path == "name" {
			continue
		}
		for _, other := range others {
			if len(other) > 4 && strings.Contains(c.After, other) {
				add("%s names another tool: %s", c.Path, other)
			}
		}
	}
	return signs
}

// hidden finds characters that are not seen, or act on others: controls but line breaks and
// tabs, formatting (zero width, bidirectional, tags), and spaces that are none of the usual.
func hidden(r rune) bool {
	switch r {
	case '\n', '\t', '\r', ' ':
		return false
	case 0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800, 0x034F: // blank letters
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs, unicode.Co, unicode.Variation_Selector)
}

// alike says why a word may be read as another one.
func alike(word string) string {
	var latin, other bool
	for _, r := range word {
		switch {
		case r >= 0xFF01 && r <= 0xFF5E, r >= 0x1D400 && r <= 0x1D7FF:
			return "letters in another form"
		case unicode.Is(unicode.Latin, r):
			latin = true
		case unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee):
			other = true
		}
	}
	if latin && other {
		return "letters of several scripts"
	}
	return ""
}
