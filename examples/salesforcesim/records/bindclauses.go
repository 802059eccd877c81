package records

import (
	"fmt"
	"slices"
	"strings"
)

// bindChildren adds the records of a child relationship to the answer.
func (q *boundQuery) bindChildren(n *queryNode) *Error {
	child, ok := q.object.child(n.from.text)
	if !ok || !canSee(q.u, child.Object) || !canSeeField(q.u, child.Object, child.Field) || n.count {
		return refuseAt("INVALID_TYPE", q.text, n.from.at,
			fmt.Sprintf("Didn't understand relationship '%s' in FROM part of query call.", n.from.text))
	}
	sub, refused := q.bindOn(child.Object, n, false)
	if refused != nil {
		return refused
	}
	if sub.aggregate {
		return refuseAt("MALFORMED_QUERY", q.text, n.from.at, "Grouping is not supported in a nested query")
	}
	return q.addOutput(&outputNode{name: child.Rel, child: child, sub: sub}, &q.output, &expression{at: n.from.at})
}

func (q *boundQuery) bindAllFields(which queryToken) *Error {
	if !which.is("STANDARD") && (q.limit < 0 || q.limit > fieldsLimit) {
		return refuseAt("MALFORMED_QUERY", q.text, which.at, fmt.Sprintf("The SOQL FIELDS function must have a LIMIT of at most %d", fieldsLimit))
	}
	for _, f := range visibleFields(q.u, q.object) {
		custom := strings.HasSuffix(f.Name, "__c")
		if !which.is("ALL") && which.is("CUSTOM") != custom {
			continue
		}
		if refused := q.addOutput(&outputNode{name: f.Name, owner: q.object, field: f}, &q.output, &expression{at: which.at}); refused != nil {
			return refused
		}
	}
	return nil
}

// bindTypeOf adds a parent whose members depend on its object.
func (q *boundQuery) bindTypeOf(n *typeOfNode) *Error {
	hop := q.object.parent(n.rel.text)
	if hop == nil || len(hop.RefTo) < 2 || !canSeeField(q.u, q.object, hop) {
		return refuseAt("INVALID_FIELD", q.text, n.rel.at, fmt.Sprintf("'%s' is no relationship to several objects", n.rel.text))
	}
	out := &outputNode{name: hop.Rel, owner: q.object, hop: hop}
	for _, w := range n.whens {
		s := q.d.schema.object(w.object.text)
		if s == nil || !canSee(q.u, s) || !slices.Contains(hop.RefTo, s.Name) {
			return refuseAt("INVALID_TYPE", q.text, w.object.at, UnsupportedType(w.object.text))
		}
		kind, refused := q.bindKind(s, w.fields)
		if refused != nil {
			return refused
		}
		kind.object = s
		out.kinds = append(out.kinds, kind)
	}
	kind, refused := q.bindKind(relatedName, n.other)
	if refused != nil {
		return refused
	}
	out.kinds = append(out.kinds, kind)
	return q.addOutput(out, &q.output, &expression{at: n.rel.at})
}

// bindKind binds the fields that TYPEOF reads of one object.
func (q *boundQuery) bindKind(s *objectSchema, paths []pathNode) (kind kindNode, refused *Error) {
	b := binder{View: q.View, text: q.text, object: s}
	for _, path := range paths {
		c, refused := b.column(path)
		if refused != nil {
			return kind, refused
		}
		if refused := q.addField(&kind.nodes, s, c, &outputNode{name: c.field.Name}); refused != nil {
			return kind, refused
		}
	}
	return kind, nil
}

func (q *boundQuery) bindHaving(n *queryNode) (refused *Error) {
	if n.having != nil {
		q.having, refused = n.having.bind(&q.binder)
	}
	return refused
}

func (q *boundQuery) bindOrder(n *queryNode) *Error {
	if q.count && n.order != nil {
		return refuseAt("MALFORMED_QUERY", q.text, n.order[0].expr.at, "COUNT() has no order")
	}
	for _, o := range n.order {
		e := q.named(o.expr)
		if e == nil {
			var refused *Error
			if e, refused = q.usable(o.expr, "sorted"); refused != nil {
				return refused
			}
		}
		q.order = append(q.order, boundOrder{e, o.descending, o.nullsLast})
	}
	return nil
}

// named is the selected expression that an alias stands for; nil where it stands for none.
func (q *boundQuery) named(n exprNode) *expression {
	if n.fn != "" || len(n.path) != 1 {
		return nil
	}
	return q.selected[strings.ToLower(n.path[0].text)]
}

// checkGrouping refuses what is neither grouped nor an aggregate in a query of groups, and
// aggregates everywhere else.
func (q *boundQuery) checkGrouping(n *queryNode) *Error {
	if q.count && q.aggregate {
		return refuseAt("MALFORMED_QUERY", q.text, n.from.at, "COUNT() counts records, not groups")
	}
	keys := map[string]bool{}
	for _, g := range q.groups {
		keys[g.key] = true
	}
	var used []*expression
	for _, o := range q.output {
		used = append(used, o.e)
	}
	for _, o := range q.order {
		used = append(used, o.e)
	}
	for _, e := range used {
		switch {
		case e == nil:
		case q.aggregate && !e.grouped(keys):
			return refuseAt("MALFORMED_QUERY", q.text, e.at, "Field must be grouped or aggregated: "+e.name)
		case !q.aggregate && e.aggregate:
			return refuseAt("MALFORMED_QUERY", q.text, e.at, "an aggregate function needs GROUP BY here: "+e.name)
		}
	}
	if q.aggregate && len(q.groups) == 0 && q.limit >= 0 {
		return refuseAt("MALFORMED_QUERY", q.text, n.from.at, "Non-grouped query that uses overall aggregate functions cannot also use LIMIT")
	}
	return nil
}

// inScope is the test of USING SCOPE. Nobody has territories or delegates here; a team is
// the user and who reports to the user.
func (q *boundQuery) inScope(name string) test {
	return func(x scope) bool {
		owner := x.r.text("OwnerId")
		switch name {
		case "everything":
			return true
		case "mine", "mine_and_my_groups":
			return owner == q.u.ID
		case "delegated":
			return owner != q.u.ID && x.r.text("CreatedById") == q.u.ID
		case "team":
			o := q.d.byID[owner]
			return o != nil && (owner == q.u.ID || o.text("ManagerId") == q.u.ID)
		}
		return false
	}
}

// categoryParents is the tree of data categories of every group.
var categoryParents = map[string]string{
	"europe__c": "world__c", "asia__c": "world__c", "americas__c": "world__c", "germany__c": "europe__c",
}

// isAbove reports whether a category is the other one or stands above it.
func isAbove(above, below string) bool {
	for c := strings.ToLower(below); c != ""; c = categoryParents[c] {
		if strings.EqualFold(above, c) {
			return true
		}
	}
	return false
}

// test is the condition as a test of an article.
func (n categoryNode) test() test {
	return func(x scope) bool {
		category := ""
		for group, c := range x.r.categories {
			if strings.EqualFold(group, n.group) {
				category = c
			}
		}
		return category != "" && slices.ContainsFunc(n.categories, func(c string) bool {
			above, below := isAbove(category, c), isAbove(c, category)
			switch n.op {
			case "AT":
				return strings.EqualFold(c, category)
			case "ABOVE":
				return above
			case "BELOW":
				return below
			}
			return above || below
		})
	}
}
