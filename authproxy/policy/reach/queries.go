package reach

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"sfmcp-proxy/authproxy/policy/soql"
)

const (
	textTooLong   = "The query is too long."
	textCharacter = "The query has a character or a string that cannot be read."
	textQuery     = "The query could not be read; write one plain SOQL query without comments, bind variables or deep nesting."
	textSearch    = "The search could not be read; write one plain SOSL query: FIND {words} RETURNING Object(Field, …)."
)

// readSOQL adds what a SOQL query does and reaches.
func (f *reading) readSOQL(text string) *Refusal {
	q, err := soql.ParseQuery(text)
	switch {
	case errors.Is(err, soql.ErrTooLong):
		return refuse(textTooLong)
	case errors.Is(err, soql.ErrCharacter):
		return unread(textCharacter, text, err)
	case err != nil:
		return unread(textQuery, text, err)
	}
	f.Class, f.Query, f.Text = Read, q, text
	f.Rows, f.Each = rowsOf(q), rowsOfEach(q)
	f.query(q, nil, From)
	return nil
}

// unread refuses a query and says, where that is known, from where on it could not be read.
func unread(why, text string, err error) *Refusal {
	var mistake *soql.Error
	switch {
	case !errors.As(err, &mistake) || mistake.Offset <= 0 || mistake.Offset > len(text):
		return refuse(why)
	case mistake.Offset == len(text):
		return &Refusal{why + " Something is missing at its end.", why}
	}
	return &Refusal{fmt.Sprintf("%s It cannot be read from character %d on.", why, utf8.RuneCountInString(text[:mistake.Offset])+1), why}
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

// readSOSL adds what a SOSL query does and reaches. A search looks into fields:
// unless it is IN NAME FIELDS, it reaches every field of the objects that it
// returns, for a hit tells what a field holds. So does one with snippets, which quote the
// text around a hit wherever it is.
func (f *reading) readSOSL(text string) *Refusal {
	s, err := soql.ParseSearch(text)
	switch {
	case errors.Is(err, soql.ErrTooLong):
		return refuse(textTooLong)
	case err != nil:
		return unread(textSearch, text, err)
	}
	f.Class, f.Search, f.Text = Read, s, text
	if s.Traces {
		f.Class = SideEffect
	}
	f.Rows, f.Each = s.Limit, 1
	f.in(Find, f.Argument, 0)
	if len(s.Returning) == 0 { // ids of every searchable object
		f.unknown(true)
		return nil
	}
	each := 0
	for _, q := range s.Returning {
		each = add(each, q.Limit)
		f.query(q, nil, Returning)
		f.in(Find, f.Argument, q.From[0].Offset, q.From[0].Path...)
		f.searched(spelling(q.From[0].Path[0]), s)
	}
	f.Rows = min(s.Limit, each)
	return nil
}

// nameFields are the fields that a search IN NAME FIELDS looks into, besides Name, by the SOSL
// Reference (IN SearchGroup). Custom objects have no others. Of objects that are not named here all
// fields are searched: of products, articles, files and feeds by that page, of the rest because
// nobody knows better.
var nameFields = map[string][]string{
	"account": {"Website", "Site", "NameLocal"}, "asset": {"SerialNumber"}, "campaign": nil, "case": {"SuppliedName", "SuppliedCompany", "Subject"},
	"contact": {"AssistantName", "FirstNameLocal", "LastNameLocal", accountName}, "event": {"Subject"},
	"lead": {"Company", "CompanyLocal", "FirstNameLocal", "LastNameLocal"}, "note": {"Title"}, "opportunity": nil, "report": {"Description"},
	"task": {"Subject"}, "user": {"CommunityNickname"},
}

// accountName is the name of a contact's account as a search of contacts looks into it. No record
// answers it.
const accountName = "AccountName"

// searched adds the fields of an object that a search looks into.
func (f *reading) searched(object string, s *soql.Search) {
	more, known := nameFields[strings.ToLower(object)]
	if s.Scope != "NAME" || s.Snippets || !known && !strings.HasSuffix(strings.ToLower(object), "__c") {
		f.reachField(object, Whole)
		more = slices.DeleteFunc(slices.Clone(more), func(name string) bool { return name != accountName })
	} else {
		f.reachField(object, "Name")
	}
	for _, name := range more {
		f.reachField(object, name)
	}
}
