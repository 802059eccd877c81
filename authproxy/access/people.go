package access

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
)

// Person is a user of an org.
type Person struct {
	// Org and Subject, the 18-character Salesforce user id, are the key.
	Org, Subject string
	// Username, in lower case, and Name are "" while they are unknown.
	Username, Name string
}

// Person returns what is known of a user who has signed in. [grant.ErrBlocked] refuses one who
// is blocked: a session that lives on, or a login that succeeded, does not count then.
// Whoever was never seen is not blocked.
func (c *Control) Person(ctx context.Context, org, subject string) (Person, error) {
	p := Person{Org: org, Subject: subject}
	u, err := c.grants.User(ctx, org, subject)
	switch {
	case errors.Is(err, grant.ErrNotFound):
		return p, nil
	case err != nil:
		return p, err
	case u.Blocked():
		return p, grant.ErrBlocked
	}
	p.Username, p.Name = u.Username, u.Name
	return p, nil
}

// MayUse reports whether a person may have a grant for a server: one of their org, in
// whose groups they are. A server without groups is nobody's, and so is one that does
// not exist.
func (c *Control) MayUse(p Person, server string) bool {
	s := c.byName[server]
	return s != nil && s.Org == p.Org && s.admits(c.groupsOf(p.Subject, p.Username))
}

// ServersOf returns the servers that a person may use.
func (c *Control) ServersOf(p Person) (all []*Server) {
	for _, s := range c.servers {
		if c.MayUse(p, s.Name) {
			all = append(all, s)
		}
	}
	return all
}

// group is a group with its members as they are looked up.
type group struct {
	name    string
	members map[string]bool // user ids of 18 characters, usernames in lower case
}

func newGroups(configured []Group) (all []group) {
	for _, g := range configured {
		members := make(map[string]bool, len(g.Members))
		for _, m := range g.Members {
			if strings.Contains(m, "@") {
				members[strings.ToLower(m)] = true
			} else {
				members[grant.FullID(m)] = true
			}
		}
		all = append(all, group{g.Name, members})
	}
	return all
}

// groupsOf names the groups that list a user, by id or by username. A sandbox has the user
// ids of the org it was copied from, and they mean the same person there.
func (c *Control) groupsOf(subject, username string) (names []string) {
	for _, g := range c.groups {
		if subject != "" && g.members[subject] || username != "" && g.members[username] {
			names = append(names, g.name)
		}
	}
	return names
}

// FindUsers returns the users whom who names: a Salesforce user id of 15 or 18 characters,
// or a username in any case. An id that was never seen names a user of every org, so that
// they can be blocked before they come; a username that was never seen names nobody.
func (c *Control) FindUsers(ctx context.Context, who string) ([]grant.User, error) {
	users, err := c.grants.FindUsers(ctx, who)
	if err != nil || len(users) > 0 {
		return users, err
	}
	return c.InEveryOrg(nil, who), nil
}

// InEveryOrg adds to users the orgs where the user of an id was not seen yet: an id is
// the same person in a sandbox and in the org that it was copied from.
func (c *Control) InEveryOrg(users []grant.User, who string) []grant.User {
	id := grant.FullID(who)
	if len(id) != 18 || id[:3] != "005" {
		return users
	}
	for _, o := range c.orgs {
		if !slices.ContainsFunc(users, func(u grant.User) bool { return u.Org == o.Name }) {
			users = append(users, grant.User{Org: o.Name, Subject: id})
		}
	}
	return users
}

// Principal is whom a policy sees when the user of that id or username calls a server of
// the org through a client. A user who was never seen is believed to have what was given.
func (c *Control) Principal(ctx context.Context, org, who, client string) (policy.Principal, error) {
	p := policy.Principal{Org: org, Client: client}
	users, err := c.grants.FindUsers(ctx, who)
	if err != nil {
		return p, err
	}
	if i := slices.IndexFunc(users, func(u grant.User) bool { return u.Org == org }); i >= 0 {
		p.Subject, p.Username = users[i].Subject, users[i].Username
	} else if strings.Contains(who, "@") {
		p.Username = strings.ToLower(who)
	} else {
		p.Subject = grant.FullID(who)
	}
	p.Groups = c.groupsOf(p.Subject, p.Username)
	return p, nil
}
