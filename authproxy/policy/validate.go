package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/policy/condition"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Problem is one thing that is wrong with a policy.
type Problem struct {
	// Rule is the index in Policy.Rules, -1 where the policy as a whole is meant.
	Rule int
	// Key is the key of the rule or of the policy, with the position in a list:
	// effect, tools[1]; "" where the rule as a whole is meant.
	Key string
	// Found is what stands there, in a few words.
	Found string
	// Want is what was expected; "" where Found says all of it.
	Want string
}

// Path is the key as seen from the policy, with rules counted from 0: mode,
// rules[0].effect, rules[1].
func (p Problem) Path() string {
	if p.Rule < 0 {
		return p.Key
	}
	rule := "rules[" + strconv.Itoa(p.Rule) + "]"
	if p.Key == "" {
		return rule
	}
	return rule + "." + p.Key
}

func (p Problem) String() string {
	if p.Want == "" {
		return p.Path() + ": found " + p.Found
	}
	return fmt.Sprintf("%s: found %s, expected %s", p.Path(), p.Found, p.Want)
}

// problems collects what is wrong with one rule, or with the policy itself.
type problems struct {
	rule      int
	list      []Problem
	calendars []*condition.Calendar // that conditions may name
}

func (c *problems) add(key, found, want string) {
	c.list = append(c.list, Problem{Rule: c.rule, Key: key, Found: found, Want: want})
}

// Validate returns every problem of the policy, nil if there is none. It refuses what
// would be silently different from what was meant: empty lists and values, unknown
// effects and classes, keys that do not fit the effect, and rules that can never match
// because an earlier one takes all their calls.
func (p *Policy) Validate() []Problem {
	c := &problems{rule: -1, calendars: p.Calendars}
	if p.Name == "" {
		c.add("name", "nothing", "a name")
	}
	switch p.Mode {
	case "", Enforce, Shadow:
	default:
		c.add("mode", strconv.Quote(string(p.Mode)), "enforce or shadow")
	}
	if len(p.Rules) == 0 {
		c.add("rules", "nothing", "at least one rule; to deny everything, one rule {effect: deny}")
	}
	for i := range p.Rules {
		c.rule = i
		r := &p.Rules[i]
		r.validate(c)
		for j := range i {
			if earlier := &p.Rules[j]; earlier.covers(r) && !p.deniesFurther(earlier, i) {
				c.add("", fmt.Sprintf("a rule that can never match: rules[%d] (%s) takes all its calls", j, earlier.describe()), "it before that rule, or not at all")
				break
			}
		}
	}
	c.rule = -1
	p.validateBudgets(c)
	if t := p.TaintTime(); t < time.Minute || t > MaxTaint {
		c.add("taint", t.String(), "1m to 24h")
	}
	return c.list
}

// deniesFurther reports whether a rule is not dead behind one that covers it by its classes, because
// it keeps calls that the earlier one leaves, of the class admin or of one that nobody knows, from a
// later rule that lets them pass.
func (p *Policy) deniesFurther(earlier *Rule, rule int) bool {
	r := &p.Rules[rule]
	return slices.ContainsFunc([]Class{Unknown, Admin}, func(c Class) bool {
		return !earlier.takesClass(c) && (r.takesClass(c) || r.Effect == Deny && earlier.passes()) &&
			slices.ContainsFunc(p.Rules[rule:], func(later Rule) bool { return later.passes() && later.takesClass(c) })
	})
}

// validate adds the problems of one rule.
func (r *Rule) validate(c *problems) {
	if !validEffect(r.Effect) {
		c.add("effect", strconv.Quote(string(r.Effect)), "allow, confirm or deny")
	}
	for i := range keys {
		keys[i].validate(r, c)
	}
}

func validEffect(e Effect) bool { return e == Allow || e == Confirm || e == Deny }

func validToolPattern(s string) bool {
	if len(s) > maxPattern {
		return false
	}
	plain := strings.NewReplacer("*", "a", "?", "a").Replace(s)
	return reach.ValidName(plain)
}

func validUser(s string) bool {
	if strings.Contains(s, "@") {
		return validWord(s) && !strings.HasPrefix(s, "@") && !strings.HasSuffix(s, "@") && !strings.ContainsAny(s, "*?")
	}
	return reach.ValidID(s)
}

// validWord accepts any name without white space or control characters.
func validWord(s string) bool {
	return s != "" && everyByte(s, func(c byte) bool { return c > ' ' && c != 0x7f })
}

func validClass(s string) bool { return slices.Contains(reach.Classes, Class(s)) }

func validObjectPattern(s string) bool {
	return s != "" && len(s) <= maxPattern && reach.ValidObject(strings.NewReplacer("*", "a", "?", "a").Replace(s))
}

func validFieldPattern(s string) bool {
	object, field, ok := strings.Cut(s, ".")
	return ok && validObjectPattern(object) && validObjectPattern(field)
}
