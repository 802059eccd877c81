package policy

import (
	"slices"
	"strings"
)

// Visible reports whether some call of the tool could be allowed or confirmed for
// who. It is for filtering lists: what it hides, no arguments could make pass. It
// may show a tool whose calls all fail at the end, for instance because every
// record that it could reach is denied. In mode shadow everything is visible.
func (p *Policy) Visible(who Principal, tool string) bool {
	return len(p.passing(who, tool)) > 0
}

// Naming says which rules name who, of those that name somebody: whom the same rules name,
// the same tools are visible to, with the same annotations.
func (p *Policy) Naming(who Principal) string {
	var naming []byte
	q := &question{who: who}
	rules := p.readyRules()
	for i := range rules {
		switch c := &rules[i]; {
		case !c.has(aboutCaller):
		case c.asks(aboutCaller, q) == nil:
			naming = append(naming, '1')
		default:
			naming = append(naming, '0')
		}
	}
	return string(naming)
}

// passing returns the classes of calls of the tool that could pass.
func (p *Policy) passing(who Principal, tool string) []Class {
	if !validName(tool) {
		return nil
	}
	t := lookup(p.hosted, tool)
	if p.Mode == Shadow {
		return t.classes
	}
	var passing []Class
	for _, c := range t.classes {
		if p.passes(who, tool, t, c) {
			passing = append(passing, c)
		}
	}
	return passing
}

// passes reports whether some call of the tool in the class could pass. It walks
// the rules as a call would, with the arguments still open.
func (p *Policy) passes(who Principal, name string, t tool, c Class) bool {
	var denied []string // objects that earlier rules deny whatever else is asked for
	q := &question{who, name, &footprint{class: c}}
	rules := p.readyRules()
	for i := range rules {
		r := &rules[i]
		if r.asks(aboutCall&^aboutArguments, q) != nil {
			continue
		}
		switch {
		case r.passes():
			if r.attainable(t, denied) {
				return true
			}
		case r.inescapable(t):
			return false
		case r.Fields == nil && !r.has(aboutMoment):
			denied = append(denied, r.Objects...)
		}
	}
	return false
}

// attainable reports whether arguments exist with which an allow or confirm rule
// matches a call of the tool.
func (r *Rule) attainable(t tool, denied []string) bool {
	if r.MaxRows > 0 && t.unbounded { // which no LIMIT helps, ours neither
		return false
	}
	if r.Objects == nil && r.Fields == nil {
		return true
	}
	if t.touch != touchNamed {
		return false
	}
	open := func(object string) bool {
		return !slices.ContainsFunc(denied, func(d string) bool {
			// Of two globs only equal ones, or "*", are certain to include the other.
			return strings.EqualFold(d, object) || d == "*" || !strings.ContainsAny(object, "*?") && globFold(d, object)
		})
	}
	return r.Objects == nil || slices.ContainsFunc(r.Objects, open)
}

// inescapable reports whether a deny rule matches every call of the tool.
func (r *Rule) inescapable(t tool) bool {
	if r.has(aboutMoment) {
		return false
	}
	if t.touch == touchOpaque {
		return true
	}
	objects := r.Objects == nil || t.touch == touchNamed && slices.Contains(r.Objects, "*")
	return objects && r.Fields == nil
}
