package analysis

import (
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy"
)

// Finding is something about one rule that can hardly be meant.
type Finding struct {
	Rule int // index in the policy
	Text string
}

// Check examines the rules of the policy that stands in front of all these servers: those that
// never match, never decide, change nothing, or let more pass without a person than they name.
func Check(servers []Server, people People) (findings []Finding) {
	if len(servers) == 0 {
		return nil
	}
	rules := make([]use, len(servers[0].Policy.Rules))
	for _, s := range servers {
		c := casesOf(s, people)
		c.each(func(who policy.Principal, group tools, t target) {
			count(rules, s.Policy, s.Policy.Outcomes(who, group.names[0], t.Reached), group)
		})
	}
	for i := range rules {
		if text := rules[i].finding(&servers[0].Policy.Rules[i]); text != "" {
			findings = append(findings, Finding{i, text})
		}
	}
	return findings
}

// use is what became of one rule in all cases.
type use struct {
	matches bool
	decides bool
	differs bool                  // something else would happen without it
	before  map[int]bool          // rules that decided instead
	instead map[int]bool          // rules that would decide without it
	writes  map[policy.Class]bool // that it lets pass without a person
}

// each calls f with every case, those of several objects too.
func (c *cases) each(f func(who policy.Principal, group tools, t target)) {
	for _, u := range c.users {
		for _, cl := range c.clients {
			who := u.now.Principal
			who.Client = cl.id
			for _, group := range c.tools {
				for _, t := range c.targets.of(group) {
					f(who, group, t)
				}
			}
		}
	}
}

// count adds one case: outcomes are those of all rules that match.
func count(rules []use, p *policy.Policy, outcomes []policy.Outcome, group tools) {
	decided := -1
	for i, o := range outcomes {
		if o.Rule < 0 {
			return
		}
		if o.Besides && !slices.ContainsFunc(outcomes[i:], func(later policy.Outcome) bool { return later.Effect != policy.Deny }) {
			continue // which no rule would let pass
		}
		r := &rules[o.Rule]
		r.matches = true
		if decided >= 0 {
			mark(&r.before, decided)
			continue
		}
		r.decides = true
		next := outcomes[i+1]
		if next.Effect != o.Effect || o.Conditional || next.Conditional || next.Confirmation != o.Confirmation {
			r.differs = true
		}
		mark(&r.instead, next.Rule)
		if o.Effect == policy.Allow && group.class != policy.Read && group.class != policy.SideEffect {
			mark(&r.writes, group.class)
		}
		if !o.Conditional {
			decided = o.Rule
		}
	}
}

func mark[K comparable](set *map[K]bool, key K) {
	if *set == nil {
		*set = map[K]bool{}
	}
	(*set)[key] = true
}

// finding says what is wrong with a rule; "" if nothing is.
func (u use) finding(r *policy.Rule) string {
	hides := len(r.Mask)+len(r.Drop) > 0 // which a rule does for calls that others decide, too
	switch {
	case r.Observe: // decides nothing, as somebody wants it
	case !u.matches:
		return "matches no call: none of its servers has such a tool, class or user"
	case !u.decides && !hides:
		return "never decides: " + numbers(u.before) + " decide" + plural(u.before, "s", "") + " every call that it matches"
	case !u.differs && !hides && !(r.Effect == policy.Deny && u.instead[-1] && len(u.instead) == 1):
		return "changes nothing: without it " + numbers(u.instead) + " would do the same"
	case len(u.writes) > 0 && r.Classes == nil && !exact(r.Tools):
		return "names no classes, and lets pass without a person: " + strings.Join(classNames(u.writes), ", ")
	}
	return ""
}

// exact reports whether every tool is named, none by a pattern.
func exact(patterns []string) bool {
	return patterns != nil && !slices.ContainsFunc(patterns, func(p string) bool { return strings.ContainsAny(p, "*?") })
}

func classNames(set map[policy.Class]bool) (names []string) {
	for _, c := range policy.Classes() {
		if set[c] {
			names = append(names, string(c))
		}
	}
	return names
}

func numbers(rules map[int]bool) string {
	var list []int
	for i := range rules {
		list = append(list, i)
	}
	slices.Sort(list)
	var names []string
	for _, i := range list {
		if i < 0 {
			names = append(names, "no rule at all")
			continue
		}
		names = append(names, fmt.Sprintf("rule %d", i+1))
	}
	return strings.Join(names, " and ")
}

func plural(set map[int]bool, one, many string) string {
	if len(set) == 1 {
		return one
	}
	return many
}
