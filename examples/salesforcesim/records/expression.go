package records

import (
	"fmt"
	"strings"
)

// expression is a field or a function whose names all exist for the user.
type expression struct {
	t         fieldType // of its value
	name      string    // of the field it is about, for errors and for the answer
	key       string    // the same for two expressions that are the same
	at        int
	column    *column // of a plain field
	aggregate bool    // it needs a group
	fn        string  // in capitals; "": a plain field
	inner     *expression
	eval      func(scope) any
}

// expression binds a field or a function.
func (b *binder) expression(n exprNode) (*expression, *Error) {
	if n.fn == "" {
		return b.plain(n)
	}
	if n.fn == "DISTANCE" {
		return b.distance(n)
	}
	f := functions[n.fn]
	if len(n.args) != 1 || n.args[0].literal != nil {
		return nil, b.refuseExpr(n, fmt.Sprintf("%s takes one field", n.fn))
	}
	inner, refused := b.expression(n.args[0])
	if refused != nil {
		return nil, refused
	}
	if !f.takes(inner) {
		return nil, b.refuseExpr(n, fmt.Sprintf("field %s does not support the function %s", inner.name, n.fn))
	}
	e := &expression{t: f.result(inner.t), name: inner.name, key: strings.ToLower(n.fn) + "(" + inner.key + ")", at: n.at,
		aggregate: f.over != nil || inner.aggregate, fn: n.fn, inner: inner}
	e.eval = func(x scope) any {
		if x.g == nil {
			return f.of(inner, x)
		}
		if v, grouped := x.g.keys[e.key]; grouped {
			return v
		}
		if f.over != nil {
			return f.over(inner, x.g)
		}
		return f.of(inner, x)
	}
	return e, nil
}

func (b *binder) refuseExpr(n exprNode, cause string) *Error {
	return refuseAt("MALFORMED_QUERY", b.text, n.at, cause)
}

// plain binds a field.
func (b *binder) plain(n exprNode) (*expression, *Error) {
	if n.literal != nil {
		return nil, b.refuseExpr(n, fmt.Sprintf("unexpected token: '%s'", n.literal.text))
	}
	c, refused := b.column(n.path)
	if refused != nil {
		return nil, refused
	}
	e := &expression{t: c.field.Type, name: c.field.Name, key: c.key(), at: n.at, column: &c}
	e.eval = func(x scope) any {
		if x.g != nil {
			return x.g.keys[e.key]
		}
		return c.read(b.View, x.r)
	}
	return e, nil
}

// usable binds an expression that can be filtered and sorted by.
func (b *binder) usable(n exprNode, verb string) (*expression, *Error) {
	e, refused := b.expression(n)
	if refused != nil {
		return nil, refused
	}
	if !e.t.comparable() {
		return nil, refuseAt("INVALID_FIELD", b.text, n.at, fmt.Sprintf("field '%s' can not be %s in a query call", e.name, verb))
	}
	return e, nil
}

// grouped reports whether the expression has one value for each group.
func (e *expression) grouped(keys map[string]bool) bool {
	return keys[e.key] || functions[e.fn].over != nil || e.inner != nil && e.inner.grouped(keys)
}
