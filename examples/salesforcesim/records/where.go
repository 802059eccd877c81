package records

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (n *logicNode) bind(b *binder) (test, *Error) {
	if !n.and {
		b.inOr++
		defer func() { b.inOr-- }()
	}
	var tests []test
	for _, t := range n.terms {
		bound, refused := t.bind(b)
		if refused != nil {
			return nil, refused
		}
		tests = append(tests, bound)
	}
	return func(x scope) bool {
		decisive := slices.ContainsFunc(tests, func(t test) bool { return t(x) != n.and })
		return decisive != n.and
	}, nil
}

func (n *notNode) bind(b *binder) (test, *Error) {
	t, refused := n.term.bind(b)
	return func(x scope) bool { return !t(x) }, refused
}

func (n *compareNode) bind(b *binder) (test, *Error) {
	e, refused := b.usable(n.left, "filtered")
	if refused != nil {
		return nil, refused
	}
	if e.column != nil && len(e.column.hops) == 0 {
		b.filtered[e.name] = true
	}
	switch {
	case n.op == "like":
		return n.bindLike(b, e)
	case n.op == "includes" || n.op == "excludes":
		return n.bindMulti(b, e)
	case n.sub != nil:
		return n.bindSubquery(b, e)
	case e.fn == "DISTANCE" && n.op != "<" && n.op != ">":
		return nil, n.refuseOperator(b, e)
	}
	var literals []literal
	for _, t := range n.values {
		l, refused := b.literal(e, t, n.count)
		if refused != nil {
			return nil, refused
		}
		literals = append(literals, l)
	}
	return func(x scope) bool { return meets(n.op, e.eval(x), literals) }, nil
}

func (n *compareNode) refuseOperator(b *binder, e *expression) *Error {
	return refuseAt("INVALID_QUERY_FILTER_OPERATOR", b.text, n.opAt.at, fmt.Sprintf("invalid operator on %s field", e.t))
}

func (n *compareNode) bindLike(b *binder, e *expression) (test, *Error) {
	if !e.t.isText() || e.t.isID() || e.t == typeMulti || n.values[0].kind != tokenString {
		return nil, n.refuseOperator(b, e)
	}
	pattern := likePattern(n.values[0].text)
	return func(x scope) bool {
		text, ok := e.eval(x).(string)
		return ok && pattern.MatchString(text)
	}, nil
}

// bindMulti binds INCLUDES and EXCLUDES: 'a;b' asks for both values, a further text for
// an alternative.
func (n *compareNode) bindMulti(b *binder, e *expression) (test, *Error) {
	if e.t != typeMulti || slices.ContainsFunc(n.values, func(t queryToken) bool { return t.kind != tokenString }) {
		return nil, n.refuseOperator(b, e)
	}
	return func(x scope) bool {
		text, _ := e.eval(x).(string)
		has := strings.Split(strings.ToLower(text), ";")
		included := slices.ContainsFunc(n.values, func(t queryToken) bool {
			wanted := strings.Split(strings.ToLower(unescape(t.text)), ";")
			return !slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(has, w) })
		})
		return included == (n.op == "includes")
	}, nil
}

// maxJoins is how many semi-joins a query may have.
const maxJoins = 2

// bindSubquery binds IN (SELECT field FROM object …): the field of every record of the
// other query, once.
func (n *compareNode) bindSubquery(b *binder, e *expression) (test, *Error) {
	bad := func(cause string) (test, *Error) { return nil, refuseAt("MALFORMED_QUERY", b.text, n.opAt.at, cause) }
	b.joins++
	switch {
	case b.inJoin:
		return bad("Nesting of semi join sub-selects is not supported")
	case b.inOr > 0:
		return bad("Semi join sub-selects are not allowed with the 'OR' operator")
	case b.joins > maxJoins:
		return bad("maximum 2 semi join sub-selects are allowed")
	case !e.t.isID():
		return bad(fmt.Sprintf("The left operand '%s' in the where expression for outer query should be an id field, cannot use: '%s'", e.name, e.name))
	case len(n.sub.selects) != 1 || n.sub.selects[0].expr == nil || n.sub.groups != nil || n.sub.order != nil || n.sub.limit >= 0:
		return bad("semi join sub-selects select one id field, without GROUP BY, ORDER BY or LIMIT")
	}
	sub, refused := b.bindJoin(n.sub)
	if refused != nil {
		return nil, refused
	}
	selected, refused := sub.expression(*n.sub.selects[0].expr)
	if refused != nil {
		return nil, refused
	}
	if !selected.t.isID() || selected.column == nil {
		return bad(fmt.Sprintf("semi join sub-selects can only query id fields, cannot use: '%s'", selected.name))
	}
	found := map[any]bool{}
	for _, r := range sub.run(sub.candidates()) {
		if v := selected.eval(scope{r: r}); v != nil {
			found[v] = true
		}
	}
	return func(x scope) bool { return found[e.eval(x)] == (n.op == "in") }, nil
}

