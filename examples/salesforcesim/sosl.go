package salesforcesim

import (
	"fmt"
	"regexp"
	"strings"
)

// maxFound is how many records one search answers with.
const maxFound = 2000

// searchNode is a parsed SOSL statement.
type searchNode struct {
	terms     searchTerms
	scope     string // ALL, NAME, EMAIL or PHONE
	returning []*queryNode
	limit     int
}

// searchTerms are alternatives of patterns that must all be found.
type searchTerms [][]*regexp.Regexp

var (
	findPattern = regexp.MustCompile(`(?is)^\s*FIND\s*\{((?:[^{}\\]|\\.)*)\}`)
	termPattern = regexp.MustCompile(`"[^"]*"|\S+`)
)

// search answers a SOSL statement as the user.
func (d *dataset) search(u *User, text string) (object, *apiError) {
	n, refused := parseSearch(text)
	if refused != nil {
		return nil, refused
	}
	if n.returning == nil {
		n.returning = d.searchable(u, text)
	}
	found := []any{}
	for _, spec := range n.returning {
		q, refused := d.bindQuery(u, spec)
		if refused != nil {
			return nil, refused
		}
		found = append(found, q.render(q.run(q.matching(n)))...)
	}
	if n.limit >= 0 {
		found = found[:min(n.limit, len(found))]
	}
	return object{{"searchRecords", found[:min(maxFound, len(found))]}}, nil
}

// parseSearch parses FIND {terms} [IN scope FIELDS] [RETURNING Object(fields WHERE …
// LIMIT n), …] [LIMIT n].
func parseSearch(text string) (*searchNode, *apiError) {
	m := findPattern.FindStringSubmatch(text)
	if m == nil {
		return nil, refuse("MALFORMED_SEARCH", "a search begins with FIND {terms}")
	}
	terms, refused := parseTerms(m[1])
	if refused != nil {
		return nil, refused
	}
	toks, refused := lexQuery(text, len(m[0]))
	if refused != nil {
		return nil, searchError(refused)
	}
	n := &searchNode{terms: terms, scope: "ALL", limit: -1}
	return n, searchError((&queryParser{text: text, toks: toks}).searchClauses(n))
}

// searchError gives a syntax error of the shared parser the code that searches have for it.
func searchError(e *apiError) *apiError {
	if e != nil && e.Code == "MALFORMED_QUERY" {
		e.Code = "MALFORMED_SEARCH"
	}
	return e
}

func (p *queryParser) searchClauses(n *searchNode) (refused *apiError) {
	if p.accept("IN") {
		scope := p.peek()
		if !scope.is("ALL") && !scope.is("NAME") && !scope.is("EMAIL") && !scope.is("PHONE") {
			return p.unexpected()
		}
		n.scope = strings.ToUpper(p.next().text)
		if refused = p.expect("FIELDS"); refused != nil {
			return refused
		}
	}
	if p.accept("RETURNING") {
		if refused = p.returningList(n); refused != nil {
			return refused
		}
	}
	if p.accept("LIMIT") {
		if n.limit, refused = p.integer(); refused != nil {
			return refused
		}
	}
	if p.peek().kind != tokenEnd {
		return p.unexpected()
	}
	return nil
}

func (p *queryParser) returningList(n *searchNode) *apiError {
	for {
		if p.peek().kind != tokenWord || isClauseWord(p.peek()) {
			return p.unexpected()
		}
		q := &queryNode{text: p.text, from: p.next(), limit: -1}
		if p.accept("(") {
			if refused := p.selectList(q); refused != nil {
				return refused
			}
			if q.count {
				return p.unexpected()
			}
			if refused := p.clauses(q); refused != nil {
				return refused
			}
			if refused := p.expect(")"); refused != nil {
				return refused
			}
		} else {
			q.selects = idOnly(q.from.at)
		}
		n.returning = append(n.returning, q)
		if !p.accept(",") {
			return nil
		}
	}
}

func idOnly(at int) []selectNode {
	return []selectNode{{path: pathNode{{tokenWord, "Id", at}}}}
}

// searchable are the objects that a search without RETURNING looks at.
func (d *dataset) searchable(u *User, text string) []*queryNode {
	var out []*queryNode
	for _, s := range d.schema {
		if !s.SetupOnly && canSee(u, s) {
			out = append(out, &queryNode{text: text, from: queryToken{kind: tokenWord, text: s.Name}, selects: idOnly(0), limit: -1})
		}
	}
	return out
}

// parseTerms reads the search text: words and "phrases", all of which must be found; OR
// separates alternatives; * and ? are wildcards.
func parseTerms(raw string) (searchTerms, *apiError) {
	terms := searchTerms{nil}
	for _, t := range termPattern.FindAllString(raw, -1) {
		switch strings.ToUpper(t) {
		case "AND":
			continue
		case "OR":
			terms = append(terms, nil)
			continue
		}
		last := &terms[len(terms)-1]
		*last = append(*last, wildcardPattern(strings.Trim(t, `"`)))
	}
	if len(strings.Trim(raw, `"*? `)) < 2 {
		return nil, refuse("MALFORMED_SEARCH", "search term must be longer than one character: %s", strings.TrimSpace(raw))
	}
	for _, all := range terms {
		if len(all) == 0 {
			return nil, refuse("MALFORMED_SEARCH", "no search term beside OR")
		}
	}
	return terms, nil
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
	return regexp.MustCompile(fmt.Sprintf(`(?i)(^|[^\p{L}\p{N}_])%s([^\p{L}\p{N}_]|$)`, b.String()))
}

// matching returns the records of the object whose text, as far as the user may see it,
// holds the terms.
func (q *boundQuery) matching(n *searchNode) []*record {
	var out []*record
	for _, r := range q.d.live(q.object) {
		if n.terms.found(q.searchText(r, n.scope)) {
			out = append(out, r)
		}
	}
	return out
}

func (t searchTerms) found(text string) bool {
	for _, all := range t {
		missing := false
		for _, p := range all {
			missing = missing || !p.MatchString(text)
		}
		if !missing {
			return true
		}
	}
	return false
}

// searchText joins the visible text fields of a record that lie in the scope of a search.
func (q *boundQuery) searchText(r *record, scope string) string {
	var parts []string
	for _, f := range visibleFields(q.u, q.object) {
		inScope := map[string]bool{
			"ALL":   f.Type.isText() && f.Type != typeID && f.Type != typeReference,
			"NAME":  f.Name == q.object.NameField,
			"EMAIL": f.Type == typeEmail,
			"PHONE": f.Type == typePhone,
		}[scope]
		if text := r.text(f.Name); inScope && text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n")
}
