package soql

import (
	"math"
	"strings"
)

// Unlimited is the limit of a query that has none.
const Unlimited = math.MaxInt

// Query is what one SOQL query names.
type Query struct {
	// From are the sources, in their order; there is at least one.
	From []Source
	// Fields are the fields named in all clauses, in their order, the parameters of
	// functions among them; those of TYPEOF and of inner queries are not.
	Fields []Field
	// Items are what the field list consists of, but for TYPEOF and child subqueries.
	Items []Item
	// TypeOfs are the TYPEOF expressions of the field list.
	TypeOfs []TypeOf
	// AllFields: FIELDS(ALL), FIELDS(STANDARD) or FIELDS(CUSTOM) stands somewhere.
	AllFields bool
	// StandardFields: so it does, and each of them is FIELDS(STANDARD), which holds no custom field.
	StandardFields bool
	// Children are the subqueries of the field list, whose source is a relation.
	Children []*Query
	// SemiJoins are the subqueries of conditions: Id IN (SELECT …).
	SemiJoins []*Query
	// Limit is the number of LIMIT, or [Unlimited].
	Limit int
	// LimitAt is where that number stands in the text, as offsets in bytes. Of a query
	// without LIMIT both are where its clause would begin.
	LimitAt [2]int
	// Grouped: there is a GROUP BY.
	Grouped bool
	// OnlyAggregates: the field list consists of COUNT, SUM, AVG, MIN and MAX.
	OnlyAggregates bool
	// Traces: the query leaves traces or takes locks (FOR VIEW, FOR REFERENCE,
	// FOR UPDATE, UPDATE TRACKING, UPDATE VIEWSTAT).
	Traces bool
}

// Clause is the part of a query in which something stands.
type Clause string

// The clauses that name fields.
const (
	Select  Clause = "select"
	From    Clause = "from"
	Where   Clause = "where"
	GroupBy Clause = "group by"
	Having  Clause = "having"
	OrderBy Clause = "order by"
)

// Field is a field that a query names.
type Field struct {
	Path   Path
	Clause Clause
	// Functions are those around the field, in capitals, the outermost first; nil if there
	// are none.
	Functions []string
	Offset    int // of its first byte in the text
}

// Item is one item of a field list.
type Item struct {
	// Function is the outermost function, in capitals; "" for a plain field. FIELDS(…)
	// names no field and answers all.
	Function string
	// First and End are the range of [Query.Fields] that the item names: one for a plain
	// field, none for COUNT() and FIELDS(…).
	First, End int
	// Alias is the name that the answer gives it; "" if it has none.
	Alias string
}

// Path is names joined by dots, as written: relations, and a field at the end. The
// first may be an alias. It has at least one name.
type Path []string

// Source is one item of FROM: an object, or a relation from an earlier alias.
type Source struct {
	Path   Path
	Offset int    // of its first byte in the text
	Alias  string // "" if it has none
}

// TypeOf is one expression TYPEOF relation WHEN object THEN fields … ELSE fields END.
type TypeOf struct {
	Path   Path
	Offset int // of the relation's first byte in the text
	Whens  []When
	Else   []Field // of whatever other object the relation leads to; nil if it has none
}

// When are the fields that a [TypeOf] answers for one object.
type When struct {
	Object string
	Fields []Field
}

// ParseQuery reads one SOQL query. The error is an [*Error].
func ParseQuery(text string) (*Query, error) {
	p, mistake := newParser(text, 0)
	if mistake != nil {
		return nil, mistake
	}
	q := p.query()
	if mistake := p.finish(); mistake != nil {
		return nil, mistake
	}
	return q, nil
}

func (p *parser) query() *Query {
	q := p.newQuery()
	p.enter()
	defer p.leave()
	clause, functions := p.clause, p.functions
	defer func() { p.clause, p.functions = clause, functions }()
	p.clause, p.functions = Select, nil
	p.expect("SELECT")
	p.items(q)
	p.clause = From
	p.expect("FROM")
	p.sources(q)
	if p.accept("USING") {
		p.expect("SCOPE")
		p.name()
	}
	if p.accept("WHERE") {
		p.clause = Where
		p.condition(q)
	}
	for p.accept("WITH") {
		p.with()
	}
	if p.acceptBoth("GROUP", "BY") {
		q.Grouped = true
		p.clause = GroupBy
		p.list(q)
		if p.accept("HAVING") {
			p.clause = Having
			p.condition(q)
		}
	}
	p.order(q)
	p.tail(q)
	return q
}

// items takes the field list.
func (p *parser) items(q *Query) {
	for {
		switch {
		case p.acceptMark("("):
			q.OnlyAggregates = false
			q.Children = append(q.Children, p.query())
			p.expectMark(")")
		case p.accept("TYPEOF"):
			q.OnlyAggregates = false
			p.typeOf(q)
		default:
			q.OnlyAggregates = p.item(q) && q.OnlyAggregates
		}
		if !p.acceptMark(",") {
			return
		}
	}
}