// literal is a value of a condition, made to be compared with those of one field.
type literal struct {
	null bool
	// order says where a value that is not null lies: <0 before the literal, 0 at it, >0
	// behind.
	order func(v any) int
}

// meets applies an operator. Null is equal to NULL alone, and neither less nor greater
// than anything.
func meets(op string, v any, literals []literal) bool {
	equal := func(l literal) bool { return l.null == (v == nil) && (l.null || l.order(v) == 0) }
	switch op {
	case "=", "in":
		return slices.ContainsFunc(literals, equal)
	case "!=", "not in":
		return !slices.ContainsFunc(literals, equal)
	}
	if v == nil || literals[0].null {
		return false
	}
	switch o := literals[0].order(v); op {
	case "<":
		return o < 0
	case "<=":
		return o <= 0
	case ">":
		return o > 0
	default: // >=
		return o >= 0
	}
}

// literal checks that a value is of the type of the expression. A number for a text
// field, or the other way round, is an error in Salesforce, not a condition that nothing
// meets.
func (b *binder) literal(e *expression, t queryToken, n int) (literal, *Error) {
	if t.is("NULL") {
		return literal{null: true}, nil
	}
	if l, ok := b.literalOf(e.t, t, n); ok {
		return l, nil
	}
	quotes := "should not be enclosed in quotes"
	if e.t.isText() {
		quotes = "should be enclosed in quotes"
	}
	return literal{}, refuseAt("INVALID_FIELD", b.text, t.at,
		fmt.Sprintf("value of filter criterion for field '%s' must be of type %s and %s", e.name, e.t, quotes))
}

func (b *binder) literalOf(ft fieldType, t queryToken, n int) (literal, bool) {
	switch {
	case ft.isID():
		id, ok := NormalizeID(unescape(t.text))
		return literal{order: func(v any) int { return strings.Compare(v.(string), id) }}, ok && t.kind == tokenString
	case ft.isText():
		want := ""
		if t.kind == tokenString {
			want = strings.ToLower(unescape(t.text))
		}
		return literal{order: func(v any) int { return strings.Compare(strings.ToLower(v.(string)), want) }}, t.kind == tokenString
	case ft == typeCurrency && t.kind == tokenAmount:
		amount, ok := amountOf(t.text)
		return literal{order: func(v any) int { return cmp.Compare(v.(float64), amount) }}, ok
	case ft.isNumber():
		want, err := strconv.ParseFloat(t.text, 64)
		return literal{order: func(v any) int { return cmp.Compare(v.(float64), want) }}, err == nil && t.kind == tokenNumber
	case ft == typeBoolean:
		return literal{order: func(v any) int { return compareBool(v.(bool), t.is("TRUE")) }}, t.is("TRUE") || t.is("FALSE")
	}
	span, ok := rangeOf(t, n, b.Now())
	fits := t.kind == tokenWord || (t.kind == tokenDate) == (ft == typeDate)
	return literal{order: func(v any) int { return span.place(timeOf(v)) }}, ok && fits
}

// currencyRates are the org's active currencies: what one unit is worth in the org's own,
// the US dollar.
var currencyRates = map[string]float64{"USD": 1, "EUR": 1.1, "GBP": 1.3, "JPY": 0.007}

// amountOf is an amount with its currency in the org's own.
func amountOf(text string) (float64, bool) {
	rate, known := currencyRates[strings.ToUpper(text[:3])]
	n, err := strconv.ParseFloat(text[3:], 64)
	return n * rate, known && err == nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// compareValues orders two values of one type that are not null. Case matters in ids alone.
func compareValues(t fieldType, a, b any) int {
	switch a := a.(type) {
	case string:
		if t.isID() {
			return strings.Compare(a, b.(string))
		}
		return strings.Compare(strings.ToLower(a), strings.ToLower(b.(string)))
	case float64:
		return cmp.Compare(a, b.(float64))
	case bool:
		return compareBool(a, b.(bool))
	}
	return 0
}
