package records

import (
	"regexp"
	"strings"
)

// maxFound is how many records one search answers with.
const maxFound = 2000

// searchNode is a parsed SOSL statement.
type searchNode struct {
	terms     searchTerm
	scope     string // ALL, NAME, EMAIL, PHONE or SIDEBAR
	returning []*queryNode
	category  []categoryNode
	limit     int
	seen      seenClauses
}

var findPattern = regexp.MustCompile(`(?is)^\s*FIND\s*\{((?:[^{}\\]|\\.)*)\}`)

// Search answers a SOSL statement.
func (v *View) Search(text string) (Object, *Error) {
	n, refused := parseSearch(text)
	if refused != nil {
		return nil, refused
	}
	if n.returning == nil {
		n.returning = v.searchable(text)
	}
	found := []any{}
	var seen []*record
	for _, spec := range n.returning {
		if spec.category = n.category; n.category != nil && !strings.EqualFold(spec.from.text, "KnowledgeArticleVersion") {
			spec.category = nil // a category narrows the articles of an answer
		}
		q, refused := v.bindQuery(spec)
		if refused != nil {
			return nil, searchError(refused)
		}
		if q.aggregate {
			return nil, refuseAt("MALFORMED_SEARCH", text, spec.from.at, "a search has no groups")
		}
		rows := q.run(q.matching(n))
		found, seen = append(found, q.render(rows)...), append(seen, rows...)
	}
	if n.limit >= 0 {
		found = found[:min(n.limit, len(found))]
	}
	found = found[:min(maxFound, len(found))]
	v.note(n.seen, seen[:len(found)])
	return Object{{"searchRecords", found}}, nil
}

// parseSearch parses FIND {terms} [IN scope FIELDS] [RETURNING Object(fields WHERE …
// LIMIT n), …] [WITH …] [LIMIT n] [UPDATE …].
func parseSearch(text string) (*searchNode, *Error) {
	m := findPattern.FindStringSubmatch(text)
	if m == nil {
		return nil, Refuse("MALFORMED_SEARCH", "a search begins with FIND {terms}")
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
func searchError(e *Error) *Error {
	if e != nil && e.Code == "MALFORMED_QUERY" {
		e.Code = "MALFORMED_SEARCH"
	}
	return e
}

func (p *queryParser) searchClauses(n *searchNode) (refused *Error) {
	if p.accept("IN") {
		if n.scope = p.acceptOne("ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR"); n.scope == "" {
			return p.unexpected()
		}
		if refused = p.expect("FIELDS"); refused != nil {
			return refused
		}
	}
	if p.accept("RETURNING") {
		if refused = p.list(func() *Error { return p.returning(n) }); refused != nil {
			return refused
		}
	}
	for p.accept("WITH") {
		if refused = p.searchWith(n); refused != nil {
			return refused
		}
	}
	if p.accept("LIMIT") {
		if n.limit, refused = p.integer(); refused != nil {
			return refused
		}
	}
	q := &queryNode{}
	if p.peek().is("UPDATE") {
		if refused = p.seen(q); refused != nil {
			return refused
		}
	}
	n.seen = q.seen
	if p.peek().kind != tokenEnd {
		return p.unexpected()
	}
	return nil
}

// returning reads one object of RETURNING, with its fields and conditions in parentheses.
func (p *queryParser) returning(n *searchNode) (refused *Error) {
	q := &queryNode{text: p.text, limit: -1, searched: true}
	if q.from, refused = p.name(); refused != nil {
		return refused
	}
	n.returning = append(n.returning, q)
	if !p.accept("(") {
		q.selects = idOnly(q.from.at)
		return nil
	}
	if refused = p.selectList(q); refused != nil {
		return refused
	}
	if q.count {
		return p.unexpected()
	}
	if refused = p.clauses(q); refused != nil {
		return refused
	}
	if q.groups != nil || q.scope != "" || q.seen != (seenClauses{}) || q.allRows {
		return p.unexpected()
	}
	return p.expect(")")
}

// searchWith reads what follows WITH. All but data categories shape how a search is made
// or shown, which nothing here depends on.
func (p *queryParser) searchWith(n *searchNode) *Error {
	switch p.acceptOne("HIGHLIGHT", "SNIPPET", "DIVISION", "NETWORK", "PRICEBOOKID", "METADATA", "SPELL_CORRECTION", "DATA") {
	case "":
		return p.unexpected()
	case "DATA":
		if refused := p.expect("CATEGORY"); refused != nil {
			return refused
		}
		q := &queryNode{}
		refused := p.dataCategories(q)
		n.category = q.category
		return refused
	case "HIGHLIGHT":
		return nil
	case "SNIPPET":
		if !p.acceptAll("(", "TARGET_LENGTH", "=") {
			return nil
		}
		if _, refused := p.integer(); refused != nil {
			return refused
		}
		return p.expect(")")
	}
	c := &compareNode{op: "in"}
	if p.accept("IN") {
		return p.valueList(c)
	}
	if refused := p.expect("="); refused != nil {
		return refused
	}
	return p.value(c)
}

func idOnly(at int) []selectNode {
	return []selectNode{{expr: &exprNode{at: at, path: pathNode{{tokenWord, "Id", at}}}}}
}

// searchable are the objects that a search without RETURNING looks at.
func (v *View) searchable(text string) []*queryNode {
	var out []*queryNode
	for _, s := range v.d.schema {
		if !s.SetupOnly && !s.Unsearchable && canSee(v.u, s) {
			out = append(out, &queryNode{text: text, from: queryToken{kind: tokenWord, text: s.Name}, selects: idOnly(0), limit: -1, searched: true})
		}
	}
	return out
}

// matching returns the records of the object whose text, as far as the user may see it,
// holds the terms.
func (q *boundQuery) matching(n *searchNode) []*record {
	var out []*record
	for _, r := range q.d.live(q.object) {
		if n.terms(q.searchText(r, n.scope)) {
			out = append(out, r)
		}
	}
	return out
}

// searchText joins the visible text fields of a record that lie in the scope of a search.
func (q *boundQuery) searchText(r *record, scope string) string {
	var parts []string
	for _, f := range visibleFields(q.u, q.object) {
		inScope := map[string]bool{
			"ALL":     f.Type.isText() && !f.Type.isID(),
			"SIDEBAR": f.Type.isText() && !f.Type.isID() && f.Type != typeTextArea,
			"NAME":    f.Name == q.object.NameField,
			"EMAIL":   f.Type == typeEmail,
			"PHONE":   f.Type == typePhone,
		}[scope]
		if text, _ := q.d.value(r, f).(string); inScope && text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n")
}
