package soql

import (
	"strconv"
	"strings"
)

// maxDepth is how deeply parentheses and subqueries may be nested. Salesforce
// itself takes five levels of subqueries.
const maxDepth = 40

// parser reads lexemes from the left, never back, so it takes linear time. The
// first mistake fails it and moves it to the end, where every loop stops.
type parser struct {
	lexemes []lexeme
	at      int
	begin   int      // where in the text they begin
	end     int      // where the text ends
	names   []string // of paths, which are parts of it
	depth   int
	failed  bool
	mistake int // offset of the first mistake

	clause    Clause   // in which the next lexeme stands
	functions []string // around it, the outermost first
}

// newParser reads the lexemes of text from one byte on.
func newParser(text string, from int) (*parser, *Error) {
	if len(text) > MaxLength {
		return nil, &Error{Offset: MaxLength, Cause: ErrTooLong}
	}
	lexemes, err := lex(text, from)
	return &parser{lexemes: lexemes, begin: from, end: len(text), names: make([]string, 0, 16)}, err
}

// finish returns the error of what was read, and one if anything is left.
func (p *parser) finish() *Error {
	if p.at != len(p.lexemes) {
		p.fail()
	}
	if p.failed {
		return &Error{Offset: p.mistake, Cause: ErrSyntax}
	}
	return nil
}

// fail refuses the next lexeme.
func (p *parser) fail() { p.failAt(p.peek()) }

// failAt refuses a lexeme.
func (p *parser) failAt(l lexeme) {
	if !p.failed {
		p.failed, p.mistake = true, int(l.offset)
		if l.kind == endOfQuery {
			p.mistake = p.end
		}
	}
	p.at = len(p.lexemes)
}

func (p *parser) peek() lexeme { return p.ahead(0) }

func (p *parser) ahead(n int) lexeme {
	if p.at+n >= len(p.lexemes) {
		return lexeme{}
	}
	return p.lexemes[p.at+n]
}

// offset is the position of the next lexeme.
func (p *parser) offset() int {
	if p.at >= len(p.lexemes) {
		return p.end
	}
	return int(p.lexemes[p.at].offset)
}

// lastEnd is the position after the last lexeme that was taken, or where they begin.
func (p *parser) lastEnd() int {
	if p.failed {
		return p.end
	}
	if p.at == 0 {
		return p.begin
	}
	t := p.lexemes[p.at-1]
	return int(t.offset) + len(t.text)
}

func (p *parser) next() lexeme {
	t := p.peek()
	if t.kind == endOfQuery {
		p.fail()
		return t
	}
	p.at++
	return t
}

// is reports whether the next lexeme is the keyword.
func (p *parser) is(keyword string) bool {
	t := p.peek()
	return t.kind == word && strings.EqualFold(t.text, keyword)
}

// accept takes the next lexeme if it is the keyword.
func (p *parser) accept(keyword string) bool {
	if p.is(keyword) {
		p.at++
		return true
	}
	return false
}

// acceptBoth takes the next two lexemes if they are the keywords.
func (p *parser) acceptBoth(first, second string) bool {
	t := p.ahead(1)
	if !p.is(first) || t.kind != word || !strings.EqualFold(t.text, second) {
		return false
	}
	p.at += 2
	return true
}

func (p *parser) expect(keyword string) {
	if !p.accept(keyword) {
		p.fail()
	}
}

// oneOf takes the next lexeme if it is one of the keywords and returns that.
func (p *parser) oneOf(keywords ...string) string {
	for _, k := range keywords {
		if p.accept(k) {
			return k
		}
	}
	return ""
}

func (p *parser) isMark(m string) bool {
	t := p.peek()
	return t.kind == mark && t.text == m
}

func (p *parser) acceptMark(m string) bool {
	if p.isMark(m) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expectMark(m string) {
	if !p.acceptMark(m) {
		p.fail()
	}
}

// enter goes one level deeper; leave must follow.
func (p *parser) enter() {
	p.depth++
	if p.depth > maxDepth {
		p.fail()
	}
}

func (p *parser) leave() { p.depth-- }

// reserved can never be a name, so that no clause can hide as one.
var reserved = set("SELECT", "FROM", "WHERE", "HAVING", "LIMIT", "OFFSET", "FOR", "UPDATE", "USING", "WITH", "TYPEOF", "WHEN",
	"THEN", "ELSE", "AND", "OR", "NOT", "IN", "LIKE", "INCLUDES", "EXCLUDES", "NULL", "TRUE", "FALSE", "FIND", "RETURNING")

// clauses can be names of objects and fields but not aliases.
var clauses = set("GROUP", "ORDER", "BY", "ASC", "DESC", "NULLS", "FIRST", "LAST", "ROLLUP", "CUBE", "SCOPE", "ALL", "ROWS", "AS",
	"END", "VIEW", "REFERENCE", "TRACKING", "VIEWSTAT")

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}

// name takes an identifier.
func (p *parser) name() string {
	t := p.next()
	if t.kind != word || reserved[strings.ToUpper(t.text)] {
		p.failAt(t)
		return ""
	}
	return t.text
}

// alias takes an optional alias.
func (p *parser) alias() string {
	t := p.peek()
	upper := strings.ToUpper(t.text)
	if t.kind != word || reserved[upper] || clauses[upper] {
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