// item takes one field or function with its alias, and reports whether it is an aggregate.
func (p *parser) item(q *Query) (aggregate bool) {
	if q.Items == nil {
		q.Items, q.Fields = make([]Item, 0, 8), make([]Field, 0, 12)
	}
	item := Item{First: len(q.Fields)}
	if t := p.ahead(1); t.kind == mark && t.text == "(" {
		item.Function = strings.ToUpper(p.peek().text)
	}
	aggregate = p.operand(q)
	item.End, item.Alias = len(q.Fields), p.alias()
	q.Items = append(q.Items, item)
	return aggregate
}

// typeOf takes what follows TYPEOF.
func (p *parser) typeOf(q *Query) {
	c := TypeOf{Offset: p.offset(), Path: p.path()}
	paths := func() (list []Field) {
		list = append(list, p.field())
		for p.acceptMark(",") {
			list = append(list, p.field())
		}
		return list
	}
	for p.accept("WHEN") {
		w := When{Object: p.name()}
		p.expect("THEN")
		w.Fields = paths()
		c.Whens = append(c.Whens, w)
	}
	if p.accept("ELSE") {
		c.Else = paths()
	}
	p.expect("END")
	if len(c.Whens) == 0 {
		p.fail()
	}
	q.TypeOfs = append(q.TypeOfs, c)
}

// field takes a path in the present clause.
func (p *parser) field() Field {
	return Field{Offset: p.offset(), Clause: p.clause, Functions: append([]string(nil), p.functions...), Path: p.path()}
}

// sources takes the list after FROM.
func (p *parser) sources(q *Query) {
	for {
		s := Source{Offset: p.offset(), Path: p.path()}
		if p.accept("AS") {
			s.Alias = p.name()
		} else {
			s.Alias = p.alias()
		}
		q.From = append(q.From, s)
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
func (p *parser) operand(q *Query) (aggregate bool) {
	if t := p.ahead(1); t.kind != mark || t.text != "(" {
		q.Fields = append(q.Fields, p.field())
		return false
	}
	name := strings.ToUpper(p.name())
	p.expectMark("(")
	p.enter()
	defer p.leave()
	p.functions = append(p.functions, name)
	defer func() { p.functions = p.functions[:len(p.functions)-1] }()
	switch {
	case name == "FIELDS":
		which := p.oneOf("ALL", "STANDARD", "CUSTOM")
		if which == "" {
			p.fail()
		}
		q.StandardFields = which == "STANDARD" && (q.StandardFields || !q.AllFields)
		q.AllFields = true
	case name == "COUNT" && p.isMark(")"):
	case aggregates[name], functions[name], groupings[name]:
		if p.parameters(q) && name == "FORMAT" { // of one value for many
			aggregate = true
		}
	default:
		p.fail()
	}
	p.expectMark(")")
	return aggregate || aggregates[name]
}

// parameters takes the parameters of a function, and reports whether all are aggregates.
func (p *parser) parameters(q *Query) (aggregate bool) {
	aggregate = true
	for {
		if k := p.peek().kind; k == number || k == quoted {
			p.literal()
		} else {
			aggregate = p.operand(q) && aggregate
		}
		if !p.acceptMark(",") {
			return aggregate
		}
	}
}

// list takes fields or functions separated by commas.
func (p *parser) list(q *Query) {
	p.operand(q)
	for p.acceptMark(",") {
		p.operand(q)
	}
}

// condition takes comparisons joined by AND, OR and NOT.
func (p *parser) condition(q *Query) {
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
func (p *parser) comparison(q *Query) {
	if p.acceptBoth("NOT", "IN") || p.oneOf("IN", "INCLUDES", "EXCLUDES") != "" {
		p.expectMark("(")
		if p.is("SELECT") {
			q.SemiJoins = append(q.SemiJoins, p.query())
		} else {
			p.literals()
		}
		p.expectMark(")")
		return
	}
	if !p.accept("LIKE") {
		t := p.next()
		if t.kind != mark || !comparisons[t.text] {
			p.failAt(t)
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
func (p *parser) order(q *Query) {
	if p.acceptBoth("ORDER", "BY") {
		p.clause = OrderBy
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
	q.Limit, q.LimitAt = p.limit()
	if p.accept("OFFSET") {
		p.count()
	}
}

// limit takes LIMIT, which may be absent, and returns its number and where that stands.
func (p *parser) limit() (n int, at [2]int) {
	if !p.accept("LIMIT") {
		end := p.lastEnd()
		return Unlimited, [2]int{end, end}
	}
	begin := p.offset()
	n = p.count()
	return n, [2]int{begin, p.lastEnd()}
}

// tail takes the clauses that make a query leave traces or take locks.
func (p *parser) tail(q *Query) {
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
		q.Traces = true
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
