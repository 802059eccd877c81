package analysis

import (
	"cmp"
	"slices"

	"sfmcp-proxy/authproxy/policy"
)

// Change is a group of calls that another version of a policy decides otherwise.
type Change struct {
	Calls
	Before, After Ways
}

// More says whether the change lets more pass (1), less (-1), or neither for certain (0).
func (c Change) More() int {
	most, least := c.After.most()-c.Before.most(), c.After.least()-c.Before.least()
	if most == 0 && least == 0 {
		most = len(c.Before.hidden()) - len(c.After.hidden())
	}
	switch {
	case most >= 0 && least >= 0 && most+least > 0:
		return 1
	case most <= 0 && least <= 0 && most+least < 0:
		return -1
	}
	return 0
}

// String is the change in one line.
func (c Change) String() string {
	return c.Who() + ": " + c.What() + ": " + c.Before.String() + " → " + c.After.String()
}

// Diff returns what changes on a server for whom, if it and its people become what they are
// afterwards; what lets more pass comes first. Numbers of rules are no change.
func Diff(before Server, then People, after Server, now People) []Change {
	c := casesBetween(side{before, then}, side{after, now})
	var ways []Change
	grouped := c.group(single, func(u Users, tool string, t target) (string, int) {
		change := Change{Before: u.before.decided(before, tool, t.Reached), After: u.now.decided(after, tool, t.Reached)}
		from, to := change.Before.key(), change.After.key()
		if from == to {
			return "", 0
		}
		ways = append(ways, change)
		return from + " → " + to + change.Before.Rules() + change.After.Rules(), len(ways) - 1
	})
	changes := make([]Change, len(grouped))
	for i, f := range grouped {
		changes[i] = Change{f.Calls, ways[f.of].Before, ways[f.of].After}
	}
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(b.More(), a.More()), cmp.Compare(b.After.most(), a.After.most()))
	})
	return changes
}

// decided returns the ways in which calls of the user are decided. Who may not use the server
// is denied before any rule is asked.
func (c caller) decided(s Server, tool string, reached policy.Reached) Ways {
	if !c.admitted {
		return Ways{{Effect: policy.Deny, Rule: -1, Words: "not in the server's groups"}}
	}
	return decide(s.Policy, c.Principal, tool, reached)
}

// single leaves calls on several objects out: what happens to them follows from each.
func single(_ tools, t target) bool { return len(t.Objects) < 2 }
