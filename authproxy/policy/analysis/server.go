package analysis

import (
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
	who   policy.Principal
}

// user is one user, or all who are not known.
type user struct {
	label string
	who   policy.Principal
}

// usersOf returns those who may use a server, split by what the rules of the policies tell
// apart.
func usersOf(s Server, people People, policies ...*policy.Policy) []Users {
	var users []user
	for _, name := range known(people, policies) {
		u := user{name, policy.Principal{Groups: groupsOf(people, name)}}
		if strings.Contains(name, "@") {
			u.who.Username, u.who.Subject = name, unlistedUser
		} else {
			u.who.Subject, u.who.Username = name, "nobody@unlisted.invalid"
		}
		if s.admits(u.who.Groups) {
			users = append(users, u)
		}
	}
	if slices.Contains(s.Groups, Everyone) {
		users = append(users, user{otherUsers, policy.Principal{Subject: unlistedUser, Username: "nobody@unlisted.invalid"}})
	}
	ids := clientIDs(people, policies)
	var all []Users
	for _, alike := range split(users, func(u user) string { return row(u.who, ids, policies) }) {
		all = append(all, Users{labelUsers(alike, len(alike) == len(users), s, namedGroups(s, people, policies)), alike[0].who})
	}
	return all
}

const (
	otherUsers   = "every other user"
	unlistedUser = "005000000000000AAA" // the id of nobody, in the form that ids have
)

func (s Server) admits(groups []string) bool {
	return slices.Contains(s.Groups, Everyone) || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(s.Groups, g) })
}

// known returns the users that groups or rules name, each once.
func known(people People, policies []*policy.Policy) (names []string) {
	for _, g := range people.Groups {
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
func labelUsers(alike []user, all bool, s Server, groups []Group) string {
	if all {
		return s.everybody()
	}
	var names []string
	for _, u := range alike {
		names = append(names, u.label)
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
	return "everybody who may use " + s.Name
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
			column = append(column, row(u.who, []string{id}, policies))
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
