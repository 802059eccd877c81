package soql

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// ErrRewritten: a query with another LIMIT is not the same query otherwise.
var ErrRewritten = errors.New("the query cannot be given another LIMIT")

// WithLimit returns the query with that LIMIT, in the place of its own or where it has none.
// The text is changed in that place alone. What comes out is read again: it must consist of
// the same words but for LIMIT, and LIMIT must be read as what it was made. The error is an
// [*Error] if the text cannot be read, or [ErrRewritten].
func WithLimit(text string, limit int) (string, error) {
	q, err := ParseQuery(text)
	if err != nil {
		return "", err
	}
	out := spliced(text, q.LimitAt, limit)
	again, err := ParseQuery(out)
	if err != nil || again.Limit != limit || !sameButLimit(text, out, q.LimitAt) {
		return "", ErrRewritten
	}
	return out, nil
}

// SearchWithLimit is [WithLimit] for a search of SOSL, whose LIMIT is that over all objects.
func SearchWithLimit(text string, limit int) (string, error) {
	s, err := ParseSearch(text)
	if err != nil {
		return "", err
	}
	out := spliced(text, s.LimitAt, limit)
	again, err := ParseSearch(out)
	if err != nil || again.Limit != limit || !sameButLimit(text[termEnd(text):], out[termEnd(out):], [2]int{s.LimitAt[0] - termEnd(text), s.LimitAt[1] - termEnd(text)}) {
		return "", ErrRewritten
	}
	return out, nil
}

// termEnd is where the term of a search that can be read ends.
func termEnd(text string) int {
	rest, _ := cutTerm(text)
	return len(text) - len(rest)
}

// spliced puts a limit in its place. A clause that is added stays apart from the word behind
// it, which may follow on a quotation mark or a bracket without a space.
func spliced(text string, at [2]int, limit int) string {
	number := strconv.Itoa(limit)
	before, after := text[:at[0]], text[at[1]:]
	if at[0] < at[1] {
		return before + number + after
	}
	if after != "" && !strings.ContainsRune(" \t\r\n", rune(after[0])) {
		after = " " + after
	}
	return before + " LIMIT " + number + after
}

// sameButLimit reports whether both texts have the same words but for the number at that
// place of the first, or the two words of a LIMIT that was added there.
func sameButLimit(before, after string, at [2]int) bool {
	old, err := lex(before, 0, nil)
	changed, err2 := lex(after, 0, nil)
	if err != nil || err2 != nil {
		return false
	}
	i := slices.IndexFunc(old, func(l lexeme) bool { return int(l.offset) >= at[0] })
	if i < 0 {
		i = len(old)
	}
	added := 0
	if at[0] == at[1] {
		added = 2
	} else {
		old = slices.Delete(old, i, i+1)
		added = 1
	}
	if len(changed) != len(old)+added {
		return false
	}
	changed = slices.Delete(changed, i, i+added)
	return slices.EqualFunc(old, changed, func(a, b lexeme) bool { return a.kind == b.kind && a.text == b.text })
}
