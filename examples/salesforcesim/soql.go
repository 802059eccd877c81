package salesforcesim

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// apiVersion is the one that Salesforce writes into the URLs of records.
	apiVersion = "v64.0"

	// queryBatch is how many records one answer holds; the rest is fetched by nextRecordsUrl.
	queryBatch = 2000

	// queryRows is how many records one query can reach.
	queryRows = 50_000

	// fieldsLimit is the greatest LIMIT of a query that selects FIELDS(ALL) or FIELDS(CUSTOM).
	fieldsLimit = 200
)

// boundQuery is a query whose names all exist for the user.
type boundQuery struct {
	binder
	count  bool
	output []*outputNode
	where  test
	order  []boundOrder
	limit  int
	offset int
}

type boundOrder struct {
	column                column
	descending, nullsLast bool
}

// outputNode is one member of a record in the answer: a field, a parent with members of
// its own, or the children of a relationship.
type outputNode struct {
	name  string
	owner *objectSchema
	field *fieldSchema  // of a field
	hop   *fieldSchema  // of a parent
	nodes []*outputNode // of a parent
	child childSchema   // of children
	sub   *boundQuery   // of children
}

// cursor is what is left of an answer of more than queryBatch records.
type cursor struct {
	user  string
	query string
	start int
}

// query answers a SOQL statement as the user.
func (d *dataset) query(u *User, text string) (object, *apiError) {
	return d.queryFrom(u, text, 0)
}

// queryMore answers a locator of nextRecordsUrl.
func (d *dataset) queryMore(u *User, locator string) (object, *apiError) {
	c, ok := d.cursors[locator]
	if !ok || c.user != u.ID {
		return nil, refuse("INVALID_QUERY_LOCATOR", "invalid query locator")
	}
	return d.queryFrom(u, c.query, c.start)
}

func (d *dataset) queryFrom(u *User, text string, start int) (object, *apiError) {
	n, refused := parseQuery(text)
	if refused != nil {
		return nil, refused
	}
	q, refused := d.bindQuery(u, n)
	if refused != nil {
		return nil, refused
	}
	rows := q.run(d.live(q.object))
	if q.count {
		return queryAnswer(len(rows), []any{}, ""), nil
	}
	start = min(start, len(rows))
	end := min(start+queryBatch, len(rows))
	more := ""
	if end < len(rows) {
		more = d.keepCursor(cursor{u.ID, text, end})
	}
	return queryAnswer(len(rows), q.render(rows[start:end]), more), nil
}

// keepCursor stores what is left of an answer and returns its URL. Old cursors are
// dropped when there are many: they are a convenience of one conversation.
func (d *dataset) keepCursor(c cursor) string {
	if len(d.cursors) > 1000 {
		clear(d.cursors)
	}
	const prefix = "01g"
	d.serial[prefix]++
	d.unsaved = true
	locator := fmt.Sprintf("%s-%d", recordID(prefix, d.serial[prefix]), c.start)
	d.cursors[locator] = c
	return dataURL("query/" + locator)
}

func dataURL(rest string) string { return "/services/data/" + apiVersion + "/" + rest }

// queryAnswer is the REST reply of a query.
func queryAnswer(total int, records []any, more string) object {
	o := object{{"totalSize", double(total)}, {"done", more == ""}}
	if more != "" {
		o = append(o, member{"nextRecordsUrl", more})
	}
	return append(o, member{"records", records})
}

// bindQuery binds a query on an object of the org.
func (d *dataset) bindQuery(u *User, n *queryNode) (*boundQuery, *apiError) {
	s := d.schema.object(n.from.text)
	if s == nil || !canSee(u, s) {
		return nil, refuseAt("INVALID_TYPE", n.text, n.from.at, unsupportedType(n.from.text)+
			" If you are attempting to use a custom object, be sure to append the '__c' after the entity name."+
			" The index of the schema tool lists the names that exist.")
	}
	return d.bindOn(u, s, n)
}

func unsupportedType(name string) string {
	return fmt.Sprintf("sObject type '%s' is not supported.", name)
}

// bindOn binds a query on an object that is known: that of its FROM, or of the child relationship.
func (d *dataset) bindOn(u *User, s *objectSchema, n *queryNode) (*boundQuery, *apiError) {
	q := &boundQuery{
		binder: binder{d: d, u: u, text: n.text, object: s, alias: n.alias},
		count:  n.count, limit: n.limit, offset: n.offset,
		where: func(*record) bool { return true },
	}
	if refused := q.bindSelects(n); refused != nil {
		return nil, refused
	}
	if n.where != nil {
		var refused *apiError
		if q.where, refused = n.where.bind(&q.binder); refused != nil {
			return nil, refused
		}
	}
	for _, o := range n.order {
		c, refused := q.usable(o.path, "sorted")
		if refused != nil {
			return nil, refused
		}
		q.order = append(q.order, boundOrder{c, o.descending, o.nullsLast})
	}
	return q, nil
}

