package audit

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/postings"
	"sfmcp-proxy/authproxy/db"
)

// outcomeTerm is which of its terms an entry has for its outcome, which it always has.
const outcomeTerm = 0

// termsOf are what e, as it is stored, can be found by: people by their pseudonyms. An entry has the terms of a [Filter] if that selects
// it, and only then, but for an actor who named a person, a person who was erased, and times; so entries can be counted
// without being read. Whoever finds an entry by a term still asks [Filter.matches].
func termsOf(e *Entry) []postings.Term {
	terms := make([]postings.Term, 0, 16)
	add := func(field, value string) {
		if value != "" {
			terms = append(terms, postings.NewTerm(field, value))
		}
	}
	add("outcome", string(e.Outcome)) // outcomeTerm
	add("action", string(e.Action))
	if noun, _, has := strings.Cut(string(e.Action), "."); has {
		add("noun", noun)
	}
	add("actor", actorTerm(e.Actor))
	add("request", e.RequestID)
	add("client", e.Client)
	add("server", e.Server)
	add("tool", e.Tool)
	add("object", e.Object)
	add("rule", e.Rule)
	add("approval", e.Approval)
	add("grant", e.Grant)
	add("username", folded(e.Username))
	add("concerns id", e.Subject)
	if e.Subject == "" {
		add("concerns name", folded(e.Username))
	}
	by := []string{e.Actor.As}
	if e.Actor.IsUser() || !e.Actor.Known() {
		by = append(by, e.Actor.ID)
	}
	for _, who := range by {
		add("concerns id", who)
		add("concerns name", folded(who))
	}
	return terms
}

// folded is a name in the case that all names have that strings.EqualFold takes for the same:
// some letters have a third case beyond ASCII, as k has the sign for kelvin.
func folded(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return strings.ToLower(name)
	}
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return unicode.ToLower(least)
	}, name)
}

// actorTerm is an actor without the person whom an operator names.
func actorTerm(a actor.Actor) string {
	a.As = ""
	return a.String()
}

// query is what f asks of an index.
func (f question) query() postings.Query {
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
		by := actor.Parse(f.Actor)
		who := []postings.Term{postings.NewTerm("actor", actorTerm(by))}
		for _, pseudonym := range f.actors {
			who = append(who, postings.NewTerm("actor", actorTerm(called(by, pseudonym))))
		}
		q.All = append(q.All, who)
	}
	one("request", f.Request)
	one("client", f.Client)
	one("server", f.Server)
	one("tool", f.Tool)
	if f.Object != "" {
		var on []postings.Term
		for _, object := range append([]string{f.Object}, f.objects...) {
			on = append(on, postings.NewTerm("object", object))
		}
		q.All = append(q.All, on)
	}
	one("rule", f.Rule)
	one("approval", f.Approval)
	one("grant", f.Grant)
	if !f.Person.IsZero() {
		var names []postings.Term
		for _, id := range f.Person.Subjects {
			names = append(names, postings.NewTerm("concerns id", id))
		}
		for _, pseudonym := range f.persons {
			names = append(names, postings.NewTerm("concerns id", pseudonym))
		}
		for _, name := range append(slices.Clone(f.Person.Usernames), f.names...) {
			names = append(names, postings.NewTerm("concerns name", folded(name)))
		}
		for _, who := range f.company {
			names = append(names, postings.NewTerm("actor", actorTerm(who)), postings.NewTerm("object", who.String()))
			if _, subject, _ := who.PersonOf(); isPseudonym(subject) { // it is their own, at that issuer
				names = append(names, postings.NewTerm("concerns id", subject))
			}
		}
		q.All = append(q.All, names)
	}
	q.From, q.Until = db.Millis(f.Since), millisUp(f.Until)
	return q
}
