package records

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxNesting bounds parentheses, NOTs and functions, so that no query can exhaust the stack.
const maxNesting = 50

// queryParser reads tokens from left to right; peek is the next one.
type queryParser struct {
	text  string
	toks  []queryToken
	depth int
}

// parseQuery parses a whole SOQL statement.
func parseQuery(text string) (*queryNode, *Error) {
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

// acceptOne takes the next token if it is one of the words, and returns that word; ""
// where it is none.
func (p *queryParser) acceptOne(words ...string) string {
	for _, w := range words {
		if p.accept(w) {
			return w
		}
	}
	return ""
}

func (p *queryParser) expect(text string) *Error {
	if p.accept(text) {
		return nil
	}
	return p.unexpected()
}

func (p *queryParser) unexpected() *Error {
	t := p.peek()
	return refuseAt("MALFORMED_QUERY", p.text, t.at, fmt.Sprintf("unexpected token: '%s'", t.text))
}

// enter counts one level of nesting; leave ends it.
func (p *queryParser) enter() *Error {
	if p.depth++; p.depth > maxNesting {
		return p.unexpected()
	}
	return nil
}

func (p *queryParser) leave() { p.depth-- }

// list reads one item or several with commas between them.
func (p *queryParser) list(item func() *Error) *Error {
	for {
		if refused := item(); refused != nil {
			return refused
		}
		if !p.accept(",") {
			return nil
		}
	}
}

// clauseWords end an object name or a field: what follows is no alias.
var clauseWords = []string{
	"FROM", "WHERE", "LIMIT", "OFFSET", "HAVING", "WITH", "FOR", "USING", "ALL", "AND", "OR", "UPDATE",
}

// isClauseWord reports whether the i-th token from here begins a clause. Order and Group
// are objects too.
func (p *queryParser) isClauseWord(i int) bool {
	t := p.toks[i]
	if t.is("ORDER") || t.is("GROUP") {
		return i+1 < len(p.toks) && p.toks[i+1].is("BY")
	}
	return slices.ContainsFunc(clauseWords, func(w string) bool { return t.is(w) })
}

// name reads a word that is no keyword.
func (p *queryParser) name() (queryToken, *Error) {
	if p.peek().kind != tokenWord || p.isClauseWord(0) {
		return queryToken{}, p.unexpected()
	}
	return p.next(), nil
}

func (p *queryParser) selectStatement() (*queryNode, *Error) {
	if refused := p.enter(); refused != nil {
		return nil, refused
	}
	defer p.leave()
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
	if refused := p.source(q); refused != nil {
		return nil, refused
	}
	return q, p.clauses(q)
}

// source reads the object behind FROM, its alias and the aliases of its parents.
func (p *queryParser) source(q *queryNode) (refused *Error) {
	if q.from, refused = p.name(); refused != nil {
		return refused
	}
	q.alias = p.aliasName()
	for p.accept(",") {
		path, refused := p.path()
		if refused != nil {
			return refused
		}
		a := aliasNode{path, p.aliasName()}
		if len(path) < 2 || a.name == "" {
			return p.unexpected()
		}
		q.aliases = append(q.aliases, a)
	}
	return nil
}

// aliasName reads an alias, "" where there is none.
func (p *queryParser) aliasName() string {
	p.accept("AS")
	if p.peek().kind == tokenWord && !p.isClauseWord(0) {
		return p.next().text
	}
	return ""
}

func (p *queryParser) selectList(q *queryNode) *Error {
	if p.acceptAll("COUNT", "(", ")") {
		q.count = true
		return nil
	}
	return p.list(func() *Error {
		n, refused := p.selectItem()
		q.selects = append(q.selects, n)
		return refused
	})
}

func (p *queryParser) selectItem() (n selectNode, refused *Error) {
	switch {
	case p.accept("("):
		if n.sub, refused = p.selectStatement(); refused != nil {
			return n, refused
		}
		return n, p.expect(")")
	case p.acceptAll("FIELDS", "("):
		which := p.next()
		if !which.is("ALL") && !which.is("STANDARD") && !which.is("CUSTOM") {
			return n, refuseAt("MALFORMED_QUERY", p.text, which.at, fmt.Sprintf("unexpected token: '%s'", which.text))
		}
		n.fields = &which
		return n, p.expect(")")
	case p.accept("TYPEOF"):
		n.typeOf, refused = p.typeOf()
		return n, refused
	}
	expr, refused := p.expr()
	n.expr = &expr
	if t := p.peek(); refused == nil && t.kind == tokenWord && !p.isClauseWord(0) && p.endsItem(1) {
		p.next()
		n.alias = &t
	}
	return n, refused
}

// endsItem reports whether the i-th token from here can follow an element of a SELECT list.
func (p *queryParser) endsItem(i int) bool {
	return p.toks[i].is(",") || p.toks[i].is(")") || p.isClauseWord(i)
}

// typeOf reads what follows TYPEOF.
func (p *queryParser) typeOf() (n *typeOfNode, refused *Error) {
	n = &typeOfNode{}
	if n.rel, refused = p.name(); refused != nil {
		return n, refused
	}
	for p.accept("WHEN") {
		var w whenNode
		if w.object, refused = p.name(); refused != nil {
			return n, refused
		}
		if refused = p.expect("THEN"); refused != nil {
			return n, refused
		}
		if w.fields, refused = p.pathList(); refused != nil {
			return n, refused
		}
		n.whens = append(n.whens, w)
	}
	if n.whens == nil {
		return n, p.unexpected()
	}
	if p.accept("ELSE") {
		if n.other, refused = p.pathList(); refused != nil {
			return n, refused
		}
	}
	return n, p.expect("END")
}

func (p *queryParser) pathList() (paths []pathNode, refused *Error) {
	return paths, p.list(func() *Error {
		path, refused := p.path()
		paths = append(paths, path)
		return refused
	})
}

func (p *queryParser) path() (pathNode, *Error) {
	var path pathNode
	for {
		if t := p.peek(); t.kind != tokenWord || (path == nil && p.isClauseWord(0)) {
			return nil, p.unexpected()
		}
		path = append(path, p.next())
		if !p.accept(".") {
			return path, nil
		}
	}
}

// expr reads a field or a function.
func (p *queryParser) expr() (exprNode, *Error) {
	if refused := p.enter(); refused != nil {
		return exprNode{}, refused
	}
	defer p.leave()
	n := exprNode{at: p.peek().at}
	path, refused := p.path()
	if refused != nil {
		return n, refused
	}
	n.path = path
	if !p.peek().is("(") {
		return n, nil
	}
	if len(path) != 1 || !isFunction(path[0].text) {
		return n, p.unexpected()
	}
	n.fn = strings.ToUpper(path[0].text)
	p.next()
	refused = p.list(func() *Error {
		arg, refused := p.argument()
		n.args = append(n.args, arg)
		return refused
	})
	if refused != nil {
		return n, refused
	}
	return n, p.expect(")")
}

// argument reads an argument of a function: an expression, a number or a text.
func (p *queryParser) argument() (exprNode, *Error) {
	if t := p.peek(); t.kind == tokenNumber || t.kind == tokenString {
		p.next()
		return exprNode{at: t.at, literal: &t}, nil
	}
	return p.expr()
}

func (p *queryParser) integer() (int, *Error) {
	n, err := strconv.Atoi(p.peek().text)
	if err != nil || n < 0 || p.peek().kind != tokenNumber {
		return 0, p.unexpected()
	}
	p.next()
	return n, nil
}
