package records

import (
	"fmt"
	"slices"
	"strings"
)

// boundQuery is a query whose names all exist for the user.
type boundQuery struct {
	binder
	count     bool
	aggregate bool // its answer is groups instead of records
	output    []*outputNode
	where     []test // all must be met
	groups    []*expression
	grouping  string
	having    test // nil: every group
	order     []boundOrder
	limit     int
	offset    int
	allRows   bool

	selected map[string]*expression // by alias in lower case
	unnamed  int                    // expressions that got a number for a name
}

type boundOrder struct {
	e                     *expression
	descending, nullsLast bool
}

// outputNode is one member of a record in the answer: a value, a parent with members of
// its own, or the children of a relationship.
type outputNode struct {
	name  string
	e     *expression   // of a value that is read from the query's record
	owner *objectSchema // of a field
	field *fieldSchema
	hop   *fieldSchema  // of a parent
	nodes []*outputNode // of a parent
	kinds []kindNode    // of a parent that is read by TYPEOF
	child childSchema   // of children
	sub   *boundQuery   // of children
}

// kindNode is what TYPEOF reads of records of one object; of all others where object is nil.
type kindNode struct {
	object *objectSchema
	nodes  []*outputNode
}

// bindQuery binds a query on an object of the org.
func (v *View) bindQuery(n *queryNode) (*boundQuery, *Error) {
	s, refused := v.queried(n)
	if refused != nil {
		return nil, refused
	}
	return v.bindOn(s, n, false)
}

// bindJoin binds the query of a semi-join.
func (v *View) bindJoin(n *queryNode) (*boundQuery, *Error) {
	s, refused := v.queried(n)
	if refused != nil {
		return nil, refused
	}
	return v.bindOn(s, n, true)
}

// queried is the object of a query.
func (v *View) queried(n *queryNode) (*objectSchema, *Error) {
	s := v.d.schema.object(n.from.text)
	if s == nil || !canSee(v.u, s) {
		return nil, refuseAt("INVALID_TYPE", n.text, n.from.at, UnsupportedType(n.from.text)+
			" If you are attempting to use a custom object, be sure to append the '__c' after the entity name."+
			" The index of the schema tool lists the names that exist.")
	}
	return s, nil
}

// UnsupportedType is what Salesforce says of an object that does not exist for the user.
func UnsupportedType(name string) string {
	return fmt.Sprintf("sObject type '%s' is not supported.", name)
}

// bindOn binds a query on an object that is known: that of its FROM, or of the child relationship.
func (v *View) bindOn(s *objectSchema, n *queryNode, inJoin bool) (*boundQuery, *Error) {
	q := &boundQuery{
		binder: binder{View: v, text: n.text, object: s, filtered: map[string]bool{}, inJoin: inJoin},
		count:  n.count, limit: n.limit, offset: n.offset, allRows: n.allRows, grouping: n.grouping,
		selected: map[string]*expression{},
	}
	for _, bind := range []func(*queryNode) *Error{q.alias, q.bindGroups, q.bindSelects, q.bindWhere, q.bindHaving, q.bindOrder, q.checkGrouping} {
		if refused := bind(n); refused != nil {
			return nil, refused
		}
	}
	return q, nil
}

func (q *boundQuery) bindWhere(n *queryNode) *Error {
	if n.where != nil {
		t, refused := n.where.bind(&q.binder)
		if refused != nil {
			return refused
		}
		q.where = append(q.where, t)
	}
	if n.scope != "" {
		q.where = append(q.where, q.inScope(n.scope))
	}
	if n.category != nil && !q.object.Article {
		return refuseAt("MALFORMED_QUERY", q.text, n.from.at, fmt.Sprintf("%s has no data categories", q.object.Name))
	}
	for _, c := range n.category {
		q.where = append(q.where, c.test())
	}
	if q.object.Article && !q.filtered["PublishStatus"] && !q.filtered["Id"] && n.text != "" && !n.searched {
		return refuseAt("MALFORMED_QUERY", q.text, n.from.at,
			"Implementation restriction: when querying the KnowledgeArticleVersion object, filter by PublishStatus or by Id")
	}
	return nil
}

