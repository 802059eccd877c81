package salesforcesim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// test tells whether a record meets a condition.
type test func(*record) bool

// binder compares the names of a query with what the user may see of one object.
type binder struct {
	d      *dataset
	u      *User
	text   string
	object *objectSchema
	alias  string
}

// relatedName is the object behind a reference that may point at several objects: only
// what all of them have can be read through it.
var relatedName = &objectSchema{Name: "Name", NameField: "Name", Fields: []*fieldSchema{
	{Name: "Id", Type: typeID}, {Name: "Name", Type: typeString}, {Name: "Type", Type: typeString},
}}

// column is a field at the end of a chain of references.
type column struct {
	hops  []*fieldSchema
	owner *objectSchema // of the field
	field *fieldSchema
}

// value reads the column of a record; nil means null.
func (c column) value(b *binder, r *record) any {
	for _, hop := range c.hops {
		if r = b.follow(r, hop); r == nil {
			return nil
		}
	}
	return b.fieldValue(r, c.owner, c.field)
}

// follow goes to the record a reference points at, unless the user may not see its object.
func (b *binder) follow(r *record, hop *fieldSchema) *record {
	p := b.d.parentOf(r, hop)
	if p == nil || !canSee(b.u, p.object) {
		return nil
	}
	return p
}

func (b *binder) fieldValue(r *record, owner *objectSchema, f *fieldSchema) any {
	if owner == relatedName {
		return map[string]any{"Id": r.id, "Name": shownName(b.u, r), "Type": r.object.Name}[f.Name]
	}
	return r.values[f.Name]
}

// column resolves a path of names.
func (b *binder) column(path pathNode) (column, *apiError) {
	c := column{owner: b.object}
	if len(path) > 1 && (path[0].is(b.alias) || (path[0].is(b.object.Name) && b.object.parent(path[0].text) == nil)) {
		path = path[1:]
	}
	for _, step := range path[:len(path)-1] {
		hop := c.owner.parent(step.text)
		if hop == nil || !canSeeField(b.u, c.owner, hop) || b.target(hop) == nil {
			return c, refuseAt("INVALID_FIELD", b.text, step.at, fmt.Sprintf("Didn't understand relationship '%s' in field path.", step.text))
		}
		c.hops = append(c.hops, hop)
		c.owner = b.target(hop)
	}
	last := path[len(path)-1]
	if c.field = visibleField(b.u, c.owner, last.text); c.field == nil {
		return c, refuseAt("INVALID_FIELD", b.text, last.at, fmt.Sprintf("No such column '%s' on entity '%s'.", last.text, c.owner.Name))
	}
	return c, nil
}

// target is the object behind a reference, as far as the user may see it.
func (b *binder) target(hop *fieldSchema) *objectSchema {
	if len(hop.RefTo) > 1 {
		return relatedName
	}
	if s := b.d.schema.object(hop.RefTo[0]); canSee(b.u, s) {
		return s
	}
	return nil
}

// usable resolves a path whose field can be filtered and sorted by.
func (b *binder) usable(path pathNode, verb string) (column, *apiError) {
	c, refused := b.column(path)
	if refused == nil && c.field.Type == typeTextArea {
		refused = refuseAt("INVALID_FIELD", b.text, path[0].at, fmt.Sprintf("field '%s' can not be %s in a query call", c.field.Name, verb))
	}
	return c, refused
}

func (n *logicNode) bind(b *binder) (test, *apiError) {
	var tests []test
	for _, t := range n.terms {
		bound, refused := t.bind(b)
		if refused != nil {
			return nil, refused
		}
		tests = append(tests, bound)
	}
	return func(r *record) bool {
		decisive := slices.ContainsFunc(tests, func(t test) bool { return t(r) != n.and })
		return decisive != n.and
	}, nil
}

func (n *notNode) bind(b *binder) (test, *apiError) {
	t, refused := n.term.bind(b)
	return func(r *record) bool { return !t(r) }, refused
}

