package policy

import "strings"

const saySearch = "The search could not be read; write one plain SOSL query: FIND {words} RETURNING Object(Field, …)."

// search is what matters of one SOSL query.
type search struct {
	scope      string // ALL, NAME, EMAIL, PHONE or SIDEBAR
	returning  []*query
	limit      int
	sideEffect bool
}

// readSOSL returns what a SOSL query does and reaches. A search looks into fields:
// unless it is IN NAME FIELDS, it reaches every field of the objects that it
// returns, for a hit tells what a field holds.
func readSOSL(text string) (footprint, *fault) {
	f := footprint{class: Read}
	if len(text) > maxQuery {
		return f, refuse("The query is too long.")
	}
	rest, ok := cutTerm(text)
	if !ok {
		return f, refuse(saySearch)
	}
	p, fault := newParser(rest)
	if fault != nil {
		return f, refuse(saySearch)
	}
	s := p.search()
	if p.bad || p.at != len(p.toks) {
		return f, refuse(saySearch)
	}
	f.search(s)
	return f, nil
}

// cutTerm returns what follows FIND {…}. Within the braces a backslash escapes;
// control characters and a brace within double quotes are refused, because
// parsers differ on where such a term ends.
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
			i++
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

func (p *parser) search() *search {
	s := &search{scope: "ALL", limit: unlimited}
	if p.accept("IN") {
		s.scope = p.oneOf("ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR")
		p.expect("FIELDS")
		if s.scope == "" {
			p.fail()
		}
	}
	if p.accept("RETURNING") {
		for {
			s.returning = append(s.returning, p.returned())
			if !p.acceptMark(",") {
				break
			}
		}
	}
	for p.accept("WITH") {
		p.searchWith()
	}
	if p.accept("LIMIT") {
		s.limit = p.count()
	}
	if p.accept("OFFSET") {
		p.count()
	}
	end := &query{}
	if p.is("UPDATE") {
		p.tail(end)
	}
	s.sideEffect = end.sideEffect
	return s
}

// returned takes one object after RETURNING, with its fields and conditions.
func (p *parser) returned() *query {
	q := &query{limit: unlimited, from: []source{{path: []string{p.name()}}}}
	if !p.acceptMark("(") {
		return q
	}
	for {
		p.operand(q)
		p.alias()
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
		p.condition(q)
	}
	p.order(q)
	p.expectMark(")")
	return q
}

// searchWith takes one WITH clause. None of them widens what is returned.
func (p *parser) searchWith() {
	switch {
	case p.accept("HIGHLIGHT"):
	case p.accept("SNIPPET"):
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

// search adds what a search reaches.
func (f *footprint) search(s *search) {
	if s.sideEffect {
		f.class = SideEffect
	}
	f.rows = s.limit
	if len(s.returning) == 0 { // ids of every searchable object
		f.opaque, f.opaqueFields = true, true
		return
	}
	each := 0
	for _, q := range s.returning {
		each = add(each, q.limit)
		f.query(q, nil)
		object := spelling(q.from[0].path[0])
		f.searched(object, s.scope)
	}
	f.rows = min(s.limit, each)
}

// nameFields are the fields that a search IN NAME FIELDS looks into, besides Name.
// Custom objects have no others.
var nameFields = map[string][]string{
	"account": {"Website", "Site"}, "asset": {"SerialNumber"}, "case": {"SuppliedName"},
	"campaign": nil, "contact": {"AssistantName"}, "event": {"Subject"}, "lead": {"Company"}, "note": {"Title"}, "opportunity": nil,
	"product2": nil, "report": {"Description"}, "task": {"Subject"}, "user": {"CommunityNickname"},
}

// searched adds the fields of an object that a search looks into.
func (f *footprint) searched(object, scope string) {
	more, known := nameFields[strings.ToLower(object)]
	if scope != "NAME" || !known && !strings.HasSuffix(strings.ToLower(object), "__c") {
		f.reachField(object, wholeRecord)
		return
	}
	f.reachField(object, "Name")
	for _, name := range more {
		f.reachField(object, name)
	}
}
