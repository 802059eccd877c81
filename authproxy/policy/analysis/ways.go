package analysis

import (
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy"
)

// Way is one way in which calls are decided.
type Way struct {
	Effect      policy.Effect
	Rule        int      // index in the policy; -1: no rule matches
	Words       string   // the rule in few words
	Conditional bool     // only where the condition of the rule holds; else the next way
	Approvers   string   // for confirm: who must agree, and how
	Hidden      []string // fields that are masked or taken out
	Shadow      bool     // a denial that is only noted

	dropped   []string // of those hidden
	condition string   // all that the condition says
}

// Ways are those of one call, in order; the last is not conditional.
type Ways []Way

// decide returns the ways in which the policy decides. A condition on which nothing depends,
// because what follows comes to the same, is left out.
func decide(p *policy.Policy, who policy.Principal, tool string, reached policy.Reached) (ways Ways) {
	for _, o := range p.Outcomes(who, tool, reached) {
		w := Way{Effect: o.Effect, Rule: o.Rule, Words: p.Words(o.Rule), Conditional: o.Conditional}
		if o.Effect == policy.Confirm {
			w.Approvers = o.Confirmation.String()
		}
		for _, field := range slices.Concat(o.Obligations.Mask, o.Obligations.Drop) {
			if !slices.Contains(w.Hidden, field) && holds(reached, field) {
				w.Hidden = append(w.Hidden, field)
			}
		}
		w.Shadow = w.Effect == policy.Deny && p.Mode == policy.Shadow
		w.condition = o.Condition
		w.dropped = slices.DeleteFunc(slices.Clone(w.Hidden), func(field string) bool { return !slices.Contains(o.Obligations.Drop, field) })
		if ways = append(ways, w); !w.Conditional {
			break
		}
	}
	for i := len(ways) - 2; i >= 0; i-- {
		if ways[i].same(ways[i+1]) {
			ways = slices.Delete(ways, i, i+1)
		}
	}
	return ways
}

// holds reports whether what is reached has a field that a pattern names.
func holds(reached policy.Reached, pattern string) bool {
	object, field, _ := strings.Cut(pattern, ".")
	return slices.ContainsFunc(reached.Fields, func(path string) bool {
		o, f, _ := strings.Cut(path, ".")
		return (o == policy.UnknownObject || policy.Matches(object, o)) && (f == "*" || policy.Matches(field, f))
	})
}

// same reports whether both ways come to the same for the caller.
func (w Way) same(other Way) bool { return w.whole() == other.whole() }

// whole is what the way comes to, without rule and condition. What people read may be cut
// short; this is not.
func (w Way) whole() string {
	return fmt.Sprintf("%s %t %q %q %q", w.Effect, w.Shadow, w.Approvers, w.Hidden, w.dropped)
}

// text is the way in words, without its rule.
func (w Way) text() string {
	var text string
	switch {
	case w.Shadow:
		return "denied on paper only (shadow)"
	case w.Effect == policy.Allow:
		text = "allowed"
	case w.Effect == policy.Confirm:
		text = "held for " + w.Approvers
	default:
		return "denied"
	}
	if len(w.Hidden) > 0 {
		text += ", " + list(w.Hidden, most) + " hidden"
		if len(w.dropped) > 0 {
			text += " (" + list(w.dropped, most) + " taken out)"
		}
	}
	return text
}

// String is the ways in words: "allowed where rule 2 (…) applies, otherwise denied".
func (ways Ways) String() string {
	var parts []string
	for _, w := range ways {
		text := w.text()
		if w.Conditional {
			text += " while " + w.Words + " applies"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", otherwise ")
}

// key is equal for ways that come to the same, whatever the numbers of the rules.
func (ways Ways) key() string {
	var parts []string
	for _, w := range ways {
		parts = append(parts, w.whole(), w.condition)
	}
	return fmt.Sprintf("%q", parts)
}

// Rules names the rules that decide, each once.
func (ways Ways) Rules() string {
	var names []string
	for _, w := range ways {
		name, _, _ := strings.Cut(w.Words, " (")
		names = append(names, name)
	}
	return strings.Join(slices.Compact(names), ", ")
}

// Last names the rule that decides where no condition holds; those of conditions stand in
// [Ways.String].
func (ways Ways) Last() string { return ways[len(ways)-1:].Rules() }

// rank orders effects by what they let pass.
func (w Way) rank() int {
	switch {
	case w.Effect == policy.Allow || w.Shadow:
		return 2
	case w.Effect == policy.Confirm:
		return 1
	}
	return 0
}

// hidden returns every field that is hidden in one of the ways.
func (ways Ways) hidden() (all []string) {
	for _, w := range ways {
		all = append(all, w.Hidden...)
	}
	return distinct(all)
}

// most and least are what the ways let pass at best and at worst.
func (ways Ways) most() int {
	return slices.MaxFunc(ways, func(a, b Way) int { return a.rank() - b.rank() }).rank()
}

func (ways Ways) least() int {
	return slices.MinFunc(ways, func(a, b Way) int { return a.rank() - b.rank() }).rank()
}
