package analysis

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy"
)

// Calls is a group of calls to which the same happens.
type Calls struct {
	Users   []string // labels
	Clients []string
	Class   policy.Class
	Tools   []string
	Objects []string // "every object", names, fields; empty: no records are touched
	Rows    string   // "at most 200 records"; "": any number
}

// found is what was found out about one group of calls before groups are joined.
type found struct {
	Calls
	key string // equal where the same happens
	of  int    // index of what happens, in a list of the caller
}

// cases are all calls of a server that its rules, and those of the policies besides, tell apart.
type cases struct {
	server  Server
	users   []Users
	clients []Clients
	tools   []tools
	targets targets
	some    bool // those of some objects alone are looked at: nothing is said of every object
}

// casesOf are those of one server.
func casesOf(s Server, people People) cases {
	one := side{s, people}
	return casesBetween(one, one)
}

// casesBetween are those that a server tells apart before or after a change.
func casesBetween(before, now side) cases {
	policies := []*policy.Policy{now.Policy, before.Policy}
	c := cases{server: now.Server, users: usersOf(before, now), tools: toolsOf(policies...), targets: targetsOf(policies...)}
	c.clients = clientsOf(now.People, c.users, policies...)
	return c
}

// Quick is how many cases may be analysed where somebody waits who did not ask for it: at a
// start and at a reload. They take about two seconds.
const Quick = 500_000

// Size is how many cases a change of a server and its people has, or, with the same before and
// after, one that does not change.
func Size(before Server, then People, after Server, now People) (size int) {
	c := casesBetween(side{before, then}, side{after, now})
	for _, group := range c.tools {
		size += len(c.targets.of(group))
	}
	return size * len(c.users) * len(c.clients)
}

// group finds out what happens in every case and joins those in which the same does. what
// returns it as a text to compare by, with an index of the caller's own; "" leaves the case
// out.
func (c *cases) group(wanted func(tools, target) bool, what func(u Users, tool string, t target) (key string, of int)) []found {
	var all []found
	for _, u := range c.users {
		for _, cl := range c.clients {
			u := u
			u.now.Client, u.before.Client = cl.id, cl.id
			for _, group := range c.tools {
				targets := slices.DeleteFunc(c.targets.of(group), func(t target) bool { return !wanted(group, t) })
				base := Calls{Users: []string{u.Label}, Clients: []string{cl.Label}, Class: group.class, Tools: labelsOf(group.names)}
				all = append(all, c.overTargets(base, targets, func(t target) (string, int) { return what(u, group.names[0], t) })...)
			}
		}
	}
	all = join(all, func(c *Calls) *[]string { return &c.Tools })
	all = join(all, func(c *Calls) *[]string { return &c.Clients })
	all = join(all, func(c *Calls) *[]string { return &c.Users })
	for i := range all {
		if len(all[i].Clients) == len(c.clients) {
			all[i].Clients = []string{anyClient}
		}
		if len(all[i].Users) == len(c.users) && len(c.users) > 1 {
			all[i].Users = []string{c.server.everybody()}
		}
	}
	return all
}

// overTargets joins the targets of one group of tools to which the same happens.
func (c *cases) overTargets(base Calls, targets []target, what func(target) (string, int)) (all []found) {
	type outcome struct {
		object, rows, key string
		of                int
	}
	var outcomes []outcome
	bounds, objects := map[string]bool{}, map[string]bool{}
	for _, t := range targets {
		bounds[t.rows], objects[t.object] = true, true
		if key, of := what(t); key != "" {
			outcomes = append(outcomes, outcome{t.object, t.rows, key, of})
		}
	}
	for _, same := range split(outcomes, func(o outcome) string { return o.key }) {
		var perObject []outcome // with all its bounds in rows
		for _, one := range split(same, func(o outcome) string { return o.object }) {
			joined := one[0]
			var some []string
			for _, o := range one {
				some = append(some, o.rows)
			}
			if joined.rows = strings.Join(some, "; "); len(some) == len(bounds) {
				joined.rows = ""
			}
			perObject = append(perObject, joined)
		}
		for _, alike := range split(perObject, func(o outcome) string { return o.rows }) {
			f := found{Calls: base, key: alike[0].key, of: alike[0].of}
			f.Rows = alike[0].rows
			for _, o := range alike {
				f.Objects = append(f.Objects, o.object)
			}
			f.Objects = shorten(f.Objects, objects, !c.some)
			all = append(all, f)
		}
	}
	return all
}

// shorten says "every object" where that is shorter and may be said, and an object where it is
// all of it.
func shorten(some []string, all map[string]bool, every bool) []string {
	if len(some) == 1 && some[0] == "" {
		return nil
	}
	parts := map[string]int{} // of each object, those that are not in some
	for label := range all {
		parts[objectOf(label)] += 0
		if !slices.Contains(some, label) {
			parts[objectOf(label)]++
		}
	}
	var whole, rest, missing []string
	for _, label := range some {
		if object := objectOf(label); parts[object] == 0 {
			whole = append(whole, object)
		} else {
			rest = append(rest, label)
		}
	}
	for object, left := range parts {
		if left > 0 {
			missing = append(missing, object)
		}
	}
	whole = distinct(whole)
	switch slices.Sort(missing); {
	case every && len(missing) == 0:
		return []string{"every object"}
	case every && slices.Contains(whole, labelOf(otherObject)) && len(whole) > len(missing) && len(missing) <= 4:
		return append([]string{"every object but " + strings.Join(missing, ", ")}, rest...)
	}
	if all := append(whole, rest...); len(all) != 1 || all[0] != labelOf(otherObject) {
		return all
	}
	return []string{unnamedObject}
}

// objectOf is the object of which a label names a part.
func objectOf(label string) string {
	object, _, isField := strings.Cut(label, ".")
	if isField {
		return object
	}
	return strings.TrimSuffix(strings.TrimSuffix(label, allFields), otherFields)
}

// join makes one of those that differ in one list alone.
func join(all []found, part func(*Calls) *[]string) (joined []found) {
	for _, alike := range split(all, func(f found) string {
		c := f.Calls
		*part(&c) = nil
		return strings.Join([]string{f.key, string(c.Class), c.Rows, strings.Join(c.Users, "\x00"), strings.Join(c.Clients, "\x00"),
			strings.Join(c.Tools, "\x00"), strings.Join(c.Objects, "\x00")}, "\x01")
	}) {
		f := alike[0]
		var union []string
		for i := range alike {
			union = append(union, *part(&alike[i].Calls)...)
		}
		*part(&f.Calls) = distinct(union)
		joined = append(joined, f)
	}
	return joined
}

func labelsOf(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = labelOf(name)
	}
	return out
}
