package policy

import (
	"slices"
	"strings"
)

// covers reports whether every call that other matches is matched by r. It errs on
// the side of false: it may overlook a dead rule but never condemns a live one.
func (r *Rule) covers(other *Rule) bool {
	if slices.Contains(other.Classes, Admin) && !r.takesUnnamed(Admin) {
		return false
	}
	if !r.has(aboutCall) {
		return true
	}
	if r.has(aboutMoment) {
		return false // it may miss the call that other matches
	}
	for i := range keys {
		if k := &keys[i]; k.within != nil && k.set(r) && !includes(k.values(r), k.values(other), k.within) {
			return false
		}
	}
	if r.Effect != Deny && other.Effect == Deny && (r.Users != nil || reachesOthers(other.Tools)) {
		return false // a deny rule reaches further: unknown user names, prompts and resources
	}
	if !r.has(aboutArguments) {
		return true
	}
	if (r.Effect == Deny) != (other.Effect == Deny) {
		return false
	}
	for i := range keys {
		if k := &keys[i]; k.about&aboutArguments != 0 && !(k.set(r) == k.set(other) && (!k.set(r) || sameSet(k.values(r), k.values(other)))) {
			return false
		}
	}
	return true
}

// reachesOthers reports whether patterns on a deny rule may reach prompts or resources.
func reachesOthers(patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return strings.ContainsAny(p, "*?:") })
}

// includes reports whether a key with the values outer matches whenever one with
// inner does.
func includes(outer, inner []string, same func(a, b string) bool) bool {
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
	if len(a) != len(b) {
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
