package soql

import (
	"strconv"
	"strings"
)

// maxDepth is how deeply parentheses and subqueries may be nested. Salesforce
// itself takes five levels of subqueries.
const maxDepth = 40

// parser makes a query of lexemes.
type parser struct {
	reader
	room      *room
	names     []string // of paths, which are parts of it
	clause    Clause   // in which the next lexeme stands
	functions []string // around it, the outermost first
}

// room is the memory of what most queries consist of, made at once.
type room struct {
	parser
	used   bool // the query is
	query  Query
	names  [16]string
	fields [12]Field
	items  [8]Item
	from   [1]Source
}

// newParser reads the lexemes of text from one byte on. [reader.finish] gives them back.
func newParser(text string, from int) (*parser, *Error) {
	if len(text) > MaxLength {
		return nil, &Error{Offset: MaxLength, Cause: ErrTooLong}
	}
	m := &room{}
	m.room, m.parser.names = m, m.names[:0]
	return &m.parser, m.read(text, from)
}

// newQuery returns a query of which nothing is read.
func (p *parser) newQuery() *Query {
	m := p.room
	if m.used {
		return &Query{Limit: Unlimited, OnlyAggregates: true}
	}
	m.used = true
	m.query = Query{Limit: Unlimited, OnlyAggregates: true, Fields: m.fields[:0], Items: m.items[:0], From: m.from[:0]}
	return &m.query
}

// reserved can never be a name, so that no clause can hide as one.
var reserved = set("SELECT", "FROM", "WHERE", "HAVING", "LIMIT", "OFFSET", "FOR", "UPDATE", "USING", "WITH", "TYPEOF", "WHEN",
	"THEN", "ELSE", "AND", "OR", "NOT", "IN", "LIKE", "INCLUDES", "EXCLUDES", "NULL", "TRUE", "FALSE", "FIND", "RETURNING")

// clauses can be names of objects and fields but not aliases.
var clauses = set("GROUP", "ORDER", "BY", "ASC", "DESC", "NULLS", "FIRST", "LAST", "ROLLUP", "CUBE", "SCOPE", "ALL", "ROWS", "AS",
	"END", "VIEW", "REFERENCE", "TRACKING", "VIEWSTAT")

// words are keywords, in capitals.
type words map[string]bool

func set(list ...string) words {
	m := make(words, len(list))
	for _, w := range list {
		m[w] = true
	}
	return m
}

// longestKeyword is longer than any keyword or function.
const longestKeyword = 32

// has reports whether a word in any case is one of them.
func (w words) has(text string) bool {
	var b [longestKeyword]byte
	if len(text) > len(b) {
		return false
	}
	for i := range len(text) {
		if b[i] = text[i]; isLetter(text[i]) {
			b[i] &^= 0x20
		}
	}
	return w[string(b[:len(text)])]
}

// name takes an identifier.
func (p *parser) name() string {
	t := p.next()
	if t.kind != word || reserved.has(t.text) {
		p.failAt(t)
		return ""
	}
	return t.text
}

// alias takes an optional alias.
func (p *parser) alias() string {
	t := p.peek()
	if t.kind != word || reserved.has(t.text) || clauses.has(t.text) {
		return ""
	}
	p.at++
	return t.text
}

// path takes names joined by dots.
func (p *parser) path() Path {
	const longest = 10 // five relations up, an alias, a field, and some air
	first := len(p.names)
	p.names = append(p.names, p.name())
	for p.acceptMark(".") {
		p.names = append(p.names, p.name())
		if len(p.names)-first > longest {
			p.fail()
		}
	}
	return Path(p.names[first:len(p.names):len(p.names)])
}

// count takes a whole number.
func (p *parser) count() int {
	t := p.next()
	n, err := strconv.ParseUint(t.text, 10, 31)
	if t.kind != number || err != nil {
		p.failAt(t)
		return 0
	}
	return int(n)
}

// literal takes a value. Names other than those of relative dates are refused:
// SOQL has no comparison of two fields, and a bind variable has no value here.
func (p *parser) literal() {
	t := p.next()
	switch t.kind {
	case number, instant, quoted:
		return
	case word:
		upper := strings.ToUpper(t.text)
		switch {
		case upper == "NULL", upper == "TRUE", upper == "FALSE", isPeriod(upper):
			return
		case isCountedPeriod(upper):
			p.expectMark(":")
			p.count()
			return
		case isMoney(upper):
			if t := p.peek(); t.kind == number && t.text[0] == '.' && int(t.offset) == p.lastEnd() {
				p.at++
			}
			return
		}
	}
	p.failAt(t)
}

var periods = set("WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR", "90_DAYS")

var countedPeriods = set("DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS", "FISCAL_QUARTERS", "FISCAL_YEARS")

// isPeriod recognises TODAY, LAST_WEEK and their like.
func isPeriod(s string) bool {
	if s == "TODAY" || s == "YESTERDAY" || s == "TOMORROW" {
		return true
	}
	which, period, _ := strings.Cut(s, "_")
	return (which == "LAST" || which == "THIS" || which == "NEXT") && periods[period]
}

// isCountedPeriod recognises LAST_N_DAYS, N_DAYS_AGO and their like.
func isCountedPeriod(s string) bool {
	if period, ok := strings.CutSuffix(s, "_AGO"); ok {
		n, unit, _ := strings.Cut(period, "_")
		return n == "N" && countedPeriods[unit]
	}
	which, period, _ := strings.Cut(s, "_N_")
	return (which == "LAST" || which == "NEXT") && countedPeriods[period]
}

// isMoney recognises an amount with its currency, USD5000.
func isMoney(s string) bool {
	return len(s) > 3 && run(s, 0, isLetter) == 3 && run(s, 3, isDigit) == len(s)
}
