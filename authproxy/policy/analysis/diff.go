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

// Diff returns what changes on a server if its policy becomes after, what lets more pass
// first. Numbers of rules are no change.
func Diff(s Server, after *policy.Policy, people People) []Change {
	c := casesOf(s, people, after, s.Policy)
	var ways []Change
	grouped := c.group(single, func(who policy.Principal, tool string, t target) (string, int) {
		change := Change{Before: decide(s.Policy, who, tool, t.Reached), After: decide(after, who, tool, t.Reached)}
		from, to := change.Before.key(), change.After.key()
		if from == to {
			return "", 0
		}
		ways = append(ways, change)
		return from + " → " + to, len(ways) - 1
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

// single leaves calls on several objects out: what happens to them follows from each.
func single(_ tools, t target) bool { return len(t.Objects) < 2 }
