package records

import (
	"regexp"
	"slices"
	"strings"
)

// searchTerm tells whether a text holds what a search looks for.
type searchTerm func(text string) bool

// termPattern is a "phrase", a parenthesis or a word; a backslash takes the meaning from
// the character behind it.
var termPattern = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[()]|(?:[^\s()"\\]|\\.)+`)

// termParser reads the search text between the braces.
type termParser struct {
	words []string
	depth int
}

// parseTerms reads words and "phrases", all of which must be found; OR separates
// alternatives, NOT excludes, * and ? are wildcards.
func parseTerms(raw string) (searchTerm, *Error) {
	if len(strings.Trim(raw, `"*? `)) < 2 {
		return nil, Refuse("MALFORMED_SEARCH", "search term must be longer than one character: %s", strings.TrimSpace(raw))
	}
	p := &termParser{words: termPattern.FindAllString(raw, -1)}
	term, refused := p.alternatives()
	if refused == nil && len(p.words) > 0 {
		refused = Refuse("MALFORMED_SEARCH", "unexpected %s in the search term", p.words[0])
	}
	return term, refused
}

// accept takes the next word if it is this operator or parenthesis.
func (p *termParser) accept(word string) bool {
	if len(p.words) == 0 || !strings.EqualFold(p.words[0], word) {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *termParser) alternatives() (searchTerm, *Error) {
	if p.depth++; p.depth > maxNesting {
		return nil, Refuse("MALFORMED_SEARCH", "too many parentheses in the search term")
	}
	defer func() { p.depth-- }()
	var alternatives []searchTerm
	for {
		term, refused := p.all()
		if refused != nil {
			return nil, refused
		}
		alternatives = append(alternatives, term)
		if !p.accept("OR") {
			return func(text string) bool {
				return slices.ContainsFunc(alternatives, func(t searchTerm) bool { return t(text) })
			}, nil
		}
	}
}

// all reads terms up to an OR, a parenthesis or the end: all of them must be found.
func (p *termParser) all() (searchTerm, *Error) {
	var all []searchTerm
	for len(p.words) > 0 && !strings.EqualFold(p.words[0], "OR") && p.words[0] != ")" {
		if p.accept("AND") {
			continue
		}
		not := p.accept("NOT")
		term, refused := p.one()
		if refused != nil {
			return nil, refused
		}
		all = append(all, func(text string) bool { return term(text) != not })
	}
	if len(all) == 0 {
		return nil, Refuse("MALFORMED_SEARCH", "no search term beside an operator")
	}
	return func(text string) bool {
		return !slices.ContainsFunc(all, func(t searchTerm) bool { return !t(text) })
	}, nil
}

// one reads a word, a phrase or terms in parentheses.
func (p *termParser) one() (searchTerm, *Error) {
	if p.accept("(") {
		term, refused := p.alternatives()
		if refused == nil && !p.accept(")") {
			refused = Refuse("MALFORMED_SEARCH", "a parenthesis is not closed in the search term")
		}
		return term, refused
	}
	if len(p.words) == 0 {
		return nil, Refuse("MALFORMED_SEARCH", "no search term beside an operator")
	}
	word := p.words[0]
	p.words = p.words[1:]
	return wildcardPattern(strings.Trim(word, `"`)).MatchString, nil
}

// wildcardPattern matches a term as a whole word, without regard to case.
func wildcardPattern(term string) *regexp.Regexp {
	var b strings.Builder
	escaped := false
	for _, r := range term {
		switch {
		case r == '\\' && !escaped:
			escaped = true
			continue
		case r == '*' && !escaped:
			b.WriteString(`[\p{L}\p{N}_]*`)
		case r == '?' && !escaped:
			b.WriteString(`[\p{L}\p{N}_]`)
		default:
			b.WriteString(regexp.QuoteMeta(strings.ToValidUTF8(string(r), "\uFFFD")))
		}
		escaped = false
	}
	return regexp.MustCompile(`(?i)(^|[^\p{L}\p{N}_])` + b.String() + `([^\p{L}\p{N}_]|$)`)
}
