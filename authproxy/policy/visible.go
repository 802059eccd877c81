package policy

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
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
	return p.naming(aboutCaller, &question{who: who})
}

// passing returns the classes of calls of the tool that could pass.
func (p *Policy) passing(who Principal, tool string) []Class {
	if !reach.ValidName(tool) {
		return nil
	}
	t := p.catalogue.Tool(tool)
	if p.Mode == Shadow {
		return t.Classes
	}
	var passing []Class
	for _, c := range t.Classes {
		if p.passes(who, tool, t, c) {
			passing = append(passing, c)
		}
	}
	return passing
}

// passes reports whether some call of the tool in the class could pass. It walks
// the rules as a call would, with the arguments still open.
func (p *Policy) passes(who Principal, name string, t reach.Tool, c Class) bool {
	var denied []string // objects that earlier rules deny whatever else is asked for
	q := &question{who: who, tool: name, reach: &reach.Value{Class: c}}
	if besides, certain := t.Besides(c); certain {
		q.reach.Besides = besides
	}
	rules := p.compile().rules
	for i := range rules {
		r := &rules[i]
		if r.Observe || r.asks(aboutCall&^aboutArguments, q) != nil {
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
func (r *Rule) attainable(t reach.Tool, denied []string) bool {
	if r.MaxRows > 0 && t.Unbounded { // which no LIMIT helps, ours neither
		return false
	}
	if r.Objects == nil && r.Fields == nil {
		return true
	}
	if t.Touch != reach.TouchNamed {
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
func (r *Rule) inescapable(t reach.Tool) bool {
	if r.has(aboutMoment) {
		return false
	}
	if t.Touch == reach.TouchOpaque {
		return true
	}
	objects := r.Objects == nil || t.Touch == reach.TouchNamed && slices.Contains(r.Objects, "*")
	return objects && r.Fields == nil
}
