package policy

import (
	"errors"
	"strings"

	"sfmcp-proxy/authproxy/policy/soql"
)

const (
	textTooLong   = "The query is too long."
	textCharacter = "The query has a character or a string that cannot be read."
	textQuery     = "The query could not be read; write one plain SOQL query without comments, bind variables or deep nesting."
	textSearch    = "The search could not be read; write one plain SOSL query: FIND {words} RETURNING Object(Field, …)."
)

// readSOQL returns what a SOQL query does and reaches.
func readSOQL(text string) (footprint, *refusal) {
	f := footprint{class: Read}
	q, err := soql.ParseQuery(text)
	switch {
	case errors.Is(err, soql.ErrTooLong):
		return f, refuse(textTooLong)
	case errors.Is(err, soql.ErrCharacter):
		return f, refuse(textCharacter)
	case err != nil:
		return f, refuse(textQuery)
	}
	f.rows = rowsOf(q)
	f.each = rowsOfEach(q)
	f.query(q, nil)
	return f, nil
}

// rowsOf returns the most records that the query can answer: its own, and for each
// of them those of its child subqueries. Aggregates without GROUP BY answer one.
func rowsOf(q *soql.Query) int {
	if q.OnlyAggregates && !q.AllFields && !q.Grouped {
		return 1
	}
	return multiply(q.Limit, rowsOfEach(q))
}

// rowsOfEach returns how many records there are for each of the query's own, at most: itself
// and those of its child subqueries.
func rowsOfEach(q *soql.Query) int {
	each := 1
	for _, child := range q.Children {
		each = add(each, rowsOf(child))
	}
	return each
}

// readSOSL returns what a SOSL query does and reaches. A search looks into fields:
// unless it is IN NAME FIELDS, it reaches every field of the objects that it
// returns, for a hit tells what a field holds.
func readSOSL(text string) (footprint, *refusal) {
	f := footprint{class: Read}
	s, err := soql.ParseSearch(text)
	switch {
	case errors.Is(err, soql.ErrTooLong):
		return f, refuse(textTooLong)
	case err != nil:
		return f, refuse(textSearch)
	}
	f.search(s)
	return f, nil
}

// search adds what a search reaches.
func (f *footprint) search(s *soql.Search) {
	if s.Traces {
		f.class = SideEffect
	}
	f.rows, f.each = s.Limit, 1
	if len(s.Returning) == 0 { // ids of every searchable object
		f.opaque, f.opaqueFields = true, true
		return
	}
	each := 0
	for _, q := range s.Returning {
		each = add(each, q.Limit)
		f.query(q, nil)
		object := spelling(q.From[0].Path[0])
		f.searched(object, s.Scope)
	}
	f.rows = min(s.Limit, each)
}

// nameFields are the fields that a search IN NAME FIELDS looks into, besides Name.
// Custom objects have no others.
var nameFields = map[string][]string{
	"account": {"Website", "Site"}, "asset": {"SerialNumber"}, "case": {"SuppliedName"},
	"campaign": nil, "contact": {"AssistantName"}, "event": {"Subject"}, "lead": {"Company"}, "note": {"Title"}, "opportunity": nil,
	"product2": nil, "report": {"Description"}, "task": {"Subject"}, "user": {"CommunityNickname"},
}

// searched adds the fields of an object that a search looks into.
func (f *footprint) searched(object, scope string) {
	more, known := nameFields[strings.ToLower(object)]
	if scope != "NAME" || !known && !strings.HasSuffix(strings.ToLower(object), "__c") {
		f.reachField(object, wholeRecord)
		return
	}
	f.reachField(object, "Name")
	for _, name := range more {
		f.reachField(object, name)
	}
}
