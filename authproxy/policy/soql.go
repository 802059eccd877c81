package policy

import "strings"

// query is what matters of one SOQL query.
type query struct {
	from       []source
	paths      [][]string // fields in every clause
	choices    []choice   // TYPEOF
	whole      bool       // FIELDS(…)
	children   []*query   // subqueries in the field list
	semijoins  []*query   // subqueries in conditions
	sideEffect bool       // FOR VIEW, FOR REFERENCE, FOR UPDATE, UPDATE …
	limit      int        // unlimited if there is none
	plain      bool       // selects something that is not an aggregate
	grouped    bool
}

// source is one item of FROM.
type source struct {
	path  []string
	alias string
}

// choice is one TYPEOF expression.
type choice struct {
	path  []string
	whens []when
	other bool // has ELSE, with fields of whatever other object
}

type when struct {
	object string
	paths  [][]string
}

const sayQuery = "The query could not be read; write one plain SOQL query without comments, bind variables or deep nesting."

// readSOQL returns what a SOQL query does and reaches. The work is linear in the
// length of the query, which is capped; what the grammar does not know is refused.
func readSOQL(text string) (footprint, *fault) {
	f := footprint{class: Read}
	p, fault := newParser(text)
	if fault != nil {
		return f, fault
	}
	q := p.query()
	if p.bad || p.at != len(p.toks) {
		return f, refuse(sayQuery)
	}
	f.rows = q.rows()
	f.query(q, nil)
	return f, nil
}

func newParser(text string) (*parser, *fault) {
	if len(text) > maxQuery {
		return nil, refuse("The query is too long.")
	}
	toks, fault := lex(text)
	return &parser{toks: toks}, fault
}

func (p *parser) query() *query {
	q := &query{limit: unlimited}
	p.enter()
	defer p.leave()
	p.expect("SELECT")
	p.items(q)
	p.expect("FROM")
	p.sources(q)
	if p.accept("USING") {
		p.expect("SCOPE")
		p.name()
	}
	if p.accept("WHERE") {
		p.condition(q)
	}
	if p.accept("WITH") {
		p.with()
	}
	if p.acceptBoth("GROUP", "BY") {
		q.grouped = true
		p.list(q)
		if p.accept("HAVING") {
			p.condition(q)
		}
	}
	p.order(q)
	p.tail(q)
	return q
}

// items takes the field list.
func (p *parser) items(q *query) {
	for {
		switch {
		case p.acceptMark("("):
			q.plain = true
			q.children = append(q.children, p.query())
			p.expectMark(")")
		case p.accept("TYPEOF"):
			q.plain = true
			p.choice(q)
		default:
			if !p.operand(q) {
				q.plain = true
			}
			p.alias()
		}
		if !p.acceptMark(",") {
			return
		}
	}
}

// choice takes what follows TYPEOF.
func (p *parser) choice(q *query) {
	c := choice{path: p.path()}
	paths := func() (list [][]string) {
		list = append(list, p.path())
		for p.acceptMark(",") {
			list = append(list, p.path())
		}
		return list
	}
	for p.accept("WHEN") {
		w := when{object: p.name()}
		p.expect("THEN")
		w.paths = paths()
		c.whens = append(c.whens, w)
	}
	if p.accept("ELSE") {
		c.other = true
		paths()
	}
	p.expect("END")
	if len(c.whens) == 0 {
		p.fail()
	}
	q.choices = append(q.choices, c)
}

// sources takes the list after FROM.
func (p *parser) sources(q *query) {
	for {
		s := source{path: p.path()}
		if p.accept("AS") {
			s.alias = p.name()
		} else {
			s.alias = p.alias()
		}
		q.from = append(q.from, s)
		if !p.acceptMark(",") {
			return
		}
	}
}

// functions are the functions of SOQL; aggregates answer one record for many.
var (
	aggregates = set("COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX")
	functions  = set("FORMAT", "TOLABEL", "CONVERTCURRENCY", "CONVERTTIMEZONE", "GROUPING", "DISTANCE", "GEOLOCATION",
		"CALENDAR_MONTH", "CALENDAR_QUARTER", "CALENDAR_YEAR", "DAY_IN_MONTH", "DAY_IN_WEEK", "DAY_IN_YEAR", "DAY_ONLY",
		"FISCAL_MONTH", "FISCAL_QUARTER", "FISCAL_YEAR", "HOUR_IN_DAY", "WEEK_IN_MONTH", "WEEK_IN_YEAR")
	groupings = set("ROLLUP", "CUBE")
)