func (n *compareNode) bind(b *binder) (test, *apiError) {
	c, refused := b.usable(n.path, "filtered")
	if refused != nil {
		return nil, refused
	}
	if n.op == "like" {
		return n.bindLike(b, c)
	}
	if n.sub != nil {
		return n.bindSubquery(b, c)
	}
	var literals []literal
	for _, t := range n.values {
		l, refused := b.literal(c.field, t, n.count)
		if refused != nil {
			return nil, refused
		}
		literals = append(literals, l)
	}
	return func(r *record) bool { return meets(n.op, c.value(b, r), literals) }, nil
}

func (n *compareNode) bindLike(b *binder, c column) (test, *apiError) {
	if !c.field.Type.isText() || c.field.Type == typeID || c.field.Type == typeReference || n.values[0].kind != tokenString {
		return nil, refuseAt("INVALID_QUERY_FILTER_OPERATOR", b.text, n.opAt.at, fmt.Sprintf("invalid operator on %s field", c.field.Type))
	}
	pattern := likePattern(n.values[0].text)
	return func(r *record) bool {
		text, ok := c.value(b, r).(string)
		return ok && pattern.MatchString(text)
	}, nil
}

// bindSubquery binds IN (SELECT field FROM object …): the field of every record of the
// other query, once.
func (n *compareNode) bindSubquery(b *binder, c column) (test, *apiError) {
	if len(n.sub.selects) != 1 || n.sub.selects[0].path == nil || !c.field.Type.isText() {
		return nil, refuseAt("MALFORMED_QUERY", b.text, n.opAt.at, "a query behind IN selects one field that holds text or an id")
	}
	sub, refused := b.d.bindQuery(b.u, n.sub)
	if refused != nil {
		return nil, refused
	}
	column, refused := sub.column(n.sub.selects[0].path)
	if refused != nil {
		return nil, refused
	}
	found := map[any]bool{}
	for _, r := range sub.run(b.d.live(sub.object)) {
		if v := column.value(&sub.binder, r); v != nil {
			found[v] = true
		}
	}
	return func(r *record) bool { return found[c.value(b, r)] == (n.op == "in") }, nil
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

// literal checks that a value is of the type of the field. A number for a text field,
// or the other way round, is an error in Salesforce, not a condition that nothing
// meets.
func (b *binder) literal(f *fieldSchema, t queryToken, n int) (literal, *apiError) {
	if t.is("NULL") {
		return literal{null: true}, nil
	}
	if l, ok := b.literalOf(f, t, n); ok {
		return l, nil
	}
	quotes := "should not be enclosed in quotes"
	if f.Type.isText() {
		quotes = "should be enclosed in quotes"
	}
	return literal{}, refuseAt("INVALID_FIELD", b.text, t.at,
		fmt.Sprintf("value of filter criterion for field '%s' must be of type %s and %s", f.Name, f.Type, quotes))
}

func (b *binder) literalOf(f *fieldSchema, t queryToken, n int) (literal, bool) {
	switch {
	case f.Type == typeID || f.Type == typeReference:
		id, ok := normalizeID(unescape(t.text))
		return literal{order: func(v any) int { return strings.Compare(v.(string), id) }}, ok && t.kind == tokenString
	case f.Type.isText():
		want := ""
		if t.kind == tokenString {
			want = strings.ToLower(unescape(t.text))
		}
		return literal{order: func(v any) int { return strings.Compare(strings.ToLower(v.(string)), want) }}, t.kind == tokenString
	case f.Type.isNumber():
		want, err := strconv.ParseFloat(t.text, 64)
		return literal{order: func(v any) int { return cmp.Compare(v.(float64), want) }}, err == nil && t.kind == tokenNumber
	case f.Type == typeBoolean:
		return literal{order: func(v any) int { return compareBool(v.(bool), t.is("TRUE")) }}, t.is("TRUE") || t.is("FALSE")
	}
	span, ok := rangeOf(t, n, b.d.now())
	fits := t.kind == tokenWord || (t.kind == tokenDate) == (f.Type == typeDate)
	return literal{order: func(v any) int { return span.place(timeOf(v)) }}, ok && fits
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

// compareValues orders two values of one field that are not null. Case matters in ids alone.
func compareValues(f *fieldSchema, a, b any) int {
	switch a := a.(type) {
	case string:
		if f.Type == typeID || f.Type == typeReference {
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
