package reach

import (
	"slices"
	"strings"
)

// This file tells of which classes a call may be besides its own: a call of the class Unknown may be
// of those that it is not known not to be, and one of the class Admin is also what it does.

// anything are the classes of which a call may be that nobody knows; ordinary are those of one that
// was looked into for [Admin], see the file carriers.go.
var (
	anything = []Class{Read, SideEffect, Create, Update, Delete, Admin}
	ordinary = []Class{Read, SideEffect, Create, Update, Delete}
)

// MayBe reports whether the call is of a class, or may be as far as anybody knows.
func (v *Value) MayBe(c Class) bool { return v.Class == c || slices.Contains(v.Besides, c) }

// administer makes the call one of the class Admin, and keeps what it does.
func (f *reading) administer() {
	if f.Class != Admin {
		f.done = f.Class
	}
	f.Class = Admin
}

// doubt notes of which classes the call may be besides, once its class is known.
func (f *reading) doubt() {
	switch {
	case f.Class != Unknown && f.Class != Admin:
		f.Besides = nil
	case f.Class == Admin && f.done != Unknown && f.done != "":
		f.Besides = []Class{f.done}
	case f.narrowed != nil:
		f.Besides = f.narrowed
	default:
		f.Besides = anything
	}
}

// Besides are the classes of which calls of the tool may be besides one of its classes, and whether
// every such call is certain to count as each of them.
func (t Tool) Besides(c Class) (classes []Class, certain bool) {
	if c == Unknown {
		return anything, len(t.Classes) == 1
	}
	if c != Admin {
		return nil, true
	}
	done := slices.DeleteFunc(slices.Clone(t.Classes), func(c Class) bool { return c == Read || c == SideEffect || c == Admin })
	if len(done) == 1 && done[0] != Unknown {
		return done, true
	}
	return anything[:len(anything)-1], len(done) == 0
}

// bulkOperations are the classes of what a job of the Bulk API does, by its operation in lower case.
var bulkOperations = map[string][]Class{
	"insert": {Create}, "update": {Update}, "upsert": {Create, Update}, "delete": {Delete}, "harddelete": {Delete},
	"query": {Read}, "queryall": {Read},
}

// changes are what the records do that a file holds of which the job was opened before.
var changes = []Class{Create, Update, Delete}

// mayBe returns the classes of which a request may be that stays of the class Unknown; nil: any.
func (r *request) mayBe() []Class {
	if !r.rest || r.unknown || r.misspelled() {
		return nil
	}
	path := r.path
	second := ""
	if len(path) > 1 {
		second = path[1]
	}
	switch _, known := routes[path[0]]; {
	case path[0] == "jobs" && second == "ingest":
		return r.bulk()
	case path[0] == "jobs" && second == "query" && r.method == "POST":
		return bulkOperations["query"]
	case path[0] == "graphql" && r.queriesAlone():
		return []Class{Read}
	case r.method == "PATCH" && path[0] == "sobjects" && len(path) == 4,
		r.method == "PATCH" && path[0] == "composite" && second == "sobjects" && len(path) == 4:
		return bulkOperations["upsert"] // by an external id
	case path[0] == "actions": // Apex and flows
		return nil
	case known || path[0] == "composite" || path[0] == "graphql" || path[0] == "query" || path[0] == "queryAll" || path[0] == "search":
		return ordinary
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
