package authproxy

import (
	"context"
	"errors"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/people"
)

// Link makes a Salesforce user and a person of the company, who are both signed in in one browser, one human: the user may
// decide what the person's roles let them, so it gives, and is recorded before. The error is [people.ErrLinked] if the user is
// somebody else already.
func (c *Cutoff) Link(ctx context.Context, l people.Link) error {
	e := audit.Entry{Actor: actor.User(l.Subject), Action: audit.PersonLink, Object: actor.Person(l.Issuer, l.Person).String(),
		Org: l.Org, Subject: l.Subject, Username: usernameOf(ctx, c.Grants, l.Org, l.Subject)}
	return Give(ctx, c.Audit, e, func(ctx context.Context) (audit.Result, error) {
		err := c.People.Link(ctx, l)
		if errors.Is(err, people.ErrLinked) {
			return audit.Result{Outcome: audit.Denied, Reason: "linked to another person"}, err
		}
		return audit.Result{}, err
	})
}

// Unlink takes away that a Salesforce user and a person of the company are one human: two may decide then who were
// one, so it gives, and is recorded before. person is who they were linked to, as the log names them; "" where somebody
// changed the link. The error is [people.ErrNotFound] if there is no link.
func (c *Cutoff) Unlink(ctx context.Context, u grant.User, act Act) (person string, err error) {
	link, err := c.People.LinkOf(ctx, u.Org, u.Subject)
	switch {
	case errors.Is(err, people.ErrAltered):
	case err != nil:
		return "", err
	case link == nil:
		return "", people.ErrNotFound
	default:
		person = actor.Person(link.Issuer, link.Person).String()
	}
	e := audit.Entry{Actor: act.By, Action: audit.PersonUnlink, Object: person, Reason: act.Why, Org: u.Org, Subject: u.Subject, Username: u.Username}
	return person, c.give(ctx, e, func(ctx context.Context) error { return c.People.Unlink(ctx, u.Org, u.Subject) })
}