// operand takes a field or a function of fields and values, and reports whether it
// is an aggregate.
func (p *parser) operand(q *query) (aggregate bool) {
	if t := p.ahead(1); t.kind != mark || t.text != "(" {
		q.paths = append(q.paths, p.path())
		return false
	}
	name := strings.ToUpper(p.name())
	p.expectMark("(")
	p.enter()
	defer p.leave()
	switch {
	case name == "FIELDS":
		q.whole = true
		if p.oneOf("ALL", "STANDARD", "CUSTOM") == "" {
			p.fail()
		}
	case name == "COUNT" && p.isMark(")"):
	case aggregates[name], functions[name], groupings[name]:
		p.parameters(q)
	default:
		p.fail()
	}
	p.expectMark(")")
	return aggregates[name]
}

// parameters takes the parameters of a function.
func (p *parser) parameters(q *query) {
	for {
		if k := p.peek().kind; k == number || k == quoted {
			p.literal()
		} else {
			p.operand(q)
		}
		if !p.acceptMark(",") {
			return
		}
	}
}

// list takes fields or functions separated by commas.
func (p *parser) list(q *query) {
	p.operand(q)
	for p.acceptMark(",") {
		p.operand(q)
	}
}

// condition takes comparisons joined by AND, OR and NOT.
func (p *parser) condition(q *query) {
	p.enter()
	defer p.leave()
	for {
		for p.accept("NOT") {
		}
		if p.acceptMark("(") {
			p.condition(q)
			p.expectMark(")")
		} else {
			p.operand(q)
			p.comparison(q)
		}
		if p.oneOf("AND", "OR") == "" {
			return
		}
	}
}

// comparison takes an operator and its right side.
func (p *parser) comparison(q *query) {
	if p.acceptBoth("NOT", "IN") || p.oneOf("IN", "INCLUDES", "EXCLUDES") != "" {
		p.expectMark("(")
		if p.is("SELECT") {
			q.semijoins = append(q.semijoins, p.query())
		} else {
			p.literals()
		}
		p.expectMark(")")
		return
	}
	if !p.accept("LIKE") {
		t := p.next()
		if t.kind != mark || !comparisons[t.text] {
			p.fail()
		}
	}
	p.literal()
}

var comparisons = set("=", "!=", "<>", "<", "<=", ">", ">=")

func (p *parser) literals() {
	p.literal()
	for p.acceptMark(",") {
		p.literal()
	}
}

// with takes what follows WITH: data categories or a mode that only restricts.
func (p *parser) with() {
	switch {
	case p.oneOf("SECURITY_ENFORCED", "USER_MODE") != "":
	case p.acceptBoth("DATA", "CATEGORY"):
		p.categories()
	default:
		p.fail()
	}
}

func (p *parser) categories() {
	for {
		p.name()
		if p.oneOf("AT", "ABOVE", "BELOW", "ABOVE_OR_BELOW") == "" {
			p.fail()
		}
		if p.acceptMark("(") {
			p.name()
			for p.acceptMark(",") {
				p.name()
			}
			p.expectMark(")")
		} else {
			p.name()
		}
		if !p.accept("AND") {
			return
		}
	}
}

// order takes ORDER BY, LIMIT and OFFSET, each of which may be absent.
func (p *parser) order(q *query) {
	if p.acceptBoth("ORDER", "BY") {
		for {
			p.operand(q)
			p.oneOf("ASC", "DESC")
			if p.accept("NULLS") && p.oneOf("FIRST", "LAST") == "" {
				p.fail()
			}
			if !p.acceptMark(",") {
				break
			}
		}
	}
	if p.accept("LIMIT") {
		q.limit = p.count()
	}
	if p.accept("OFFSET") {
		p.count()
	}
}

// tail takes the clauses that make a query leave traces or take locks.
func (p *parser) tail(q *query) {
	for {
		var targets []string
		switch {
		case p.accept("FOR"):
			targets = []string{"VIEW", "REFERENCE", "UPDATE"}
		case p.accept("UPDATE"):
			targets = []string{"TRACKING", "VIEWSTAT"}
		default:
			return
		}
		q.sideEffect = true
		for {
			if p.oneOf(targets...) == "" {
				p.fail()
			}
			if !p.acceptMark(",") {
				break
			}
		}
	}
}

// rows returns the most records that the query can answer: its own, and for each
// of them those of its child subqueries. Aggregates without GROUP BY answer one.
func (q *query) rows() int {
	if !q.plain && !q.whole && !q.grouped {
		return 1
	}
	each := 1
	for _, child := range q.children {
		each = add(each, child.rows())
	}
	return multiply(q.limit, each)
}
