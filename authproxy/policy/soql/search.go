package soql

import "strings"

// Search is what one SOSL search names.
type Search struct {
	// Scope says which fields are looked into: ALL, NAME, EMAIL, PHONE or SIDEBAR.
	Scope string
	// Returning are the objects to be returned, each as a query with one source whose
	// fields and conditions stand in the parentheses. Empty: every object that can be
	// searched is returned, by its id.
	Returning []*Query
	// Limit is the number of LIMIT, or [Unlimited], and LimitAt where it stands, see [Query].
	Limit   int
	LimitAt [2]int
	// Snippets: the answer quotes text of the records found (WITH SNIPPET).
	Snippets bool
	// Traces: the search counts views (UPDATE TRACKING, UPDATE VIEWSTAT).
	Traces bool
}

// ParseSearch reads one SOSL search, whose term must stand in braces. The error is an
// [*Error]; its offset is into the text.
func ParseSearch(text string) (*Search, error) {
	if len(text) > MaxLength {
		return nil, &Error{Offset: MaxLength, Cause: ErrTooLong}
	}
	rest, ok := cutTerm(text)
	if !ok {
		return nil, &Error{Cause: ErrSyntax}
	}
	p, mistake := newParser(text, len(text)-len(rest))
	if mistake != nil {
		return nil, mistake
	}
	s := p.search()
	if mistake := p.finish(); mistake != nil {
		return nil, mistake
	}
	return s, nil
}

// cutTerm returns what follows FIND {…}. Within the braces a backslash escapes;
// control characters, a brace within double quotes and the code of a character of ASCII
// (\u007d is a brace) are refused, because parsers differ on where such a term ends.
func cutTerm(text string) (string, bool) {
	text = strings.TrimLeft(text, " \t\r\n")
	if len(text) < 4 || !strings.EqualFold(text[:4], "FIND") {
		return "", false
	}
	text = strings.TrimLeft(text[4:], " \t\r\n")
	if !strings.HasPrefix(text, "{") {
		return "", false
	}
	phrase := false
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			if i++; i < len(text) && text[i] == 'u' && !escapesBeyondASCII(text[i+1:]) {
				return "", false
			}
		case c == '"':
			phrase = !phrase
		case c == 0, c == '{', c == '}' && phrase:
			return "", false
		case c == '}':
			return text[i+1:], true
		}
	}
	return "", false
}

func (p *parser) search() *Search {
	s := &Search{Scope: "ALL", Limit: Unlimited}
	if p.accept("IN") {
		s.Scope = p.oneOf("ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR")
		p.expect("FIELDS")
		if s.Scope == "" {
			p.fail()
		}
	}
	if p.accept("RETURNING") {
		for {
			s.Returning = append(s.Returning, p.returned())
			if !p.acceptMark(",") {
				break
			}
		}
	}
	for p.accept("WITH") {
		p.searchWith(s)
	}
	s.Limit, s.LimitAt = p.limit()
	if p.accept("OFFSET") {
		p.count()
	}
	end := &Query{}
	if p.is("UPDATE") {
		p.tail(end)
	}
	s.Traces = end.Traces
	return s
}

// returned takes one object after RETURNING, with its fields and conditions.
func (p *parser) returned() *Query {
	q := &Query{Limit: Unlimited, From: []Source{{Offset: p.offset(), Path: Path{p.name()}}}}
	q.LimitAt = [2]int{p.lastEnd(), p.lastEnd()}
	p.clause, p.functions = Select, nil
	if !p.acceptMark("(") {
		return q
	}
	for {
		p.item(q)
		if !p.acceptMark(",") {
			break
		}
	}
	if p.accept("USING") {
		p.expect("ListView")
		p.expectMark("=")
		p.name()
	}
	if p.accept("WHERE") {
		p.clause = Where
		p.condition(q)
	}
	p.order(q)
	p.expectMark(")")
	return q
}

// searchWith takes one WITH clause. None of them widens what is returned.
func (p *parser) searchWith(s *Search) {
	switch {
	case p.accept("HIGHLIGHT"):
	case p.accept("SNIPPET"):
		s.Snippets = true
		if p.acceptMark("(") {
			p.expect("target_length")
			p.expectMark("=")
			p.count()
			p.expectMark(")")
		}
	case p.acceptBoth("DATA", "CATEGORY"):
		p.categories()
	case p.acceptBoth("NETWORK", "IN"):
		p.expectMark("(")
		p.literals()
		p.expectMark(")")
	case p.oneOf("DIVISION", "NETWORK", "PRICEBOOKID", "METADATA", "SPELL_CORRECTION") != "":
		p.expectMark("=")
		p.literal()
	default:
		p.fail()
	}
}
