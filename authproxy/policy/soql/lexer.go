package soql

import (
	"strconv"
	"strings"
)

// MaxLength is the longest query or search that is read, in bytes. Salesforce itself
// takes 100,000 characters (SOQL and SOSL Reference, limits).
const MaxLength = 100_000

// kind is what a lexeme of SOQL or SOSL is.
type kind uint8

const (
	endOfQuery kind = iota
	word            // identifier or keyword
	number
	instant // date, time or both
	quoted  // string with its quotes
	mark    // operator or punctuation
)

// lexeme is one word, value or mark. text is a part of the query, which begins at
// offset.
type lexeme struct {
	kind   kind
	offset int32
	text   string
}

// lex splits a text, from one byte on, into lexemes in one pass, in the memory of those given,
// if it is enough. Whatever is not plain SOQL outside a string is refused, comments, double
// quotes, semicolons, control characters and everything that is not ASCII among it, so that no
// character can be white space to one parser and a letter to the other.
func lex(src string, from int, lexemes []lexeme) ([]lexeme, *Error) {
	if n := (len(src)-from)/4 + 1; cap(lexemes) < n {
		lexemes = make([]lexeme, 0, n)
	}
	for i := from; i < len(src); {
		c := src[i]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		k, n := scan(src[i:])
		if n == 0 {
			return nil, &Error{Offset: i, Cause: ErrCharacter}
		}
		lexemes = append(lexemes, lexeme{k, int32(i), src[i : i+n]})
		i += n
	}
	return lexemes, nil
}

// scan returns the kind and length of the lexeme at the start of s, length 0 if
// there is none.
func scan(s string) (kind, int) {
	c := s[0]
	switch {
	case isLetter(c):
		return word, run(s, 0, isWordByte)
	case isDigit(c), startsFraction(s), (c == '-' || c == '+') && len(s) > 1 && (isDigit(s[1]) || startsFraction(s[1:])):
		return scanNumber(s)
	case c == '\'':
		return quoted, scanString(s)
	case strings.HasPrefix(s, "<="), strings.HasPrefix(s, ">="), strings.HasPrefix(s, "!="), strings.HasPrefix(s, "<>"):
		return mark, 2
	case strings.IndexByte("(),.=<>:", c) >= 0:
		return mark, 1
	}
	return mark, 0
}

// run returns the index of the first byte from i on that is not in the class.
func run(s string, i int, class func(byte) bool) int {
	for i < len(s) && class(s[i]) {
		i++
	}
	return i
}

// scanString returns the length of a quoted string, 0 if it does not end or has an
// escape that SOQL does not know.
func scanString(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\'':
			return i + 1
		case 0:
			return 0
		case '\\':
			i++
			if i == len(s) || strings.IndexByte(`nNrRtTbBfF"'\_%u`, s[i]) < 0 || s[i] == 'u' && !escapesBeyondASCII(s[i+1:]) {
				return 0
			}
		}
	}
	return 0
}

// escapesBeyondASCII reports whether s begins with the four digits of a character
// beyond ASCII. Whether \u0027 ends a string depends on when it is decoded, so it is
// refused.
func escapesBeyondASCII(s string) bool {
	if len(s) < 4 {
		return false
	}
	c, err := strconv.ParseUint(s[:4], 16, 16)
	return err == nil && c > 0x7f
}

// scanNumber returns the length of a number, a date (2026-01-31), a time or a date
// with a time (2026-01-31T10:00:00.000Z, …+01:00). What follows must not be a word.
func scanNumber(s string) (kind, int) {
	k, n := number, 0
	switch {
	case hasShape(s, "####-##-##T##:##:##"):
		k, n = instant, zone(s, 19)
	case hasShape(s, "####-##-##"):
		k, n = instant, 10
	case hasShape(s, "##:##:##"):
		k, n = instant, zone(s, 8)
	default:
		if !startsFraction(s) {
			n = run(s, 1, isDigit)
		}
		if n+1 < len(s) && s[n] == '.' && isDigit(s[n+1]) {
			n = run(s, n+1, isDigit)
		}
		n = exponent(s, n)
	}
	if n < len(s) && isWordByte(s[n]) {
		return k, 0
	}
	return k, n
}

// startsFraction recognises the start of .5
func startsFraction(s string) bool { return len(s) > 1 && s[0] == '.' && isDigit(s[1]) }

// exponent returns the end of an optional exponent at i.
func exponent(s string, i int) int {
	if i >= len(s) || s[i]|0x20 != 'e' {
		return i
	}
	j := i + 1
	if j < len(s) && (s[j] == '+' || s[j] == '-') {
		j++
	}
	if j < len(s) && isDigit(s[j]) {
		return run(s, j, isDigit)
	}
	return i
}

// zone returns the end of optional fractions of a second and of a zone at i.
func zone(s string, i int) int {
	if i+1 < len(s) && s[i] == '.' && isDigit(s[i+1]) {
		i = run(s, i+1, isDigit)
	}
	rest := s[i:]
	switch {
	case strings.HasPrefix(rest, "Z"), strings.HasPrefix(rest, "z"):
		return i + 1
	case hasShape(rest, "+##:##"), hasShape(rest, "-##:##"):
		return i + 6
	case hasShape(rest, "+####"), hasShape(rest, "-####"):
		return i + 5
	}
	return i
}

// hasShape reports whether s begins like the model, in which # is any digit and T may
// be a small letter.
func hasShape(s, model string) bool {
	if len(s) < len(model) {
		return false
	}
	for i := range len(model) {
		switch m := model[i]; {
		case m == '#' && !isDigit(s[i]), m == 'T' && s[i]|0x20 != 't', m != '#' && m != 'T' && m != s[i]:
			return false
		}
	}
	return true
}

func isLetter(c byte) bool   { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool    { return '0' <= c && c <= '9' }
func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }
