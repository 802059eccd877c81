package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Validate returns every fault of the policy, joined, or nil. It refuses what
// would be silently different from what was meant: empty lists and
// values, unknown effects and classes, keys that do not fit the effect, and
// rules that can never match because an earlier one takes all their calls.
func (p *Policy) Validate() error {
	var faults []error
	if p.Name == "" {
		faults = append(faults, errors.New("name: empty; give the policy a name"))
	}
	switch p.Mode {
	case "", Enforce, Shadow:
	default:
		faults = append(faults, fmt.Errorf("mode: %q is unknown; use enforce or shadow", p.Mode))
	}
	if len(p.Rules) == 0 {
		faults = append(faults, errors.New("rules: empty; to deny everything write one rule {effect: deny}"))
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		for _, fault := range r.faults() {
			faults = append(faults, fmt.Errorf("rules[%d].%w", i, fault))
		}
		for j := range i {
			if p.Rules[j].covers(r) {
				faults = append(faults, fmt.Errorf("rules[%d]: can never match, rules[%d] (%s) takes all its calls", i, j, p.Rules[j].describe()))
				break
			}
		}
	}
	return errors.Join(faults...)
}

// faults returns the faults of one rule, each beginning with the key.
func (r *Rule) faults() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch r.Effect {
	case Allow, Confirm, Deny:
	default:
		fault("effect: %q is unknown; use allow, confirm or deny", r.Effect)
	}
	checks := []struct {
		key    string
		values []string
		ok     func(string) bool
		want   string
	}{
		{"tools", r.Tools, validToolPattern, "a tool name or a glob with * and ?"},
		{"users", r.Users, validUser, "a Salesforce user id (15 or 18 characters) or a user name with @"},
		{"groups", r.Groups, validWord, "the name of a group"},
		{"clients", r.Clients, validWord, "a client id"},
		{"classes", classNames(r.Classes), validClass, "read, side_effect, create, update, delete or unknown"},
		{"objects", r.Objects, validObjectPattern, "an sObject name such as Account or My__c, or a glob"},
		{"fields", r.Fields, validFieldPattern, "Object.Field, such as Contact.Email, or a glob"},
	}
	for _, c := range checks {
		if c.values != nil && len(c.values) == 0 {
			fault("%s: empty list; name something or leave the key out", c.key)
		}
		for i, v := range c.values {
			if !c.ok(v) {
				fault("%s[%d]: %q is not %s", c.key, i, v, c.want)
			}
			if slices.Contains(c.values[:i], v) {
				fault("%s[%d]: %q is listed twice", c.key, i, v)
			}
		}
	}
	return append(faults, r.effectFaults()...)
}

// effectFaults returns the faults of keys that fit only some effects.
func (r *Rule) effectFaults() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if r.MaxRows < 0 {
		fault("max_rows: %d is negative; use a number of records, or leave the key out", r.MaxRows)
	}
	if r.MaxRows > 0 && r.Effect == Deny {
		fault("max_rows: has no meaning for deny; put it on the rule that allows")
	}
	if r.Effect != Confirm {
		if r.Approvers != "" {
			fault("approvers: only for effect confirm")
		}
		if r.Quorum != 0 {
			fault("quorum: only for effect confirm")
		}
		return faults
	}
	role, isRole := strings.CutPrefix(r.Approvers, "role:")
	switch {
	case isRole && !validWord(role):
		fault("approvers: %q names no role; use role:NAME", r.Approvers)
	case !isRole && r.Approvers != "" && r.Approvers != "requester":
		fault("approvers: %q is unknown; use requester or role:NAME", r.Approvers)
	}
	if r.Quorum < 0 {
		fault("quorum: %d is negative; use 1 or more", r.Quorum)
	}
	if r.Quorum > 1 && !isRole {
		fault("quorum: %d approvals are impossible with the requester alone; use approvers role:NAME", r.Quorum)
	}
	return faults
}

// covers reports whether every call that other matches is matched by r. It errs on
// the side of false: it may overlook a dead rule but never condemns a live one.
func (r *Rule) covers(other *Rule) bool {
	if r.unconditional() {
		return true
	}
	exact := func(a, b string) bool { return a == b }
	sameUser := func(a, b string) bool {
		return a == b || sameID(a, b) || strings.EqualFold(a, b) && strings.Contains(a, "@")
	}
	tool := func(pattern, name string) bool {
		return pattern == name || !strings.ContainsAny(name, "*?") && otherKind(name) == "" && glob(pattern, name)
	}
	if !includes(r.Tools, other.Tools, tool) || !includes(r.Users, other.Users, sameUser) ||
		!includes(r.Groups, other.Groups, exact) || !includes(r.Clients, other.Clients, exact) ||
		!includes(classNames(r.Classes), classNames(other.Classes), exact) {
		return false
	}
	if r.Effect != Deny && other.Effect == Deny && (r.Users != nil || reachesOthers(other.Tools)) {
		return false // a deny rule reaches further: unknown user names, prompts and resources
	}
	if !r.judgesArguments() {
		return true
	}
	alike := (r.Effect == Deny) == (other.Effect == Deny)
	return alike && r.MaxRows == other.MaxRows && sameSet(r.Objects, other.Objects) && sameSet(r.Fields, other.Fields)
}

// reachesOthers reports whether patterns on a deny rule may reach prompts or resources.
func reachesOthers(patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return strings.ContainsAny(p, "*?:") })
}

// includes reports whether a key with the values outer matches whenever one with
// inner does.
func includes(outer, inner []string, same func(a, b string) bool) bool {
	if outer == nil {
		return true
	}
	if len(outer) == 0 || len(inner) == 0 {
		return false
	}
	for _, in := range inner {
		if !slices.ContainsFunc(outer, func(out string) bool { return same(out, in) }) {
			return false
		}
	}
	return true
}

// sameSet compares two lists of names without regard to order and case.
func sameSet(a, b []string) bool {
	if (a == nil) != (b == nil) || len(a) != len(b) {
		return false
	}
	fold := func(list []string) []string {
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = strings.ToLower(s)
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(fold(a), fold(b))
}

func validToolPattern(s string) bool {
	if len(s) > maxPattern {
		return false
	}
	plain := strings.NewReplacer("*", "a", "?", "a").Replace(s)
	return validName(plain)
}

func validUser(s string) bool {
	if strings.Contains(s, "@") {
		return validWord(s) && !strings.HasPrefix(s, "@") && !strings.HasSuffix(s, "@") && !strings.ContainsAny(s, "*?")
	}
	return validID(s)
}

// validWord accepts any name without white space or control characters.
func validWord(s string) bool {
	return s != "" && everyByte(s, func(c byte) bool { return c > ' ' && c != 0x7f })
}

func validClass(s string) bool { return slices.Contains(classes, Class(s)) }

func validObjectPattern(s string) bool {
	return s != "" && len(s) <= maxPattern && validObject(strings.NewReplacer("*", "a", "?", "a").Replace(s))
}

func validFieldPattern(s string) bool {
	object, field, ok := strings.Cut(s, ".")
	return ok && validObjectPattern(object) && validObjectPattern(field)
}