func (q *boundQuery) bindSelects(n *queryNode) *apiError {
	for _, sel := range n.selects {
		var refused *apiError
		switch {
		case sel.sub != nil:
			refused = q.bindChildren(sel.sub)
		case sel.fields != nil:
			refused = q.bindAllFields(*sel.fields)
		default:
			refused = q.bindField(sel.path)
		}
		if refused != nil {
			return refused
		}
	}
	return nil
}

func (q *boundQuery) bindField(path pathNode) *apiError {
	c, refused := q.column(path)
	if refused != nil {
		return refused
	}
	nodes, owner := &q.output, q.object
	for _, hop := range c.hops {
		nodes, owner = parentNode(nodes, owner, hop), q.target(hop)
	}
	if slices.ContainsFunc(*nodes, func(o *outputNode) bool { return o.field == c.field }) {
		return refuseAt("INVALID_FIELD", q.text, path[0].at, "duplicate field selected: "+c.field.Name)
	}
	*nodes = append(*nodes, &outputNode{name: c.field.Name, owner: owner, field: c.field})
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

func (q *boundQuery) bindChildren(n *queryNode) *apiError {
	child, ok := q.object.child(n.from.text)
	if !ok || !canSee(q.u, child.Object) || !canSeeField(q.u, child.Object, child.Field) || n.count {
		return refuseAt("INVALID_TYPE", q.text, n.from.at,
			fmt.Sprintf("Didn't understand relationship '%s' in FROM part of query call.", n.from.text))
	}
	sub, refused := q.d.bindOn(q.u, child.Object, n)
	if refused != nil {
		return refused
	}
	q.output = append(q.output, &outputNode{name: child.Rel, child: child, sub: sub})
	return nil
}

func (q *boundQuery) bindAllFields(which queryToken) *apiError {
	if !which.is("STANDARD") && (q.limit < 0 || q.limit > fieldsLimit) {
		return refuseAt("MALFORMED_QUERY", q.text, which.at, fmt.Sprintf("The SOQL FIELDS function must have a LIMIT of at most %d", fieldsLimit))
	}
	for _, f := range visibleFields(q.u, q.object) {
		custom := strings.HasSuffix(f.Name, "__c")
		if which.is("ALL") || which.is("CUSTOM") == custom {
			q.output = append(q.output, &outputNode{name: f.Name, owner: q.object, field: f})
		}
	}
	return nil
}

// run returns the records that the query selects from the candidates, in its order.
func (q *boundQuery) run(candidates []*record) []*record {
	var rows []*record
	for _, r := range candidates {
		if q.where(r) {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, q.compare)
	rows = rows[min(q.offset, len(rows)):]
	limit := queryRows
	if q.limit >= 0 {
		limit = min(limit, q.limit)
	}
	return rows[:min(limit, len(rows))]
}

// compare orders two records by ORDER BY. Null comes first unless NULLS LAST is said,
// in both directions.
func (q *boundQuery) compare(a, b *record) int {
	for _, o := range q.order {
		x, y := o.column.value(&q.binder, a), o.column.value(&q.binder, b)
		order := 0
		switch {
		case x == nil || y == nil:
			if order = compareBool(x != nil, y != nil); o.nullsLast {
				order = -order
			}
		case o.descending:
			order = compareValues(o.column.field, y, x)
		default:
			order = compareValues(o.column.field, x, y)
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

func (q *boundQuery) render(rows []*record) []any {
	out := make([]any, 0, len(rows))
	for _, r := range rows {
		out = append(out, q.renderRecord(r, q.output))
	}
	return out
}

func (q *boundQuery) renderRecord(r *record, nodes []*outputNode) object {
	o := object{{"attributes", attributes(r)}}
	for _, n := range nodes {
		o = append(o, member{n.name, q.renderNode(r, n)})
	}
	return o
}

func (q *boundQuery) renderNode(r *record, n *outputNode) any {
	switch {
	case n.field != nil:
		return written(n.field, q.fieldValue(r, n.owner, n.field))
	case n.sub != nil:
		rows := n.sub.run(q.d.children(n.child, r.id))
		if len(rows) == 0 {
			return nil
		}
		return queryAnswer(len(rows), n.sub.render(rows), "")
	}
	parent := q.follow(r, n.hop)
	if parent == nil {
		return nil
	}
	return q.renderRecord(parent, n.nodes)
}

func attributes(r *record) object {
	return object{{"type", r.object.Name}, {"url", dataURL("sobjects/" + r.object.Name + "/" + r.id)}}
}

// written is a stored value as Salesforce writes it: 12 of an int field, 12.0 of every
// other number.
func written(f *fieldSchema, v any) any {
	if n, ok := v.(float64); ok && f.Type != typeInt {
		return double(n)
	}
	return v
}
