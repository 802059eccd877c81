package analysis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy"
)

// Gap is something that nobody guards, or that guards nobody.
type Gap struct {
	About string // "server sales", "group leads", "user rep@acme.example"
	Text  string
}

// Coverage returns what passes without a person, and which parts of the configuration stand
// alone: groups without members, groups and policies that no server uses, users who have
// signed in and may use nothing. policies are the names of all, outside those users.
func Coverage(servers []Server, policies []string, people People, outside []string) (gaps []Gap) {
	add := func(about, format string, args ...any) {
		gaps = append(gaps, Gap{about, fmt.Sprintf(format, args...)})
	}
	for _, s := range servers {
		about := "server " + s.Name
		switch {
		case len(s.Groups) == 0:
			add(about, "names no groups: nobody may use it")
		case slices.Contains(s.Groups, Everyone):
			add(about, "may be used by every user of its org")
		}
		if s.Policy.Mode == policy.Shadow {
			add(about, "only watches (mode shadow): what its policy %s denies passes", s.Policy.Name)
		}
		unasked(s, people, func(text string) { add(about, "%s", text) })
	}
	for _, g := range people.Groups {
		used := slices.ContainsFunc(servers, func(s Server) bool { return slices.Contains(s.Groups, g.Name) })
		switch {
		case len(g.Members) == 0:
			add("group "+g.Name, "has no members")
		case !used && !slices.ContainsFunc(servers, func(s Server) bool { return named(s.Policy, g.Name) }):
			add("group "+g.Name, "opens no server, and no rule names it")
		}
	}
	for _, name := range policies {
		if !slices.ContainsFunc(servers, func(s Server) bool { return s.Policy.Name == name }) {
			add("policy "+name, "stands in front of no server")
		}
	}
	for _, who := range outside {
		add("user "+who, "has signed in and may use no server")
	}
	return gaps
}

// unasked tells of every group of writes that pass without a person.
func unasked(s Server, people People, tell func(string)) {
	c := casesOf(s, people)
	var ways []Ways
	for _, f := range c.group(single, func(u Users, tool string, t target) (string, int) {
		w := decide(s.Policy, u.now.Principal, tool, t.Reached)
		if t.Class == policy.Read || t.Class == policy.SideEffect || w.most() < 2 || w[0].Shadow {
			return "", 0
		}
		ways = append(ways, w)
		return w.key(), len(ways) - 1
	}) {
		tell(fmt.Sprintf("without a person: %s may %s (%s)", f.Who(), f.What(), ways[f.of].Rules()))
	}
}

// Who is who makes the calls: "group leads through chatgpt".
func (c Calls) Who() string {
	who := strings.Join(c.Users, " and ")
	if clients := strings.Join(c.Clients, " and "); clients != anyClient {
		who += " through " + clients
	}
	return who
}

// verbs are what calls of a class do, where its name is no verb.
var verbs = map[policy.Class]string{policy.Unknown: "call", policy.Admin: "administer", policy.SideEffect: "read and leave traces in"}

// What is what the calls are: "update Account and Contact with updateSobjectRecord".
func (c Calls) What() string {
	parts := []string{cmp.Or(verbs[c.Class], string(c.Class))}
	if len(c.Objects) > 0 {
		parts = append(parts, list(c.Objects, most))
	}
	if c.Rows != "" {
		parts = append(parts, "("+c.Rows+")")
	}
	if c.Class != policy.Unknown {
		parts = append(parts, "with")
	}
	return strings.Join(append(parts, list(c.Tools, 5)), " ")
}
