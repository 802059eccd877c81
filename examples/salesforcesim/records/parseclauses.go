package records

import (
	"slices"
	"strings"
)

// scopes are those of USING SCOPE.
var scopes = []string{"everything", "mine", "mine_and_my_groups", "my_territory", "my_team_territory", "team", "delegated"}

// clauses reads what may stand behind the object, in the order that Salesforce asks for.
func (p *queryParser) clauses(q *queryNode) (refused *Error) {
	if p.acceptAll("USING", "SCOPE") {
		if q.scope = strings.ToLower(p.peek().text); !slices.Contains(scopes, q.scope) {
			return p.unexpected()
		}
		p.next()
	}
	if p.accept("WHERE") {
		if q.where, refused = p.condition(); refused != nil {
			return refused
		}
	}
	if p.accept("WITH") {
		if refused = p.with(q); refused != nil {
			return refused
		}
	}
	if p.acceptAll("GROUP", "BY") {
		if refused = p.groupBy(q); refused != nil {
			return refused
		}
	}
	if p.acceptAll("ORDER", "BY") {
		if refused = p.orderList(q); refused != nil {
			return refused
		}
	}
	if refused = p.limits(q); refused != nil {
		return refused
	}
	if refused = p.seen(q); refused != nil {
		return refused
	}
	q.allRows = p.acceptAll("ALL", "ROWS")
	return nil
}

// with reads what follows WITH. The modes change nothing: a query always runs as the
// user.
func (p *queryParser) with(q *queryNode) *Error {
	if p.acceptOne("SECURITY_ENFORCED", "USER_MODE") != "" {
		return nil
	}
	if !p.acceptAll("DATA", "CATEGORY") {
		return p.unexpected()
	}
	return p.dataCategories(q)
}

func (p *queryParser) dataCategories(q *queryNode) *Error {
	for {
		group, refused := p.name()
		if refused != nil {
			return refused
		}
		c := categoryNode{group: group.text, op: p.acceptOne("AT", "ABOVE", "BELOW", "ABOVE_OR_BELOW")}
		if c.op == "" {
			return p.unexpected()
		}
		category := func() *Error {
			name, refused := p.name()
			c.categories = append(c.categories, name.text)
			return refused
		}
		if p.accept("(") {
			if refused = p.list(category); refused == nil {
				refused = p.expect(")")
			}
		} else {
			refused = category()
		}
		q.category = append(q.category, c)
		if refused != nil || !p.accept("AND") {
			return refused
		}
	}
}

func (p *queryParser) groupBy(q *queryNode) (refused *Error) {
	field := func() *Error {
		n, refused := p.expr()
		q.groups = append(q.groups, n)
		return refused
	}
	for _, grouping := range []string{"ROLLUP", "CUBE"} {
		if p.acceptAll(grouping, "(") {
			q.grouping = grouping
		}
	}
	if refused = p.list(field); refused != nil {
		return refused
	}
	if q.grouping != "" {
		if len(q.groups) > 3 {
			return p.unexpected()
		}
		if refused = p.expect(")"); refused != nil {
			return refused
		}
	}
	if p.accept("HAVING") {
		q.having, refused = p.condition()
	}
	return refused
}

func (p *queryParser) orderList(q *queryNode) *Error {
	return p.list(func() *Error {
		expr, refused := p.expr()
		if refused != nil {
			return refused
		}
		o := orderNode{expr: expr}
		if !p.accept("ASC") {
			o.descending = p.accept("DESC")
		}
		if p.accept("NULLS") {
			if o.nullsLast = p.accept("LAST"); !o.nullsLast && !p.accept("FIRST") {
				return p.unexpected()
			}
		}
		q.order = append(q.order, o)
		return nil
	})
}

func (p *queryParser) limits(q *queryNode) (refused *Error) {
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

// seen reads FOR VIEW, FOR REFERENCE and UPDATE TRACKING, VIEWSTAT. FOR UPDATE locks
// records in Apex and is unknown here.
func (p *queryParser) seen(q *queryNode) *Error {
	for p.accept("FOR") {
		switch p.acceptOne("VIEW", "REFERENCE") {
		case "VIEW":
			q.seen.view = true
		case "REFERENCE":
			q.seen.reference = true
		default:
			return p.unexpected()
		}
	}
	if !p.accept("UPDATE") {
		return nil
	}
	return p.list(func() *Error {
		which := p.acceptOne("TRACKING", "VIEWSTAT")
		if which == "" {
			return p.unexpected()
		}
		q.seen.viewStat = q.seen.viewStat || which == "VIEWSTAT"
		return nil
	})
}
