package audit

import (
	"strings"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/postings"
	"sfmcp-proxy/authproxy/db"
)

// termsOf are what e can be found by. Whoever finds an entry by a term still asks
// [Filter.matches].
func termsOf(e *Entry) []postings.Term {
	terms := make([]postings.Term, 0, 16)
	add := func(field, value string) {
		if value != "" {
			terms = append(terms, postings.NewTerm(field, value))
		}
	}
	noun, _, _ := strings.Cut(string(e.Action), ".")
	add("action", string(e.Action))
	add("noun", noun)
	add("outcome", string(e.Outcome))
	add("actor", actorTerm(e.Actor))
	add("request", e.RequestID)
	add("client", e.Client)
	add("server", e.Server)
	add("tool", e.Tool)
	add("object", e.Object)
	add("rule", e.Rule)
	add("approval", e.Approval)
	for _, name := range []string{e.Subject, e.Username, e.Actor.As} {
		add("person", strings.ToLower(name))
	}
	if e.Actor.IsUser() || !e.Actor.Known() {
		add("person", strings.ToLower(e.Actor.ID))
	}
	return terms
}

// actorTerm is an actor without the person whom an operator names.
func actorTerm(a actor.Actor) string {
	a.As = ""
	return a.String()
}

// query is what f asks of an index.
func (f Filter) query() postings.Query {
	var q postings.Query
	one := func(field, value string) {
		if value != "" {
			q.All = append(q.All, []postings.Term{postings.NewTerm(field, value)})
		}
	}
	if noun, whole := strings.CutSuffix(f.Action, "."); whole {
		one("noun", noun)
	} else {
		one("action", f.Action)
	}
	one("outcome", string(f.Outcome))
	if f.Actor != "" {
		one("actor", actorTerm(actor.Parse(f.Actor)))
	}
	one("request", f.Request)
	one("client", f.Client)
	one("server", f.Server)
	one("tool", f.Tool)
	one("object", f.Object)
	one("rule", f.Rule)
	one("approval", f.Approval)
	if !f.Person.isZero() {
		var names []postings.Term
		for _, name := range f.Person.texts() {
			names = append(names, postings.NewTerm("person", strings.ToLower(name)))
		}
		q.All = append(q.All, names)
	}
	if !f.Since.IsZero() {
		q.From = db.Millis(f.Since)
	}
	if !f.Until.IsZero() {
		q.Until = db.Millis(f.Until)
	}
	return q
}
