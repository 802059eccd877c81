package records

import "fmt"

const (
	// apiVersion is the one that Salesforce writes into the URLs of records.
	apiVersion = "v64.0"

	// QueryBatch is how many records one answer holds; the rest is fetched by nextRecordsUrl.
	QueryBatch = 2000

	// queryRows is how many records one query can reach.
	queryRows = 50_000

	// fieldsLimit is the greatest LIMIT of a query that selects FIELDS(ALL) or FIELDS(CUSTOM).
	fieldsLimit = 200
)

// cursor is what is left of an answer of more than QueryBatch records.
type cursor struct {
	user  string
	query string
	start int
}

// Query answers a SOQL statement.
func (v *View) Query(text string) (Object, *Error) {
	return v.queryFrom(text, 0)
}

// QueryMore answers a locator, the last part of nextRecordsUrl.
func (v *View) QueryMore(locator string) (Object, *Error) {
	c, ok := v.d.cursors[locator]
	if !ok || c.user != v.u.ID {
		return nil, Refuse("INVALID_QUERY_LOCATOR", "invalid query locator")
	}
	return v.queryFrom(c.query, c.start)
}

func (v *View) queryFrom(text string, start int) (Object, *Error) {
	n, refused := parseQuery(text)
	if refused != nil {
		return nil, refused
	}
	q, refused := v.bindQuery(n)
	if refused != nil {
		return nil, refused
	}
	rows := q.run(q.candidates())
	if q.count {
		return queryAnswer(len(rows), []any{}, ""), nil
	}
	if q.aggregate {
		groups := q.totals(rows)
		return queryAnswer(len(groups), groups, ""), nil
	}
	start = min(start, len(rows))
	end := min(start+QueryBatch, len(rows))
	more := ""
	if end < len(rows) {
		more = v.d.keepCursor(cursor{v.u.ID, text, end})
	}
	answer := queryAnswer(len(rows), q.render(rows[start:end]), more)
	v.note(n.seen, rows[start:end])
	return answer, nil
}

// keepCursor stores what is left of an answer and returns its URL. Old cursors are
// dropped when there are many: they are a convenience of one conversation.
func (d *Store) keepCursor(c cursor) string {
	if len(d.cursors) > 1000 {
		clear(d.cursors)
	}
	const prefix = "01g"
	d.serial[prefix]++
	d.unsaved = true
	locator := fmt.Sprintf("%s-%d", RecordID(prefix, d.serial[prefix]), c.start)
	d.cursors[locator] = c
	return DataURL("query/" + locator)
}

// note writes down that records were viewed or referred to. A viewed record is a recent
// item; UPDATE VIEWSTAT counts the views of articles.
func (v *View) note(seen seenClauses, rows []*record) {
	at := v.Now().UTC().Format(dateTimeLayout)
	stamp := func(r *record, field string) {
		if r.object.field(field) != nil {
			r.values[field] = at
		}
	}
	for _, r := range rows {
		if seen.view {
			stamp(r, "LastViewedDate")
			v.d.writes++
			r.changed = v.d.writes
		}
		if seen.view || seen.reference {
			stamp(r, "LastReferencedDate")
			v.d.unsaved = true
		}
		if seen.viewStat && r.object.Article {
			views, _ := r.values["ArticleTotalViewCount"].(float64)
			r.values["ArticleTotalViewCount"] = views + 1
			v.d.unsaved = true
		}
	}
}

// DataURL is the path of a REST resource, given what stands behind the version.
func DataURL(rest string) string { return "/services/data/" + apiVersion + "/" + rest }

// queryAnswer is the REST reply of a query.
func queryAnswer(total int, records []any, more string) Object {
	o := Object{{"totalSize", Double(total)}, {"done", more == ""}}
	if more != "" {
		o = append(o, Member{"nextRecordsUrl", more})
	}
	return append(o, Member{"records", records})
}