// bindGroups binds GROUP BY. Numbers with a fraction, times and long texts cannot be grouped by.
func (q *boundQuery) bindGroups(n *queryNode) *Error {
	for _, g := range n.groups {
		e, refused := q.expression(g)
		if refused != nil {
			return refused
		}
		grouping := e.column != nil && e.t.comparable() && e.t != typeMulti && e.t != typeDateTime && (!e.t.isNumber() || e.t == typeInt)
		if !grouping && !isDatePart(e.fn) {
			return refuseAt("MALFORMED_QUERY", q.text, g.at, fmt.Sprintf("field '%s' can not be grouped in a query call", e.name))
		}
		q.groups = append(q.groups, e)
	}
	q.aggregate = len(q.groups) > 0
	return nil
}

func (q *boundQuery) bindSelects(n *queryNode) *Error {
	var exprs []*expression
	for _, sel := range n.selects {
		var e *expression
		if sel.expr != nil {
			var refused *Error
			if e, refused = q.expression(*sel.expr); refused != nil {
				return refused
			}
			q.aggregate = q.aggregate || e.aggregate
		}
		exprs = append(exprs, e)
	}
	for i, sel := range n.selects {
		var refused *Error
		switch {
		case sel.expr != nil:
			refused = q.bindValue(sel, exprs[i])
		case q.aggregate:
			refused = refuseAt("MALFORMED_QUERY", q.text, n.from.at, "Grouping is not supported with nested queries, TYPEOF or FIELDS")
		case sel.sub != nil:
			refused = q.bindChildren(sel.sub)
		case sel.typeOf != nil:
			refused = q.bindTypeOf(sel.typeOf)
		default:
			refused = q.bindAllFields(*sel.fields)
		}
		if refused != nil {
			return refused
		}
	}
	return nil
}

// bindValue adds a field or a function to the answer.
func (q *boundQuery) bindValue(sel selectNode, e *expression) *Error {
	if sel.alias != nil {
		if !q.aggregate && e.fn == "" {
			return refuseAt("MALFORMED_QUERY", q.text, sel.alias.at, "only aggregate expressions use field aliasing")
		}
		q.selected[strings.ToLower(sel.alias.text)] = e
		return q.addOutput(&outputNode{name: sel.alias.text, e: e}, &q.output, e)
	}
	if q.aggregate {
		name := e.name
		if e.fn != "" {
			name = fmt.Sprintf("expr%d", q.unnamed)
			q.unnamed++
		}
		return q.addOutput(&outputNode{name: name, e: e}, &q.output, e)
	}
	if isDatePart(e.fn) {
		return refuseAt("MALFORMED_QUERY", q.text, e.at, fmt.Sprintf("%s must be grouped to be selected", e.fn))
	}
	column := e
	for column.inner != nil {
		column = column.inner
	}
	node := &outputNode{name: e.name, e: e}
	if e.fn == "DISTANCE" || column.column == nil {
		node.name = fmt.Sprintf("expr%d", q.unnamed)
		q.unnamed++
		return q.addOutput(node, &q.output, e)
	}
	return q.addField(&q.output, q.object, *column.column, node)
}

// addField adds a field to the answer at its place among the parents.
func (q *boundQuery) addField(nodes *[]*outputNode, owner *objectSchema, c column, node *outputNode) *Error {
	for _, hop := range c.hops {
		nodes, owner = parentNode(nodes, owner, hop), q.target(hop)
	}
	if node.e == nil || node.e.fn == "" {
		node.e, node.owner, node.field = nil, owner, c.field
	}
	return q.addOutput(node, nodes, &expression{name: c.field.Name})
}

func (q *boundQuery) addOutput(node *outputNode, nodes *[]*outputNode, e *expression) *Error {
	if slices.ContainsFunc(*nodes, func(o *outputNode) bool { return strings.EqualFold(o.name, node.name) && o.hop == nil }) {
		return refuseAt("INVALID_FIELD", q.text, e.at, "duplicate field selected: "+node.name)
	}
	*nodes = append(*nodes, node)
	return nil
}

// parentNode finds or adds the member for a parent and returns the place of its members.
func parentNode(nodes *[]*outputNode, owner *objectSchema, hop *fieldSchema) *[]*outputNode {
	for _, o := range *nodes {
		if o.hop == hop {
			return &o.nodes
		}
	}
	o := &outputNode{name: hop.Rel, owner: owner, hop: hop}
	*nodes = append(*nodes, o)
	return &o.nodes
}
