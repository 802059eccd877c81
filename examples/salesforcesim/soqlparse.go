package salesforcesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// queryNode is a parsed SELECT, not yet compared with the objects of the org.
type queryNode struct {
	text    string // the whole statement, for errors
	count   bool   // SELECT COUNT()
	selects []selectNode
	from    queryToken
	alias   string
	where   conditionNode // nil: every record
	order   []orderNode
	limit   int // -1: none
	offset  int
}

// selectNode is one element of a SELECT list; one of the three is set.
type selectNode struct {
	path   pathNode
	sub    *queryNode // a child query in parentheses
	fields *queryToken
}

// pathNode is a field name with the relationships before it: Account.Owner.Name.
type pathNode []queryToken

type orderNode struct {
	path       pathNode
	descending bool
	nullsLast  bool
}

// conditionNode is one of *logicNode, *notNode and *compareNode.
type conditionNode interface {
	// bind compares the condition with the object and returns the test of a record.
	bind(b *binder) (test, *apiError)
}

type logicNode struct {
	and   bool
	terms []conditionNode
}

type notNode struct{ term conditionNode }

type compareNode struct {
	path   pathNode
	op     string // = != < <= > >= like in, not in
	opAt   queryToken
	values []queryToken
	count  int        // n of a date word like LAST_N_DAYS:n
	sub    *queryNode // of IN (SELECT …)
}

// maxNesting bounds parentheses and NOTs, so that no query can exhaust the stack.
const maxNesting = 50

// queryParser reads tokens from left to right; peek is the next one.
type queryParser struct {
	text  string
	toks  []queryToken
	depth int
}

// parseQuery parses a whole SOQL statement.
func parseQuery(text string) (*queryNode, *apiError) {
	toks, refused := lexQuery(text, 0)
	if refused != nil {
		return nil, refused
	}
	p := &queryParser{text: text, toks: toks}
	q, refused := p.selectStatement()
	if refused != nil {
		return nil, refused
	}
	if p.peek().kind != tokenEnd {
		return nil, p.unexpected()
	}
	return q, nil
}

func (p *queryParser) peek() queryToken { return p.toks[0] }

func (p *queryParser) next() queryToken {
	t := p.toks[0]
	if t.kind != tokenEnd {
		p.toks = p.toks[1:]
	}
	return t
}

// accept takes the next token if it is this keyword or symbol.
func (p *queryParser) accept(text string) bool {
	if !p.peek().is(text) {
		return false
	}
	p.next()
	return true
}

// acceptAll takes a sequence of keywords, all or none.
func (p *queryParser) acceptAll(words ...string) bool {
	for i, w := range words {
		if i >= len(p.toks) || !p.toks[i].is(w) {
			return false
		}
	}
	p.toks = p.toks[len(words):]
	return true
}

func (p *queryParser) expect(text string) *apiError {
	if p.accept(text) {
		return nil
	}
	return p.unexpected()
}

func (p *queryParser) unexpected() *apiError {
	t := p.peek()
	return refuseAt("MALFORMED_QUERY", p.text, t.at, fmt.Sprintf("unexpected token: '%s'", t.text))
}

// clauseWords end an object name: what follows it is no alias.
var clauseWords = []string{
	"WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "WITH", "FOR", "USING", "ALL", "AND", "OR", "UPDATE",
}

func isClauseWord(t queryToken) bool {
	return slices.ContainsFunc(clauseWords, func(w string) bool { return t.is(w) })
}

func (p *queryParser) selectStatement() (*queryNode, *apiError) {
	if p.depth++; p.depth > maxNesting {
		return nil, p.unexpected()
	}
	defer func() { p.depth-- }()
	q := &queryNode{text: p.text, limit: -1}
	if refused := p.expect("SELECT"); refused != nil {
		return nil, refused
	}
	if refused := p.selectList(q); refused != nil {
		return nil, refused
	}
	if refused := p.expect("FROM"); refused != nil {
		return nil, refused
	}
	if p.peek().kind != tokenWord || isClauseWord(p.peek()) {
		return nil, p.unexpected()
	}
	q.from = p.next()
	p.accept("AS")
	if p.peek().kind == tokenWord && !isClauseWord(p.peek()) {
		q.alias = p.next().text
	}
	return q, p.clauses(q)
}

// clauses reads what may stand behind the object: WHERE, ORDER BY, LIMIT, OFFSET.
func (p *queryParser) clauses(q *queryNode) (refused *apiError) {
	if p.accept("WHERE") {
		if q.where, refused = p.condition(); refused != nil {
			return refused
		}
	}
	if p.acceptAll("ORDER", "BY") {
		if refused = p.orderList(q); refused != nil {
			return refused
		}
	}
	if p.accept("LIMIT") {
		if q.limit, refused = p.integer(); refused != nil {
			return refused
		}
	}
	if p.accept("OFFSET") {
		at := p.peek().at
		if q.offset, refused = p.integer(); refused != nil {
			return refused
		}
		if q.offset > 2000 {
			return refuseAt("NUMBER_OUTSIDE_VALID_RANGE", p.text, at, "Maximum SOQL offset allowed is 2000")
		}
	}
	return nil
}

