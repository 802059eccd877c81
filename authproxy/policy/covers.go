package policy

import (
	"slices"
	"strings"
)

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
