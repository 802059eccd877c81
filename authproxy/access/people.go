package access

import (
	"context"
	"errors"
	"strings"

	"sfmcp-proxy/authproxy/grant"
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