func (p *queryParser) selectList(q *queryNode) *apiError {
	if p.acceptAll("COUNT", "(", ")") {
		q.count = true
		return nil
	}
	for {
		n, refused := p.selectItem()
		if refused != nil {
			return refused
		}
		q.selects = append(q.selects, n)
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *queryParser) selectItem() (selectNode, *apiError) {
	if p.accept("(") {
		sub, refused := p.selectStatement()
		if refused != nil {
			return selectNode{}, refused
		}
		return selectNode{sub: sub}, p.expect(")")
	}
	if p.acceptAll("FIELDS", "(") {
		which := p.next()
		if !which.is("ALL") && !which.is("STANDARD") && !which.is("CUSTOM") {
			return selectNode{}, refuseAt("MALFORMED_QUERY", p.text, which.at, fmt.Sprintf("unexpected token: '%s'", which.text))
		}
		return selectNode{fields: &which}, p.expect(")")
	}
	path, refused := p.path()
	return selectNode{path: path}, refused
}

func (p *queryParser) path() (pathNode, *apiError) {
	var path pathNode
	for {
		if t := p.peek(); t.kind != tokenWord || (path == nil && (t.is("FROM") || isClauseWord(t))) {
			return nil, p.unexpected()
		}
		path = append(path, p.next())
		if !p.accept(".") {
			return path, nil
		}
	}
}

func (p *queryParser) orderList(q *queryNode) *apiError {
	for {
		path, refused := p.path()
		if refused != nil {
			return refused
		}
		o := orderNode{path: path}
		if !p.accept("ASC") {
			o.descending = p.accept("DESC")
		}
		if p.accept("NULLS") {
			if o.nullsLast = p.accept("LAST"); !o.nullsLast && !p.accept("FIRST") {
				return p.unexpected()
			}
		}
		q.order = append(q.order, o)
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *queryParser) integer() (int, *apiError) {
	n, err := strconv.Atoi(p.peek().text)
	if err != nil || n < 0 || p.peek().kind != tokenNumber {
		return 0, p.unexpected()
	}
	p.next()
	return n, nil
}

// condition reads terms joined by AND or by OR. As in Salesforce, the two mix only with
// parentheses.
func (p *queryParser) condition() (conditionNode, *apiError) {
	if p.depth++; p.depth > maxNesting {
		return nil, p.unexpected()
	}
	defer func() { p.depth-- }()
	first, refused := p.term()
	if refused != nil {
		return nil, refused
	}
	joint := p.peek()
	if !joint.is("AND") && !joint.is("OR") {
		return first, nil
	}
	n := &logicNode{and: joint.is("AND"), terms: []conditionNode{first}}
	for p.accept(joint.text) {
		t, refused := p.term()
		if refused != nil {
			return nil, refused
		}
		n.terms = append(n.terms, t)
	}
	if p.peek().is("AND") || p.peek().is("OR") {
		return nil, p.unexpected()
	}
	return n, nil
}

func (p *queryParser) term() (conditionNode, *apiError) {
	switch {
	case p.accept("("):
		c, refused := p.condition()
		if refused != nil {
			return nil, refused
		}
		return c, p.expect(")")
	case p.accept("NOT"):
		if p.depth++; p.depth > maxNesting {
			return nil, p.unexpected()
		}
		defer func() { p.depth-- }()
		t, refused := p.term()
		return &notNode{t}, refused
	}
	return p.comparison()
}

func (p *queryParser) comparison() (conditionNode, *apiError) {
	path, refused := p.path()
	if refused != nil {
		return nil, refused
	}
	c := &compareNode{path: path, opAt: p.peek()}
	switch {
	case p.acceptAll("NOT", "IN"):
		c.op = "not in"
	case p.accept("IN"):
		c.op = "in"
	case p.accept("LIKE"):
		c.op = "like"
	case p.accept("<>"):
		c.op = "!="
	case c.opAt.kind == tokenSymbol && strings.Contains("= != < <= > >=", c.opAt.text):
		c.op = p.next().text
	default:
		return nil, p.unexpected()
	}
	if c.op == "in" || c.op == "not in" {
		return c, p.valueList(c)
	}
	return c, p.value(c)
}

func (p *queryParser) valueList(c *compareNode) (refused *apiError) {
	if refused = p.expect("("); refused != nil {
		return refused
	}
	if p.peek().is("SELECT") {
		if c.sub, refused = p.selectStatement(); refused != nil {
			return refused
		}
		return p.expect(")")
	}
	for {
		if refused = p.value(c); refused != nil {
			return refused
		}
		if !p.accept(",") {
			return p.expect(")")
		}
	}
}

// value reads one literal: text, number, date, TRUE, FALSE, NULL or a date word.
func (p *queryParser) value(c *compareNode) (refused *apiError) {
	t := p.peek()
	switch {
	case t.kind == tokenString, t.kind == tokenNumber, t.kind == tokenDate, t.kind == tokenDateTime:
	case t.is("TRUE"), t.is("FALSE"), t.is("NULL"), isDateWord(t):
	default:
		return p.unexpected()
	}
	c.values = append(c.values, p.next())
	if strings.Contains(strings.ToUpper(t.text), "_N_") && t.kind == tokenWord {
		if refused = p.expect(":"); refused != nil {
			return refused
		}
		c.count, refused = p.integer()
	}
	return refused
}
