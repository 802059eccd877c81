package reach

import (
	"slices"
	"strings"
)

// This file tells of which classes a call is, or may be, besides its own, where the call itself says so: a bulk
// job names its operation, and a deletion by which the org is administered is a deletion, too. Of a
// call that says nothing, as that of a custom tool, nothing is guessed: it is of the class Unknown.

// MayBe reports whether the call is of a class, or may be as far as anybody knows.
func (v *Value) MayBe(c Class) bool { return v.Class == c || slices.Contains(v.Besides, c) }

// administer makes the call one of the class Admin, and keeps what it does.
func (f *reading) administer() {
	if f.Class != Admin {
		f.done = f.Class
	}
	f.Class = Admin
}

// finish notes of which classes the call is, or may be, besides, once its class is known.
func (f *reading) finish() {
	f.Unnamed = f.Unnamed && f.Class != Read && f.Class != SideEffect
	switch {
	case f.Class == Admin && f.done != Unknown && f.done != "":
		f.Besides = []Class{f.done}
	case f.Class == Unknown || f.Class == Admin:
		f.Besides = f.narrowed
	default:
		f.Besides = nil
	}
}

// Besides are the classes of which calls of the tool may be besides one of its classes, and whether
// every such call is certain to count as each of them.
func (t Tool) Besides(c Class) (classes []Class, certain bool) {
	switch {
	case c == Unknown && len(t.Classes) > 1: // it takes requests
		return sayable, false
	case c != Admin:
		return nil, true
	}
	done := slices.DeleteFunc(slices.Clone(t.Classes), func(c Class) bool { return c == Read || c == SideEffect || c == Admin })
	if len(done) == 1 && done[0] != Unknown {
		return done, true
	}
	return changes, len(done) == 0
}

// bulkOperations are the classes of what a job of the Bulk API does, by its operation in lower case.
var bulkOperations = map[string][]Class{
	"insert": {Create}, "update": {Update}, "upsert": {Create, Update}, "delete": {Delete}, "harddelete": {Delete},
	"query": {Read}, "queryall": {Read},
}

var (
	// changes are what may become of the records of a job that was opened before.
	changes = []Class{Create, Update, Delete}
	// sayable are all that a request of the class Unknown may say that it does.
	sayable = []Class{Read, Create, Update, Delete}
)

// mayBe returns the classes of which a request may be that stays of the class Unknown, as far as it says itself;
// nil: it says nothing.
func (r *request) mayBe() []Class {
	path := r.path
	second := ""
	if len(path) > 1 {
		second = path[1]
	}
	switch {
	case !r.rest && second != "async": // Apex REST, say; the Bulk API before it was one of REST is below services/async
		return nil
	case !r.rest || r.unknown || r.misspelled():
		return changes // what steers Salesforce in a way that nobody here knows may make a deletion of it
	case path[0] == "jobs" && second == "ingest":
		return r.bulk()
	case path[0] == "jobs" && second == "query" && r.method == "POST":
		return bulkOperations["query"]
	case path[0] == "graphql" && r.queriesAlone():
		return []Class{Read}
	case r.method == "PATCH" && path[0] == "sobjects" && len(path) == 4,
		r.method == "PATCH" && path[0] == "composite" && second == "sobjects" && len(path) == 4:
		return bulkOperations["upsert"] // by an external id
	case path[0] == "graphql", path[0] == "composite":
		return changes
	}
	return nil
}

// bulk returns the classes of a request to …/jobs/ingest: one that opens a job says its operation.
func (r *request) bulk() []Class {
	if r.method != "POST" || len(r.path) != 2 {
		return changes
	}
	operation := ""
	for _, name := range r.body.names {
		if !strings.EqualFold(name, "operation") {
			continue
		}
		text, _, refused := r.body.text(name)
		if refused != nil || operation != "" {
			return changes
		}
		operation = strings.ToLower(text)
	}
	if classes := bulkOperations[operation]; classes != nil {
		return classes
	}
	return changes
}

// queriesAlone reports whether a GraphQL request has no mutation: each begins with that word.
func (r *request) queriesAlone() bool {
	text, given, refused := r.body.text("query")
	return r.method == "POST" && given && refused == nil && r.body.only("query", "variables", "operationName") &&
		!strings.Contains(strings.ToLower(text), "mutation")
}
