package records

import (
	"regexp"
	"strings"
)

// condition reads terms joined by AND or by OR. As in Salesforce, the two mix only with
// parentheses.
func (p *queryParser) condition() (conditionNode, *Error) {
	if refused := p.enter(); refused != nil {
		return nil, refused
	}
	defer p.leave()
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

func (p *queryParser) term() (conditionNode, *Error) {
	switch {
	case p.accept("("):
		c, refused := p.condition()
		if refused != nil {
			return nil, refused
		}
		return c, p.expect(")")
	case p.accept("NOT"):
		if refused := p.enter(); refused != nil {
			return nil, refused
		}
		defer p.leave()
		t, refused := p.term()
		return &notNode{t}, refused
	}
	return p.comparison()
}

func (p *queryParser) comparison() (conditionNode, *Error) {
	left, refused := p.expr()
	if refused != nil {
		return nil, refused
	}
	c := &compareNode{left: left, opAt: p.peek()}
	switch {
	case p.acceptAll("NOT", "IN"):
		c.op = "not in"
	case c.opAt.kind == tokenWord:
		c.op = strings.ToLower(p.acceptOne("IN", "LIKE", "INCLUDES", "EXCLUDES"))
	case p.accept("<>"):
		c.op = "!="
	case c.opAt.kind == tokenSymbol && strings.Contains("= != < <= > >=", c.opAt.text):
		c.op = p.next().text
	}
	switch c.op {
	case "":
		return nil, p.unexpected()
	case "in", "not in", "includes", "excludes":
		return c, p.valueList(c)
	}
	return c, p.value(c)
}

func (p *queryParser) valueList(c *compareNode) (refused *Error) {
	if refused = p.expect("("); refused != nil {
		return refused
	}
	if p.peek().is("SELECT") && strings.HasSuffix(c.op, "in") {
		if c.sub, refused = p.selectStatement(); refused != nil {
			return refused
		}
		return p.expect(")")
	}
	if refused = p.list(func() *Error { return p.value(c) }); refused != nil {
		return refused
	}
	return p.expect(")")
}

// amountPattern is the beginning of an amount with its currency: EUR5000.
var amountPattern = regexp.MustCompile(`^[A-Za-z]{3}\d+$`)

// value reads one literal: text, number, amount, date, TRUE, FALSE, NULL or a date word.
func (p *queryParser) value(c *compareNode) (refused *Error) {
	t := p.peek()
	switch {
	case t.kind == tokenString, t.kind == tokenNumber, t.kind == tokenDate, t.kind == tokenDateTime:
	case t.is("TRUE"), t.is("FALSE"), t.is("NULL"), isDateWord(t):
	case t.kind == tokenWord && amountPattern.MatchString(t.text):
		p.amount(c)
		return nil
	default:
		return p.unexpected()
	}
	c.values = append(c.values, p.next())
	if isCountedDateWord(t) {
		if refused = p.expect(":"); refused != nil {
			return refused
		}
		at := p.peek().at
		if c.count, refused = p.integer(); refused == nil && c.count > 100_000 {
			refused = refuseAt("NUMBER_OUTSIDE_VALID_RANGE", p.text, at, "a relative date counts at most 100000")
		}
	}
	return refused
}

// amount reads an amount with its currency. The lexer makes two tokens of one that has a
// fraction.
func (p *queryParser) amount(c *compareNode) {
	t := p.next()
	t.kind = tokenAmount
	if rest := p.peek(); rest.kind == tokenNumber && rest.at == t.at+len(t.text) && strings.HasPrefix(rest.text, ".") {
		t.text += p.next().text
	}
	c.values = append(c.values, t)
}
