// Package definition keeps what each hosted server said of its tools, prompts, resource
// templates and operations when a person, or the first list, made that the baseline.
//
// A definition is everything that a list says of one name: description, schemas,
// annotations, whatever else there is, as one canonical JSON text, named by its SHA-256. A
// model obeys that text, so it is part of what was allowed: a name passes only with the
// definition that is accepted for it. The pins belong to the hosted server (org and URL), not
// to one of our endpoints or to a user. A user's list may be shorter than the pins, and what
// is not listed any more is no change.
//
//	first list ─→ accepted          (Config.Review: waiting)
//	another text, a new name, a name that is listed twice ─→ waiting
//	waiting, rejected ─→ accepted   by a person; the accepted one before it is gone
//	waiting, accepted ─→ rejected   by a person
//
// Whatever is not accepted is in quarantine: the caller hides it and refuses it. Rows that
// wait or are rejected decide nothing; they are there for people, and so that the same
// change is told once. Every arrow is one conditional statement, so that of any number of
// racing processes exactly one wins, and what a person accepts is the digest that they read.
//
// What is remembered of a server is as old as its [db.Cache] allows: a decision holds for
// the next call of this process and within a second for those of others.
//
// Whatever a hosted server says is bounded: see the constants of definition.go. What is
// beyond a bound is not accepted.
//
// [Difference] and [Signs] are for the person who decides.
package definition
