package analysis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy"
)

// Everyone, as the group of a server, stands for every user of the org.
const Everyone = "*"

// Server is one server: the policy in front of it and who may use it.
type Server struct {
	Name   string
	Policy *policy.Policy // made for the server, see [policy.Policy.For]
	Groups []string       // whose members may use it; [Everyone]; empty: nobody
}

// People are the users and clients that are known by configuration.
type People struct {
	Groups  []Group
	Clients []string // client ids
}

// Group is a group of users by Salesforce user id or user name.
type Group struct {
	Name    string
	Members []string
}

// Users is a group of users whom no rule tells apart.
type Users struct {
	Label string // "every user", "group sales-pilot", or names
	// Who they are, and who they were before a change: other groups may open other servers.
	now, before caller
}

// caller is a user as rules see them.
type caller struct {
	policy.Principal
	admitted bool // may use the server
}

// side is a server and its people, before or after a change.
type side struct {
	Server
	People
}

// caller returns the user of a name; "" is one whom nobody has named.
func (s side) caller(name string) caller {
	c := caller{Principal: policy.Principal{Subject: unlistedUser, Username: unlistedName}}
	switch {
	case strings.Contains(name, "@"):
		c.Username = name
	case name != "":
		c.Subject = name
	}
	if name != "" {
		c.Groups = groupsOf(s.People, name)
	}
	c.admitted = s.admits(c.Groups)
	return c
}

// usersOf returns those who may use a server before or after a change, split by what the
// rules tell apart.
func usersOf(before, now side) []Users {
	policies := []*policy.Policy{now.Policy, before.Policy}
	ids := clientIDs(now.People, policies)
	var all []Users
	for _, name := range append(known(append(slices.Clone(now.People.Groups), before.People.Groups...), policies), "") {
		u := Users{cmp.Or(name, otherUsers), now.caller(name), before.caller(name)}
		if u.now.admitted || u.before.admitted {
			all = append(all, u)
		}
	}
	var groups []Users
	for _, alike := range split(all, func(u Users) string {
		return fmt.Sprint(u.now.admitted, u.before.admitted, row(u.now.Principal, ids, policies[:1]), row(u.before.Principal, ids, policies[1:]))
	}) {
		u := alike[0]
		u.Label = labelUsers(alike, len(alike) == len(all), now.Server, namedGroups(now.Server, now.People, policies))
		groups = append(groups, u)
	}
	return groups
}

const (
	otherUsers   = "every other user"
	unlistedUser = "005000000000000AAA" // the id of nobody, in the form that ids have
	unlistedName = "nobody@unlisted.invalid"
)

func (s Server) admits(groups []string) bool {
	return slices.Contains(s.Groups, Everyone) || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(s.Groups, g) })
}

// known returns the users that groups or rules name, each once.
func known(groups []Group, policies []*policy.Policy) (names []string) {
	for _, g := range groups {
		names = append(names, g.Members...)
	}
	for _, p := range policies {
		for i := range p.Rules {
			names = append(names, p.Rules[i].Users...)
		}
	}
	return distinct(names)
}

func groupsOf(people People, name string) (groups []string) {
	for _, g := range people.Groups {
		if slices.ContainsFunc(g.Members, func(m string) bool { return strings.EqualFold(m, name) }) {
			groups = append(groups, g.Name)
		}
	}
	return groups
}

// row says which rules of all policies name a user through each of the clients.
func row(who policy.Principal, clients []string, policies []*policy.Policy) string {
	var all []string
	for _, id := range clients {
		who.Client = id
		for _, p := range policies {
			all = append(all, p.Naming(who))
		}
	}
	return strings.Join(all, " ")
}

// labelUsers says whom no rule tells apart, in few words.
func labelUsers(alike []Users, all bool, s Server, groups []Group) string {
	if all {
		return s.everybody()
	}
	var names []string
	for _, u := range alike {
		names = append(names, u.Label)
	}
	for _, g := range groups {
		if sameNames(g.Members, names) {
			return "group " + g.Name
		}
	}
	return list(names, 4)
}

// everybody is who may use the server.
func (s Server) everybody() string {
	if slices.Contains(s.Groups, Everyone) {
		return "every user"
	}
	return "every user of " + s.Name
}

// namedGroups returns the groups that the server or a rule names: those that people think in.
func namedGroups(s Server, people People, policies []*policy.Policy) (groups []Group) {
	for _, g := range people.Groups {
		if slices.Contains(s.Groups, g.Name) || slices.ContainsFunc(policies, func(p *policy.Policy) bool { return named(p, g.Name) }) {
			groups = append(groups, g)
		}
	}
	return groups
}

// named reports whether a rule names a group.
func named(p *policy.Policy, group string) bool {
	return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return slices.Contains(r.Groups, group) })
}

// Clients is a group of clients that no rule tells apart.
type Clients struct {
	Label string // "any client", or client ids
	id    string
}

const (
	anyClient   = "any client"
	otherClient = "some-other-client" // the id of a client that nobody has configured
)

// clientIDs returns the clients that the configuration or rules name, and one more.
func clientIDs(people People, policies []*policy.Policy) []string {
	ids := slices.Clone(people.Clients)
	for _, p := range policies {
		for i := range p.Rules {
			ids = append(ids, p.Rules[i].Clients...)
		}
	}
	return append(distinct(ids), otherClient)
}

// clientsOf splits clients by what the rules tell apart, whoever their user is.
func clientsOf(people People, users []Users, policies ...*policy.Policy) (all []Clients) {
	ids := clientIDs(people, policies)
	for _, alike := range split(ids, func(id string) string {
		var column []string
		for _, u := range users {
			column = append(column, row(u.now.Principal, []string{id}, policies), row(u.before.Principal, []string{id}, policies))
		}
		return strings.Join(column, ";")
	}) {
		label := list(alike, 4)
		switch {
		case len(alike) == len(ids):
			label = anyClient
		case slices.Contains(alike, otherClient):
			label = "any other client"
		}
		all = append(all, Clients{label, alike[0]})
	}
	return all
}

// split groups what has the same key, in the order in which the keys are first met.
func split[T any](all []T, key func(T) string) (groups [][]T) {
	at := map[string]int{}
	for _, one := range all {
		k := key(one)
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], one)
	}
	return groups
}

// distinct drops what differs from an earlier name in nothing but case.
func distinct(names []string) (out []string) {
	for _, name := range names {
		if !slices.ContainsFunc(out, func(have string) bool { return strings.EqualFold(have, name) }) {
			out = append(out, name)
		}
	}
	return out
}

// sameNames reports whether both lists hold the same names.
func sameNames(a, b []string) bool {
	within := func(outer, inner []string) bool {
		return !slices.ContainsFunc(inner, func(name string) bool {
			return !slices.ContainsFunc(outer, func(o string) bool { return strings.EqualFold(o, name) })
		})
	}
	return within(a, b) && within(b, a)
}
