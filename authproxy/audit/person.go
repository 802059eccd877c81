package audit

import (
	"context"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/postings"
)

// Person is a human in the log: all Salesforce user ids and usernames that are theirs, and who they
// are at the company. An id is the same person in every org: no two orgs give the same one to two
// people, and a sandbox has those of the org that it was copied from.
type Person struct {
	Subjects  []string      // of 18 characters
	Usernames []string      // any case, and what else an operator types for them
	Company   []actor.Actor // persons of the company, see [actor.Person]
}

// IsZero says whether p is nobody.
func (p Person) IsZero() bool { return len(p.Subjects)+len(p.Usernames)+len(p.Company) == 0 }

// concernedBy says whether e is about p as a Salesforce user, or tells what they did. A username
// alone counts where no id is beside it: usernames move from one person to another.
func (p Person) concernedBy(e Entry) bool {
	by := e.Actor
	return slices.Contains(p.Subjects, e.Subject) ||
		e.Subject == "" && p.hasUsername(e.Username) ||
		(by.IsUser() || !by.Known()) && (slices.Contains(p.Subjects, by.ID) || p.hasUsername(by.ID)) ||
		by.As != "" && (slices.Contains(p.Subjects, by.As) || p.hasUsername(by.As))
}

func (p Person) hasUsername(name string) bool {
	return name != "" && slices.ContainsFunc(p.Usernames, func(own string) bool { return strings.EqualFold(own, name) })
}

// SubjectsNamed returns the Salesforce user ids that entries have beside a username, in any
// case: who had it, now or earlier.
func (p Persons) SubjectsNamed(ctx context.Context, username string) (subjects []string, err error) {
	l := p.log
	named, err := l.persons.ask(ctx, Filter{Person: Person{Usernames: []string{username}}})
	if err != nil {
		return nil, err
	}
	segments, err := reading{l}.segments()
	if err != nil {
		return nil, err
	}
	has := func(e Entry) bool { return e.Subject != "" && e.Personal == "" && named.Person.hasUsername(e.Username) }
	terms := []postings.Term{postings.NewTerm("username", folded(username))}
	for _, name := range named.names {
		terms = append(terms, postings.NewTerm("username", name))
	}
	err = reading{l}.search(ctx, postings.Query{All: [][]postings.Term{terms}}, has, forward, Filter{}).each(l, segments, func(_ []byte, e Entry) error {
		if !slices.Contains(subjects, e.Subject) {
			subjects = append(subjects, e.Subject)
		}
		return ctx.Err()
	})
	return subjects, err
}
