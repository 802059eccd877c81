package records

import "slices"

// candidates are the records that the query chooses from.
func (q *boundQuery) candidates() []*record {
	if q.allRows {
		return slices.Clone(q.d.rows[q.object])
	}
	return q.d.live(q.object)
}

// run returns the records that the query selects from the candidates, in its order. In a
// query of groups they are what the groups are made of.
func (q *boundQuery) run(candidates []*record) []*record {
	var rows []*record
	for _, r := range candidates {
		if !slices.ContainsFunc(q.where, func(t test) bool { return !t(scope{r: r}) }) {
			rows = append(rows, r)
		}
	}
	if q.aggregate {
		return rows[:min(queryRows, len(rows))]
	}
	slices.SortStableFunc(rows, func(a, b *record) int { return q.compare(scope{r: a}, scope{r: b}) })
	return page(rows, q.offset, q.limit)
}

// page is the part of a list that OFFSET and LIMIT leave.
func page[T any](all []T, offset, limit int) []T {
	all = all[min(offset, len(all)):]
	if limit < 0 || limit > queryRows {
		limit = queryRows
	}
	return all[:min(limit, len(all))]
}

// compare orders two records or groups by ORDER BY. Null comes first unless NULLS LAST is
// said, in both directions.
func (q *boundQuery) compare(a, b scope) int {
	for _, o := range q.order {
		x, y := o.e.eval(a), o.e.eval(b)
		order := 0
		switch {
		case x == nil || y == nil:
			if order = compareBool(x != nil, y != nil); o.nullsLast {
				order = -order
			}
		case o.descending:
			order = compareValues(o.e.t, y, x)
		default:
			order = compareValues(o.e.t, x, y)
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// totals are the groups of the records that the query selected, as it answers with them.
func (q *boundQuery) totals(rows []*record) []any {
	groups := slices.DeleteFunc(q.grouped(rows), func(g *group) bool { return q.having != nil && !q.having(scope{g: g}) })
	slices.SortStableFunc(groups, func(a, b *group) int { return q.compare(scope{g: a}, scope{g: b}) })
	out := []any{}
	for _, g := range page(groups, q.offset, q.limit) {
		o := Object{{"attributes", Object{{"type", "AggregateResult"}}}}
		for _, n := range q.output {
			o = append(o, Member{n.name, written(n.e.t, n.e.eval(scope{g: g}))})
		}
		out = append(out, o)
	}
	return out
}

func (q *boundQuery) render(rows []*record) []any {
	out := make([]any, 0, len(rows))
	for _, r := range rows {
		out = append(out, q.renderRecord(r, r, q.output))
	}
	return out
}

// renderRecord writes members of r, a record of the query (root) or a parent of one.
func (q *boundQuery) renderRecord(root, r *record, nodes []*outputNode) Object {
	o := Object{{"attributes", attributes(r)}}
	for _, n := range nodes {
		o = append(o, Member{n.name, q.renderNode(root, r, n)})
	}
	return o
}

func (q *boundQuery) renderNode(root, r *record, n *outputNode) any {
	switch {
	case n.e != nil:
		return written(n.e.t, n.e.eval(scope{r: root}))
	case n.field != nil:
		return written(n.field.Type, q.fieldValue(r, n.owner, n.field))
	case n.sub != nil:
		rows := n.sub.run(n.sub.childrenOf(n.child, r.id))
		if len(rows) == 0 {
			return nil
		}
		return queryAnswer(len(rows), n.sub.render(rows), "")
	}
	parent := q.follow(r, n.hop)
	if parent == nil {
		return nil
	}
	nodes := n.nodes
	for _, kind := range n.kinds {
		if kind.object == parent.object || kind.object == nil {
			nodes = kind.nodes
			break
		}
	}
	return q.renderRecord(root, parent, nodes)
}

// childrenOf are the records that a nested query chooses from.
func (q *boundQuery) childrenOf(c childSchema, parentID string) []*record {
	return slices.DeleteFunc(q.candidates(), func(r *record) bool { return r.text(c.Field.Name) != parentID })
}

func attributes(r *record) Object {
	return Object{{"type", r.object.Name}, {"url", DataURL("sobjects/" + r.object.Name + "/" + r.id)}}
}

// written is a stored value as Salesforce writes it: 12 of an int field, 12.0 of every
// other number.
func written(t fieldType, v any) any {
	if n, ok := v.(float64); ok && t != typeInt {
		return Double(n)
	}
	return v
}
