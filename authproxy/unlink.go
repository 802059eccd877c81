package authproxy

import (
	"context"
	"errors"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/people"
)

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
	e := audit.Entry{Actor: act.By, Action: audit.PersonUnlink, Object: person, Outcome: audit.Intent, Reason: act.Why, Org: u.Org, Subject: u.Subject, Username: u.Username}
	return person, c.give(ctx, e, func(ctx context.Context) error { return c.People.Unlink(ctx, u.Org, u.Subject) })
}
